"""Layers, settlements and conversions made for tests of the pipeline and its drivers."""

from collections.abc import Sequence
from typing import Any, ClassVar

from msgspec import Struct

from guarita.asks import Ask, CountHit, Flow, Pause
from guarita.decision import (
    Known,
    Outcome,
    Pairs,
    Reason,
    Response,
)
from guarita.facts import Facts
from tests.core.made import facts

FACTS = facts()
NO = Reason("test", "no")
STORED = Response(200, (), b"{}")


class Mark(Struct, frozen=True):
    """A settlement that asks `Pause(number)` and adds a header."""

    number: int

    def wants_body(self, status: int) -> bool:
        return False

    def run(self, outcome: Outcome) -> Flow[Pairs]:
        yield Pause(self.number)
        return ((b"settled", f"{self.number} {outcome.end.value}".encode()),)


class One(Struct, frozen=True):
    """A record."""

    number: int


class Other(Struct, frozen=True):
    """Another record."""

    number: int


class Says:
    """A layer that asks `CountHit(name)` and then says what it is told to, or raises it."""

    reasons: ClassVar[tuple[Reason, ...]] = (NO,)
    needs: tuple[type[Any], ...] = ()
    gives: type[Any] | None = None

    def __init__(
        self, name: str, verdict: Any, needs: tuple[type[Any], ...] = (), gives: Any = None
    ) -> None:
        self.name = name
        self.verdict = verdict
        self.needs = needs
        self.gives = gives

    def check(self, facts: Facts, known: Known) -> Flow[Any]:
        yield CountHit(self.name, facts.at, 60)
        if isinstance(self.verdict, BaseException):
            raise self.verdict
        return self.verdict(known) if callable(self.verdict) else self.verdict


class Rewrites:
    """A conversion with the given outcome."""

    def __init__(self, outcome: Any) -> None:
        self.outcome = outcome

    def request(self, facts: Facts, known: Known) -> Any:
        if isinstance(self.outcome, BaseException):
            raise self.outcome
        return self.outcome

    def wants_body(self, headers: Sequence[tuple[bytes, bytes]]) -> bool:
        return False

    def response(self, body: bytes) -> bytes:
        return body


class Asked(list[Any]):
    """An answerer that answers None and remembers what it was asked: names of layers, numbers of
    settlements.
    """

    def __call__(self, ask: Ask) -> None:
        assert isinstance(ask, CountHit | Pause)
        self.append(ask.key if isinstance(ask, CountHit) else ask.seconds)


def layers(*verdicts: Any) -> list[Any]:
    return [Says(f"layer {number}", verdict) for number, verdict in enumerate(verdicts)]
