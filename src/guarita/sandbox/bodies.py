"""Request bodies: from bytes to use-case input, or a 400 that says which member is wrong and how.

What belongs here: one reader per documented body, built from small checks of members. Unknown
members are ignored. All wrong members are reported together.
"""

import json
from collections.abc import Callable
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect, Request

from guarita.sandbox import identifiers, pix_keys
from guarita.sandbox.errors import BadRequest, BodyTooLarge
from guarita.sandbox.payments import MAX_AMOUNT_CENTAVOS, CashOut

MAX_BODY_BYTES = 1024 * 1024
DESCRIPTION_MAX = 140  # fact sheet §6.2

# No documented number comes near this many digits, and longer ones cost quadratic time to read.
_DIGITS_READ = 40

T = TypeVar("T")


class Wrong(ValueError):
    """What is wrong with one member, as the caller is told."""


async def read_object(request: Request) -> dict[str, Any]:
    """The request's JSON object. Raises `BadRequest` for anything else and `BodyTooLarge` beyond 1
    MiB.
    """
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BODY_BYTES:
                raise BodyTooLarge
    except ClientDisconnect:
        raise BadRequest({"body": ["ended before its time"]}) from None
    return parse_object(bytes(body))


def parse_object(body: bytes) -> dict[str, Any]:
    """A JSON object in UTF-8 without a byte-order mark, NaN, or a member given twice. Raises
    `BadRequest`.
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
        raise BadRequest({"body": ["must be a JSON object"]})
    return value


def read_cash_out(members: dict[str, Any]) -> CashOut:
    """The body of POST /pix/cash-out by key (§6.2). Raises `BadRequest`, then `InvalidPixKey`."""
    reader = _Reader(members)
    amount = reader.take("amount", _amount)
    text = reader.take("pix_key", _required_text)
    key_type = reader.take("pix_key_type", _key_type)
    description = reader.take("description", _description)
    external_id = reader.take("external_id", identifiers.external_id)
    if reader.wrong or amount is None or text is None:
        raise BadRequest(reader.wrong)
    return CashOut(amount, pix_keys.parse(text, key_type), description, external_id)


class _Reader:
    """Takes members one by one and gathers what is wrong. A `null` member counts as absent."""

    def __init__(self, members: dict[str, Any]) -> None:
        self._members = members
        self.wrong: dict[str, list[str]] = {}

    def take(self, name: str, check: Callable[[Any], T]) -> T | None:
        try:
            return check(self._members.get(name))
        except Wrong as wrong:
            self.wrong[name] = [str(wrong)]
            return None


def _amount(value: Any) -> int:
    """Centavos. A decimal is refused, never rounded or read as centavos (fact sheet question 9)."""
    if value is None:
        raise Wrong("is required")
    if type(value) is not int or value <= 0:
        raise Wrong("must be a positive integer")
    if value > MAX_AMOUNT_CENTAVOS:
        raise Wrong(f"must be at most {MAX_AMOUNT_CENTAVOS}")
    return value


def _required_text(value: Any) -> str:
    if value is None or value == "":
        raise Wrong("is required")
    return _text(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise Wrong("must be a string")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise Wrong("must be valid Unicode, without lone surrogates") from None
    return value


def _key_type(value: Any) -> pix_keys.KeyType | None:
    if value is None or pix_keys.is_key_type(value):
        return value
    raise Wrong("must be one of " + ", ".join(pix_keys.KEY_TYPES))


def _description(value: Any) -> str | None:
    if value is None:
        return None
    text = _text(value)
    if len(text) > DESCRIPTION_MAX:
        raise Wrong(f"must be at most {DESCRIPTION_MAX} characters")
    return text


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
