"""What the TLS benchmarks measure: the trivial application, bare or behind Delfinance's gate, and
the certificates (all P-256) that servers and clients show each other.
"""

from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from time import time
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding

from benchmarks.wire import ANSWER
from benchmarks.world import PEPPER, TrivialApp
from guarita import crypto
from guarita.addresses import AddressSet
from guarita.cli.authority import pin_of
from guarita.decision_log import DecisionLog
from guarita.facts import PresentedCertificate
from guarita.keyring.verifier import Verifier
from guarita.pki.authority import Authority
from guarita.pki.encodings import load_certificates
from guarita.pki.revocation import Revocations
from guarita.pki.verifier import CertificateVerifier
from guarita.pki.verify import ChainVerifier
from guarita.profiles.delfinance import PRODUCTION
from guarita.records import Account, ApiKey, SecretHash
from guarita.serving.asgi import Guarita
from guarita.serving.backend import Backend
from guarita.serving.certificates import CertificateHeader
from guarita.serving.edge import NO_PROXIES, TrustedProxies
from guarita.serving.tls_scope import CERTIFICATE
from guarita.stores.memory import MemoryStore
from guarita.stores.memory_keyring import MemoryKeyring

__all__ = ["ANSWER", "CLIENTS", "OTHER", "STRANGER", "TLSWorld", "make_material", "request"]

CLIENTS = tuple(f"client-{number}.pem" for number in range(17))
"""Certificate and key of the registered clients: the first for connections that stay open, the
others, in turn, for those that are opened each time.
"""

OTHER = "other.pem"
"""Of the same authority, not registered for the key."""

STRANGER = "stranger.pem"
"""Of an authority that no server knows."""

FORGETFUL = 2
"""Chains a verifier remembers that is to remember none: before a client's turn comes again, more
others have had theirs.
"""

_ACCOUNT = Account("acc_0123456789abcdef", "Benchmark")
_API_KEY = "dk_" + "0123456789abcdef" * 4
_DAYS = 2
_BEHIND_EDGE = "203.0.113.7"


def make_material(folder: Path) -> None:
    """Write ca.pem, crl.pem, server.pem, and the clients' files into `folder`."""
    authority = Authority.create(folder / "ca", "Benchmark CA", days=_DAYS + 1)
    elsewhere = Authority.create(folder / "elsewhere", "Other CA", days=_DAYS + 1)
    server = authority.issue_server(["localhost", ip_address("127.0.0.1")], days=_DAYS)
    (folder / "server.pem").write_bytes(server.pem() + server.private_key_pem())
    for name in (*CLIENTS, OTHER, STRANGER):
        issuer = elsewhere if name == STRANGER else authority
        issued = issuer.issue_client(name.partition(".")[0], days=_DAYS)
        (folder / name).write_bytes(issued.pem() + issued.private_key_pem())
    (folder / "ca.pem").write_bytes((folder / "ca" / "ca.pem").read_bytes())
    (folder / "crl.pem").write_bytes(authority.publish_crl().read_bytes())


def request(folder: Path, *, behind_edge: bool = False) -> bytes:
    """GET /v1/resource as the seed's curl line sends it; `behind_edge` with what an edge adds: the
    client's address and, as RFC 9440 writes it, its certificate.
    """
    lines = [
        "GET /v1/resource HTTP/1.1",
        "Host: 127.0.0.1",
        "User-Agent: curl/8.5.0",
        "Accept: */*",
        f"x-delbank-api-key: {_API_KEY}",
        f"x-delfinance-account-id: {_ACCOUNT.account_id}",
    ]
    if behind_edge:
        encoded = "".join((folder / CLIENTS[0]).read_text().split("-----")[2].split())
        lines += [f"X-Forwarded-For: {_BEHIND_EDGE}", f"Client-Cert: :{encoded}:"]
    return "\r\n".join([*lines, "", ""]).encode()


class TLSWorld:
    """A trivial application and, if `gate`, Delfinance's gate before it, put together as the demo
    does; keys and counters in memory, no decision log.

    Attributes:
        app: the innermost application.
        asgi: what a server should serve.
        verifier: the gate's; None without one.
    """

    def __init__(self, folder: Path, *, gate: bool, source: str, forgetful: bool = False) -> None:
        """`source`: where the certificate comes from: "tls" (the connection), "edge" (the header of
        a trusted proxy), or "given" (put into the scope, as if there had been TLS).
        """
        self.app = TrivialApp()
        self.asgi: Any = self.app
        self.log: DecisionLog | None = None
        self.verifier: CertificateVerifier | None = None
        self._closing: list[Callable[[], object]] = []
        if not gate:
            return
        authorities = load_certificates((folder / "ca.pem").read_bytes(), "ca.pem")
        revocations = Revocations(authorities, files=[folder / "crl.pem"])
        revocations.watch()
        self._closing.append(revocations.close)
        remember = FORGETFUL if forgetful else 4096
        self.verifier = CertificateVerifier(
            ChainVerifier(authorities), revocations, remember=remember
        )
        store = MemoryStore()
        backend = Backend(
            Verifier(_keyring(folder), PEPPER), store, store, certificates=self.verifier
        )
        edge = source == "edge"
        self.asgi = Guarita(
            self.app,
            PRODUCTION,
            backend,
            trusted_proxies=TrustedProxies(["127.0.0.1"]) if edge else NO_PROXIES,
            certificate_header=CertificateHeader("rfc9440") if edge else None,
        )
        if source == "given":
            chain = tuple(_ders(folder / CLIENTS[0]))
            self.asgi = _given(self.asgi, PresentedCertificate(chain, time(), "given"))

    def close(self) -> None:
        for close in self._closing:
            close()


def _given(app: Any, presented: PresentedCertificate) -> Any:
    async def given(scope: Any, receive: Any, send: Any) -> None:
        scope[CERTIFICATE] = presented
        await app(scope, receive, send)

    return given


def _ders(file: Path) -> list[bytes]:
    pem = file.read_bytes().partition(b"-----BEGIN PRIVATE KEY")[0]
    return [one.public_bytes(Encoding.DER) for one in load_certificates(pem, file.name)]


def _keyring(folder: Path) -> MemoryKeyring:
    pins = []
    for name in CLIENTS:
        pem = (folder / name).read_bytes().partition(b"-----BEGIN PRIVATE KEY")[0]
        pins.append(pin_of(load_certificates(pem, name)[0]))
    repository = MemoryKeyring()
    repository.insert_account(_ACCOUNT)
    repository.insert_key(
        ApiKey(
            "key_0123456789abcdef",
            _ACCOUNT,
            (SecretHash(crypto.secret_hash(PEPPER, _API_KEY.encode())),),
            profile=PRODUCTION.name,
            allowlist=AddressSet(["127.0.0.1", _BEHIND_EDGE]),
            certificates=tuple(pins),
        )
    )
    return repository
