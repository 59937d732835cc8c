"""What is known of a request before anything is asked. Immutable values only; no I/O, no clock, no
framework.

An adapter (ASGI middleware, gateway, client tool) builds one `Facts` per request; layers read it
and nothing else of the request.
"""

from collections.abc import Sequence

from msgspec import Struct

HeaderPairs = Sequence[tuple[bytes, bytes]]
"""Header fields in the order received: (name in lower case, value), both raw bytes."""

_NONE: frozenset[bytes] = frozenset()


class Headers:
    """The header fields of one request, looked up by lower-case name.

    Attributes:
        pairs: every field, in the order received, names in lower case.
        repeated: the names that occur more than once. What a repeated header means is each layer's
            own decision, so `get` answers with the last one and never joins.
        names: all names run together, for one search over all of them.
        block: all names and values run together.
    """

    __slots__ = ("_by_name", "block", "names", "pairs", "repeated")

    def __init__(self, pairs: HeaderPairs) -> None:
        by_name = dict(pairs)
        names = b"".join(by_name)
        if not names.islower():
            # ASGI servers lower names; one that does not must not hide a header from a check.
            pairs = [(name.lower(), value) for name, value in pairs]
            by_name = dict(pairs)
            names = b"".join(by_name)
        self.pairs = pairs
        self._by_name = by_name
        self.names = names
        self.repeated: frozenset[bytes] = _NONE
        if len(by_name) == len(pairs):
            self.block = names + b"".join(by_name.values())
        else:
            sent = [name for name, _ in pairs]
            self.repeated = frozenset(name for name in by_name if sent.count(name) > 1)
            self.block = b"".join([part for pair in pairs for part in pair])

    def get(self, name: bytes) -> bytes | None:
        """The value of the header `name` (lower case), or None where it was not sent."""
        return self._by_name.get(name)

    def all(self, name: bytes) -> list[bytes]:
        """Every value sent under `name`, in order."""
        if name not in self._by_name:
            return []
        if name not in self.repeated:
            return [self._by_name[name]]
        return [value for sent, value in self.pairs if sent == name]

    def __repr__(self) -> str:
        # Values may be credentials: a repr that ends up in a trace shows names only.
        return f"Headers({[name.decode('latin-1') for name, _ in self.pairs]})"


class PresentedCertificate(Struct, frozen=True):
    """What a client showed of itself in the TLS handshake; nothing of it is verified yet.

    Attributes:
        chain: DER certificates, the client's own first, then what it sent besides.
        at: the Unix time its verification counts from: the end of the handshake; behind an edge the
            arrival of the request, or what the edge's time header gives.
        connection: names the TLS connection, "" behind an edge.
    """

    chain: tuple[bytes, ...]
    at: float
    connection: str = ""

    def __repr__(self) -> str:
        return f"PresentedCertificate({len(self.chain)} certificates, at={self.at!r})"


class Facts(Struct, frozen=True):
    """One request as it arrived.

    Attributes:
        method: as sent, case kept.
        path: the raw path: percent-encoding untouched, without the query.
        query: the raw query string, without "?".
        headers: the header fields.
        peer: IP address of the TCP peer, or None where there is none (Unix socket).
        client: the client's IP address in canonical spelling, after the walk over trusted proxies;
            None when unreadable.
        at: Unix time of arrival, in seconds.
        ray: the Ray ID of this request.
        token: a value no other request carries, naming this request as the owner of a reservation.
            Unlike `ray` it never comes from outside.
        certificate: the client certificate, None where none was presented.
        secure: the client's connection is TLS: here, or by a trusted proxy's word at the edge.
    """

    method: str
    path: str
    query: bytes
    headers: Headers
    peer: str | None
    client: str | None
    at: float
    ray: str
    token: str
    certificate: PresentedCertificate | None = None
    secure: bool = False
