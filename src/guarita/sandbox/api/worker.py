"""What the bank does beside its requests: settling what is due, and delivering webhooks.

What belongs here: when it looks. What it does is `Bank.work` and the `Courier`.
"""

import asyncio
import logging
from collections.abc import Callable

import anyio
from starlette.concurrency import run_in_threadpool

from guarita.sandbox.bank import Bank
from guarita.sandbox.webhooks.delivery import Courier

logger = logging.getLogger("guarita.sandbox")

LONGEST_PAUSE_S = 1.0
"""Another process may write something that is due sooner, so a pause is never longer."""


class Worker:
    """Calls `bank.work()` whenever something is due, when woken, and at least once a second; runs a
    courier beside it. `make_courier` is called when work starts, in its event loop.
    """

    def __init__(self, bank: Bank, make_courier: Callable[[], Courier]) -> None:
        self._bank = bank
        self._make_courier = make_courier
        self._courier: Courier | None = None
        self._news: asyncio.Event | None = None

    def wake(self) -> None:
        """Look now: a request may have made work. Call it in the event loop."""
        if self._news is not None:
            self._news.set()
        if self._courier is not None:
            self._courier.wake()

    async def run(self) -> None:
        """Work until cancelled. A failure of the bank's work is logged, and it is tried again."""
        self._news = asyncio.Event()
        self._courier = self._make_courier()
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._courier.run)
                while True:
                    self._news.clear()
                    pause_s = await self._work()
                    self._courier.wake()
                    with anyio.move_on_after(pause_s):
                        await self._news.wait()
        finally:
            self._news = self._courier = None

    async def _work(self) -> float:
        """Do what is due. Returns how long to pause, in seconds."""
        try:
            due = await run_in_threadpool(self._bank.work)
        except Exception:
            logger.exception("the bank's work failed; trying again")
            return LONGEST_PAUSE_S
        if due is None:
            return LONGEST_PAUSE_S
        wait_s = (due - self._bank.now()).total_seconds()
        return min(max(wait_s, 0.0), LONGEST_PAUSE_S)
