"""Bodies and queries: members with their names, aliases and defaults, read from a request and
described by a schema from the same definition.

What belongs here: how members make up a body or a query string. All wrong members are reported
together. Unknown members are refused: a misspelt `amuont` must not pay a default. What does not
belong here: which operation takes which (`operations/`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from guarita.sandbox.api.composites import given, nullable, shown
from guarita.sandbox.api.errors import Malformed
from guarita.sandbox.api.fields import Field, Schema, Wrong

_UNKNOWN_NAMED = 20
"""How many unknown members an answer names."""


@dataclass(frozen=True, slots=True)
class Member:
    """One member: its canonical name, its kind, what it means. `aliases` are other names, tried in
    order after `name`; the first that is given counts. `null` is absent, and a required
    member that is blank is missing.
    """

    name: str
    field: Field
    text: str
    required: bool = False
    default: Any = None
    aliases: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        return (self.name, *self.aliases)

    def described(self) -> Schema:
        schema: Schema = {"description": self.text}
        if self.default is not None:
            schema["default"] = self.default
        return schema


@dataclass(frozen=True, slots=True)
class Body:
    """A JSON object of these members. `missing` words a required one that is absent; `in_family`
    is whether errors stand under `bad_request` (fact sheet question 14). `example` is one as sent.
    """

    name: str
    members: tuple[Member, ...]
    example: Mapping[str, Any]
    missing: str = "is required"
    in_family: bool = True

    def read(self, object_: Mapping[str, Any]) -> dict[str, Any]:
        """The value of each member under its canonical name. Raises `Malformed`."""
        values, wrong = self.take(object_)
        wrong |= unknown(object_, self.known)
        if wrong:
            raise Malformed(wrong, in_family=self.in_family)
        return values

    def take(self, object_: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, list[str]]]:
        """The members' values, and what is wrong with which of them."""
        values: dict[str, Any] = {}
        wrong: dict[str, list[str]] = {}
        for member in self.members:
            read = []
            for name in member.names:
                value = object_.get(name)
                if value is None:
                    continue
                try:
                    if member.required and member.field.is_blank(value):
                        raise Wrong(self.missing)
                    read.append(member.field.read(value))
                except Wrong as error:
                    wrong[name] = [str(error)]
            values[member.name] = read[0] if read else member.default
            if member.required and not read and not wrong.keys() & set(member.names):
                wrong[member.name] = [self.missing]
        return values, wrong

    @property
    def known(self) -> frozenset[str]:
        """Every name a member may have."""
        return frozenset(name for member in self.members for name in member.names)

    def schema(self) -> Schema:
        """The JSON schema of what `read` takes."""
        properties: Schema = {}
        required: list[str] = []
        groups: list[Schema] = []
        for member in self.members:
            schema = member.field.schema()
            alone = member.required and not member.aliases
            for name in member.names:
                described = member.described()
                if name != member.name:
                    described = {"description": f"Alias of `{member.name}`.", "deprecated": True}
                properties[name] = (schema if alone else nullable(schema)) | described
            if alone:
                required.append(member.name)
            elif member.required:
                groups.append({"anyOf": [given(name, schema) for name in member.names]})
        whole: Schema = {
            "type": "object",
            "properties": properties,
            "additionalProperties": False,
            "examples": [dict(self.example)],
        }
        if required:
            whole["required"] = required
        for group in groups:
            whole |= group
        return whole


@dataclass(frozen=True, slots=True)
class Variants:
    """Two bodies of one operation: `special` where one of the names of its member `by` is given,
    else `usual`.
    """

    usual: Body
    special: Body
    by: Member

    def read(self, object_: Mapping[str, Any]) -> dict[str, Any]:
        """As `Body.read`. A member of the other variant is refused as one that does not go with
        `by`.
        """
        names = [name for name in self.by.names if object_.get(name) is not None]
        if not names:
            usual = {name: each for name, each in object_.items() if name not in self.by.names}
            return dict.fromkeys(m.name for m in self.special.members) | self.usual.read(usual)
        values, wrong = self.special.take(object_)
        others = self.usual.known - self.special.known
        for name in others & object_.keys():
            if object_[name] is not None:
                wrong[name] = [f"cannot be combined with {names[0]}"]
        wrong |= unknown(object_, self.special.known | others)
        if wrong:
            raise Malformed(wrong)
        return dict.fromkeys(m.name for m in self.usual.members) | values


@dataclass(frozen=True, slots=True)
class Query:
    """The parameters of a query string. None is required; unknown ones are refused, since a
    misspelt filter would show what it was to leave out.
    """

    members: tuple[Member, ...]

    def read(self, pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
        """The value of each parameter. Raises `Malformed`."""
        fields = {member.name: member.field for member in self.members}
        values: dict[str, Any] = {member.name: member.default for member in self.members}
        wrong: dict[str, list[str]] = {}
        seen: set[str] = set()
        for name, text in pairs:
            if name not in fields:
                wrong |= unknown([name], fields)
            elif name in seen:
                wrong[name] = ["is given more than once"]
            else:
                try:
                    values[name] = fields[name].read_text(text)
                except Wrong as error:
                    wrong[name] = [str(error)]
            seen.add(name)
        if wrong:
            raise Malformed(wrong)
        return values


def unknown(names: Iterable[str], known: Iterable[str]) -> dict[str, list[str]]:
    """What to say of names that are not known."""
    known = frozenset(known)
    foreign = [name for name in names if name not in known]
    return {shown(name): ["is unknown"] for name in foreign[:_UNKNOWN_NAMED]}
