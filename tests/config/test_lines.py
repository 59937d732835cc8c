"""Where things stand in a TOML text: laws over made-up documents, and the spellings of TOML."""

import json
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guarita.config.lines import Lines, Path

names = st.text(alphabet="abcXY9_-", min_size=1, max_size=4) | st.sampled_from(
    ["a.b", "a b", "é", "]", "=", '"', "#"]
)
scalars = (
    st.integers(-9, 9999).map(str)
    | st.booleans().map(lambda one: str(one).lower())
    | st.text(alphabet="ab#[]{}=,.'\n é", max_size=6).map(json.dumps)
    | st.sampled_from(
        ["'#'", '"""a\n"b" # no\n"""', "'''\n[x]\n'''", "1979-05-27 07:32:00", "+inf", '"\\""']
    )
)


def key(name: str) -> str:
    return (
        name
        if name.replace("-", "").replace("_", "").isascii() and name.isalnum()
        else quoted(name)
    )


def quoted(name: str) -> str:
    return json.dumps(name, ensure_ascii=False)


def inline(members: dict[str, str]) -> str:
    return "{ " + ", ".join(f"{key(name)} = {value}" for name, value in members.items()) + " }"


values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda some: "[\n" + ",\n# x\n".join(some) + "\n]")
        | st.dictionaries(names, inner.filter(lambda one: "\n" not in one), max_size=2).map(inline)
    ),
    max_leaves=6,
)
tables = st.dictionaries(names, values, max_size=4)


@st.composite
def documents(draw: st.DrawFn) -> str:
    """Top members, then tables and arrays of tables of different names."""
    text = ""
    for name, value in draw(tables).items():
        text += draw(st.sampled_from(["", "# c\n", "\n"])) + f"{key(name)} = {value}\n"
    for number in range(draw(st.integers(0, 3))):
        table = f"t{number}"
        for _ in range(draw(st.integers(1, 3))):
            text += f"[[{table}]]  # array\n"
            for name, value in draw(tables).items():
                text += f"  {key(name)} = {value}\n"
            if draw(st.booleans()):
                text += f"[ {table} . sub ]\n"
                for name, value in draw(tables).items():
                    text += f"{key(name)}={value}\n"
    return text


def paths(node: Any, path: Path = ()) -> Iterator[Path]:
    if isinstance(node, dict):
        for name, member in node.items():
            yield (*path, name)
            yield from paths(member, (*path, name))
    elif isinstance(node, list):
        for number, item in enumerate(node):
            yield (*path, number)
            yield from paths(item, (*path, number))


@given(documents())
def test_every_value_is_found_on_the_line_of_its_key(text: str) -> None:
    try:
        members = tomllib.loads(text)
    except tomllib.TOMLDecodeError:  # a name twice in one table
        return
    lines = Lines(text)
    rows = text.split("\n")
    for path in paths(members):
        assert lines.knows(path), path
        name = path[-1]
        if isinstance(name, str):
            row = rows[lines.of(path) - 1]
            assert name in row or quoted(name) in row, (path, row)


@given(documents())
def test_windows_line_ends_change_nothing(text: str) -> None:
    try:
        members = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    lines, others = Lines(text), Lines(text.replace("\n", "\r\n"))
    assert [lines.of(path) for path in paths(members)] == [
        others.of(path) for path in paths(members)
    ]


@pytest.mark.parametrize(
    ("text", "path", "line"),
    [
        ("a = 1\nb = 2", ("b",), 2),
        ("a.b.c = 1\na.b.d = 2", ("a", "b", "d"), 2),
        ("\n\n[a]\nb = 1\n[a.c]\nd = 1", ("a", "c", "d"), 6),
        ("[a.b]\nc = 1\n[a]\nd = 1", ("a",), 3),
        ("[[a]]\nb = 1\n[[a]]\nb = 2", ("a", 1, "b"), 4),
        ("[[a]]\n[[a.b]]\nc = 1\n[[a.b]]\nc = 2\n[[a]]\n[[a.b]]\nc = 3", ("a", 1, "b", 0, "c"), 8),
        ('["a.b"."c"]\nd = 1', ("a.b", "c", "d"), 2),
        ('a = """\nb = 1\n"""\nb = 2', ("b",), 4),
        ("a = '''x''''\nb = 2", ("b",), 2),
        ('a = "\\"#"\nb = 2', ("b",), 2),
        ("a = [\n  1, # one\n  [2,\n 3],\n]", ("a", 1, 1), 4),
        ("a = [{b = 1},\n {b = 2}]", ("a", 1, "b"), 2),
        ("a = { b = { c = 1 }, d.e = 2 }", ("a", "d", "e"), 1),
        ("a = 1979-05-27 07:32:00 # x\nb = 1", ("b",), 2),
        ("x = 1\n[a]\nb = 1", ("a", "nowhere", 3), 2),
    ],
)
def test_spellings(text: str, path: Path, line: int) -> None:
    tomllib.loads(text)
    assert Lines(text).of(path) == line
