"""The keys and requests every contender gets: the seed's complete example (L140-161), as curl sends
it, under a hundred keys, so that nobody can live off one key or one body.
"""

from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from typing import Any

from benchmarks.wire import PATH, Pairs
from guarita import crypto
from guarita.profiles.minhakonta import MINHA_KONTA

KEYS = 100
POOL = 1000
"""Distinct bodies, each with its own signature; every hundredth under the same key."""

ALLOWED = ("127.0.1.0/24", "203.0.113.0/24")
"""Every key's allowlist. Connections come from addresses of the first network in turn, so that no
run meets the rate limit, which is per address.
"""

ELSEWHERE = "127.0.2.1"
"""An address of this machine that no key allows."""

LIMIT = 90_000  # seed L167

PERMISSIONS = MINHA_KONTA.table.permissions


@dataclass(frozen=True, slots=True)
class Key:
    """One API key and its account."""

    client_id: str
    secret: str
    account_id: str
    permissions: frozenset[str] = PERMISSIONS
    active: bool = True

    @property
    def credentials(self) -> bytes:
        """The value of `Authorization`."""
        return f"ApiKey {self.client_id}:{self.secret}".encode()


def _key(number: int, **more: Any) -> Key:
    digest = sha256(b"key %d" % number).hexdigest()
    return Key(f"cli_{digest[:12]}", f"sk_{digest}ab", f"acc_{digest[12:28]}", **more)


CALLERS = tuple(_key(number) for number in range(KEYS))
READER = _key(KEYS, permissions=frozenset({"account:read", "transfer:read"}))
REVOKED = _key(KEYS + 1, active=False)
STRANGER = _key(KEYS + 2)
KNOWN = (*CALLERS, READER, REVOKED)
"""What each contender is told of; `STRANGER` is not among them."""


def address_of(connection: int) -> str:
    """Where the load generator's connection of this number comes from."""
    return f"127.0.1.{connection % 250 + 1}"


def body_of(number: int) -> bytes:
    """A body of the length of the seed's (L153), its members in the order that is signed."""
    return (
        b'{"amount":%d,"description":"Pagamento","pix_key":"12345678901","pix_key_type":"cpf"}'
        % (3000 + number)
    )


def signature(key: Key, body: bytes) -> bytes:
    """The value of the `hmac` header."""
    return crypto.signature(key.secret.encode(), body).encode()


@cache
def pool() -> tuple[tuple[bytes, bytes], ...]:
    """(request line and headers but for the last ones, body) of `POOL` requests."""
    prepared = []
    for number in range(POOL):
        key, body = CALLERS[number % KEYS], body_of(number)
        pairs = header_pairs(key.credentials, signature(key, body))
        prepared.append((head(pairs), body))
    return tuple(prepared)


def header_pairs(credentials: bytes, hmac: bytes) -> Pairs:
    """The headers in the order and spelling curl gives them, without Content-Length."""
    return [
        (b"Host", b"127.0.0.1"),
        (b"User-Agent", b"curl/8.5.0"),
        (b"Accept", b"*/*"),
        (b"Authorization", credentials),
        (b"Content-Type", b"application/json"),
        (b"hmac", hmac),
    ]


def head(pairs: Pairs, method: bytes = b"POST", path: str = PATH) -> bytes:
    """Request line and the given headers; the blank line is still to come."""
    lines = b"".join([b"%s: %s\r\n" % pair for pair in pairs])
    return b"%s %s HTTP/1.1\r\n%s" % (method, path.encode(), lines)


def rendered(count: int, keys: Any = None) -> list[bytes]:
    """`count` whole requests; `keys`: an iterator that gives each its Idempotency-Key."""
    prepared = pool()
    requests = []
    for number in range(count):
        begin, body = prepared[number % POOL]
        own = b"" if keys is None else b"Idempotency-Key: %s\r\n" % next(keys)
        requests.append(b"%s%sContent-Length: %d\r\n\r\n%s" % (begin, own, len(body), body))
    return requests
