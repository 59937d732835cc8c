"""The courier: makes the deliveries that are due, in this process and beside couriers in others.

What belongs here: which attempts are under way, in what number, and the loop. What does not: rows
(`queue`) and HTTP (`client`).
"""

import asyncio
import logging
import random as random_module
import ssl
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TypeVar

import anyio
import anyio.to_thread
import httpcore

from guarita.sandbox.database import Database
from guarita.sandbox.text import timestamps
from guarita.sandbox.webhooks import client, queue, signing, targets
from guarita.sandbox.webhooks.client import Answer
from guarita.sandbox.webhooks.queue import Job

CONCURRENCY = 16
PER_WEBHOOK = 4  # a receiver that hangs leaves room for the others
LEASE_S = 30.0  # beyond an attempt's time: what recording its outcome may take
JITTER = 0.1  # of each wait, up or down
POLL_S = 0.5  # events of other processes are seen no later than this
PAUSE_S = 0.02  # between two looks: many events at once are one piece of news

_WHY_LOOPBACK = "for development only"

logger = logging.getLogger(__name__)

Result = TypeVar("Result")


def utc_now() -> datetime:
    return datetime.now(UTC)


class Courier:
    """Delivers from `database`. Use it within one event loop.

    `clock` gives aware times; `random` numbers from 0 to 1 for the jitter. `unsafe_loopback` lets
    deliveries go to this machine's loopback addresses, for development: `True`, or a text saying
    why, for the log. `timeout_s` bounds each attempt as a whole. `resolver`, `tls` and `backend` as
    in `client.Client`. Raises `ValueError` for a `header_prefix` that cannot be one.
    """

    def __init__(
        self,
        database: Database,
        *,
        clock: Callable[[], datetime] = utc_now,
        header_prefix: str = signing.DEFAULT_PREFIX,
        unsafe_loopback: bool | str = False,
        random: Callable[[], float] = random_module.random,
        concurrency: int = CONCURRENCY,
        per_webhook: int = PER_WEBHOOK,
        timeout_s: float = client.TIMEOUT_S,
        resolver: targets.Resolve = targets.system_resolver,
        tls: ssl.SSLContext | None = None,
        backend: httpcore.AsyncNetworkBackend | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._names = signing.HeaderNames(header_prefix)
        self._unsafe_loopback = unsafe_loopback
        self._random = random
        self._concurrency = concurrency
        self._per_webhook = per_webhook
        self._lease_ms = round(1000 * (timeout_s + LEASE_S))
        self._client = client.Client(
            unsafe_loopback=bool(unsafe_loopback),
            timeout_s=timeout_s,
            resolver=resolver,
            tls=tls,
            backend=backend,
        )
        self._under_way: dict[asyncio.Task[None], Job] = {}
        self._news = asyncio.Event()
        self._threads = anyio.CapacityLimiter(2)

    def wake(self) -> None:
        """Look for deliveries now: an event was written. Call it in the event loop."""
        self._news.set()

    async def deliver_due(self) -> int:
        """Make every attempt that is due by the clock, those that become due meanwhile included.
        Returns how many were made.
        """
        count = 0
        try:
            while True:
                self._news.clear()
                started, _ = await self._start_due()
                count += started
                if not self._under_way:
                    return count
                await self._news.wait()
        finally:
            await self._stop()

    async def run(self) -> None:
        """Deliver until cancelled. Attempts under way are then given back for others to make."""
        if self._unsafe_loopback:
            why = self._unsafe_loopback if isinstance(self._unsafe_loopback, str) else _WHY_LOOPBACK
            logger.warning("webhooks may be sent to loopback addresses: %s", why)
        try:
            while True:
                self._news.clear()
                with anyio.move_on_after(await self._look()):
                    await self._news.wait()
                await asyncio.sleep(PAUSE_S)
        finally:
            await self._stop()

    async def _look(self) -> float:
        """Start what is due. Returns in how many seconds to look again."""
        try:
            _, due_ms = await self._start_due()
        except Exception:  # the disk is full, the file is locked: the bank goes on, so do webhooks
            logger.exception("webhook deliveries cannot be read; trying again")
            return POLL_S
        now_ms = timestamps.milliseconds(self._clock())
        # What is due and was not claimed waits for room, which the end of an attempt announces.
        if due_ms is None or due_ms <= now_ms:
            return POLL_S
        return min(POLL_S, (due_ms - now_ms) / 1000)

    async def _start_due(self) -> tuple[int, int | None]:
        """Claim what is due as far as there is room, and start it. Returns how many attempts were
        started, and when the next one is due (milliseconds since 1970).
        """
        room = self._concurrency - len(self._under_way)
        busy = Counter(job.webhook for job in self._under_way.values())
        jobs, due_ms = await self._in_thread(lambda: self._claim(room, busy))
        for job in jobs:
            task = asyncio.create_task(self._deliver(job))
            self._under_way[task] = job
            task.add_done_callback(self._ended)
        return len(jobs), due_ms

    def _claim(self, room: int, busy: Mapping[str, int]) -> tuple[list[Job], int | None]:
        now_ms = timestamps.milliseconds(self._clock())
        with self._database.reading() as conn:  # most often nothing is due: no write lock then
            due_ms = queue.next_due(conn)
            if due_ms is None or due_ms > now_ms:
                return [], due_ms
            numbers = queue.due(
                conn, now_ms=now_ms, limit=room, busy=busy, per_webhook=self._per_webhook
            )
        if not numbers:
            return [], due_ms
        until_ms = now_ms + self._lease_ms
        with self._database.writing() as conn:
            claimed = [queue.claim(conn, n, now_ms=now_ms, until_ms=until_ms) for n in numbers]
            due_ms = queue.next_due(conn)
        return [job for job in claimed if job is not None], due_ms

    async def _deliver(self, job: Job) -> None:
        headers = signing.headers(
            self._names,
            job.secret,
            event_id=job.event_id,
            event_type=job.event_type,
            body=job.body,
            at_s=int(self._clock().timestamp()),
        )
        answer = await self._client.post(
            job.url, headers=headers, body=job.body, allow_insecure=job.allow_insecure
        )
        status = await self._in_thread(lambda: self._record(job, answer))
        if status == "dead":
            logger.warning(
                "event %s is dead: webhook %s failed %d times, last: %s",
                *(job.event_id, job.webhook, job.attempts + 1, answer.error),
            )

    def _record(self, job: Job, answer: Answer) -> str | None:
        now_ms = timestamps.milliseconds(self._clock())
        jitter = 1 + JITTER * (2 * self._random() - 1)
        with self._database.writing() as conn:
            return queue.finish(conn, job, answer, now_ms=now_ms, jitter=jitter)

    def _ended(self, task: asyncio.Task[None]) -> None:
        job = self._under_way.pop(task, None)
        error = None if task.cancelled() else task.exception()
        if error is not None and job is not None:  # made again when its lease ends
            logger.error(
                "delivery %d of event %s broke off", job.number, job.event_id, exc_info=error
            )
        self._news.set()

    async def _stop(self) -> None:
        jobs = dict(self._under_way)
        if not jobs:
            return
        for task in jobs:
            task.cancel()
        with anyio.CancelScope(shield=True):
            await asyncio.gather(*jobs, return_exceptions=True)
            await self._in_thread(lambda: self._give_back(list(jobs.values())))

    def _give_back(self, jobs: list[Job]) -> None:
        now_ms = timestamps.milliseconds(self._clock())
        with self._database.writing() as conn:
            for job in jobs:
                queue.give_back(conn, job, now_ms=now_ms)

    async def _in_thread(self, function: Callable[[], Result]) -> Result:
        # Threads of its own: the bank's requests may have taken all the others.
        return await anyio.to_thread.run_sync(function, limiter=self._threads)
