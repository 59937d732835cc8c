"""Is a client's chain good: does it lead to a known authority, in date, for this purpose, strong
enough, within its issuers' constraints? Everything about a chain but revocation.

The verdict of the library (`cryptography.x509.verification`) rules; what it refuses is looked at
again to tell the faults apart (`paths`).
"""

import hashlib
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from math import inf

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.verification import (
    ClientVerifier,
    ExtensionPolicy,
    PolicyBuilder,
    Store,
    VerificationError,
)
from msgspec import Struct

from guarita.asks import CertificateFault
from guarita.pki import rules
from guarita.pki.encodings import UNREADABLE, CertificateFileError, serial_text, sha256_of
from guarita.pki.paths import Authorities, Search, diagnose, seconds
from guarita.pki.version1 import verify_version_1

MOST_SENT = 10
"""Certificates of one client that are looked at; further ones are passed over."""

MOST_BYTES = 65_536


class Link(Struct, frozen=True):
    """One certificate of a path as revocation knows it: who issued it (`issuer_id`) and its
    serial.
    """

    issuer: bytes
    serial: int


class ChainResult(Struct, frozen=True):
    """What was found of one chain. Holds for every Unix time in [since, until): while none of the
    certificates in play begins or ends its validity.

    Attributes:
        fault: None where the chain is good.
        detail: the fault in words, for a log or an operator.
        serial, sha256: as openssl prints them; `serial` is "" when malformed.
        subject: RFC 4514.
        links: the verified path without its root, the client's own certificate first; empty
            where there is a fault.
    """

    fault: CertificateFault | None
    detail: str
    serial: str
    sha256: str
    subject: str
    links: tuple[Link, ...] = ()
    since: float = -inf
    until: float = inf


def issuer_id(certificate: x509.Certificate) -> bytes:
    """Names an authority: SHA-256 over its subject and public key, the same for every certificate
    it has.
    """
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(certificate.subject.public_bytes() + key).digest()


