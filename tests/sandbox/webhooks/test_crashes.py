"""A delivering process is killed (`kill -9`): nothing is lost, in order, and another takes over."""

import asyncio
import os
import signal
import sys
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from guarita.sandbox.webhooks.delivery import LEASE_S, Courier
from tests.sandbox.webhooks.support import OK, Books, Request, endpoint

pytestmark = pytest.mark.slow

PROCESS = Path(__file__).with_name("courier_process.py")
SOURCES = PROCESS.parents[3] / "src"


@asynccontextmanager
async def courier_process(books: Books) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(PROCESS), str(books.database.path)),
        env=os.environ | {"PYTHONPATH": str(SOURCES)},
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            await kill(process)


async def kill(process: asyncio.subprocess.Process) -> None:
    process.kill()  # SIGKILL: nothing is put in order
    assert await process.wait() == -signal.SIGKILL


async def test_killed_in_the_middle_of_an_attempt(books: Books) -> None:
    """It had sent the request and died before the answer: the event is sent again, once its lease
    has ended and not before.
    """
    books.clock.now = datetime.now(UTC)
    taken = asyncio.Event()

    async def hang(_request: Request, _writer: asyncio.StreamWriter) -> None:
        taken.set()
        await asyncio.Event().wait()

    async with endpoint(hang, OK) as server, asyncio.timeout(60):
        books.webhook(server.url())
        first, second = books.emit("tx_1"), books.emit("tx_1")
        async with courier_process(books) as process:
            await taken.wait()
            await kill(process)
        (row, _) = books.deliveries()
        assert (row["status"], row["attempts"]) == ("pending", 0)
        assert row["lease"] is not None
        survivor = Courier(books.database, clock=books.clock, unsafe_loopback=True)
        assert await survivor.deliver_due() == 0
        books.clock.now = datetime.now(UTC)
        books.clock.advance(seconds=LEASE_S + 10)
        assert await survivor.deliver_due() == 2
    assert server.event_ids == [first, first, second]
    assert books.statuses() == ["delivered", "delivered"]


@pytest.mark.parametrize("after", [1, 7, 40])
async def test_killed_at_work(books: Books, after: int) -> None:
    """Killed after some deliveries, with others under way: every event arrives, at least once, and
    within a subject in order.
    """
    books.clock.now = datetime.now(UTC)
    enough = asyncio.Event()

    async def count(_request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(OK)
        if len(server.requests) >= after:
            enough.set()

    async with endpoint(count) as server, asyncio.timeout(90):
        books.webhook(server.url())
        sent: dict[str, list[str]] = defaultdict(list)
        for number in range(60):
            subject = f"tx_{number % 12}"
            sent[subject].append(books.emit(subject))
        async with courier_process(books) as process, courier_process(books):
            await enough.wait()
            await kill(process)
        books.clock.now = datetime.now(UTC)
        books.clock.advance(seconds=LEASE_S + 10)
        await Courier(books.database, clock=books.clock, unsafe_loopback=True).deliver_due()
    assert set(books.statuses()) == {"delivered"}
    arrived = list(dict.fromkeys(server.event_ids))  # first arrivals
    assert len(arrived) == 60
    for events in sent.values():
        assert [event for event in arrived if event in events] == events
