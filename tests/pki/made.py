"""Certificates and revocation lists made for one test, right or wrong in one respect each."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

NOW = 1_800_000_000.0
DAY = 86_400
CLIENT = (ExtendedKeyUsageOID.CLIENT_AUTH,)
SERVER = (ExtendedKeyUsageOID.SERVER_AUTH,)

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True)
class Made:
    """A certificate with its key."""

    certificate: x509.Certificate
    key: Key

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def serial(self) -> int:
        return self.certificate.serial_number


def moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)


def named(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


@cache
def rsa_key(bits: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def usage(*bits: str) -> x509.KeyUsage:
    names = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**{name: name in bits for name in names})


def certificate(
    name: str,
    issuer: Made | None = None,
    *,
    starts: float = NOW - DAY,
    ends: float = NOW + 30 * DAY,
    key: Key | None = None,
    serial: int | None = None,
    extensions: Sequence[tuple[x509.ExtensionType, bool]] = (),
) -> Made:
    """A certificate by `issuer` (itself, without one) with just these (extension, critical)."""
    own = key or ec.generate_private_key(ec.SECP256R1())
    builder = (
        x509.CertificateBuilder()
        .subject_name(named(name))
        .issuer_name(issuer.certificate.subject if issuer else named(name))
        .public_key(own.public_key())
        .serial_number(serial or x509.random_serial_number())
        .not_valid_before(moment(starts))
        .not_valid_after(moment(ends))
    )
    signer = issuer.key if issuer else own
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    builder = builder.add_extension(identifier, critical=False)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return Made(builder.sign(signer, hashes.SHA256()), own)


def authority(
    name: str,
    issuer: Made | None = None,
    *,
    path_length: int | None = None,
    ends: float = NOW + 300 * DAY,
    signs_lists: bool = True,
    key: Key | None = None,
    extensions: Sequence[tuple[x509.ExtensionType, bool]] = (),
) -> Made:
    bits = ("key_cert_sign", "crl_sign") if signs_lists else ("key_cert_sign",)
    own: list[tuple[x509.ExtensionType, bool]] = [
        (x509.BasicConstraints(ca=True, path_length=path_length), True),
        (usage(*bits), True),
    ]
    return certificate(
        name,
        issuer,
        starts=NOW - 100 * DAY,
        ends=ends,
        key=key,
        extensions=[*own, *extensions],
    )


def client(
    issuer: Made | None,
    name: str = "client",
    *,
    eku: Sequence[ObjectIdentifier] = CLIENT,
    starts: float = NOW - DAY,
    ends: float = NOW + 30 * DAY,
    key: Key | None = None,
    extensions: Sequence[tuple[x509.ExtensionType, bool]] = (),
) -> Made:
    own: list[tuple[x509.ExtensionType, bool]] = [(usage("digital_signature"), True)]
    if eku:
        own.append((x509.ExtendedKeyUsage(eku), False))
    return certificate(
        name, issuer, starts=starts, ends=ends, key=key, extensions=[*own, *extensions]
    )


def resigned(made: Made, issuer: Made, algorithm: hashes.HashAlgorithm, oid: str) -> bytes:
    """DER of `made` signed by `issuer`'s RSA key with another algorithm, whose OID has to be as
    long as that of RSA with SHA-256: the library no longer signs with weak ones by itself.
    """
    sha256 = ObjectIdentifier("1.2.840.113549.1.1.11")
    old, new = _oid(sha256.dotted_string), _oid(oid)
    assert len(old) == len(new)
    tbs = made.certificate.tbs_certificate_bytes
    assert tbs.count(old) == 1
    tbs = tbs.replace(old, new)
    assert isinstance(issuer.key, rsa.RSAPrivateKey)
    signature = issuer.key.sign(tbs, padding.PKCS1v15(), algorithm)
    return _der(0x30, tbs + _der(0x30, new + b"\x05\x00") + _der(0x03, b"\x00" + signature))


def version_1(issuer: Made, name: str = "version 1", *, ends: float = NOW + 30 * DAY) -> bytes:
    """DER of a client certificate of X.509 version 1, signed by `issuer` (RSA or ECDSA)."""
    made = client(issuer, name, ends=ends).certificate
    tbs = made.tbs_certificate_bytes
    fields = list(_fields(_content(tbs)))
    assert fields[0][:1] == b"\xa0", "the version"
    assert fields[-1][:1] == b"\xa3", "the extensions"
    tbs = _der(0x30, b"".join(fields[1:-1]))
    algorithm = fields[2]
    if isinstance(issuer.key, rsa.RSAPrivateKey):
        signature = issuer.key.sign(tbs, padding.PKCS1v15(), hashes.SHA256())
    else:
        signature = issuer.key.sign(tbs, ec.ECDSA(hashes.SHA256()))
    return _der(0x30, tbs + algorithm + _der(0x03, b"\x00" + signature))


def revocation_list(
    issuer: Made,
    serials: Sequence[int] = (),
    *,
    starts: float = NOW - 3600,
    ends: float = NOW + DAY,
    name: x509.Name | None = None,
    extensions: Sequence[tuple[x509.ExtensionType, bool]] = (),
) -> x509.CertificateRevocationList:
    revoked = [x509.RevokedCertificateBuilder(each, moment(starts), []).build() for each in serials]
    builder = x509.CertificateRevocationListBuilder(
        name or issuer.certificate.subject, moment(starts), moment(ends), [], revoked
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(issuer.key, hashes.SHA256())


def crl_pem(crl: x509.CertificateRevocationList) -> bytes:
    return crl.public_bytes(Encoding.PEM)


def _oid(dotted: str) -> bytes:
    first, second, *rest = map(int, dotted.split("."))
    content = bytearray([40 * first + second])
    for number in rest:
        digits = [number & 0x7F]
        while number := number >> 7:
            digits.append(0x80 | number & 0x7F)
        content += bytes(reversed(digits))
    return _der(0x06, bytes(content))


def _der(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def _header(der: bytes) -> tuple[int, int]:
    """Lengths of the header and the content of the first value in `der`."""
    if der[1] < 0x80:
        return 2, der[1]
    count = der[1] & 0x7F
    return 2 + count, int.from_bytes(der[2 : 2 + count], "big")


def _content(der: bytes) -> bytes:
    header, size = _header(der)
    return der[header : header + size]


def _fields(content: bytes) -> list[bytes]:
    fields = []
    while content:
        header, size = _header(content)
        fields.append(content[: header + size])
        content = content[header + size :]
    return fields


def list_resigned(
    crl: x509.CertificateRevocationList,
    issuer: Made,
    changed: Callable[[bytes], bytes],
    algorithm: hashes.HashAlgorithm | None = None,
    oid: str = "",
) -> bytes:
    """DER of `crl` signed again by `issuer`, its contents changed by `changed`."""
    header, _ = _header(crl.tbs_certlist_bytes)
    tbs = _der(0x30, changed(crl.tbs_certlist_bytes[header:]))
    if isinstance(issuer.key, rsa.RSAPrivateKey):
        signature = issuer.key.sign(tbs, padding.PKCS1v15(), algorithm or hashes.SHA256())
    else:
        signature = issuer.key.sign(tbs, ec.ECDSA(algorithm or hashes.SHA256()))
    outer = _fields(_content(crl.public_bytes(Encoding.DER)))[1]
    if oid:
        outer = _der(0x30, _oid(oid) + b"\x05\x00")
    return _der(0x30, tbs + outer + _der(0x03, b"\x00" + signature))


def weaker(oid: str) -> Callable[[bytes], bytes]:
    """Names another algorithm in the place of RSA with SHA-256."""
    return lambda tbs: tbs.replace(_oid("1.2.840.113549.1.1.11"), _oid(oid))


SHA1 = hashes.SHA1()  # noqa: S303
MD5 = hashes.MD5()  # noqa: S303
