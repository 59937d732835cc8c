"""camelCase and snake_case: the frozen rule as data, documents, query strings, and laws."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guarita.canonical import InvalidJson
from guarita.casing import (
    Collision,
    body_to_camel,
    body_to_snake,
    query_to_snake,
    to_camel,
    to_snake,
)
from tests.shared_vectors import shared

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "vectors" / "key_case.json").read_text("utf-8")
)


def rows(name: str) -> list[Any]:
    return [pytest.param(row, id=f"{name}-{i}") for i, row in enumerate(VECTORS[name])]


@pytest.mark.parametrize("row", rows("names"))
def test_names_convert_both_ways(row: dict[str, str]) -> None:
    assert to_camel(row["snake"]) == row["camel"]
    assert to_snake(row["camel"]) == row["snake"]
    assert to_snake(row["snake"]) == row["snake"]
    assert to_camel(row["camel"]) == row["camel"]


@pytest.mark.parametrize("row", rows("kept"))
def test_other_names_are_data(row: dict[str, str]) -> None:
    assert to_snake(row["name"]) == row["name"]
    assert to_camel(row["name"]) == row["name"]


@pytest.mark.parametrize("row", rows("camel_to_snake_only"))
def test_names_that_no_field_gets(row: dict[str, str]) -> None:
    assert to_snake(row["camel"]) == row["snake"]


@pytest.mark.parametrize("row", rows("bodies"))
def test_body_both_ways(row: dict[str, str]) -> None:
    camel, snake = row["camel"].encode(), row["snake"].encode()
    assert body_to_snake(camel) == snake
    assert body_to_camel(snake) == camel
    assert body_to_snake(snake) is snake
    assert body_to_camel(camel) is camel


@pytest.mark.parametrize("row", rows("bodies_to_snake_only"))
def test_body_to_snake(row: dict[str, str]) -> None:
    assert body_to_snake(row["camel"].encode()) == row["snake"].encode()


@pytest.mark.parametrize("row", rows("collisions"))
def test_collision(row: dict[str, str]) -> None:
    with pytest.raises(Collision) as caught:
        body_to_snake(row["body"].encode())
    assert caught.value.member == row["member"]


@pytest.mark.parametrize("row", rows("responses_with_collision"))
def test_response_with_collision_keeps_the_names_given(row: dict[str, str]) -> None:
    assert body_to_camel(row["body"].encode()) == row["camel"].encode()


@pytest.mark.parametrize("row", rows("responses_untouched"))
def test_response_that_is_not_json_is_untouched(row: dict[str, str]) -> None:
    body = row["body"].encode()
    assert body_to_camel(body) is body
    with pytest.raises(InvalidJson):
        body_to_snake(body)


@pytest.mark.parametrize("body", [b'{"a_b":"\xff"}', b"\x1f\x8b\x08", b'\xef\xbb\xbf{"a_b":1}'])
def test_response_bytes_that_are_not_utf8_json_are_untouched(body: bytes) -> None:
    assert body_to_camel(body) is body


@pytest.mark.parametrize("row", rows("queries"))
def test_query(row: dict[str, str]) -> None:
    assert query_to_snake(row["query"].encode()) == row["snake"].encode()


@pytest.mark.parametrize("row", rows("query_collisions"))
def test_query_collision(row: dict[str, str]) -> None:
    with pytest.raises(Collision) as caught:
        query_to_snake(row["query"].encode())
    assert caught.value.member == row["member"]


def test_depth_is_bounded() -> None:
    deepest = b'{"aB":' * 64 + b"1" + b"}" * 64
    assert body_to_snake(deepest) == deepest.replace(b"aB", b"a_b")
    with pytest.raises(InvalidJson):
        body_to_snake(b'{"aB":' * 65 + b"1" + b"}" * 65)
    with pytest.raises(InvalidJson):
        body_to_snake(b"[" * 100_000)


def test_names_longer_than_the_cache_keeps_are_converted_too() -> None:
    name = "aB" * 500
    assert body_to_snake(b'{"' + name.encode() + b'":1}') == (
        b'{"' + to_snake(name).encode() + b'":1}'
    )
    assert to_snake(name) == "_".join(["a"] + ["ba"] * 499 + ["b"])


# --- the shared cases: core rows bind; edge rows were used to choose the rule ------------------


def shared_cases() -> dict[str, Any]:
    cases: dict[str, Any] = json.loads(shared("key_case", "cases.json").read_text("utf-8"))
    return cases


def test_shared_core_names() -> None:
    convert = {"to_snake": to_snake, "to_camel": to_camel}
    core = [row for row in shared_cases()["names"] if row["class"] == "core"]
    assert len(core) == 31
    for row in core:
        assert convert[row["direction"]](row["input"]) == row["output"], row["id"]


def test_shared_edge_names_lead_back() -> None:
    """What the libraries disagree about: here no name is ever lost by going there and back."""
    for row in shared_cases()["names"]:
        if row["input"] == row["input"].lower():
            assert to_snake(to_camel(row["input"])) == row["input"], row["id"]


def test_shared_documents() -> None:
    convert = {"to_snake": body_to_snake, "to_camel": body_to_camel}
    back = {"to_snake": body_to_camel, "to_camel": body_to_snake}
    documents = shared_cases()["documents"]
    assert len(documents) == 5
    for row in documents:
        body = json.dumps(row["input"]).encode()
        converted = convert[row["direction"]](body)
        assert json.loads(converted) == row["output"], row["id"]
        if row["reversible"]:
            assert back[row["direction"]](converted) == body, row["id"]


# --- laws -------------------------------------------------------------------------------------

SNAKE = st.from_regex(r"_{0,2}[a-z][a-z0-9_]{0,12}", fullmatch=True)
CAMEL = st.from_regex(r"_{0,2}[a-z][A-Za-z0-9_]{0,12}", fullmatch=True)
NAMES = SNAKE | CAMEL | st.text(st.characters(exclude_categories=["Cs"]), max_size=6)


@given(NAMES)
def test_law_converting_twice_changes_nothing(name: str) -> None:
    assert to_snake(to_snake(name)) == to_snake(name)
    assert to_camel(to_camel(name)) == to_camel(name)


@given(SNAKE | st.text("_ab1", max_size=10))
def test_law_snake_to_camel_to_snake(name: str) -> None:
    assert to_snake(to_camel(name)) == name


@given(CAMEL)
def test_law_camel_comes_out_as_snake(name: str) -> None:
    snake = to_snake(name)
    assert snake == snake.lower()
    assert snake.replace("_", "") == name.replace("_", "").lower()


SCALARS = (
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
    | st.sampled_from(['"aB":', "{", "}", "a_b", "\\", '\\"'])
    | st.integers()
    | st.booleans()
    | st.none()
)


def trees(names: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    return st.recursive(
        SCALARS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4),
        max_leaves=10,
    )


class Layout(NamedTuple):
    """How a value is written as a document."""

    ascii_only: bool
    indent: int | None
    escaped: str  # letters that are written as \\u escapes, in names and in values

    def write(self, value: Any) -> bytes:
        text = json.dumps(value, ensure_ascii=self.ascii_only, indent=self.indent)
        for letter in self.escaped:  # occurs in strings only
            text = text.replace(letter, f"\\u{ord(letter):04x}")
        return text.encode()


LAYOUTS = st.builds(
    Layout, st.booleans(), st.sampled_from([None, 0, 2]), st.sampled_from(["", "", "_", "B", "_B"])
)


@given(trees(SNAKE), LAYOUTS)
def test_law_a_response_leads_back(value: Any, layout: Layout) -> None:
    body = layout.write(value)
    back = body_to_snake(body_to_camel(body))
    assert json.dumps(json.loads(back)) == json.dumps(value)
    assert layout.escaped or back == body


def renamed(value: Any) -> Any:
    """The expected result over parsed values; raises Collision where the function should."""
    if isinstance(value, list):
        return [renamed(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    result = {to_snake(name): renamed(inner) for name, inner in value.items()}
    if len(result) != len(value):
        raise Collision("any")
    return result


FEW = st.sampled_from(["aB", "a_b", "a_B", "ab", "AB", "é", 'x"Y', "cD"])


@given(trees(NAMES | FEW), LAYOUTS)
def test_law_only_names_change_on_the_way_in(value: Any, layout: Layout) -> None:
    body = layout.write(value)
    try:
        expected = renamed(value)
    except Collision:
        with pytest.raises(Collision):
            body_to_snake(body)
    else:
        result = json.loads(body_to_snake(body))
        assert json.dumps(result) == json.dumps(expected)  # dumps: member order counts too


def flat(value: Any) -> Iterator[Any]:
    """Every value in order of appearance, containers as their sizes."""
    if isinstance(value, list | dict):
        yield type(value).__name__, len(value)
        for inner in value.values() if isinstance(value, dict) else value:
            yield from flat(inner)
    else:
        yield value


@given(trees(NAMES | FEW), LAYOUTS)
def test_law_nothing_is_lost_on_the_way_out(value: Any, layout: Layout) -> None:
    result = json.loads(body_to_camel(layout.write(value)))
    assert list(flat(result)) == list(flat(value))


@given(st.binary(max_size=40))
def test_law_any_bytes(body: bytes) -> None:
    with contextlib.suppress(InvalidJson, Collision):
        body_to_snake(body)
    assert isinstance(body_to_camel(body), bytes)
    try:
        converted = query_to_snake(body)
    except Collision:
        return
    assert query_to_snake(converted) == converted
    assert converted.count(b"&") == body.count(b"&")


@given(st.lists(st.tuples(SNAKE, st.sampled_from(["", "1", "aB", "%41", "a=b", "+"])), max_size=5))
def test_law_query_values_are_untouched(parameters: list[tuple[str, str]]) -> None:
    camel = "&".join(f"{to_camel(name)}={value}" for name, value in parameters)
    snake = "&".join(f"{name}={value}" for name, value in parameters)
    assert query_to_snake(camel.encode()) == snake.encode()
