"""Laws of the canonical text: blind to order and spelling, idempotent, equal on all routes."""

import json
import math
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from guarita import canonical as module
from guarita.canonical import InvalidJson, JsonFault, canonical, erlang_float


def slow(body: bytes, erlang_floats: bool = False) -> bytes:
    return module._strict(body, erlang_floats, module.MAX_DEPTH)


def outcome(route: Callable[..., bytes], body: bytes, *, erlang_floats: bool) -> bytes | JsonFault:
    """What a route makes of ``body``: a text, or why not. Any other exception passes."""
    try:
        return route(body, erlang_floats=erlang_floats)
    except InvalidJson as error:
        return error.why


STRINGS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(
    [
        "",
        "a",
        "b",
        "é",
        "\x1f",
        "\\u001f",
        "\u2028",
        "\x7f",
        "\uffff",
        "\U00010000",
        '"',
        "/",
        "[",
        "{",
    ]
)
NUMBERS = st.from_regex(
    re.compile(r"-?(0|[1-9][0-9]{0,24})(\.[0-9]{1,4})?([eE][+-]?[0-9]{1,3})?", re.ASCII),
    fullmatch=True,
)


class Number(str):
    """A number's text, told apart from a string."""


VALUES = st.recursive(
    STRINGS | NUMBERS.map(Number) | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(STRINGS, inner, max_size=4),
    max_leaves=12,
)


def quoted(text: str) -> str:
    short = {"\b": "b", "\t": "t", "\n": "n", "\f": "f", "\r": "r", '"': '"', "\\": "\\"}
    return '"{}"'.format(
        "".join(
            f"\\{short[c]}" if c in short else f"\\u{ord(c):04X}" if c < " " else c for c in text
        )
    )


def oracle(value: Any) -> str:
    """Fact sheet §4.3, written a second time and as plainly as possible."""
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, list):
        return "[" + ",".join(map(oracle, value)) + "]"
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: [ord(c) for c in name])
        return "{" + ",".join(f"{quoted(name)}:{oracle(value[name])}" for name in names) + "}"
    return {None: "null", True: "true", False: "false"}[value]


@st.composite
def documents(draw: st.DrawFn) -> tuple[Any, bytes]:
    """A value, and a document that says it with any order, whitespace and escapes."""
    gap = st.text(" \t\n\r", max_size=2) if draw(st.booleans()) else st.just("")
    spellings = draw(st.booleans())

    def spelled(text: str) -> str:
        if not spellings:
            return quoted(text)
        choice = draw(st.integers(0, 2))
        printed = quoted(text) if choice == 0 else json.dumps(text)
        return printed.replace("/", "\\/") if choice == 2 else printed

    def printed(value: Any) -> str:
        if isinstance(value, list):
            return "[" + ",".join(draw(gap) + printed(v) + draw(gap) for v in value) + "]"
        if isinstance(value, dict):
            members = draw(st.permutations(list(value.items())))
            return (
                "{"
                + ",".join(
                    f"{draw(gap)}{spelled(name)}{draw(gap)}:{draw(gap)}{printed(v)}{draw(gap)}"
                    for name, v in members
                )
                + "}"
            )
        if isinstance(value, str) and not isinstance(value, Number):
            return spelled(value)
        return oracle(value)

    value = draw(VALUES)
    return value, (draw(gap) + printed(value) + draw(gap)).encode()


@given(documents())
def test_law_blind_to_order_whitespace_and_escapes(document: tuple[Any, bytes]) -> None:
    value, body = document
    expected = oracle(value).encode()
    assert canonical(body) == expected
    assert slow(body) == expected


@given(VALUES)
def test_law_idempotent(value: Any) -> None:
    text = oracle(value).encode()
    assert canonical(text) is text
    assert slow(text) is text


@given(documents())
def test_law_erlang_text_is_idempotent_and_equal_on_both_routes(
    document: tuple[Any, bytes],
) -> None:
    _, body = document
    text = outcome(canonical, body, erlang_floats=True)
    assert text == outcome(slow, body, erlang_floats=True)
    if isinstance(text, bytes):
        assert canonical(text, erlang_floats=True) is text
    else:
        assert text is JsonFault.NUMBER_TOO_LARGE


PUNCTUATION = list('[]{}",:\\ \n\x00')
TOKENS = ['"a"', '"a":', '"b":', '{"a":1', ',"a":', "0", "-0", "1.5", "1e9", "NaN", "true", "null"]
CHARACTERS = ["\\u001f", "\\u001F", "\\ud800", "\\udc00", "é", "\ufeff"]
PIECES = st.lists(st.sampled_from([*PUNCTUATION, *TOKENS, *CHARACTERS]), max_size=24).map(
    lambda pieces: "".join(pieces).encode()
)


@given(st.binary(max_size=64) | PIECES, st.booleans())
@example(b'{"a":1,"a":1}', False)
@example(b'{"a":1, "b":2,"a":-0}', False)
@example(rb'"\u001f"', False)
def test_law_any_bytes_give_one_text_or_invalid_json(body: bytes, erlang_floats: bool) -> None:
    fast = outcome(canonical, body, erlang_floats=erlang_floats)
    assert fast == outcome(slow, body, erlang_floats=erlang_floats)
    if isinstance(fast, bytes):
        json.loads(body)  # and the standard library can read what was accepted


@given(VALUES, STRINGS, st.integers(0, 3), NUMBERS, NUMBERS)
def test_law_a_name_given_twice_is_refused_anywhere(
    value: Any, name: str, depth: int, first: str, second: str
) -> None:
    twin = (
        f"{{{quoted(name)}:{first},{quoted('x' + name)}:{oracle(value)},{quoted(name)}:{second}}}"
    )
    body = ('{"k":[' * depth + twin + "]}" * depth).encode()
    with pytest.raises(InvalidJson) as caught:
        canonical(body)
    assert caught.value.why is JsonFault.DUPLICATE_MEMBER


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_law_erlang_float_reads_back_as_the_same_double(value: float) -> None:
    text = erlang_float(repr(value))
    assert float(text) == value
    assert math.copysign(1, float(text)) == math.copysign(1, value)
    assert re.fullmatch(r"-?[0-9]+\.[0-9]+(e-?[0-9]+)?", text)
    assert ("e" in text) or abs(value) < 2**53
