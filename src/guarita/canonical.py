"""Strict reading of JSON and the canonical text that signatures are computed over.

Belongs here: what counts as JSON at all (:class:`InvalidJson`, :class:`JsonFault`) and how a
document is printed for the ``hmac`` header (:func:`canonical`). Rules: fact sheet §4.3 and the
DESIGN decisions on number text, duplicate member names and depth. Comparing signatures and
answering requests belong elsewhere.

:func:`canonical` has three routes to one result. Most bodies are printed by msgspec alone, which
reads and prints everything right except for a few things it silently mends; a body where one of
those could have happened takes the slow route through the standard library's reader.
"""

import json
import re
from collections.abc import Callable
from decimal import Decimal
from enum import StrEnum
from itertools import accumulate
from math import isinf
from typing import Any

import msgspec
from msgspec import Raw

MAX_DEPTH = 64


class JsonFault(StrEnum):
    """Why bytes are not strict JSON; the value goes to the decision log."""

    NOT_UTF8 = "not_utf8"
    BYTE_ORDER_MARK = "byte_order_mark"
    SYNTAX = "syntax"
    DUPLICATE_MEMBER = "duplicate_member"
    NOT_A_NUMBER = "not_a_number"
    LONE_SURROGATE = "lone_surrogate"
    TOO_DEEP = "too_deep"
    NUMBER_TOO_LARGE = "number_too_large"


class InvalidJson(ValueError):
    """The bytes are not strict JSON.

    ``why`` is the :class:`JsonFault`. The message names the fault and at most a position, never a
    member name or a value, so it may be logged and shown.
    """

    why: JsonFault

    def __init__(self, why: JsonFault, message: str) -> None:
        super().__init__(message)
        self.why = why


def canonical(body: bytes, *, erlang_floats: bool = False, max_depth: int = MAX_DEPTH) -> bytes:
    """The canonical text of the JSON document ``body`` (fact sheet §4.3).

    Members are sorted by code point at every depth; no whitespace stands between tokens; in
    strings only ``"``, ``\\`` and 0x00-0x1F are escaped (short form, or ``\\u`` and four upper-case
    hex digits), everything else is raw UTF-8. Number text stays as sent (DESIGN section 3), unless
    ``erlang_floats`` asks for :func:`erlang_float`, under which ``-0`` becomes ``0`` as well.

    If ``body`` is canonical already, the very same object is returned.

    Raises:
        InvalidJson: not RFC 8259 JSON in UTF-8; a byte-order mark, NaN or Infinity; a member name
            given twice in one object (compared after unescaping); a lone surrogate; more than
            ``max_depth`` containers inside each other; under ``erlang_floats``, a number beyond
            the range of a double.
    """
    # The bracket count bounds the depth. msgspec prints \u escapes in lower case.
    if body.count(b"[") + body.count(b"{") <= max_depth and b"\\u" not in body:
        try:
            text = _encode((_decode_erlang if erlang_floats else _decode)(body))
            # Equality proves that nothing was dropped, moved or printed otherwise.
            if text == body:
                return body
            # Where number text is kept, msgspec can change the length in four ways, all of which
            # shorten: whitespace, unescaping, -0, and a duplicate member dropped. `format` takes
            # away the whitespace only, so equal lengths mean that members were sorted, no more.
            if not erlang_floats and len(text) == len(_format(body, indent=-1)):
                return text
        except (ValueError, RecursionError):
            pass
    return _strict(body, erlang_floats, max_depth)


def erlang_float(number: str) -> str:
    """A JSON number's text in Erlang's shortest float form (fact sheet §4.3).

    The shortest digits that read back as the same double, as decimal or with an exponent, whichever
    is shorter; decimal on a tie; with an exponent from 2^53 up: ``1000.0`` gives ``1.0e3``.

    Raises:
        InvalidJson: beyond the range of a double.
    """
    value = float(number)
    if isinf(value):
        raise InvalidJson(
            JsonFault.NUMBER_TOO_LARGE, "a number is beyond the range of a double (about 1.8e308)"
        )
    if value == 0:
        return repr(value)
    shortest = Decimal(repr(abs(value)))
    point = shortest.adjusted() + 1  # digits before the decimal point; may be negative
    digits = "".join(map(str, shortest.as_tuple().digits)).rstrip("0")
    scientific = f"{digits[0]}.{digits[1:] or '0'}e{point - 1}"
    if point <= 0:
        plain = f"0.{'0' * -point}{digits}"
    else:
        plain = f"{digits[:point].ljust(point, '0')}.{digits[point:] or '0'}"
    text = scientific if abs(value) >= 2**53 or len(scientific) < len(plain) else plain
    return f"-{text}" if value < 0 else text


