"""Certificates for the edge tests, made anew for each run: an authority, its client certificates
good and bad, and the edge's own server certificate.
"""

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CLIENT, SERVER = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH


@dataclass(frozen=True)
class Issued:
    """A certificate with its key, and the authority certificates a client sends along."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    sent: tuple[x509.Certificate, ...] = ()

    @property
    def chain(self) -> tuple[bytes, ...]:
        """DER, as the client sends it."""
        return tuple(
            certificate.public_bytes(serialization.Encoding.DER)
            for certificate in (self.certificate, *self.sent)
        )

    def write(self, path: Path) -> Path:
        """Chain and key in one PEM file."""
        pem = serialization.Encoding.PEM
        parts = [one.public_bytes(pem) for one in (self.certificate, *self.sent)]
        parts.append(
            self.key.private_bytes(
                pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        path.write_bytes(b"".join(parts))
        return path


def issue(
    name: str,
    issuer: Issued | None = None,
    *,
    days: tuple[int, int] = (-1, 30),
    purpose: x509.ObjectIdentifier | None = CLIENT,
    authority: bool = False,
    sent: tuple[x509.Certificate, ...] = (),
) -> Issued:
    """A certificate by `issuer` (None: by itself), valid between `days` from now."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=days[0]))
        .not_valid_after(now + timedelta(days=days[1]))
        .add_extension(x509.BasicConstraints(authority, None), critical=True)
    )
    if purpose is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
    if purpose is SERVER:
        loopback = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        builder = builder.add_extension(
            x509.SubjectAlternativeName([loopback, x509.DNSName("localhost")]), critical=False
        )
    signer = issuer.key if issuer else key
    return Issued(builder.sign(signer, hashes.SHA256()), key, sent)


class Certificates:
    """One file per certificate in a folder.

    Attributes:
        server, authority: files of the edge's certificate and of the clients' authority.
        clients: name of the case → what that client presents.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        authority = issue("Edge test CA", authority=True, purpose=None)
        intermediate = issue("Edge test intermediate", authority, authority=True, purpose=None)
        stranger = issue("Another CA", authority=True, purpose=None)
        self.clients = {
            "good": issue("good", authority),
            "good by intermediate": issue(
                "by intermediate", intermediate, sent=(intermediate.certificate,)
            ),
            "no purpose named": issue("no EKU", authority, purpose=None),
            "made for servers": issue("server only", authority, purpose=SERVER),
            "self-signed": issue("self-signed"),
            "expired": issue("expired", authority, days=(-30, -1)),
            "not yet valid": issue("not yet valid", authority, days=(1, 30)),
            "other authority": issue("other CA", stranger),
            "other authority, expired": issue("both", stranger, days=(-30, -1)),
        }
        for name, client in self.clients.items():
            client.write(self.path(name))
        self.server = issue("localhost", purpose=SERVER).write(folder / "server.pem")
        self.authority = authority.write(folder / "authority.pem")

    def path(self, name: str) -> Path:
        return self.folder / f"{name.replace(' ', '-')}.pem"
