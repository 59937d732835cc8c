"""Strict JSON and the canonical text: cases as data, bounds, and the public JSON corpus."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from guarita import canonical as module
from guarita.canonical import InvalidJson, JsonFault, canonical, erlang_float
from tests.shared_vectors import shared

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "vectors" / "canonical.json").read_text("utf-8")
)


def rows(name: str) -> list[Any]:
    return [pytest.param(row, id=row.get("id", row.get("number"))) for row in VECTORS[name]]


def wire(row: dict[str, Any]) -> bytes:
    return bytes.fromhex(row["hex"]) if "hex" in row else row["wire"].encode()


def slow(body: bytes, erlang_floats: bool = False) -> bytes:
    return module._strict(body, erlang_floats, module.MAX_DEPTH)


@pytest.mark.parametrize("row", rows("texts"))
def test_text(row: dict[str, Any]) -> None:
    body = wire(row)
    expected = row.get("canonical", row["wire"]).encode()
    assert canonical(body) == expected
    assert slow(body) == expected
    assert canonical(expected) is expected
    assert slow(expected) is expected
    erlang = row["erlang"].encode() if "erlang" in row else None
    if erlang is not None:
        assert canonical(body, erlang_floats=True) == erlang
        assert slow(body, True) == erlang


@pytest.mark.parametrize("erlang_floats", [False, True])
@pytest.mark.parametrize("row", rows("refused"))
def test_refused(row: dict[str, Any], erlang_floats: bool) -> None:
    with pytest.raises(InvalidJson) as caught:
        canonical(wire(row), erlang_floats=erlang_floats)
    assert caught.value.why == row["why"]
    assert caught.value.why in JsonFault
    assert str(caught.value)


@pytest.mark.parametrize("row", rows("floats"))
def test_erlang_float(row: dict[str, Any]) -> None:
    number = row["number"].encode()
    assert erlang_float(row["number"]) == row["erlang"]
    assert canonical(b"[" + number + b"]", erlang_floats=True) == f"[{row['erlang']}]".encode()
    assert canonical(number) == number


@pytest.mark.parametrize("number", ["1e999", "-1e999", "1.8e308", "9" * 400 + ".0"])
def test_float_beyond_a_double_is_refused_only_where_floats_are_printed_anew(number: str) -> None:
    body = f'{{"a":{number}}}'.encode()
    assert canonical(body) is body
    with pytest.raises(InvalidJson) as caught:
        canonical(body, erlang_floats=True)
    assert caught.value.why is JsonFault.NUMBER_TOO_LARGE


@pytest.mark.parametrize("digits", [20, 309, 400, 4300, 4301, 100_000])
@pytest.mark.parametrize("erlang_floats", [False, True])
def test_integers_of_any_size_are_kept(digits: int, erlang_floats: bool) -> None:
    body = b'{"a":-' + b"7" * digits + b"}"
    assert canonical(body, erlang_floats=erlang_floats) is body


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_depth(opening: bytes) -> None:
    def nested(depth: int) -> bytes:
        return opening * depth + b"1" + (b"]" if opening == b"[" else b"}") * depth

    assert canonical(nested(64)) == nested(64)
    for depth in (65, 66, 1000, 100_000):
        with pytest.raises(InvalidJson) as caught:
            canonical(nested(depth))
        assert caught.value.why is JsonFault.TOO_DEEP
    wide = b"[" + nested(63) + b",[]" * 100 + b"]"  # 64 deep, with more brackets than that
    assert canonical(wide) is wide
    assert canonical(nested(3), max_depth=3) == nested(3)
    with pytest.raises(InvalidJson):
        canonical(nested(4), max_depth=3)


def test_many_shallow_containers_are_not_depth() -> None:
    body = b"[" + b",".join([b'{"a":[]}'] * 1000) + b"]"
    assert canonical(body) is body
    tail = b'"[[[["'
    assert canonical(b"[" + b"[]," * 200 + tail + b"]") == b"[" + b"[]," * 200 + tail + b"]"


@pytest.mark.parametrize(
    "body",
    [b"[" * 100_000, b'{"a":' * 100_000, b"[]" * 100_000, b'["' + b'\\"' * 100_000, b'"' * 100_000],
)
def test_hostile_bulk_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidJson):
        canonical(body)


def test_a_nearly_exhausted_stack_still_gives_invalid_json() -> None:
    """Even where the caller allows depths that Python's own stack does not."""
    with pytest.raises(InvalidJson) as caught:
        canonical(b"[" * 50_000 + b"]" * 50_000, max_depth=1_000_000)
    assert caught.value.why is JsonFault.TOO_DEEP


@pytest.mark.parametrize(
    "body",
    [
        b'{"s3cretname":1,"s3cretname":2}',
        b'{"s3cretname":"s3cretvalue",}',
        rb'{"s3cretname":"s3cretvalue\q"}',
        rb'{"s3cretname":"s3cretvalue\ud800"}',
        b'{"s3cretname":"s3cretvalue\xff"}',
        b'{"s3cretname":"s3cretvalue","x":NaN}',
        b'\xef\xbb\xbf{"s3cretname":"s3cretvalue"}',
        b'{"s3cretname":' * 65 + b"1" + b"}" * 65,
    ],
)
def test_an_error_holds_nothing_of_the_body(body: bytes) -> None:
    with pytest.raises(InvalidJson) as caught:
        canonical(body)
    error = caught.value
    assert "s3cret" not in f"{error} {error!r} {error.args} {vars(error)}"
    # Chained errors of the standard library would carry the whole document.
    assert error.__cause__ is None
    assert error.__context__ is None


# Deviations from the corpus' "accept", each with its reason.
DEVIATIONS = {
    "y_object_duplicated_key": "DESIGN section 3: duplicate member names are refused",
    "y_object_duplicated_key_and_value": "DESIGN section 3: duplicate member names are refused",
}


def corpus() -> list[tuple[dict[str, Any], bytes]]:
    lines = shared("json_parsing", "jsontestsuite.jsonl").read_text("utf-8").splitlines()
    found = []
    for row in map(json.loads, lines):
        repeat = row.get("repeat")
        body = (
            bytes.fromhex(repeat["byte_hex"]) * repeat["count"]
            if repeat
            else base64.b64decode(row["b64"])
        )
        found.append((row, body))
    return found


def test_json_parsing_corpus() -> None:
    """Every row of JSONTestSuite; rows without a verdict give a stable text or InvalidJson."""
    wrong = []
    seen = set()
    for row, body in corpus():
        seen.add(row["id"])
        try:
            text = canonical(body)
        except InvalidJson:
            accepted = False
        else:
            accepted = True
            assert canonical(text) is text, row["id"]
            assert slow(body) == text, row["id"]
        expect = row.get("expect", "either")
        wanted = "reject" if row["id"] in DEVIATIONS else expect
        if wanted != "either" and accepted != (wanted == "accept"):
            wrong.append(row["id"])
    assert wrong == []
    assert len(seen) == 340
    assert DEVIATIONS.keys() <= seen
