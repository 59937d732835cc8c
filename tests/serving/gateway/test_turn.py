"""Requests of one turn of the event loop go through the stages together."""

import asyncio
import logging

import pytest

from guarita.serving.gateway.turn import Stage, Turn


class Recorded:
    """Two stages of a turn, and what they did in which order."""

    def __init__(self) -> None:
        self.turn = Turn()
        self.done: list[str] = []
        self.first: Stage[str] = self.turn.stage(self.work_first)
        self.second: Stage[str] = self.turn.stage(self.work_second)

    def work_first(self, item: str) -> None:
        self.done.append(f"first {item}")
        if item == "bug":
            raise RuntimeError("of the stage")
        if item != "alone":
            self.second.add(item)

    def work_second(self, item: str) -> None:
        self.done.append(f"second {item}")
        if item == "again":
            self.first.add("alone")


async def turns(count: int = 1) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_all_pass_a_stage_before_any_comes_to_the_next() -> None:
    at = Recorded()
    for item in ("a", "b", "c"):
        at.first.add(item)
    assert at.done == []
    assert len(at.turn) == 3
    await turns()
    assert at.done == [f"{stage} {item}" for stage in ("first", "second") for item in "abc"]
    assert len(at.turn) == 0


async def test_what_a_later_stage_adds_to_an_earlier_one_waits_for_the_next_turn() -> None:
    at = Recorded()
    at.first.add("again")
    await turns()
    assert at.done == ["first again", "second again"]
    assert len(at.turn) == 1
    await turns()
    assert at.done[2:] == ["first alone"]


async def test_a_turn_is_planned_once_and_again_when_something_comes() -> None:
    at = Recorded()
    for round_ in range(3):
        at.second.add(f"{round_}")
        at.second.add(f"{round_} too")
        await turns()
    assert at.done == [f"second {one}{two}" for one in range(3) for two in ("", " too")]


async def test_a_bug_in_one_item_keeps_nothing_from_the_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    at = Recorded()
    for item in ("a", "bug", "b"):
        at.first.add(item)
    with caplog.at_level(logging.ERROR, "guarita.serving"):
        await turns()
    assert at.done == ["first a", "first bug", "first b", "second a", "second b"]
    assert [record.getMessage() for record in caplog.records] == ["a step of a request failed"]


async def test_nothing_an_item_raises_ends_the_stages(caplog: pytest.LogCaptureFixture) -> None:
    """A cancellation, for one, is no `Exception`."""
    at, turn = [], Turn()

    def work(item: str) -> None:
        at.append(item)
        if item == "b":
            raise asyncio.CancelledError

    stage = turn.stage(work)
    for item in "abc":
        stage.add(item)
    await turns()
    stage.add("d")
    await turns()
    assert at == ["a", "b", "c", "d"]
