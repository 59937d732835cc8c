"""Fields made of fields: arrays and objects; and what their schemas are built from.

What belongs here: composite kinds of values. A whole body is one level up, in `bodies`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from guarita.sandbox.api.fields import Field, Schema, Wrong


@dataclass(frozen=True, slots=True)
class Items(Field):
    """An array of `minimum` to `maximum` values of one kind. The first wrong one is named."""

    item: Field
    maximum: int
    minimum: int = 0

    blanks = (None, [])

    def read(self, value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise Wrong("must be an array")
        if len(value) < self.minimum:
            raise Wrong(f"must hold at least {self.minimum}")
        if len(value) > self.maximum:
            raise Wrong(f"must hold at most {self.maximum}")
        return tuple(self._item(number, each) for number, each in enumerate(value, 1))

    def _item(self, number: int, value: Any) -> Any:
        try:
            return self.item.read(value)
        except Wrong as wrong:
            raise Wrong(f"item {number}: {wrong}") from None

    def schema(self) -> Schema:
        schema: Schema = {
            "type": "array",
            "items": self.item.schema(),
            "maxItems": self.maximum,
        }
        return schema | ({"minItems": self.minimum} if self.minimum else {})


@dataclass(frozen=True, slots=True)
class Record(Field):
    """An object of optional members, at least one of `any_of` among them. `null` is absent."""

    members: Mapping[str, Field]
    any_of: tuple[str, ...] = field(default=())

    def read(self, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise Wrong("must be an object")
        for name in value:
            if name not in self.members:
                raise Wrong(f"{shown(name)} is unknown")
        given = {name: self._member(name, each) for name, each in value.items() if each is not None}
        if self.any_of and not given.keys() & set(self.any_of):
            raise Wrong("needs " + " or ".join(self.any_of))
        return given

    def _member(self, name: str, value: Any) -> Any:
        try:
            return self.members[name].read(value)
        except Wrong as wrong:
            raise Wrong(f"{name} {wrong}") from None

    def schema(self) -> Schema:
        schemas = {name: each.schema() for name, each in self.members.items()}
        schema: Schema = {
            "type": "object",
            "properties": {name: nullable(each) for name, each in schemas.items()},
            "additionalProperties": False,
        }
        if self.any_of:
            schema["anyOf"] = [given(name, schemas[name]) for name in self.any_of]
        return schema


def nullable(schema: Schema) -> Schema:
    """The schema of the same value, or `null`."""
    if not schema.keys() & {"type", "enum"}:
        return schema
    wider = dict(schema)
    if "type" in wider:
        wider["type"] = [wider["type"], "null"]
    if "enum" in wider:
        wider["enum"] = [*wider["enum"], None]
    return wider


def given(name: str, schema: Schema) -> Schema:
    """The schema of an object that has this member, not `null`."""
    return {"required": [name], "properties": {name: schema}}


def shown(name: str) -> str:
    """A caller's member name as an error may show it: short, and valid Unicode."""
    return name[:64].encode("utf-8", "replace").decode("utf-8")
