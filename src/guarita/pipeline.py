"""Runs a tuple of layers over the facts of one request, and settles the response afterwards. No
I/O: both are flows of asks.

Also here: what a layer is (`Layer`), and the check that a tuple of layers is in an order that can
work.
"""

from collections.abc import Sequence
from types import GeneratorType
from typing import Any, ClassVar, Protocol

from guarita.asks import Flow
from guarita.decision import (
    ADMIT,
    PASS,
    Admit,
    Conversion,
    Converted,
    Decision,
    End,
    Known,
    Outcome,
    Pairs,
    Pass,
    Reason,
    Refuse,
    Replay,
    Settle,
    Verdict,
)
from guarita.facts import Facts


class Layer(Protocol):
    """One check. A frozen value holding its settings. `check` returns a verdict; where it has to
    ask first, it is a generator that yields asks and returns a verdict.

    Attributes:
        name: as decision log, tables and vectors call it.
        reasons: everything it can refuse for, in the order it looks.
        needs: records that earlier layers must have left in `known`.
        gives: the record it leaves in `known`, if any.
    """

    name: ClassVar[str]
    reasons: ClassVar[tuple[Reason, ...]]
    needs: ClassVar[tuple[type[Any], ...]]
    gives: ClassVar[type[Any] | None]

    def check(self, facts: Facts, known: Known) -> Verdict | Flow[Verdict]: ...


class BadOrder(ValueError):
    """A layer stands before one it depends on, or stands twice."""


def check_order(layers: Sequence[Layer]) -> None:
    """Raise `BadOrder` unless every layer stands once, after the layers whose records it needs."""
    given: set[type[Any]] = set()
    names: set[str] = set()
    for layer in layers:
        if layer.name in names:
            raise BadOrder(f"layer {layer.name!r} stands twice; a tuple of layers holds each once")
        names.add(layer.name)
        for record in layer.needs:
            if record not in given:
                raise BadOrder(
                    f"layer {layer.name!r} needs {record.__name__}, which no earlier layer gives; "
                    f"put the layer that gives it first"
                )
        if layer.gives is not None:
            given.add(layer.gives)


def decide(layers: Sequence[Layer], facts: Facts) -> Flow[Decision]:
    """Ask each layer in turn; the first refusal ends it. A replay is only final once the remaining
    layers have passed too (DESIGN section 3: permission is checked again before a replay).

    Where a layer or an answerer raises, what earlier layers had begun is settled as failed before
    the exception goes on: nothing was sent to the application yet.
    """
    known = Known()
    verdicts: list[Verdict] = []
    settles: list[Settle] = []
    conversion: Conversion | None = None
    converted: Converted | None = None
    result: Admit | Replay | Refuse = ADMIT
    try:
        for layer in layers:
            checked = layer.check(facts, known)
            if isinstance(checked, GeneratorType):
                verdict: Verdict = yield from checked
            else:
                verdict = checked  # type: ignore[assignment]  # a flow is always a GeneratorType
            verdicts.append(verdict)
            if verdict is PASS:
                continue
            if isinstance(verdict, Pass):
                if verdict.known is not None:
                    known[type(verdict.known)] = verdict.known
                if verdict.settle is not None:
                    settles.append(verdict.settle)
                if verdict.convert is not None:
                    conversion = verdict.convert
            elif isinstance(verdict, Refuse):
                result = verdict
                break
            elif isinstance(verdict, Replay):
                result = verdict
                if verdict.settle is not None:
                    settles.append(verdict.settle)
            else:
                raise TypeError(f"{layer.name} returned {type(verdict).__name__}, not a verdict")
        if conversion is not None and result is ADMIT:
            rewritten = conversion.request(facts, known)
            if isinstance(rewritten, Refuse):
                verdicts.append(rewritten)
                result = rewritten
            elif isinstance(rewritten, Converted):
                converted = rewritten
            else:
                raise TypeError(f"a conversion returned {type(rewritten).__name__}")
    except GeneratorExit:
        raise
    except BaseException:
        yield from settle(settles, Outcome(End.FAILED))
        raise
    return Decision(result, known, verdicts, settles, conversion, converted)


def settle(settles: Sequence[Settle], outcome: Outcome) -> Flow[Pairs]:
    """Run the settlements in reverse order of the layers; returns the header pairs they add to the
    response.
    """
    added: Pairs = ()
    for one in reversed(settles):
        run = one.run(outcome)
        if isinstance(run, GeneratorType):
            added += yield from run
        else:
            added += run  # type: ignore[operator]  # a flow is always a GeneratorType
    return added


def settled(settles: Sequence[Settle], outcome: Outcome) -> Pairs | Flow[Pairs]:
    """What `settle` does, at once where nothing has to be asked: the pairs, or a flow of them."""
    added: Pairs = ()
    left = len(settles)
    while left:
        left -= 1
        run = settles[left].run(outcome)
        if isinstance(run, GeneratorType):
            return _settle_on(added, run, settles[:left], outcome)
        added += run  # type: ignore[operator]  # a flow is always a GeneratorType
    return added


def _settle_on(
    added: Pairs, run: Flow[Pairs], rest: Sequence[Settle], outcome: Outcome
) -> Flow[Pairs]:
    added += yield from run
    if rest:
        added += yield from settle(rest, outcome)
    return added
