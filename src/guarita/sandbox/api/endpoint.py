"""What an operation of the API is made of.

What belongs here: the types the table of operations (`endpoints`) is written in.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from guarita.sandbox.api.bodies import Body, Query, Variants
from guarita.sandbox.api.fields import Schema
from guarita.sandbox.bank import Bank
from guarita.sandbox.pix.rules import Rules
from guarita.sandbox.pix.scenarios import Operation


@dataclass(frozen=True, slots=True)
class Call:
    """A request as an operation sees it: who calls, the path's parameters, and the members of the
    body or query by their canonical names. `scenario` is one of business, never a fault.
    """

    bank: Bank
    account: str
    path: dict[str, str]
    values: dict[str, Any] = field(repr=False)
    scenario: str | None = None

    @property
    def rules(self) -> Rules:
        return self.bank.rules


@dataclass(frozen=True, slots=True)
class Reply:
    """What an operation answers: a JSON object."""

    body: dict[str, Any] = field(repr=False)
    status: int = 200


Handler = Callable[[Call], Reply]
"""Carries an operation out. It may block: it is called in a worker thread."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A success as documented. `others` are examples of its other forms, if it has any."""

    status: int
    text: str
    schema: Schema
    example: dict[str, Any]
    others: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Link:
    """A GET, POST or DELETE that an answer leads to: `path` is another operation's, its parameter
    found at `value`, a JSON pointer into the answer; `status` is that of the answer.
    """

    status: int
    method: Literal["GET", "POST", "DELETE"]
    path: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One operation. `permission` is what a gate in front asks of the caller's key; the bank itself
    asks for none. `path_text` and `path_pattern` tell of the path's parameter: what does not match
    is the id of nothing. `refusals` are the texts it may answer with 404 and 422, `events` the
    webhook events it leads to.
    """

    method: Literal["GET", "POST", "DELETE"]
    path: str
    permission: str
    summary: str
    handler: Handler
    answers: tuple[Answer, ...]
    operation: Operation = "other"
    path_text: str = ""
    path_pattern: str | None = None
    body: Body | Variants | None = None
    query: Query | None = None
    refusals: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    events: tuple[str, ...] = ()
    links: tuple[Link, ...] = ()
