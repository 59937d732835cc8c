"""Draws the settings: the tables of docs/gateway.md, from the structs that are read.
`python -m guarita.config.drawing FILE...` writes them between their marks.
"""

import json
import sys
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec
from msgspec import NODEFAULT, Struct
from msgspec.structs import FieldInfo

from guarita.config.reading import default_of, struct_in
from guarita.config.settings import Configuration

BEGIN = "<!-- generated: settings -->"
END = "<!-- end of generated: settings -->"

ORDER = ("site", "data", "profile", "client_certificates", "decision_log", "process")
"""The top tables, most wanted first."""


def draw() -> str:
    """All tables of the file, each with its settings."""
    fields = {field.encode_name: field for field in msgspec.structs.fields(Configuration)}
    parts: list[str] = []
    for name in ORDER:
        kind = struct_in(fields[name].type)
        if kind is not None:
            path = {"site": "[[site]]", "profile": "[profile.NAME]"}.get(name, f"[{name}]")
            parts += _table(kind, path)
    return "\n\n".join(parts)


def _table(kind: type[Struct], path: str) -> list[str]:
    """The table of one struct, and those below it."""
    words = " ".join((kind.__doc__ or "").split())
    rows, below = ["| setting | type | default | |", "|---|---|---|---|"], []
    for field in msgspec.structs.fields(kind):
        inner = struct_in(field.type)
        if inner is None:
            rows.append(
                f"| `{field.encode_name}` | {_type(field.type)} | {_default(field)} |"
                f" {_described(field)} |"
            )
        else:
            below += _table(inner, _below(path, field))
    parts = [f"#### `{path}`", words]
    return [*parts, "\n".join(rows), *below] if len(rows) > 2 else [*parts, *below]


def _below(path: str, field: FieldInfo) -> str:
    name = f"{path.strip('[]')}.{field.encode_name}"
    origin = get_origin(_bare(field.type))
    if origin is list:
        return f"[[{name}]]"
    return f'[{name}."REASON"]' if origin is dict else f"[{name}]"


def _described(field: FieldInfo) -> str:
    kind = field.type
    while get_origin(kind) is Annotated:
        kind, *more = get_args(kind)
        for one in more:
            if isinstance(one, msgspec.Meta) and one.description:
                return one.description
    return ""


def _default(field: FieldInfo) -> str:
    value = default_of(field)
    if value is NODEFAULT or value is Ellipsis:
        return "required"
    if value is None:
        return ""
    return f"`{json.dumps(value)}`"


def _bare(kind: Any) -> Any:
    """A type without its description."""
    while get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    if get_origin(kind) in (Union, UnionType):
        some = [_bare(one) for one in get_args(kind) if one is not type(None)]
        return some[0] if len(some) == 1 else kind
    return kind


def _type(kind: Any) -> str:
    bare = _bare(kind)
    origin = get_origin(bare)
    if origin is Literal:
        return ", ".join(f'`"{one}"`' for one in get_args(bare))
    if origin is list:
        return f"list of {_type(get_args(bare)[0])}s"
    if origin is dict:
        return "table of texts"
    names = {str: "text", int: "whole number", float: "number", bool: "true or false"}
    return names.get(bare, "any")


def filled(text: str) -> str:
    """`text` with what stands between the marks drawn anew. Raises ValueError without marks."""
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise ValueError(f"the marks {BEGIN} and {END} must each stand once")
    head, _, rest = text.partition(BEGIN)
    return f"{head}{BEGIN}\n{draw()}\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    for path in map(Path, sys.argv[1:]):
        path.write_text(filled(path.read_text("utf-8")), "utf-8")
