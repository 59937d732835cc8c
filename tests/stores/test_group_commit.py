"""GroupCommit: one transaction for what arrives together, answers after the commit only, and no
ask lost.
"""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from guarita.asks import IN_FLIGHT, Ask, Outage, ReadBody, Release, Reserve, Reserved, Stored
from guarita.stores.group_commit import GroupCommit
from guarita.stores.memory import MemoryStore
from guarita.stores.sqlite.store import SqliteStore
from tests.stores.harness import CREATED, hit, record, release, reserve, together


class Gate:
    """A store whose commits wait at a gate, and which remembers each batch."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.open = threading.Event()
        self.entered = threading.Event()
        self.batches: list[list[Ask]] = []
        self.error: BaseException | None = None

    def answer_all(self, asks: Sequence[Ask]) -> list[Any]:
        self.batches.append(list(asks))
        self.entered.set()
        assert self.open.wait(30)
        if self.error is not None:
            raise self.error
        return [self.store.answer(ask) for ask in asks]


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "guarita.db")
    yield store
    store.close()


async def entered(gate: Gate) -> None:
    assert await asyncio.to_thread(gate.entered.wait, 30)
    gate.entered.clear()


async def test_what_arrives_during_a_commit_is_one_batch_in_order() -> None:
    gate = Gate()
    group = GroupCommit(gate)
    first = asyncio.create_task(group.answer(hit()))
    await entered(gate)
    asks = [reserve("k", "one"), release("k", "one"), reserve("k", "two"), *[hit()] * 20]
    rest = [asyncio.create_task(group.answer(ask)) for ask in asks]
    await asyncio.sleep(0)
    assert not any(task.done() for task in [first, *rest])
    gate.open.set()
    answers = await asyncio.gather(first, *rest)
    group.close()
    assert gate.batches == [[hit()], asks]
    assert answers == [1, Reserved(), None, Reserved(), *range(2, 22)]


async def test_one_wake_up_of_the_loop_per_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate()
    group = GroupCommit(gate)
    loop = asyncio.get_running_loop()
    wakes: list[str] = []
    real = loop.call_soon_threadsafe

    def counting(callback: Any, *args: Any, **kwargs: Any) -> Any:
        wakes.append(callback.__name__)
        return real(callback, *args, **kwargs)

    first = asyncio.create_task(group.answer(hit()))
    await entered(gate)
    rest = [asyncio.create_task(group.answer(hit())) for _ in range(50)]
    await asyncio.sleep(0)
    monkeypatch.setattr(loop, "call_soon_threadsafe", counting)
    gate.open.set()
    await asyncio.gather(first, *rest)
    monkeypatch.undo()
    group.close()
    assert wakes.count("_deliver") == 2


async def test_the_event_loop_runs_on_while_the_disk_is_waited_for() -> None:
    gate = Gate()
    group = GroupCommit(gate)
    task = asyncio.create_task(group.answer(hit()))
    await entered(gate)
    for _ in range(100):
        await asyncio.sleep(0)
    assert not task.done()
    gate.open.set()
    assert await task == 1
    group.close()


async def test_an_ask_that_cannot_be_stored_fails_alone(sqlite: SqliteStore) -> None:
    group = GroupCommit(sqlite)
    bad: list[Ask] = [replace(reserve("bad", "x"), token="\ud800"), ReadBody(1)]
    good: list[Ask] = [reserve(f"k{number}", "one") for number in range(20)]
    answers = await asyncio.gather(
        *[group.answer(ask) for ask in [*good[:10], *bad, *good[10:], hit()]],
        return_exceptions=True,
    )
    group.close()
    assert isinstance(answers[10], UnicodeEncodeError)
    assert isinstance(answers[11], TypeError)
    assert answers[:10] + answers[12:] == [Reserved()] * 20 + [1]


async def test_a_failing_batch_leaves_nothing_done_twice(sqlite: SqliteStore) -> None:
    asks = [hit(), hit(), replace(hit(), key="\ud800"), hit()]
    answers = sqlite.answer_all(asks)
    assert answers[:2] == [1, 2]
    assert isinstance(answers[2], UnicodeEncodeError)
    assert answers[3] == 3


async def test_cancelled_reserve_is_given_back_and_a_later_one_gets_it(sqlite: SqliteStore) -> None:
    group = GroupCommit(sqlite)
    for turn in range(20):
        task = asyncio.create_task(group.answer(reserve("k", f"gone{turn}")))
        for _ in range(turn % 5):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        token = f"stays{turn}"
        assert await group.answer(reserve("k", token)) == Reserved()
        await group.answer(release("k", token))
    group.close()


async def test_cancelled_reserve_that_found_another_owner_takes_nothing_away() -> None:
    gate = Gate()
    group = GroupCommit(gate)
    gate.store.answer(reserve("k", "owner"))
    task = asyncio.create_task(group.answer(reserve("k", "gone")))
    await entered(gate)
    task.cancel()
    await asyncio.wait([task])
    gate.open.set()
    assert await group.answer(reserve("k", "other")) is IN_FLIGHT
    group.close()
    assert [type(ask) for batch in gate.batches for ask in batch] == [Reserve, Release, Reserve]


async def test_cancelled_record_is_recorded_all_the_same(sqlite: SqliteStore) -> None:
    group = GroupCommit(sqlite)
    await group.answer(reserve("k", "one"))
    task = asyncio.create_task(group.answer(record("k", "one")))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    found = await group.answer(reserve("k", "two"))
    group.close()
    assert isinstance(found, Stored)
    assert found.response == CREATED


async def test_a_store_that_breaks_is_told_to_everyone_waiting() -> None:
    gate = Gate()
    gate.error = RuntimeError("a bug")
    gate.open.set()
    group = GroupCommit(gate)
    answers = await asyncio.gather(*[group.answer(hit()) for _ in range(3)], return_exceptions=True)
    assert [str(answer) for answer in answers] == ["a bug"] * 3
    gate.error = None
    assert await group.answer(hit()) == 1
    group.close()


async def test_close_answers_what_was_asked_and_nothing_later() -> None:
    gate = Gate()
    group = GroupCommit(gate)
    tasks = [asyncio.create_task(group.answer(hit())) for _ in range(5)]
    await entered(gate)
    await asyncio.sleep(0)
    gate.open.set()
    await asyncio.to_thread(group.close)
    assert await asyncio.gather(*tasks) == [1, 2, 3, 4, 5]
    with pytest.raises(Outage, match="closed"):
        await group.answer(hit())
    group.close()


def test_several_event_loops_share_one(sqlite: SqliteStore) -> None:
    group = GroupCommit(sqlite)

    def loop(number: int) -> list[int]:
        async def ask() -> list[Any]:
            return await asyncio.gather(*[group.answer(hit()) for _ in range(50)])

        return asyncio.run(ask())

    counted = together(4, loop)
    group.close()
    assert sorted(count for counts in counted for count in counts) == list(range(1, 201))


def test_a_reservation_for_a_closed_loop_is_given_back() -> None:
    gate = Gate()
    group = GroupCommit(gate)
    loop = asyncio.new_event_loop()
    coroutine = group.answer(reserve("k", "gone"))
    task = loop.create_task(coroutine)
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert gate.entered.wait(30)
    loop.close()
    gate.open.set()
    group.close()
    assert gate.store.answer(reserve("k", "next")) == Reserved()
    task._log_destroy_pending = False  # type: ignore[attr-defined]
    coroutine.close()


async def test_a_loop_stopped_in_its_turn_does_not_hold_another_loop_up() -> None:
    gate = Gate()
    gate.open.set()
    group = GroupCommit(gate)
    assert await group.answer(hit()) == 1  # the worker sleeps
    stopped = asyncio.new_event_loop()

    def leave() -> None:
        async def ask() -> None:
            group.defer(hit())
            stopped.stop()

        task = stopped.create_task(ask())
        stopped.run_forever()
        assert task.done()

    await asyncio.to_thread(leave)
    assert await asyncio.wait_for(group.answer(hit()), 30) == 3
    group.close()
    await asyncio.to_thread(stopped.run_until_complete, asyncio.sleep(0))
    stopped.close()


async def test_what_could_not_be_asked_holds_nothing_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is short for a moment, once for the worker and once for the end of the turn. What
    could not be asked is not committed.
    """
    gate = Gate()
    gate.open.set()
    group = GroupCommit(gate)
    loop = asyncio.get_running_loop()

    def short(*_: object) -> None:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", short)
        with pytest.raises(MemoryError):
            group.defer(hit())
    assert await asyncio.wait_for(group.answer(hit()), 30) == 1
    with monkeypatch.context() as patch:
        patch.setattr(loop, "call_soon", short)
        with pytest.raises(MemoryError):
            group.defer(hit())
    assert await asyncio.wait_for(group.answer(hit()), 30) == 2
    group.close()
