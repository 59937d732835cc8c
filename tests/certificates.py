"""X.509 certificates made up for tests: roots, intermediates, leaves, each with its key.

    root = Issuer.root("Test Root")
    between = root.intermediate("Test Intermediate")
    client = between.leaf("client", eku=[CLIENT])
    client.pem(chain=True)        # certificate, then the intermediate (never the root)
    client.write(folder)          # files: .certificate_file, .chain_file, .key_file

Deliberately not `guarita.pki`: what a test proves must not rest on the code it tests.
"""

import datetime as dt
import ipaddress
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import NamedTuple, Self, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CLIENT = ExtendedKeyUsageOID.CLIENT_AUTH
SERVER = ExtendedKeyUsageOID.SERVER_AUTH

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey

_CURVES: dict[str, ec.EllipticCurve] = {
    "ec-p256": ec.SECP256R1(),
    "ec-p384": ec.SECP384R1(),
}
Extensions = Sequence[tuple[x509.ExtensionType, bool]]
"""Further extensions, each with whether it is critical."""

_SEQUENCE = itertools.count(1)


def new_key(kind: str = "ec-p256") -> Key:
    """A fresh private key: "ec-p256", "ec-p384", "ed25519" or "rsa-BITS" (from 1024)."""
    if kind in _CURVES:
        return ec.generate_private_key(_CURVES[kind])
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    algorithm, _, bits = kind.partition("-")
    if algorithm != "rsa":
        raise ValueError(f"{kind!r} is not a kind of key: ec-p256, ec-p384, ed25519 or rsa-BITS")
    return rsa.generate_private_key(65_537, int(bits))


@cache
def shared_key(kind: str) -> Key:
    """One key of a kind for the whole run, where making one is slow (RSA)."""
    return new_key(kind)


class Files(NamedTuple):
    """Where `write` has put a certificate: PEM files."""

    certificate_file: Path
    chain_file: Path
    key_file: Path


@dataclass(frozen=True, kw_only=True)
class Certified:
    """A certificate with its key.

    Attributes:
        certificate: the certificate.
        key: its private key.
        above: its issuers, nearest first, without the root.
    """

    certificate: x509.Certificate
    key: Key = field(repr=False)
    above: tuple[x509.Certificate, ...] = ()

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def der_chain(self) -> tuple[bytes, ...]:
        """Itself, then the intermediates, each DER."""
        return (self.der, *(one.public_bytes(Encoding.DER) for one in self.above))

    def pem(self, chain: bool = False) -> bytes:
        """The certificate, with `chain` the intermediates after it."""
        listed = (self.certificate, *(self.above if chain else ()))
        return b"".join(one.public_bytes(Encoding.PEM) for one in listed)

    def key_pem(self, password: bytes | None = None) -> bytes:
        """The private key, PKCS#8."""
        return self.key.private_bytes(Encoding.PEM, _PKCS8, _encryption(password))

    def pkcs12(self, password: bytes) -> bytes:
        """Certificate, key and intermediates in one PKCS#12 file."""
        name = self.certificate.subject.rfc4514_string().encode()
        return pkcs12.serialize_key_and_certificates(
            name, self.key, self.certificate, self.above, _encryption(password)
        )

    def write(self, folder: Path, name: str | None = None) -> Files:
        """Write NAME.pem, NAME-chain.pem and NAME-key.pem (without a password) into `folder`."""
        name = name or f"certificate-{next(_SEQUENCE)}"
        folder.mkdir(parents=True, exist_ok=True)
        files = Files(*(folder / f"{name}{end}.pem" for end in ("", "-chain", "-key")))
        files.certificate_file.write_bytes(self.pem())
        files.chain_file.write_bytes(self.pem(chain=True))
        files.key_file.touch(mode=0o600)
        files.key_file.write_bytes(self.key_pem())
        return files


_PKCS8 = serialization.PrivateFormat.PKCS8


def _encryption(password: bytes | None) -> serialization.KeySerializationEncryption:
    if password is None:
        return serialization.NoEncryption()
    return serialization.BestAvailableEncryption(password)


