"""Paths from a client's certificate to a known authority, found by names and signatures alone: what
the library answers no to is looked at here again, to say why.
"""

from collections.abc import Iterator, Sequence

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from guarita.asks import CertificateFault
from guarita.pki import rules
from guarita.pki.encodings import UNREADABLE

_MOST_SIGNATURES = 16
_MOST_REMEMBERED = 256


def seconds(certificate: x509.Certificate) -> tuple[int, int]:
    """First and last second (Unix) in which `certificate` is valid, both included."""
    return (
        int(certificate.not_valid_before_utc.timestamp()),
        int(certificate.not_valid_after_utc.timestamp()),
    )


def date_fault(certificate: x509.Certificate, at: float) -> CertificateFault | None:
    """Whether `certificate` is out of its dates at the Unix time `at`; fractions of a second are
    not looked at.
    """
    first, last = seconds(certificate)
    if int(at) > last:
        return CertificateFault.EXPIRED
    return CertificateFault.NOT_YET_VALID if int(at) < first else None


def signed_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether `issuer` has the name and key that `certificate` was signed with."""
    if certificate.issuer != issuer.subject:
        return False
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, *UNREADABLE):
        return False
    return True


class Authorities:
    """Tells which of the certificates a client sends are authorities' under those known beforehand.

    The rest can be on no good path, and is kept from the library: a client could otherwise send
    authorities of its own that sign each other in circles, and have it check hundreds of
    signatures. What was found genuine is remembered.
    """

    def __init__(self, known: Sequence[x509.Certificate]) -> None:
        self._known = tuple(known)
        self._genuine: dict[x509.Certificate, None] = {}

    def among(self, sent: Sequence[x509.Certificate]) -> list[x509.Certificate]:
        """Those of `sent` that were signed by a known authority, or by another of them."""
        genuine = [each for each in sent if each in self._genuine]
        left = [each for each in sent if each not in self._genuine and _may_issue(each)]
        issuers = [*self._known, *genuine]
        while issuers:
            found = [each for each in left if any(signed_by(each, issuer) for issuer in issuers)]
            left = [each for each in left if each not in found]
            genuine += found
            issuers = found  # the others have been tried
        if len(self._genuine) + len(genuine) > _MOST_REMEMBERED:
            self._genuine = {}
        self._genuine.update(dict.fromkeys(genuine))
        return genuine


def _may_issue(certificate: x509.Certificate) -> bool:
    try:
        return not rules.issuing_problem(certificate)
    except UNREADABLE:
        return False


class Search:
    """Looks for a path from a certificate to one of `roots`, over `others`.

    At most 16 signatures are checked in the life of one search, whatever a client has sent.
    """

    def __init__(
        self,
        roots: Sequence[x509.Certificate],
        others: Sequence[x509.Certificate],
        at: float,
    ) -> None:
        self._roots = roots
        self._others = sorted(others, key=lambda other: date_fault(other, at) is not None)
        self._left = _MOST_SIGNATURES

    def path(self, leaf: x509.Certificate) -> tuple[x509.Certificate, ...]:
        """From `leaf` to a root, both included, issuers in date preferred; () when there is
        none.
        """
        return next(self._extended((leaf,)), ())

    def _extended(
        self, path: tuple[x509.Certificate, ...]
    ) -> Iterator[tuple[x509.Certificate, ...]]:
        last = path[-1]
        if last in self._roots:
            yield path
            return
        for root in self._roots:
            if self._signed(last, root):
                yield (*path, root)
        for other in self._others:
            if other not in path and self._signed(last, other):
                yield from self._extended((*path, other))

    def _signed(self, certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
        if certificate.issuer != issuer.subject or self._left == 0:
            return False
        self._left -= 1
        # What is signed in a way that cannot be checked any more counts by name, so that it is
        # called weak and not unknown. Nothing is admitted by what is found here.
        return signed_by(certificate, issuer) or bool(rules.weakness_of_signature(certificate))


def diagnose(
    path: Sequence[x509.Certificate], at: float, *, require_eku: bool, any_purpose: bool
) -> tuple[CertificateFault, str]:
    """What is wrong with a path that the library has refused, and in words. The client's own
    certificate is looked at before its issuers.

    Raises:
        one of `UNREADABLE`: an extension or key in it cannot be read.
    """
    for certificate in path:
        fault = date_fault(certificate, at)
        if fault:
            first, last = (
                certificate.not_valid_before_utc,
                certificate.not_valid_after_utc,
            )
            return fault, f"{_called(certificate)} is valid from {first} to {last}"
    leaf, issuers = path[0], path[1:]
    if not any_purpose:
        problem = rules.purpose_problem(leaf, require_eku=require_eku)
        if problem:
            return CertificateFault.WRONG_PURPOSE, f"{_called(leaf)}: {problem}"
        for issuer in issuers:
            problem = rules.issuing_purpose_problem(issuer)
            if problem:
                return CertificateFault.WRONG_PURPOSE, f"{_called(issuer)}: {problem}"
    for certificate in path:
        own = rules.weakness_of_key if certificate is path[-1] else rules.weakness
        problem = own(certificate)
        if problem:
            return CertificateFault.WEAK, f"{_called(certificate)}: {problem}"
    for issuer in issuers:
        problem = rules.issuing_problem(issuer)
        if problem:
            return CertificateFault.CONSTRAINT, f"{_called(issuer)}: {problem}"
    return CertificateFault.CONSTRAINT, ""


def _called(certificate: x509.Certificate) -> str:
    return f"the certificate of {certificate.subject.rfc4514_string()[:200]!r}"
