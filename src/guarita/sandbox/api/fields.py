"""Fields: the kinds of values a caller may send. Each reads a JSON value and gives its JSON schema,
so that what is refused and what is documented are one definition.

What belongs here: kinds of values. What does not: which operation takes which (`operations/`), and
how members make up a body (`bodies`).
"""

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, ClassVar

from guarita.sandbox.text import identifiers

Schema = dict[str, Any]

_WHOLE = re.compile("[1-9][0-9]{0,39}")
_DAY = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)


class Wrong(ValueError):
    """What is wrong with a value, as the caller is told: "must be a string"."""


class Field(ABC):
    """One kind of value. `blanks` are the values that say as little as absence would."""

    blanks: ClassVar[tuple[Any, ...]] = (None,)

    @abstractmethod
    def read(self, value: Any) -> Any:
        """The value as the bank uses it, which is never `None`: that is absence. Raises `Wrong`."""

    def read_text(self, text: str) -> Any:
        """The value written as a query parameter. Raises `Wrong`."""
        return self.read(text)

    @abstractmethod
    def schema(self) -> Schema:
        """The JSON schema (2020-12) of what `read` takes."""


@dataclass(frozen=True, slots=True)
class Positive(Field):
    """An integer from 1 to `maximum`. A decimal is refused, never rounded (§8, question 9)."""

    maximum: int

    def read(self, value: Any) -> int:
        if type(value) is not int or value <= 0:
            raise Wrong("must be a positive integer")
        if value > self.maximum:
            raise Wrong(f"must be at most {self.maximum}")
        return value

    def read_text(self, text: str) -> int:
        return self.read(int(text) if _WHOLE.fullmatch(text) else None)

    def schema(self) -> Schema:
        return {"type": "integer", "minimum": 1, "maximum": self.maximum}


@dataclass(frozen=True, slots=True)
class Pattern:
    """A form of text: a regular expression that Python and JSON schema read alike, and how to word
    it. Both search, so it holds its own `^` and `$`.
    """

    expression: str
    wording: str

    def matches(self, text: str) -> bool:
        # Python's "$" also matches before a last newline, that of JSON schema does not.
        return re.search(self.expression.replace("$", r"\Z"), text) is not None


# Not \S: what counts as a blank there differs between Python and JavaScript.
NOT_BLANK = Pattern(
    r"[^\x00-\x20\x7f-\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]",
    "must not be blank",
)
PRINTABLE = Pattern("^[ -~]*$", "must be printable ASCII characters")
END_TO_END_ID = Pattern(
    "^E[0-9]{8}[a-zA-Z0-9]{22,26}$", "must be E, 8 digits, then 22 to 26 letters or digits"
)


@dataclass(frozen=True, slots=True)
class Text(Field):
    """A string of `minimum` to `maximum` characters, which may have to match a pattern."""

    maximum: int | None = None
    minimum: int = 0
    pattern: Pattern | None = None

    blanks = (None, "")

    def read(self, value: Any) -> str:
        if not isinstance(value, str):
            raise Wrong("must be a string")
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            raise Wrong("must be valid Unicode, without lone surrogates") from None
        if self.maximum is not None and len(value) > self.maximum:
            raise Wrong(f"must be at most {self.maximum} characters")
        if len(value) < self.minimum:
            raise Wrong(
                "must not be empty"
                if self.minimum == 1
                else f"must be at least {self.minimum} characters"
            )
        if self.pattern is not None and not self.pattern.matches(value):
            raise Wrong(self.pattern.wording)
        return value

    def schema(self) -> Schema:
        schema: Schema = {"type": "string"}
        if self.minimum:
            schema["minLength"] = self.minimum
        if self.maximum is not None:
            schema["maxLength"] = self.maximum
        if self.pattern is not None:
            schema["pattern"] = self.pattern.expression
        return schema


@dataclass(frozen=True, slots=True)
class Choice(Field):
    """One of a few texts, written exactly so."""

    values: tuple[str, ...]

    def read(self, value: Any) -> str:
        if not isinstance(value, str) or value not in self.values:
            raise Wrong("must be one of " + ", ".join(self.values))
        return value

    def schema(self) -> Schema:
        return {"type": "string", "enum": list(self.values)}


@dataclass(frozen=True, slots=True)
class Named(Field):
    """A text documented as one of a few, where the use case refuses others in words of its own."""

    values: tuple[str, ...]

    def read(self, value: Any) -> str:
        return Text().read(value)

    def schema(self) -> Schema:
        return {"type": "string", "enum": list(self.values)}


@dataclass(frozen=True, slots=True)
class Flag(Field):
    """`true` or `false`."""

    def read(self, value: Any) -> bool:
        if type(value) is not bool:
            raise Wrong("must be true or false")
        return value

    def schema(self) -> Schema:
        return {"type": "boolean"}


@dataclass(frozen=True, slots=True)
class ExternalId(Field):
    """The caller's own id. What is no such id is dropped without an error (fact sheet §6.2), so any
    JSON value is accepted.
    """

    def read(self, value: Any) -> str | None:
        return identifiers.external_id(value)

    def schema(self) -> Schema:
        return {}


@dataclass(frozen=True, slots=True)
class Day(Field):
    """A day as `2026-05-01`."""

    def read(self, value: Any) -> date:
        try:
            if isinstance(value, str) and _DAY.fullmatch(value):
                return date.fromisoformat(value)
        except ValueError:
            pass
        raise Wrong("must be a date such as 2026-05-01")

    def schema(self) -> Schema:
        return {"type": "string", "format": "date"}


@dataclass(frozen=True, slots=True)
class Time(Field):
    """A time in ISO 8601 with its zone, such as `2026-05-01T12:00:30Z`. Kept as written."""

    def read(self, value: Any) -> str:
        try:
            if isinstance(value, str) and _TIME.fullmatch(value):
                datetime.fromisoformat(value.upper())
                return value
        except ValueError:
            pass
        raise Wrong("must be a time such as 2026-05-01T12:00:30Z")

    def schema(self) -> Schema:
        return {"type": "string", "format": "date-time"}
