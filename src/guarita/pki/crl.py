"""One certificate revocation list: read, checked against the authority that signed it, and turned
into a set of serials (RFC 5280 section 5).

What a list leaves open is never taken for "not revoked": a list that covers only a part (delta,
indirect, one distribution point, users or authorities only) is refused with what would be right.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from msgspec import Struct

from guarita.pki import rules
from guarita.pki.encodings import UNREADABLE, CertificateFileError, pem_blocks
from guarita.pki.verify import issuer_id

_UNDERSTOOD = (x509.IssuingDistributionPoint, x509.AuthorityKeyIdentifier)


class CrlError(CertificateFileError):
    """A revocation list that is not believed; the message names the file and the fault."""


class RevocationList(Struct, frozen=True):
    """A list that is believed.

    Attributes:
        issuer: `issuer_id` of the authority.
        issuer_name: RFC 4514.
        this_update, next_update: Unix seconds.
        serials: what it revokes.
        source: the file or URL it came from.
    """

    issuer: bytes
    issuer_name: str
    this_update: float
    next_update: float
    serials: frozenset[int]
    source: str

    def __repr__(self) -> str:
        return f"RevocationList({self.issuer_name!r}, {len(self.serials)} serials, {self.source!r})"


def read_lists(
    data: bytes,
    name: str,
    authorities: Sequence[x509.Certificate],
    now: float,
    *,
    unsafe_sha1: bool = False,
) -> list[RevocationList]:
    """Every revocation list in `data` (PEM, any number; or one in DER), checked against
    `authorities`. One past its nextUpdate is returned as well: what it revokes stays revoked.

    `name` is the file's or URL's, for the errors; `now` is Unix time; `unsafe_sha1` believes lists
    signed with SHA-1.

    Raises:
        CrlError: there is none, or one of them is not to be believed.
    """
    return [
        _checked(crl, name, authorities, now, unsafe_sha1=unsafe_sha1)
        for crl in _parsed(data, name)
    ]


def _parsed(data: bytes, name: str) -> list[x509.CertificateRevocationList]:
    if not data.strip():
        raise CrlError(f"{name}: the file is empty")
    ders = [data]
    if b"-----BEGIN " in data:
        try:
            blocks = pem_blocks(data, name)
        except CertificateFileError as error:
            raise CrlError(str(error)) from None
        ders = [der for label, der in blocks if label == b"X509 CRL"]
        if not ders:
            held = ", ".join(sorted({label.decode() for label, _ in blocks}))
            raise CrlError(f"{name}: holds no -----BEGIN X509 CRL-----, only: {held}")
    try:
        return [x509.load_der_x509_crl(der) for der in ders]
    except UNREADABLE:
        raise CrlError(
            f"{name}: not a certificate revocation list, or truncated or damaged"
        ) from None


def _checked(
    crl: x509.CertificateRevocationList,
    name: str,
    authorities: Sequence[x509.Certificate],
    now: float,
    *,
    unsafe_sha1: bool,
) -> RevocationList:
    try:
        issuer_name = crl.issuer.rfc4514_string()
        _check_kind(crl, name)
        weak = rules.weakness_of_signature(crl)
        if weak and not (unsafe_sha1 and _is_sha1(crl)):
            raise CrlError(f"{name}: too weak: {weak}")
        issuer = _signer(crl, name, authorities)
        this_update, next_update = crl.last_update_utc, crl.next_update_utc
        if next_update is None:
            raise CrlError(f"{name}: has no nextUpdate, so nobody can say how long it is good")
        if this_update.timestamp() > now:
            raise CrlError(
                f"{name}: not yet valid: it begins on {this_update}, and it is "
                f"{datetime.fromtimestamp(int(now), UTC)} (is a clock wrong?)"
            )
        return RevocationList(
            issuer_id(issuer),
            issuer_name,
            this_update.timestamp(),
            next_update.timestamp(),
            frozenset([entry.serial_number for entry in crl]),
            name,
        )
    except UNREADABLE as error:
        if isinstance(error, CrlError):
            raise
        raise CrlError(f"{name}: damaged, or with contents that cannot be read") from None


def _check_kind(crl: x509.CertificateRevocationList, name: str) -> None:
    for each in crl.extensions:
        value = each.value
        if isinstance(value, x509.DeltaCRLIndicator):
            raise CrlError(f"{name}: a delta list holds changes only; give the complete list")
        if isinstance(value, x509.IssuingDistributionPoint):
            _check_scope(value, name)
        elif each.critical and not isinstance(value, _UNDERSTOOD):
            raise CrlError(
                f"{name}: its extension {each.oid.dotted_string} is critical and not understood"
            )


def _check_scope(scope: x509.IssuingDistributionPoint, name: str) -> None:
    if scope.indirect_crl:
        raise CrlError(
            f"{name}: an indirect list speaks for other authorities than its signer; "
            "give the list of each authority itself"
        )
    if scope.only_contains_attribute_certs:
        raise CrlError(f"{name}: a list of attribute certificates says nothing about clients")
    if scope.only_contains_user_certs or scope.only_contains_ca_certs or scope.only_some_reasons:
        raise CrlError(
            f"{name}: covers a part of its authority's certificates or reasons only; "
            "give the complete list"
        )
    if scope.full_name or scope.relative_name:
        raise CrlError(
            f"{name}: covers one distribution point of its authority only; give the complete list"
        )


def _is_sha1(crl: x509.CertificateRevocationList) -> bool:
    used = crl.signature_hash_algorithm
    return used is not None and used.name == "sha1"


def _signer(
    crl: x509.CertificateRevocationList, name: str, authorities: Sequence[x509.Certificate]
) -> x509.Certificate:
    named = [each for each in authorities if each.subject == crl.issuer]
    if not named:
        raise CrlError(
            f"{name}: issued by {crl.issuer.rfc4514_string()!r}, which is none of the known "
            "authorities; an intermediate that clients send has to be given beforehand, too"
        )
    signers = [each for each in named if _signed(crl, each)]
    if not signers:
        raise CrlError(
            f"{name}: the signature is not that of the known authority "
            f"{crl.issuer.rfc4514_string()!r}"
        )
    for signer in signers:
        usage = rules.extension(signer, x509.KeyUsage)
        if usage is None or usage.crl_sign:
            return signer
    raise CrlError(
        f"{name}: the key usage of {crl.issuer.rfc4514_string()!r} does not allow it to sign "
        "revocation lists (cRLSign)"
    )


def _signed(crl: x509.CertificateRevocationList, authority: x509.Certificate) -> bool:
    key = authority.public_key()
    try:
        if not _is_sha1(crl):
            return crl.is_signature_valid(key)  # type: ignore[arg-type]
        # The library calls none of these valid; that they are wanted has been checked.
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(crl.signature, crl.tbs_certlist_bytes, PKCS1v15(), hashes.SHA1())  # noqa: S303
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(crl.signature, crl.tbs_certlist_bytes, ec.ECDSA(hashes.SHA1()))  # noqa: S303
        else:
            return False
    except (InvalidSignature, *UNREADABLE):
        return False
    return True
