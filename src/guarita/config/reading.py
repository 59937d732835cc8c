"""Turns the tables of a TOML file into the structs of `settings`, noting every mistake instead of
stopping at the first.
"""

import math
import re
from collections.abc import Callable
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

import msgspec
from msgspec import NODEFAULT, Struct

from guarita.config.lines import Path as Place
from guarita.config.mistakes import Mistakes, nearest, table_name

T = TypeVar("T", bound=Struct)

_AT = re.compile(r" - at `\$(.*)`$")
_TYPES = {
    "str": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
    "datetime": "a date",
    "date": "a date",
    "time": "a time",
    "null": "nothing",
}
_BOUND = re.compile(r"^Expected `[^`]*` (>=|>|<=) ([^ ]+)$")
_BOUNDS = {">=": "{} or more", ">": "more than {}", "<=": "{} at most"}
_WRONG_TYPE = re.compile(r"Expected `([^`]*)`, got `([^`]*)`")


def read(kind: type[T], table: Any, place: Place, mistakes: Mistakes) -> T | None:
    """`table` as a `kind`. Wrong and missing members are left at their defaults, or blank where
    they are texts and lists; None where there is neither.
    """
    if not isinstance(table, dict):
        mistakes.wrong(place, f"{table_name(place)} must be a table")
        return None
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    for name in table:
        if name not in fields:
            mistakes.wrong(
                (*place, name),
                f"unknown setting {name!r} in {table_name(place)}{nearest(name, fields)}",
            )
    members: dict[str, Any] = {}
    whole = True
    for name, field in fields.items():
        if name in table:
            value = _value(field.type, table[name], (*place, name), mistakes)
            if value is not _WRONG:
                members[field.name] = value
                continue
        elif field.required:
            mistakes.wrong((*place, name), f"{table_name(place)} needs the setting {name!r}")
        if field.required:
            blank = _BLANKS.get(get_origin(_plain(field.type)) or _plain(field.type))
            if blank is None:
                whole = False
            else:
                members[field.name] = blank()
    return kind(**members) if whole else None


_BLANKS: dict[Any, Callable[[], Any]] = {str: str, list: list, dict: dict}


class _Wrong:
    """Stands for a value that was wrong."""


_WRONG = _Wrong()


def _value(kind: Any, value: Any, place: Place, mistakes: Mistakes) -> Any:
    plain = _plain(kind)
    if _is_struct(plain):
        found = read(plain, value, place, mistakes)
        return _WRONG if found is None else found
    origin, args = get_origin(plain), get_args(plain)
    if origin is list and _is_struct(_plain(args[0])):
        return _list(_plain(args[0]), value, place, mistakes)
    if origin is dict and _is_struct(args[1]):
        if not isinstance(value, dict):
            mistakes.wrong(place, f"{place[-1]} must be a table")
            return _WRONG
        found = {name: read(args[1], one, (*place, name), mistakes) for name, one in value.items()}
        return {name: one for name, one in found.items() if one is not None}
    return _leaf(kind, value, place, mistakes)


def _list(kind: type[Struct], value: Any, place: Place, mistakes: Mistakes) -> Any:
    if not isinstance(value, list):
        mistakes.wrong(
            place, f"{place[-1]} is a list of tables: write {table_name(place, listed=True)}"
        )
        return _WRONG
    # None stands for an unusable one: the others keep their numbers, and with them their lines.
    return [read(kind, one, (*place, number), mistakes) for number, one in enumerate(value)]


def _leaf(kind: Any, value: Any, place: Place, mistakes: Mistakes) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        mistakes.wrong(place, f"{place[-1]} must be a finite number")
        return _WRONG
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        text = str(error)
        inner = _AT.search(text)
        item: Place = place
        if inner and (index := re.match(r"\[(\d+)\]", inner[1])):
            item = (*place, int(index[1]))
        mistakes.wrong(item, f"{_setting(place)}: {_said(_AT.sub('', text), kind, value)}")
        return _WRONG


def _setting(place: Place) -> str:
    return str(place[-1]) if isinstance(place[-1], str) else str(place[-2])


def _said(text: str, kind: Any, value: Any) -> str:
    """What `msgspec` says, in the words of a TOML file."""
    wrong = _WRONG_TYPE.search(text)
    if wrong:
        wanted = [_TYPES.get(one.strip(), one.strip()) for one in wrong[1].split("|")]
        wanted = [one for one in wanted if one != "nothing"]
        got = _TYPES.get(wrong[2], wrong[2])
        return f"must be {' or '.join(wanted)}, not {got}"
    bound = _BOUND.search(text)
    if bound:
        return f"must be {_BOUNDS[bound[1]].format(bound[2])}"
    choices = [one for one in get_args(_plain(kind)) if isinstance(one, str)]
    if choices and isinstance(value, str):
        return f"must be one of {', '.join(choices)}{nearest(value, choices)}"
    return text[:1].lower() + text[1:]


def _plain(kind: Any) -> Any:
    """A type without its description and without None."""
    while True:
        if get_origin(kind) is Annotated:
            kind = get_args(kind)[0]
        elif get_origin(kind) in (Union, UnionType):
            some = [one for one in get_args(kind) if one is not type(None)]
            if len(some) != 1:
                return kind
            kind = some[0]
        else:
            return kind


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Struct)


def default_of(field: msgspec.structs.FieldInfo) -> Any:
    """A field's default; NODEFAULT where it must be given."""
    if field.default_factory is not NODEFAULT:
        return field.default_factory()
    return field.default


def struct_in(kind: Any) -> type[Struct] | None:
    """The struct that a field holds: itself, in a list or in a table by name; None for others."""
    plain = _plain(kind)
    for one in (plain, *get_args(plain)):
        found = _plain(one)
        if _is_struct(found):
            struct: type[Struct] = found
            return struct
    return None
