"""What goes into the certificates an authority issues: subjects, dates, extensions (RFC 5280
section 4.2), and what comes out with them.
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    pkcs12,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from guarita.pki import rules
from guarita.pki.encodings import UNREADABLE
from guarita.pki.key_files import AuthorityError, SigningKey, key_pem

PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey
_BACKDATED_S = 60  # for clocks that are a little slow
_MOST_DAYS = 36_500
_LONGEST_NAME = 64  # RFC 5280 appendix A, ub-common-name and ub-organization-name


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate just issued.

    Attributes:
        certificate: it.
        chain: the authorities above it, its issuer first, up to the root.
        private_key: its new key; None where it was made for a request, whose maker has the key.
    """

    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...]
    private_key: SigningKey | None

    def __repr__(self) -> str:
        return f"Issued({self.certificate.subject.rfc4514_string()!r})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("subject", self.certificate.subject.rfc4514_string())]

    def pem(self) -> bytes:
        """The certificate, and the intermediate authorities a client has to send with it."""
        sent = [each for each in self.chain if each.subject != each.issuer]
        return b"".join(each.public_bytes(Encoding.PEM) for each in (self.certificate, *sent))

    def private_key_pem(self) -> bytes:
        """The key, PKCS#8, not encrypted: for a file of mode 0600.

        Raises:
            AuthorityError: it was made for a request.
        """
        if self.private_key is None:
            raise AuthorityError("the certificate was made for a request, whose maker has the key")
        return key_pem(self.private_key)

    def pkcs12(self, password: bytes) -> bytes:
        """Certificate, key and chain as PKCS#12 under `password` (AES-256).

        Raises:
            AuthorityError: it was made for a request, or the password is empty.
        """
        if self.private_key is None:
            raise AuthorityError(
                "the certificate was made for a request, whose maker has the key: no PKCS#12 can "
                "be made of it here"
            )
        if not password:
            raise AuthorityError("a PKCS#12 file holds a private key and needs a password")
        name = self.certificate.subject.rfc4514_string().encode()
        return pkcs12.serialize_key_and_certificates(
            name,
            self.private_key,
            self.certificate,
            self.chain,
            BestAvailableEncryption(password),
        )


def validity(now: float, days: int) -> tuple[datetime, datetime]:
    """First and last moment of a certificate issued at the Unix time `now` for `days` days."""
    if not 1 <= days <= _MOST_DAYS:
        raise AuthorityError(f"a certificate is valid for 1 to {_MOST_DAYS} days, not {days}")
    start = datetime.fromtimestamp(int(now), UTC)
    return start - timedelta(seconds=_BACKDATED_S), start + timedelta(days=days)


def authority(
    name: str, key: PublicKey, start: datetime, end: datetime, path_length: int | None
) -> x509.CertificateBuilder:
    """An authority that may issue certificates and sign lists."""
    if path_length is not None and path_length < 0:
        raise AuthorityError("a path length is 0 or more")
    return (
        _bare(_subject(name), key, start, end)
        .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(_usage(key_cert_sign=True, crl_sign=True), critical=True)
    )


def client(
    common_name: str, account: str, key: PublicKey, start: datetime, end: datetime
) -> x509.CertificateBuilder:
    """A TLS client."""
    return (
        _bare(_subject(common_name, account), key, start, end)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
    )


def server(
    names: Sequence[str | ipaddress.IPv4Address | ipaddress.IPv6Address],
    key: PublicKey,
    start: datetime,
    end: datetime,
) -> x509.CertificateBuilder:
    """A TLS server with `names`; texts that are IP addresses count as such."""
    if not names:
        raise AuthorityError("a server certificate needs a host name or an IP address")
    alternatives = [_general_name(name) for name in names]
    return (
        _bare(_subject(str(names[0])[:_LONGEST_NAME]), key, start, end)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    )


def self_signed(builder: x509.CertificateBuilder, name: str, key: SigningKey) -> x509.Certificate:
    """A root out of `builder`, named `name`."""
    serial = x509.random_serial_number()
    return builder.issuer_name(_subject(name)).serial_number(serial).sign(key, hashes.SHA256())


def issue(
    builder: x509.CertificateBuilder, issuer: x509.Certificate, key: SigningKey, end: datetime
) -> x509.Certificate:
    """A certificate out of `builder`, signed by `issuer`, with a serial of 159 random bits.

    Raises:
        AuthorityError: it would be valid for longer than its issuer (until `end`).
    """
    if end > issuer.not_valid_after_utc:
        raise AuthorityError(
            f"the authority itself ends on {issuer.not_valid_after_utc}, before the certificate "
            f"would ({end}); choose fewer days, or make a new authority"
        )
    return (
        builder.issuer_name(issuer.subject)
        .serial_number(x509.random_serial_number())
        .add_extension(authority_identifier(issuer), critical=False)
        .sign(key, hashes.SHA256())
    )


def authority_identifier(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    """How what `issuer` signs points to it."""
    own = rules.extension(issuer, x509.SubjectKeyIdentifier)
    if own is None:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(_public(issuer))
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own)


def requested_key(csr: bytes) -> PublicKey:
    """The key a certificate is requested for (PKCS#10, PEM or DER).

    Raises:
        AuthorityError: it cannot be read, is not signed by its own key, or is too weak.
    """
    pem = b"-----BEGIN " in csr
    try:
        request = x509.load_pem_x509_csr(csr) if pem else x509.load_der_x509_csr(csr)
        genuine, key = request.is_signature_valid, request.public_key()
    except UNREADABLE:
        raise AuthorityError(
            "the certificate request cannot be read; `openssl req -new` makes one"
        ) from None
    if not genuine:
        raise AuthorityError("the certificate request is not signed by the key it is for")
    problem = rules.weakness_of_key(request)
    if problem or not isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
        raise AuthorityError(f"the certificate request has {problem}")
    return key


def _bare(
    subject: x509.Name, key: PublicKey, start: datetime, end: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(key)
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _subject(common_name: str, organization: str = "") -> x509.Name:
    attributes = [(NameOID.ORGANIZATION_NAME, organization)] if organization else []
    attributes.append((NameOID.COMMON_NAME, common_name))
    for _, value in attributes:
        if not 1 <= len(value) <= _LONGEST_NAME or not value.isprintable():
            raise AuthorityError(
                f"a name in a certificate has 1 to {_LONGEST_NAME} printable characters"
            )
    return x509.Name([x509.NameAttribute(kind, value) for kind, value in attributes])


def _general_name(
    name: str | ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        pass
    try:
        return x509.DNSName(str(name).encode("idna").decode())
    except ValueError:
        raise AuthorityError(f"{str(name)[:80]!r} is neither a host name nor an address") from None


def _usage(
    *, digital_signature: bool = False, key_cert_sign: bool = False, crl_sign: bool = False
) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        encipher_only=False,
        decipher_only=False,
    )


def _public(certificate: x509.Certificate) -> PublicKey:
    key = certificate.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
        raise AuthorityError("the authority's key is neither RSA nor ECDSA")
    return key
