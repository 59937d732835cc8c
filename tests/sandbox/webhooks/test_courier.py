"""The courier beside others and over time: bounds, leases, its loop, its end."""

import asyncio
import itertools
import logging
import sqlite3
from typing import Any

import pytest

from guarita.sandbox.webhooks import queue
from guarita.sandbox.webhooks.client import Answer
from tests.sandbox.webhooks.couriers import courier
from tests.sandbox.webhooks.support import (
    OK,
    SECRET,
    Books,
    Request,
    endpoint,
)


async def test_concurrency_is_bounded_and_shared_fairly(books: Books) -> None:
    """A receiver that hangs takes no more than its share, and the others get theirs."""
    go = asyncio.Event()
    most = 0
    hanging = 0

    async def hang(_request: Request, writer: asyncio.StreamWriter) -> None:
        nonlocal hanging, most
        hanging += 1
        most = max(most, hanging)
        release()
        await go.wait()
        hanging -= 1
        writer.write(OK)

    async def quick(_request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(OK)
        release()

    def release() -> None:
        if most == 3 and len(sound.requests) == 10:
            go.set()

    async with endpoint(hang) as stuck, endpoint(quick) as sound, asyncio.timeout(20):
        books.webhook(stuck.url())
        books.webhook(sound.url())
        for number in range(10):
            books.emit(f"tx_{number}")
        carrier = courier(books, concurrency=4, per_webhook=3, timeout_s=20)
        assert await carrier.deliver_due() == 20
    assert most == 3
    assert books.statuses() == ["delivered"] * 20


async def test_two_couriers_share_the_work(books: Books) -> None:
    async with endpoint(OK) as server:
        books.webhook(server.url())
        sent = [books.emit(f"tx_{number}") for number in range(40)]
        carriers = [courier(books) for _ in range(2)]
        counts = await asyncio.gather(*(carrier.deliver_due() for carrier in carriers))
    assert sum(counts) == 40
    assert sorted(server.event_ids) == sorted(sent)


async def test_a_lost_lease_records_nothing(books: Books) -> None:
    books.webhook("https://example.com")
    books.emit("tx_1"), books.emit("tx_1")
    now_ms = round(1000 * books.clock().timestamp())
    with books.database.writing() as conn:
        first = queue.claim(conn, 1, now_ms=now_ms, until_ms=now_ms + 10)
        assert first is not None
        assert queue.claim(conn, 1, now_ms=now_ms + 9, until_ms=now_ms + 20) is None
        second = queue.claim(conn, 1, now_ms=now_ms + 10, until_ms=now_ms + 20)
        assert second is not None
        done = Answer(204, None)
        assert queue.finish(conn, first, done, now_ms=now_ms + 11, jitter=1) is None
        queue.give_back(conn, first, now_ms=now_ms + 11)
        assert queue.next_due(conn) == now_ms + 20
        assert queue.finish(conn, second, done, now_ms=now_ms + 12, jitter=1) == "delivered"
        assert queue.finish(conn, second, done, now_ms=now_ms + 13, jitter=1) is None
    assert books.statuses() == ["delivered", "pending"]
    assert SECRET not in repr(first)


async def test_run_delivers_when_woken_and_stops_when_cancelled(books: Books) -> None:
    arrived = asyncio.Event()

    async def note(_request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(OK)
        arrived.set()

    async with endpoint(note) as server, asyncio.timeout(20):
        books.webhook(server.url())
        carrier = courier(books)
        running = asyncio.create_task(carrier.run())
        for _ in range(3):
            arrived.clear()
            books.emit()
            carrier.wake()
            await arrived.wait()
        arrived.clear()
        books.emit()  # seen without being told
        await arrived.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    assert set(books.statuses()[:3]) == {"delivered"}


async def test_a_cancelled_attempt_is_given_back_at_once(books: Books) -> None:
    taken = asyncio.Event()

    async def hang(_request: Request, _writer: asyncio.StreamWriter) -> None:
        taken.set()
        await asyncio.Event().wait()

    async with endpoint(hang, OK) as server, asyncio.timeout(20):
        books.webhook(server.url())
        books.emit()
        running = asyncio.create_task(courier(books).run())
        await taken.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        (row,) = books.deliveries()
        assert (row["status"], row["attempts"], row["lease"]) == ("pending", 0, None)
        assert await courier(books).deliver_due() == 1
    assert books.statuses() == ["delivered"]


async def test_loopback_is_warned_of(books: Books, caplog: pytest.LogCaptureFixture) -> None:
    for unsafe in (True, "these are tests", False):
        caplog.clear()
        running = asyncio.create_task(courier(books, unsafe_loopback=unsafe).run())
        await asyncio.sleep(0)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        why = unsafe if isinstance(unsafe, str) else "for development only"
        told = [f"webhooks may be sent to loopback addresses: {why}"] if unsafe else []
        assert caplog.messages == told


async def test_run_outlives_a_database_in_trouble(
    books: Books, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.ERROR)
    arrived = asyncio.Event()
    trouble = itertools.count()
    due = queue.due

    def at_first_locked(*arguments: Any, **more: Any) -> list[int]:
        if next(trouble) == 0:
            raise sqlite3.OperationalError("database is locked")
        return due(*arguments, **more)

    async def note(_request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(OK)
        arrived.set()

    monkeypatch.setattr(queue, "due", at_first_locked)
    async with endpoint(note) as server, asyncio.timeout(20):
        books.webhook(server.url())
        books.emit()
        running = asyncio.create_task(courier(books).run())
        await arrived.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    assert "cannot be read" in caplog.text
