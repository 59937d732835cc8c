"""From the bytes of a request to a JSON object, or a refusal.

What belongs here: what counts as a JSON object. What does not: its members (`bodies`).
"""

import json
from typing import Any

from starlette.requests import ClientDisconnect, Request

from guarita.sandbox.api.errors import BodyTooLarge, Malformed

MAX_BODY_BYTES = 1024 * 1024
MAX_DEPTH = 64

# No documented number comes near this many digits, and longer ones cost quadratic time to read.
_DIGITS_READ = 40


async def read_object(request: Request) -> dict[str, Any]:
    """The request's JSON object. Raises `Malformed` for anything else and `BodyTooLarge` beyond 1
    MiB.
    """
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BODY_BYTES:
                raise BodyTooLarge
    except ClientDisconnect:
        raise Malformed({"body": ["ended before its time"]}) from None
    return parse_object(bytes(body))


def parse_object(body: bytes) -> dict[str, Any]:
    """A JSON object in UTF-8 without a byte-order mark, NaN, a member given twice, or more than 64
    levels. Raises `Malformed`.
    """
    try:
        value = json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_members,
            parse_constant=_no_constant,
            parse_int=_integer,
        )
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise Malformed({"body": ["must be a JSON object"]})
    if _depth(value) > MAX_DEPTH:
        raise Malformed({"body": [f"must be at most {MAX_DEPTH} levels deep"]})
    return value


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member is given twice")
    return members


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _integer(digits: str) -> int:
    # Cut short, a longer number keeps its sign and stays far too large for any field.
    return int(digits[:_DIGITS_READ])


def _depth(value: Any) -> int:
    """How many arrays and objects stand within each other, counted level by level."""
    level, depth = [value], 0
    while level := [each for each in level if isinstance(each, dict | list)]:
        depth += 1
        level = [
            inner for each in level for inner in (each.values() if isinstance(each, dict) else each)
        ]
    return depth
