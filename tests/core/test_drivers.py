"""The two drivers do the same, and throw what an answerer raises into the flow."""

import asyncio
from collections.abc import Awaitable, Callable, Generator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guarita.asks import Ask, CountHit, Flow, Outage, Pause
from guarita.decision import (
    ADMIT,
    Decision,
    Pass,
)
from guarita.drivers import run, run_async
from guarita.pipeline import decide
from tests.core.layers_made import (
    FACTS,
    Asked,
    Mark,
    layers,
)

# --- drivers -------------------------------------------------------------------------------------

STEP = st.sampled_from(
    ["ask", "ask or outage", "ask or anything", "ask, then again", "raise", "return"]
)
REPLY = st.sampled_from(["value", "outage", "bug", "cancel", "stop"])
PROBLEMS: dict[str, Callable[[], BaseException]] = {
    "outage": Outage,
    "bug": ZeroDivisionError,
    "cancel": asyncio.CancelledError,
    "stop": StopIteration,
}


def scripted(steps: list[str]) -> Flow[list[Any]]:
    """A flow that does what `steps` says; returns the answers it got."""
    got: list[Any] = []
    for number, step in enumerate(steps):
        if step == "ask":
            got.append((yield Pause(number)))
        elif step == "ask or outage":
            try:
                got.append((yield Pause(number)))
            except Outage:
                got.append("outage")
        elif step == "ask or anything":
            try:
                got.append((yield Pause(number)))
            except Exception as problem:
                got.append(type(problem))
        elif step == "ask, then again":
            try:
                got.append((yield Pause(number)))
            finally:
                got.append((yield Pause(-number)))
        elif step == "raise":
            raise LookupError(number)
        else:
            break
    return got


def played(drive: Callable[[Flow[Any], Any], Any], steps: list[str], replies: list[str]) -> Any:
    """What came of it: the result or the exception's type and text, and all that was asked."""
    asked: list[Any] = []

    def answer(ask: Ask) -> Any:
        assert isinstance(ask, Pause)
        asked.append(ask.seconds)
        reply = replies[len(asked) % len(replies)]
        if reply in PROBLEMS:
            raise PROBLEMS[reply]()
        return len(asked)

    try:
        result = drive(scripted(steps), answer)
    except BaseException as problem:
        result = type(problem), str(problem)
    return result, asked


def at_once(flow: Flow[Any], answer: Any) -> Any:
    """`run_async` with plain answers: it never suspends."""
    try:
        run_async(flow, answer).send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("suspended")


def awaited(flow: Flow[Any], answer: Any) -> Any:
    """`run_async` with every answer, problems included, behind an `await` that suspends."""

    class Suspends:
        def __await__(self) -> Generator[None, None, None]:
            yield

    async def later(ask: Ask) -> Any:
        await Suspends()
        try:
            return answer(ask)
        except StopIteration as problem:
            # A coroutine cannot raise it; the driver sees what Python makes of that.
            raise RuntimeError("generator raised StopIteration") from problem

    task = run_async(flow, later)
    while True:
        try:
            task.send(None)
        except StopIteration as stop:
            return stop.value


@given(st.lists(STEP, max_size=6), st.lists(REPLY, min_size=1, max_size=5))
def test_both_drivers_do_the_same(steps: list[str], replies: list[str]) -> None:
    expected = played(run, steps, replies)
    assert played(at_once, steps, replies) == expected
    if "stop" not in replies:
        assert played(awaited, steps, replies) == expected


def test_an_awaitable_in_the_synchronous_driver_is_a_type_error() -> None:
    async def later() -> int:
        return 1

    class Later:
        def __await__(self) -> Generator[None, None, int]:
            yield
            return 1

    with pytest.raises(TypeError, match="CountHit was answered with an awaitable; use run_async"):
        run(decide(layers(Pass()), FACTS), lambda ask: Later())
    made: list[Any] = []

    def answer(ask: Ask) -> Awaitable[int]:
        made.append(later())
        reply: Awaitable[int] = made[-1]
        return reply

    with pytest.raises(TypeError, match="use run_async"):
        run(decide(layers(Pass()), FACTS), answer)
    for coroutine in made:
        coroutine.close()


async def test_cancellation_is_thrown_into_the_flow_and_goes_on_after_it_has_settled() -> None:
    asked = Asked()
    waiting = asyncio.Event()

    async def answer(ask: Ask) -> None:
        asked(ask)
        if ask == CountHit("layer 1", FACTS.at, 60):
            waiting.set()
            await asyncio.Event().wait()
        await asyncio.sleep(0)

    task = asyncio.create_task(
        run_async(decide(layers(Pass(settle=Mark(7)), Pass()), FACTS), answer)
    )
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert asked == ["layer 0", "layer 1", 7]


def test_a_flow_without_asks_needs_no_answerer() -> None:
    def refuse(ask: Ask) -> None:
        raise AssertionError(ask)

    decision: Decision = run(decide([], FACTS), refuse)
    assert decision.result is ADMIT
    assert at_once(decide([], FACTS), refuse) == decision
