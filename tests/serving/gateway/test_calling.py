"""The driver that calls back: answers at hand, answers that come later, exceptions on every way."""

import asyncio
from collections.abc import Generator
from typing import Any

import pytest

from guarita.asks import Ask, Outage, Pause
from guarita.serving.calling import run_calling

ASK = Pause(1)


def adding(times: int) -> Generator[Ask, Any, int]:
    total = 0
    for _ in range(times):
        try:
            total += yield ASK
        except Outage:
            total += 100
    return total


class Ends:
    def __init__(self) -> None:
        self.results: list[Any] = []
        self.errors: list[BaseException] = []

    async def come(self) -> "Ends":
        async with asyncio.timeout(5):
            while not self.results and not self.errors:  # noqa: ASYNC110 - nothing announces it
                await asyncio.sleep(0)
        return self


def drive(flow: Generator[Ask, Any, int], answer: Any) -> Ends:
    ends = Ends()
    run_calling(flow, answer, ends.results.append, ends.errors.append)
    return ends


async def later(value: Any) -> Any:
    await asyncio.sleep(0)
    if isinstance(value, BaseException):
        raise value
    return value


def future(value: Any) -> "asyncio.Future[Any]":
    made: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    if isinstance(value, BaseException):
        made.set_exception(value)
    else:
        made.set_result(value)
    return made


@pytest.mark.parametrize("times", [0, 1, 3])
def test_answers_at_hand_need_no_loop(times: int) -> None:
    ends = drive(adding(times), lambda ask: 2)
    assert (ends.results, ends.errors) == ([2 * times], [])


@pytest.mark.parametrize("way", [later, future])
async def test_answers_that_come_later(way: Any) -> None:
    ends = drive(adding(3), lambda ask: way(2))
    assert ends.results == []
    assert ((await ends.come()).results, ends.errors) == ([6], [])


async def test_both_in_turn() -> None:
    answers = iter([1, later(2), 3, future(4), Outage("no"), later(Outage("no"))])

    def answer(ask: Ask) -> Any:
        reply = next(answers)
        if isinstance(reply, BaseException):
            raise reply
        return reply

    assert (await drive(adding(6), answer).come()).results == [210]


@pytest.mark.parametrize("way", [None, later, future])
async def test_exceptions_the_flow_does_not_catch(way: Any) -> None:
    error = RuntimeError("says the test")

    def answer(ask: Ask) -> Any:
        if way is None:
            raise error
        return way(error)

    ends = await drive(adding(1), answer).come()
    assert (ends.results, ends.errors) == ([], [error])


async def test_a_cancelled_answer_is_thrown_into_the_flow() -> None:
    made: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    ends = drive(adding(1), lambda ask: made)
    made.cancel()
    await ends.come()
    assert isinstance(ends.errors[0], asyncio.CancelledError)


def test_a_flow_that_raises_at_once() -> None:
    def broken() -> Generator[Ask, Any, int]:
        raise ValueError("says the test")
        yield ASK

    ends = drive(broken(), lambda ask: 1)
    assert isinstance(ends.errors[0], ValueError)
