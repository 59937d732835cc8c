"""The servers `benchmarks.mtls` compares, and what is measured of each."""

from dataclasses import dataclass
from typing import Any

from benchmarks.tls_peers import Peer

TLS_1_2, TLS_1_3 = VERSIONS = ("TLSv1.2", "TLSv1.3")


@dataclass(frozen=True, slots=True)
class Case:
    """A row: a server of ours (options of `benchmarks.tls_server`), or a program to compare with.

    Attributes:
        handshakes, requests: which tables it is in.
        plain: the row its requests are compared with.
    """

    title: str
    peer: Peer | None = None
    listener: str = "guarita"
    gate: bool = False
    source: str = "tls"
    forgetful: bool = False
    handshakes: bool = False
    requests: bool = False
    plain: str = ""

    @property
    def tls(self) -> bool:
        return self.peer is not None or self.listener != "plain"

    @property
    def options(self) -> dict[str, Any]:
        """For `benchmarks.tls_server`."""
        names = ("listener", "gate", "source", "forgetful")
        return {name: getattr(self, name) for name in names}


NGINX = "nginx"
PLAIN_BARE = "bare application, plain HTTP"
PLAIN = "Guarita, plain HTTP, certificate given"

CASES = (
    Case(NGINX, Peer("nginx"), handshakes=True),
    Case("nginx, with the revocation list", Peer("nginx", True), handshakes=True),
    Case("HAProxy", Peer("haproxy"), handshakes=True),
    Case("HAProxy, with the revocation list", Peer("haproxy", True), handshakes=True),
    Case(PLAIN_BARE, listener="plain", requests=True),
    Case(
        "bare application, TLS by Python's ssl",
        listener="python",
        handshakes=True,
        requests=True,
        plain=PLAIN_BARE,
    ),
    Case("bare application, Guarita's TLS listener", requests=True, plain=PLAIN_BARE),
    Case(PLAIN, listener="plain", gate=True, source="given", requests=True),
    Case(
        "Guarita, plain HTTP behind an edge (RFC 9440)",
        listener="plain",
        gate=True,
        source="edge",
        requests=True,
        plain=PLAIN,
    ),
    Case("Guarita, TLS", gate=True, handshakes=True, requests=True, plain=PLAIN),
    Case("Guarita, TLS, every chain verified anew", gate=True, forgetful=True, handshakes=True),
)


class Measured:
    """What one row gave.

    Attributes:
        requests: CPU microseconds per request, by round.
        connections: the same per connection with one request on it, by TLS version and round.
        verified: (how many, chains verified meanwhile) by what was done, "request" or "connect".
    """

    def __init__(self) -> None:
        self.requests: list[float] = []
        self.connections: dict[str, list[float]] = {version: [] for version in VERSIONS}
        self.verified: dict[str, tuple[int, int]] = {}

    def count(self, what: str, number: int, verified: int) -> None:
        counted = self.verified.get(what, (0, 0))
        self.verified[what] = counted[0] + number, counted[1] + verified

    def forget_counts(self) -> None:
        """What came before was for warming up."""
        self.verified.clear()

    def handshakes(self, version: str) -> list[float]:
        """A connection less the request on it, by round."""
        pairs = zip(self.connections[version], self.requests, strict=True)
        return [connection - request for connection, request in pairs]