def _strict(body: bytes, erlang_floats: bool, max_depth: int) -> bytes:
    """The slow route: the standard library's reader, which hands over every member and number."""
    failure: InvalidJson
    # Raised after the `except` blocks: the errors caught there carry the body.
    try:
        text = _utf8(body)
        if _deeper_than(body, max_depth):
            raise InvalidJson(
                JsonFault.TOO_DEEP, f"more than {max_depth} containers inside each other"
            )
        value = (_STRICT_ERLANG if erlang_floats else _STRICT).decode(text)
        printed = _UNICODE_ESCAPE.sub(_upper_hex, _encode(value))
    except InvalidJson:
        raise
    except json.JSONDecodeError as error:
        failure = InvalidJson(
            JsonFault.SYNTAX, f"not JSON as RFC 8259 defines it, at character {error.pos}"
        )
    except UnicodeDecodeError as error:
        failure = InvalidJson(JsonFault.NOT_UTF8, f"not UTF-8, at byte {error.start}")
    except UnicodeEncodeError:
        failure = InvalidJson(
            JsonFault.LONE_SURROGATE, "a string has one half of a surrogate pair without the other"
        )
    except RecursionError:
        failure = InvalidJson(JsonFault.TOO_DEEP, "too many containers inside each other")
    else:
        return body if printed == body else printed
    raise failure


def _utf8(body: bytes) -> str:
    if body.startswith(b"\xef\xbb\xbf"):
        raise InvalidJson(
            JsonFault.BYTE_ORDER_MARK, "starts with a byte-order mark; JSON is sent without one"
        )
    return body.decode()


def _deeper_than(body: bytes, limit: int) -> bool:
    """Whether containers nest deeper than ``limit``, in time linear in the length of ``body``.

    In a document broken off inside a string or otherwise, true of the part before the break.
    """
    if body.count(b"[") + body.count(b"{") <= limit:
        return False
    brackets = _STRING.sub(b"", body).translate(_STEPS, _NO_BRACKETS)
    return max(accumulate(memoryview(brackets).cast("b")), default=0) > limit


# Also matches a string that the end of input breaks off: otherwise the search would start again at
# every later quote, in quadratic time.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_STEPS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")  # +1 and -1 as signed bytes

# Taking each escape whole keeps the `u001f` of an escaped backslash (`\\u001f`) as it is.
_UNICODE_ESCAPE = re.compile(rb"\\(?:u00(..)|.)", re.DOTALL)


def _upper_hex(escape: re.Match[bytes]) -> bytes:
    return b"\\u00" + escape[1].upper() if escape[1] else escape[0]


def _distinct(members: list[tuple[str, Any]]) -> dict[str, Any]:
    named = dict(members)
    if len(named) != len(members):
        raise InvalidJson(
            JsonFault.DUPLICATE_MEMBER, "a member name is given twice in the same object"
        )
    return named


def _refuse_constant(_name: str) -> Any:
    raise InvalidJson(JsonFault.NOT_A_NUMBER, "NaN and Infinity are not JSON")


def _as_sent(number: str) -> Raw:
    return Raw(number.encode())


def _erlang_float(number: str) -> Raw:
    return Raw(erlang_float(number).encode())


def _erlang_integer(number: str) -> Raw:
    return Raw(b"0" if number == "-0" else number.encode())


def _reader(integer: Callable[[str], Raw], real: Callable[[str], Raw]) -> json.JSONDecoder:
    return json.JSONDecoder(
        object_pairs_hook=_distinct,
        parse_int=integer,
        parse_float=real,
        parse_constant=_refuse_constant,
    )


_STRICT = _reader(_as_sent, _as_sent)
_STRICT_ERLANG = _reader(_erlang_integer, _erlang_float)
_decode = msgspec.json.Decoder(float_hook=_as_sent).decode
_decode_erlang = msgspec.json.Decoder(float_hook=_erlang_float).decode
_encode = msgspec.json.Encoder(order="sorted").encode
_format = msgspec.json.format