class ChainVerifier:
    """Verifies client chains against authorities that are known beforehand. Thread-safe."""

    def __init__(
        self,
        roots: Sequence[x509.Certificate],
        intermediates: Sequence[x509.Certificate] = (),
        *,
        require_eku: bool = False,
        max_depth: int = 8,
        unsafe_any_purpose: bool = False,
    ) -> None:
        """`roots` are trusted; `intermediates` help to reach them where clients do not send them.

        `require_eku` demands an extended key usage with clientAuth (one that is present must hold
        it in any case). `max_depth` bounds the intermediates of a path. `unsafe_any_purpose`
        accepts certificates made for servers.

        Raises:
            CertificateFileError: no root at all; one of them is not an authority's, or too weak.
        """
        if not roots:
            raise CertificateFileError("no root certificate is given: no client could be verified")
        for authority in (*roots, *intermediates):
            _check_authority(authority)
        self._roots = tuple(roots)
        self._known = tuple(intermediates)
        self._require_eku = require_eku
        self._any_purpose = unsafe_any_purpose
        self._max_depth = max_depth
        self._store = Store(list(roots))
        self._authorities = Authorities(self.authorities)
        self._boundaries = _boundaries((*roots, *intermediates))
        issuers = ExtensionPolicy.webpki_defaults_ca()
        self._issuer = rules.issuer_policy(issuers, any_purpose=unsafe_any_purpose)
        self._client = rules.client_policy(require_eku=require_eku, any_purpose=unsafe_any_purpose)
        self._version_1 = rules.version_1_issuer_policy(any_purpose=unsafe_any_purpose)

    @property
    def authorities(self) -> tuple[x509.Certificate, ...]:
        """Every authority known beforehand: whose revocation lists can be believed."""
        return self._roots + self._known

    def verify(self, chain: Sequence[bytes], at: float) -> ChainResult:
        """`chain` is DER, the client's own certificate first; `at` a Unix time, of which fractions
        of a second are not looked at. Never raises.
        """
        if not chain or sum(map(len, chain)) > MOST_BYTES:
            return ChainResult(CertificateFault.MALFORMED, "empty or too long", "", "", "")
        try:
            leaf = x509.load_der_x509_certificate(chain[0])
            serial, subject = serial_text(leaf.serial_number), leaf.subject.rfc4514_string()
            _ = leaf.extensions, leaf.issuer  # parsed on first use: a fault in them shows here
        except UNREADABLE as error:
            return ChainResult(
                CertificateFault.MALFORMED, _said(error), "", sha256_of(chain[0]), ""
            )
        sent = _readable(chain[1:MOST_SENT])
        fault, detail, path = self._judge(leaf, sent, at)
        times = _boundaries((leaf, *sent), self._boundaries)
        place = bisect_right(times, at)
        return ChainResult(
            fault,
            detail,
            serial,
            sha256_of(chain[0]),
            subject,
            tuple(
                Link(issuer_id(issuer), issued.serial_number) for issued, issuer in pairwise(path)
            ),
            times[place - 1] if place else -inf,
            times[place] if place < len(times) else inf,
        )

    def _judge(
        self, leaf: x509.Certificate, sent: list[x509.Certificate], at: float
    ) -> tuple[CertificateFault | None, str, list[x509.Certificate]]:
        try:
            return None, "", self._path(leaf, sent, at)
        except (VerificationError, *UNREADABLE) as error:
            said = _said(error)
        try:
            found = Search(self._roots, [*sent, *self._known], at).path(leaf)
            if not found:
                own = "it is self-signed and" if leaf.issuer == leaf.subject else "its issuer"
                return CertificateFault.UNKNOWN_ISSUER, f"{own} leads to no known authority", []
            fault, detail = diagnose(
                found, at, require_eku=self._require_eku, any_purpose=self._any_purpose
            )
        except UNREADABLE as error:
            return CertificateFault.MALFORMED, _said(error), []
        return fault, detail or said, []

    def _path(
        self, leaf: x509.Certificate, sent: list[x509.Certificate], at: float
    ) -> list[x509.Certificate]:
        others = [*self._authorities.among(sent), *self._known]
        if leaf.version is not x509.Version.v1:
            path = self._verifier(self._client, at, self._max_depth).verify(leaf, others).chain
            # The library weighs the keys of issuers, not the client's own.
            if weak := rules.weakness_of_key(leaf):
                raise VerificationError(weak)
            return path
        if self._require_eku:
            raise VerificationError("a certificate of version 1 has no extended key usage")
        above = self._verifier(self._version_1, at, max(self._max_depth - 1, 0))
        return verify_version_1(
            leaf,
            (*self._roots, *others),
            lambda authority: above.verify(authority, others).chain,
            at,
            self._max_depth,
        )

    def _verifier(self, client: ExtensionPolicy, at: float, depth: int) -> ClientVerifier:
        builder = PolicyBuilder().store(self._store).max_chain_depth(depth)
        builder = builder.time(datetime.fromtimestamp(int(at), UTC))
        builder = builder.extension_policies(ca_policy=self._issuer, ee_policy=client)
        return builder.build_client_verifier()


def _check_authority(authority: x509.Certificate) -> None:
    try:
        problem = rules.issuing_problem(authority) or rules.weakness_of_key(authority)
    except UNREADABLE as error:
        problem = _said(error)
    if problem:
        name = authority.subject.rfc4514_string()
        raise CertificateFileError(f"the certificate of {name!r} cannot be an authority: {problem}")


def _readable(sent: Sequence[bytes]) -> list[x509.Certificate]:
    """What can be read of `sent`: the rest can help no path."""
    certificates: list[x509.Certificate] = []
    for der in sent:
        try:
            certificate = x509.load_der_x509_certificate(der)
            seconds(certificate)
            _ = certificate.subject, certificate.issuer
        except UNREADABLE:
            continue
        certificates.append(certificate)
    return certificates


def _boundaries(
    certificates: Iterable[x509.Certificate], besides: Sequence[float] = ()
) -> list[float]:
    times = set(besides)
    for certificate in certificates:
        first, last = seconds(certificate)
        times |= {first, last + 1}
    return sorted(times)


def _said(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
