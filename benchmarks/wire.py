"""The request every benchmark sends: the seed's complete example (L140-161), as curl sends it, with
a body of its own each time.

Bodies come from a pool of signed ones, so that no cache in the gate can live off one body.
"""

from functools import cache
from itertools import islice
from secrets import token_hex

from guarita import crypto

CLIENT_ID = "cli_a1b2c3d4e5f6"  # seed L143
SECRET = b"sk_0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef01"  # seed L144
PATH = "/api/external/pix/cash-out"
POOL = 1000
"""Distinct bodies, each with its own signature."""

ANSWER = b'{"data":{"id":"0190a5f2-7c1e-7b9a-8f43-5d2c1b0a9e87","status":"pending","amount":3000}}'
"""What the trivial application answers to everything."""

Pairs = list[tuple[bytes, bytes]]


def new_keys(prefix: str | None = None) -> "IdempotencyKeys":
    """An endless supply of Idempotency-Keys that no other call gives."""
    return IdempotencyKeys(prefix or token_hex(6))


class IdempotencyKeys:
    """Iterates over `<prefix>-00000001` and so on."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix.encode()
        self._number = 0

    def __iter__(self) -> "IdempotencyKeys":
        return self

    def __next__(self) -> bytes:
        self._number += 1
        return b"%s-%08d" % (self._prefix, self._number)

    def take(self, count: int) -> list[bytes]:
        return list(islice(self, count))


@cache
def bodies() -> tuple[tuple[bytes, bytes], ...]:
    """The pool: (body, value of the `hmac` header). All bodies have the length of the seed's
    (L153).
    """
    texts = [
        b'{"amount":%d,"description":"Pagamento","pix_key":"12345678901","pix_key_type":"cpf"}'
        % (3000 + number)
        for number in range(POOL)
    ]
    return tuple((text, crypto.signature(SECRET, text).encode()) for text in texts)


def header_pairs(body: bytes, hmac: bytes, key: bytes | None, host: bytes) -> Pairs:
    """The headers in the order and spelling curl gives them."""
    pairs = [
        (b"Host", host),
        (b"User-Agent", b"curl/8.5.0"),
        (b"Accept", b"*/*"),
        (b"Authorization", b"ApiKey " + CLIENT_ID.encode() + b":" + SECRET),
        (b"Content-Type", b"application/json"),
        (b"hmac", hmac),
    ]
    if key is not None:
        pairs.append((b"Idempotency-Key", key))
    pairs.append((b"Content-Length", b"%d" % len(body)))
    return pairs


def rendered(count: int, port: int, keys: IdempotencyKeys | None) -> list[bytes]:
    """`count` whole HTTP/1.1 requests; with `keys` each carries an Idempotency-Key of its own."""
    host = b"127.0.0.1:%d" % port
    pool = bodies()
    return [
        _request(*pool[number % POOL], next(keys) if keys else None, host)
        for number in range(count)
    ]


def tampered(port: int) -> bytes:
    """A request whose body differs by one byte from the signed one; the gate must refuse it with
    401.
    """
    body, hmac = bodies()[0]
    return _request(body.replace(b"3000", b"9000"), hmac, None, b"127.0.0.1:%d" % port)


def _request(body: bytes, hmac: bytes, key: bytes | None, host: bytes) -> bytes:
    pairs = header_pairs(body, hmac, key, host)
    lines = b"".join([b"%s: %s\r\n" % pair for pair in pairs])
    return b"POST %s HTTP/1.1\r\n%s\r\n%s" % (PATH.encode(), lines, body)
