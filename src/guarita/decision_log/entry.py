"""One decision as it is recorded, and its encoding, which runs on the request path.

Query strings, bodies and header values as such are never recorded: only what layers chose to say
(`saw`), and of that nothing that looks like a client_secret.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any, Literal

import msgspec
from msgspec import Raw, Struct

from guarita.decision import Admit, Decision, Refuse, Replay, Verdict
from guarita.facts import Facts
from guarita.layers.api_key import Credential
from guarita.profile import Profile, RouteClass

Outcome = Literal["admit", "refuse", "replay"]

LONGEST_PATH = 512
"""Characters of the path that are kept."""

LONGEST_RAY = 128
"""Characters of the Ray ID that are kept: one that came from a proxy may be longer."""

LONGEST_LIST = 50
"""Items kept of any list in an entry that would otherwise be too large."""

LARGEST_ENTRY = 4096
"""Bytes; a larger entry is encoded again with its texts and lists cut."""


class Entry(Struct, frozen=True, array_like=True):
    """One decision. Stored as a msgpack array: new fields go to the end, with a default.

    Attributes:
        ray: the request's Ray ID, at most 128 characters.
        at: Unix time of arrival, in seconds.
        method, path: as sent; the path without query, at most 512 characters.
        peer, client: IP addresses of the TCP peer and of the client behind trusted proxies; None
            where unknown.
        profile, route_class: the policy that decided.
        layers: the names of all layers of the route class, in order.
        decision: "admit", "refuse" or "replay".
        layer: the layer that refused or replayed; None for an admission.
        reason: "layer.name" of a refusal, else None.
        status: HTTP status Guarita answered, 0 where the application answers.
        account, client_id: of the verified key; None where no key was verified.
        values: what the layers that were reached saw, in the order of `layers`; one more where the
            conversion after the last layer refused.
        replayed: the layer that found a stored answer, also where a later layer refused.
    """

    ray: str
    at: float
    method: str
    path: str
    peer: str | None
    client: str | None
    profile: str
    route_class: str
    layers: tuple[str, ...]
    decision: Outcome
    layer: str | None
    reason: str | None
    status: int
    account: str | None
    client_id: str | None
    values: tuple[Any, ...]
    replayed: str | None = None

    @property
    def saw(self) -> list[tuple[str, Any]]:
        """(layer name, what it saw) of every layer that was reached."""
        return list(zip(self.layers, self.values, strict=False))

    @property
    def refused_late(self) -> bool:
        """Whether every layer passed, and the conversion refused (key-case collision)."""
        return len(self.values) > len(self.layers)


class Head(Struct, frozen=True, array_like=True):
    """The first fields of an `Entry`: what the file keeps in columns of its own."""

    ray: str
    at: float


decode_entry: Callable[[bytes], Entry] = msgspec.msgpack.Decoder(Entry).decode
decode_head: Callable[[bytes], Head] = msgspec.msgpack.Decoder(Head).decode


def _unencodable(value: object) -> str:
    # Not its repr: that could hold anything. Layers are asked for plain text and numbers.
    return f"<{type(value).__name__}>"


_decode: Callable[[bytes], list[Any]] = msgspec.msgpack.Decoder(list[Any]).decode
_encode = msgspec.msgpack.Encoder(enc_hook=_unencodable).encode

_layers: dict[int, tuple[RouteClass, Raw]] = {}
"""Encoded layer names by the id of the route class (hashing one would hash its layers). The value
keeps it alive.
"""


def encoded(
    profile: Profile, route_class: RouteClass, facts: Facts, decision: Decision, status: int
) -> bytes:
    """The entry for `decision`, as msgpack; still to go through `without_secrets`. Never raises on
    account of what a request holds, and is of bounded size.

    `status`: what Guarita answers itself, 0 where the application answers.
    """
    result = decision.result
    outcome: Outcome = "admit"
    layer = reason = replayed = None
    if type(result) is not Admit:
        replayed = _replaying(route_class, decision.verdicts)
        if isinstance(result, Refuse):
            outcome = "refuse"
            layer = result.reason.layer
            reason = str(result.reason)
        else:
            outcome = "replay"
            layer = replayed
    known = decision.known.get(Credential)
    if known is None:
        account = client_id = None
    else:
        key = known.key
        client_id = key.client_id
        account = key.account.account_id
    names = (_layers.get(id(route_class)) or _encoded_layers(route_class))[1]
    fields = (
        facts.ray[:LONGEST_RAY],
        facts.at,
        facts.method,
        facts.path[:LONGEST_PATH],
        facts.peer,
        facts.client,
        profile.name,
        route_class.name,
        names,
        outcome,
        layer,
        reason,
        status,
        account,
        client_id,
        [verdict.saw for verdict in decision.verdicts],
        replayed,
    )
    try:
        entry = _encode(fields)
        if len(entry) <= LARGEST_ENTRY:
            return entry
    except (TypeError, ValueError, OverflowError, RecursionError):
        pass  # a lone surrogate, a number beyond 64 bits, or the like
    return _careful(fields)


def without_secrets(entry: bytes) -> bytes:
    """An encoded entry in which nothing looks like a client_secret or an API key: a caller may have
    put one anywhere, such as into the path or another header. Every entry goes through this before
    it is kept; it is off the request path because it costs 0.4 µs.
    """
    if b"sk_" in entry or b"dk_" in entry:
        return _careful(tuple(_decode(entry)))
    return entry


def _encoded_layers(route_class: RouteClass) -> tuple[RouteClass, Raw]:
    if len(_layers) >= 1024:  # profiles made and thrown away, as tests do
        _layers.clear()
    names = route_class, Raw(_encode([layer.name for layer in route_class.layers]))
    _layers[id(route_class)] = names
    return names


def _replaying(route_class: RouteClass, verdicts: Sequence[Verdict]) -> str | None:
    for layer, verdict in zip(route_class.layers, verdicts, strict=False):
        if isinstance(verdict, Replay):
            return layer.name
    return None


_SECRET = re.compile(r"(?<![A-Za-z0-9])([sd]k_)[A-Za-z0-9_+/=-]+|([sd]k_)[A-Za-z0-9_+/=-]{16,}")
"""What looks like a client_secret (prefix "sk_", Minha Konta seed L59) or an API key ("dk_")."""


def _careful(fields: tuple[Any, ...]) -> bytes:
    """The entry with everything in it encodable, bounded, and without what looks like a secret."""
    entry = _encode(_plain(fields))
    if len(entry) > LARGEST_ENTRY:
        names = Entry.__struct_fields__
        bounded = dict(zip(names, fields, strict=True)) | {"values": ()}
        entry = _encode(_plain(tuple(bounded.values())))
    return entry


def _plain(value: Any, depth: int = 3) -> Any:
    if value is None or isinstance(value, bool | float | Raw):
        return value
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**64 else "<large number>"
    if isinstance(value, str):
        text = value.encode("utf-8", "backslashreplace").decode()
        return _SECRET.sub(r"\1\2[redacted]", text)[:LONGEST_PATH]
    if isinstance(value, list | tuple | set | frozenset) and depth:
        return [_plain(item, depth - 1) for item in list(value)[:LONGEST_LIST]]
    return _unencodable(value)
