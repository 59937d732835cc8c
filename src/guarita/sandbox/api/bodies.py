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
    order after `name`; the first that is given counts. `null` is absent, and so is a blank where
    the member is required.
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
    `others` are names that belong to another body of the operation: `null` is absent there too, and
    any other value is refused as `elsewhere` words it.
    """

    name: str
    members: tuple[Member, ...]
    example: Mapping[str, Any]
    missing: str = "is required"
    in_family: bool = True
    others: frozenset[str] = frozenset()
    elsewhere: str = "is unknown"

    def read(self, object_: Mapping[str, Any]) -> dict[str, Any]:
        """The value of each member under its canonical name. Raises `Malformed`."""
        values, wrong = self._take(object_)
        for name in sorted(self.others & object_.keys()):
            if object_[name] is not None:
                wrong[name] = [self.elsewhere]
        wrong |= unknown(object_, self.known | self.others)
        if wrong:
            raise Malformed(wrong, in_family=self.in_family)
        return values

    def _take(self, object_: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, list[str]]]:
        """The members' values, and what is wrong with which of them."""
        values: dict[str, Any] = {}
        wrong: dict[str, list[str]] = {}
        for member in self.members:
            read, blank = [], []
            for name in member.names:
                value = object_.get(name)
                if value is None:
                    continue
                if member.required and value in member.field.blanks:
                    blank.append(name)
                    continue
                try:
                    read.append(member.field.read(value))
                except Wrong as error:
                    wrong[name] = [str(error)]
            values[member.name] = read[0] if read else member.default
            if member.required and not read and not wrong.keys() & set(member.names):
                wrong |= {name: [self.missing] for name in blank or [member.name]}
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
                properties[name] = _accepted(member, schema) | described
            if alone:
                required.append(member.name)
            elif member.required:
                groups.append({"anyOf": [given(name, schema) for name in member.names]})
        for name in sorted(self.others):
            properties[name] = {"type": "null", "description": f"Null: {self.elsewhere}."}
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
    else `usual`. Each has the names of the other among its `others`.
    """

    usual: Body
    special: Body
    by: Member

    def read(self, object_: Mapping[str, Any]) -> dict[str, Any]:
        """As `Body.read`; the members of the other body are `None`."""
        is_special = any(object_.get(name) is not None for name in self.by.names)
        body, other = (self.special, self.usual) if is_special else (self.usual, self.special)
        return dict.fromkeys(member.name for member in other.members) | body.read(object_)


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


def _accepted(member: Member, schema: Schema) -> Schema:
    """The schema under any one of a member's names, where `null` is absence."""
    if not member.required:
        return nullable(schema)
    return {"anyOf": [schema, {"enum": [*member.field.blanks]}]} if member.aliases else schema


def unknown(names: Iterable[str], known: Iterable[str]) -> dict[str, list[str]]:
    """What to say of names that are not known."""
    known = frozenset(known)
    foreign = [name for name in names if name not in known]
    return {shown(name): ["is unknown"] for name in foreign[:_UNKNOWN_NAMED]}
