"""Requests that a contender has to refuse, answer from its memory, or admit: each with the seed's
line. `checker` sends them before anything is measured.
"""

from base64 import b64encode
from dataclasses import dataclass, field

from benchmarks.contenders.material import (
    CALLERS,
    ELSEWHERE,
    READER,
    REVOKED,
    STRANGER,
    Key,
    body_of,
    head,
    header_pairs,
    signature,
)
from benchmarks.wire import Pairs

_CALLER = CALLERS[0]
_BODY = body_of(0)
_BASIC = b"Basic " + b64encode(_CALLER.credentials.removeprefix(b"ApiKey "))


@dataclass(frozen=True, slots=True)
class Vector:
    """One request and what must become of it.

    Attributes:
        name: what is checked.
        source: line of the seed, or the design's section.
        expected: status.
        executed: how many requests of all that are sent may reach the upstream.
        source_address: where it comes from; None is an allowed address.
        sends: how often the request is sent, one after the other; the last answer counts.
        limited: sent to the variant with a small limit, from one address.
        replayed: the last answer must be the first one again, marked as a replay.
    """

    name: str
    source: str
    expected: int
    request: bytes = field(repr=False)
    executed: int = 0
    source_address: str | None = None
    sends: int = 1
    limited: bool = False
    replayed: bool = False


def _request(
    *,
    key: Key = _CALLER,
    body: bytes = _BODY,
    signed: bytes | None = None,
    drop: tuple[bytes, ...] = (),
    replace: Pairs | None = None,
    more: Pairs | None = None,
) -> bytes:
    """The example with changes. `signed`: the text under the signature, where it is not `body`."""
    pairs = header_pairs(key.credentials, signature(key, body if signed is None else signed))
    changed = dict(replace or [])
    pairs = [(name, changed.get(name, value)) for name, value in pairs if name not in drop]
    pairs += [*(more or []), (b"Content-Length", b"%d" % len(body))]
    return head(pairs) + b"\r\n" + body


SMALL_LIMIT = 20
"""The limit of the variant in which "over the limit" is tried; nothing else differs."""

_UNSORTED = b'{ "pix_key": "12345678901", "amount": 3000, "extra": {"b": [1, 2], "a": "x/y"} }'
_CANONICAL = b'{"amount":3000,"extra":{"a":"x/y","b":[1,2]},"pix_key":"12345678901"}'
_IDEMPOTENT: Pairs = [(b"Idempotency-Key", b"vector-0001")]
_OTHER_IDEMPOTENT: Pairs = [(b"Idempotency-Key", b"k" * 257)]

VECTORS = (
    Vector("complete example", "L140-161", 200, _request(), executed=1),
    Vector(
        "credentials as Basic",
        "L36-49",
        200,
        _request(replace=[(b"Authorization", _BASIC)]),
        executed=1,
    ),
    Vector(
        "wrong content type",
        "L217-224",
        415,
        _request(replace=[(b"Content-Type", b"text/plain")]),
    ),
    Vector("no credentials", "L236-242", 401, _request(drop=(b"Authorization",))),
    Vector("unknown key", "L246-252", 401, _request(key=STRANGER)),
    Vector(
        "wrong secret",
        "L246-252",
        401,
        _request(
            replace=[
                (b"Authorization", _CALLER.credentials[:-1] + b"x"),
                (b"hmac", signature(_CALLER, _BODY)),
            ]
        ),
    ),
    Vector("revoked key", "L256-262", 401, _request(key=REVOKED)),
    Vector("wrong address", "L286-292", 403, _request(), source_address=ELSEWHERE),
    Vector("hmac missing", "L327-331", 401, _request(drop=(b"hmac",))),
    Vector("hmac wrong", "L322-326", 401, _request(signed=body_of(1))),
    Vector(
        "hmac under another key's secret",
        "L322-326",
        401,
        _request(replace=[(b"hmac", signature(CALLERS[1], _BODY))]),
    ),
    Vector("body missing", "L335-338", 400, _request(body=b"")),
    Vector("body is not JSON", "L340-344", 400, _request(body=b'{"amount":3000,}')),
    Vector(
        "canonical text signed",
        "L151-152",
        200,
        _request(body=_UNSORTED, signed=_CANONICAL),
        executed=1,
    ),
    Vector(
        "a member given twice",
        "DESIGN 3",
        400,
        # Signed as if only the last one were there: who reads the first pays another amount.
        _request(body=b'{"amount":3000,"amount":9000}', signed=b'{"amount":9000}'),
    ),
    Vector(
        "over the limit",
        "L402-413",
        429,
        _request(),
        executed=SMALL_LIMIT,
        sends=SMALL_LIMIT + 1,
        limited=True,
    ),
    Vector("Idempotency-Key too long", "L425-431", 400, _request(more=_OTHER_IDEMPOTENT)),
    Vector("replay", "L130", 200, _request(more=_IDEMPOTENT), executed=1, sends=2, replayed=True),
    Vector("no permission", "L310-314", 403, _request(key=READER)),
)