class Issuer(Certified):
    """A certificate that signs others."""

    @classmethod
    def root(cls, name: str, *, days: float = 3650, key: Key | str = "ec-p256") -> Self:
        """A self-signed certificate authority."""
        own = new_key(key) if isinstance(key, str) else key
        subject = _name(name)
        builder = _builder(subject, subject, own, *_validity(days, None, None))
        return cls(certificate=_sign(_as_authority(builder, None, ()), own), key=own)

    def intermediate(
        self,
        name: str,
        *,
        days: float = 1825,
        key: Key | str = "ec-p256",
        path_length: int | None = None,
        extensions: Extensions = (),
        not_before: dt.datetime | None = None,
        not_after: dt.datetime | None = None,
    ) -> "Issuer":
        """An authority below this one; `extensions` are (extension, critical), NameConstraints for
        example."""
        own = new_key(key) if isinstance(key, str) else key
        dates = _validity(days, not_before, not_after)
        builder = _builder(_name(name), self.certificate.subject, own, *dates)
        builder = _as_authority(builder, path_length, (self._identifier(), *extensions))
        return Issuer(certificate=_sign(builder, self.key), key=own, above=self._below())

    def leaf(
        self,
        cn: str,
        *,
        days: float = 90,
        eku: Sequence[x509.ObjectIdentifier] | None = (CLIENT,),
        san: Sequence[str] = (),
        not_before: dt.datetime | None = None,
        not_after: dt.datetime | None = None,
        key: Key | str = "ec-p256",
        serial: int | None = None,
        extensions: Extensions = (),
    ) -> Certified:
        """An end-entity certificate.

        Args:
            cn: its common name.
            days: its life from `not_before` on, where `not_after` is not given.
            eku: extended key usages; None leaves the extension out.
            san: alternative names: host names and IP addresses; none leaves the extension out.
            not_before: an hour ago where not given.
            not_after: overrides `days`.
            key: a kind of key (see `new_key`), or a key to certify again.
            serial: random where not given.
            extensions: more of them, as (extension, critical).
        """
        own = new_key(key) if isinstance(key, str) else key
        dates = _validity(days, not_before, not_after)
        builder = _builder(_name(cn), self.certificate.subject, own, *dates, serial)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
        if eku is not None:
            builder = builder.add_extension(x509.ExtendedKeyUsage(eku), False)
        if san:
            builder = builder.add_extension(
                x509.SubjectAlternativeName(map(_alternative, san)), False
            )
        builder = _extended(builder, (self._identifier(), *extensions))
        return Certified(certificate=_sign(builder, self.key), key=own, above=self._below())

    def server(self, *names: str, days: float = 90, key: Key | str = "ec-p256") -> Certified:
        """A server certificate; for localhost and 127.0.0.1 where no names are given."""
        names = names or ("localhost", "127.0.0.1")
        return self.leaf(names[0], days=days, eku=(SERVER,), san=names, key=key)

    def crl(
        self,
        revoked: Sequence[int] = (),
        *,
        this_update: dt.datetime | None = None,
        next_update: dt.datetime | None = None,
        number: int = 1,
        extensions: Extensions = (),
    ) -> x509.CertificateRevocationList:
        """A revocation list of this authority with the serial numbers of `revoked`; issued now and
        due again in a day where not given."""
        issued = this_update or _now()
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.certificate.subject)
            .last_update(issued)
            .next_update(next_update or issued + dt.timedelta(days=1))
            .add_extension(x509.CRLNumber(number), False)
        )
        builder = _extended(builder, extensions)
        for serial in revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(issued)
            builder = builder.add_revoked_certificate(entry.build())
        return builder.sign(self.key, _digest(self.key))

    def _identifier(self) -> tuple[x509.ExtensionType, bool]:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), False

    def _below(self) -> tuple[x509.Certificate, ...]:
        """What a certificate issued by this authority has above it."""
        is_root = self.certificate.subject == self.certificate.issuer
        return () if is_root else (self.certificate, *self.above)


def self_signed(
    cn: str, *, days: float = 90, key: Key | str = "ec-p256", eku: bool = True
) -> Certified:
    """A client certificate that nobody but itself vouches for."""
    own = new_key(key) if isinstance(key, str) else key
    builder = _builder(_name(cn), _name(cn), own, *_validity(days, None, None))
    if eku:
        builder = builder.add_extension(x509.ExtendedKeyUsage([CLIENT]), False)
    return Certified(certificate=_sign(builder, own), key=own)


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC).replace(microsecond=0)


def _validity(
    days: float, not_before: dt.datetime | None, not_after: dt.datetime | None
) -> tuple[dt.datetime, dt.datetime]:
    begin = not_before or _now() - dt.timedelta(hours=1)
    if not_before is None and not_after is not None:
        begin = min(begin, not_after - dt.timedelta(days=1))
    return begin, not_after or begin + dt.timedelta(days=days)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: Key,
    not_before: dt.datetime,
    not_after: dt.datetime,
    serial: int | None = None,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number() if serial is None else serial)
        .not_valid_before(not_before)
        .not_valid_after(not_after)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
    )


def _as_authority(
    builder: x509.CertificateBuilder,
    path_length: int | None,
    extensions: Extensions,
) -> x509.CertificateBuilder:
    usages = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement"), False
    )
    usages |= {"encipher_only": False, "decipher_only": False}
    usage = x509.KeyUsage(digital_signature=True, key_cert_sign=True, crl_sign=True, **usages)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=path_length), True)
    builder = builder.add_extension(usage, True)
    return _extended(builder, extensions)


_B = TypeVar("_B", x509.CertificateBuilder, x509.CertificateRevocationListBuilder)


def _extended(builder: _B, extensions: Extensions) -> _B:
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder


def _digest(key: Key) -> hashes.SHA256 | None:
    return None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()


def _sign(builder: x509.CertificateBuilder, key: Key) -> x509.Certificate:
    return builder.sign(key, _digest(key))
