"""Client certificates of X.509 version 1, which the library does not verify. `openssl x509 -req`
makes them where no extension file is given, and servers built on OpenSSL accept them.

Such a certificate says nothing of itself but names, key and dates. So what is left to check by hand
is its signature, its strength, its dates, and the path length; the path of the authority above it
is the library's to verify. Wherever that path holds name constraints it is refused, because what
they mean for a bare subject is disputed. It can never issue: only version 3 can be an authority.
"""

from collections.abc import Callable, Iterable

from cryptography import x509
from cryptography.x509.verification import VerificationError

from guarita.pki import rules
from guarita.pki.paths import date_fault, signed_by

VerifyAuthority = Callable[[x509.Certificate], list[x509.Certificate]]
"""The path from an authority to a root, both included. Raises VerificationError."""


def verify_version_1(
    leaf: x509.Certificate,
    issuers: Iterable[x509.Certificate],
    verify_authority: VerifyAuthority,
    at: float,
    max_depth: int,
) -> list[x509.Certificate]:
    """The path from `leaf` to a root, both included.

    Raises:
        VerificationError: there is no good one.
    """
    if date_fault(leaf, at) or rules.weakness(leaf):
        raise VerificationError("the certificate is out of date or too weak")
    last = VerificationError("no issuer is known")
    for issuer in issuers:
        if leaf.issuer != issuer.subject:
            continue
        if rules.weakness_of_key(issuer) or not signed_by(leaf, issuer):
            continue
        try:
            above = verify_authority(issuer)
            _check_path(above, max_depth)
        except VerificationError as error:
            last = error
            continue
        return [leaf, *above]
    raise last


def _check_path(above: list[x509.Certificate], max_depth: int) -> None:
    intermediates = 0  # between the client's certificate and this authority (RFC 5280 4.2.1.9)
    for authority in above:
        if rules.extension(authority, x509.NameConstraints) is not None:
            raise VerificationError("name constraints over a certificate of version 1")
        constraints = rules.extension(authority, x509.BasicConstraints)
        allowed = constraints.path_length if constraints else 0
        if allowed is not None and intermediates > allowed:
            raise VerificationError("path length constraint violated")
        if authority.subject != authority.issuer:
            intermediates += 1
    if len(above) - 1 > max_depth:
        raise VerificationError("the path is too long")
