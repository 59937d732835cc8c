"""How an answer's members come about: each has a name, a schema, and where its value is found. One
definition both renders an object and describes it.

What belongs here: the machinery. The shapes themselves are in `shapes`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from guarita.sandbox.api.fields import Schema
from guarita.sandbox.pix.rules import Rules

Getter = Callable[[Any, Rules], Any]


@dataclass(frozen=True, slots=True)
class Part:
    """One member of an answer. `source` is an attribute's name, or a function of the object and the
    bank's rules. Where `when` is given, the member is there only for objects it is true of.
    """

    name: str
    schema: Schema
    source: str | Getter
    when: Callable[[Any], bool] | None = None

    def value(self, thing: Any, rules: Rules) -> Any:
        if isinstance(self.source, str):
            return getattr(thing, self.source)
        return self.source(thing, rules)


@dataclass(frozen=True, slots=True)
class Shape:
    """An object of these members, under this name among the document's schemas."""

    name: str
    parts: tuple[Part, ...]

    def of(self, thing: Any, rules: Rules) -> dict[str, Any]:
        """The object rendered. `rules` are the bank's settings."""
        return {
            part.name: part.value(thing, rules)
            for part in self.parts
            if part.when is None or part.when(thing)
        }

    def schema(self) -> Schema:
        """The JSON schema of what `of` gives."""
        return {
            "type": "object",
            "properties": {part.name: part.schema for part in self.parts},
            "required": [part.name for part in self.parts if part.when is None],
            "additionalProperties": False,
        }

    def reference(self) -> Schema:
        """A reference to this shape from elsewhere in the document."""
        return {"$ref": f"#/components/schemas/{self.name}"}


def constant(value: Any) -> Getter:
    """A member that is the same in every object."""
    return lambda _thing, _rules: value


WORKED = Part("worked", {"const": True}, constant(True))


def envelope(members: Mapping[str, Schema]) -> Schema:
    """The schema of `{"worked": true, ...}` around other shapes."""
    return {
        "type": "object",
        "properties": {"worked": {"const": True}, **members},
        "required": ["worked", *members],
        "additionalProperties": False,
    }
