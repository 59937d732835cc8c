"""What goes on beside the requests: when the worker looks, and that failures do not end it."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from guarita.sandbox import Bank, Rules, create_app
from guarita.sandbox.api import worker as module
from guarita.sandbox.api.worker import Worker
from guarita.sandbox.webhooks.delivery import Courier
from tests.sandbox.support import ACCOUNT, Clock, client

IN_TIME_S = 20


class Paced:
    """A bank whose work is counted. `due` is what it says is due next; `faults` are raised."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.due: datetime | None = None
        self.faults: list[Exception] = []
        self.calls = 0
        self.loop = asyncio.get_running_loop()
        self.called = asyncio.Event()

    def work(self) -> datetime | None:
        self.calls += 1
        self.loop.call_soon_threadsafe(self.called.set)
        if self.faults:
            raise self.faults.pop()
        return self.due

    def now(self) -> datetime:
        return self.clock()

    async def next_call(self) -> None:
        await asyncio.wait_for(self.called.wait(), IN_TIME_S)
        self.called.clear()


class Idle:
    """A courier that delivers nothing."""

    def __init__(self) -> None:
        self.woken = 0
        self.ended = False

    def wake(self) -> None:
        self.woken += 1

    async def run(self) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            self.ended = True


@asynccontextmanager
async def running(bank: Paced, courier: Idle) -> AsyncIterator[Worker]:
    worker = Worker(cast("Bank", bank), lambda: cast("Courier", courier))
    task = asyncio.create_task(worker.run())
    try:
        await bank.next_call()
        yield worker
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert courier.ended


@pytest.fixture
def long_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONGEST_PAUSE_S", 3600.0)


@pytest.mark.usefixtures("long_pauses")
async def test_a_request_wakes_it_and_the_courier() -> None:
    bank, courier = Paced(), Idle()
    async with running(bank, courier) as worker:
        for calls in (2, 3):
            before = courier.woken
            worker.wake()
            await bank.next_call()
            assert bank.calls == calls
            assert courier.woken > before


@pytest.mark.usefixtures("long_pauses")
async def test_it_works_again_when_something_is_due() -> None:
    bank, courier = Paced(), Idle()
    bank.due = bank.clock() + timedelta(milliseconds=5)
    async with running(bank, courier):
        await bank.next_call()
        await bank.next_call()


async def test_it_never_pauses_for_longer_than_another_process_may_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "LONGEST_PAUSE_S", 0.005)
    bank, courier = Paced(), Idle()
    bank.due = bank.clock() + timedelta(days=1)
    async with running(bank, courier):
        await bank.next_call()
        await bank.next_call()


async def test_a_failure_is_logged_and_work_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "LONGEST_PAUSE_S", 0.005)
    bank, courier = Paced(), Idle()
    bank.faults = [OSError("disk"), RuntimeError("lock")]
    with caplog.at_level(logging.ERROR, "guarita.sandbox"):
        async with running(bank, courier):
            await bank.next_call()
            await bank.next_call()
    assert [record.getMessage() for record in caplog.records] == [
        "the bank's work failed; trying again"
    ] * 2


def test_waking_one_that_does_not_run_does_nothing() -> None:
    worker = Worker(cast("Bank", None), lambda: cast("Courier", None))
    worker.wake()


async def settled(folder: Path, monkeypatch: pytest.MonkeyPatch, **options: Any) -> str:
    """The status of a payment within the lifespan of an application that settles at once."""
    worked = asyncio.Event()
    loop = asyncio.get_running_loop()
    work: Callable[[Bank], datetime | None] = Bank.work

    def told(bank: Bank) -> datetime | None:
        due = work(bank)
        if bank.count_payments(ACCOUNT):
            loop.call_soon_threadsafe(worked.set)
        return due

    monkeypatch.setattr(Bank, "work", told)
    rules = Rules(settlement_delay_s=0)
    app = create_app(folder, account=ACCOUNT, rules=rules, **options)
    async with app.router.lifespan_context(app), client(app) as http:
        paid = await http.post("/pix/cash-out", json={"amount": 1, "pix_key": "52998224725"})
        assert paid.json()["status"] == "processing"
        if options.get("work", True):
            await asyncio.wait_for(worked.wait(), IN_TIME_S)
        found = await http.get(f"/transactions/{paid.json()['transaction_id']}")
        return str(found.json()["data"]["status"])


async def test_payments_settle_within_the_lifespan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await settled(tmp_path, monkeypatch) == "settled"


async def test_without_work_they_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await settled(tmp_path, monkeypatch, work=False) == "processing"


def test_wrong_settings_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="header prefix"):
        create_app(tmp_path, account=ACCOUNT, webhook_header_prefix="X Y-")
