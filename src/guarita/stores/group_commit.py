"""A SQLite store behind event loops: asks that arrive together are committed together, by one
worker thread.

All that one turn of a loop asks goes into one transaction. While that waits for the disk, the asks
of the meantime queue up; the next transaction takes them all. No event loop ever waits for the
disk, and no ask is answered before its commit.
"""

import asyncio
from asyncio import AbstractEventLoop, Future
from collections.abc import Callable, Sequence
from contextlib import suppress
from threading import Lock, Thread
from typing import Any, Protocol

from guarita.asks import Ask, Outage, Release, Reserve, Reserved
from guarita.stores.reservations import reset_after_fork

_LARGEST_BATCH = 512
"""Asks a transaction: bounds how long other processes wait for it, and what an outage fails at
once.
"""


_PATIENCE_S = 0.01
"""How long a worker that comes back from a commit waits for the end of the turn it finds asks of.
One that sleeps is woken by that end; asks of a loop that was stopped in that very turn wait for the
next ask, or for `close`.
"""


class BatchStore(Protocol):
    """A store that commits many asks in one transaction, such as `SqliteStore`."""

    def answer_all(self, asks: Sequence[Ask]) -> list[Any]:
        """One answer, or exception, for each ask, in order."""
        ...


Failed = Callable[[Ask, Outage], object]


class _Waiting:
    """An ask, and where its answer goes; nowhere when nobody waits for it."""

    __slots__ = ("ask", "failed", "future", "loop")

    def __init__(
        self,
        ask: Ask,
        loop: AbstractEventLoop | None = None,
        future: Future[Any] | None = None,
        failed: Failed | None = None,
    ) -> None:
        self.ask = ask
        self.loop = loop
        self.future = future
        self.failed = failed


class GroupCommit:
    """Answers asks from any number of event loops. Asks are committed in the order they were
    asked.
    """

    def __init__(self, store: BatchStore) -> None:
        """`store` stays the caller's: close it after this."""
        self._store = store
        self._closed = False
        self._start()
        reset_after_fork(self)

    def _start(self) -> None:
        self._lock = Lock()
        self._asked: list[_Waiting] = []
        self._turn: AbstractEventLoop | None = None
        self._asleep = Lock()
        self._asleep.acquire()
        self._worker: Thread | None = None

    async def answer(self, ask: Ask) -> Any:
        """Answer one ask, once it is durable.

        A `Reserve` whose awaiting task is cancelled is released again: nobody knows of the
        reservation.

        Raises:
            Outage: the store is out of reach, or this is closed.
            TypeError: an ask that is not a store's to answer.
        """
        try:
            return await self.defer(ask)
        except asyncio.CancelledError:
            if isinstance(ask, Reserve):
                self._give_back(ask)  # a later ask is not answered as if it still were reserved
            raise

    def defer(self, ask: Ask, failed: Failed | None = None) -> Future[Any]:
        """The same without a task: a future of the running event loop, which may be cancelled.
        `failed` is told of an outage on that loop, before who waits for the future.

        Raises:
            Outage: this is closed.
        """
        loop = asyncio.get_running_loop()
        future: Future[Any] = loop.create_future()
        self._put(_Waiting(ask, loop, future, failed), loop)
        return future

    def close(self) -> None:
        """Commit and answer everything asked so far, and end the worker. Blocks; later asks raise
        `Outage`.
        """
        with self._lock:
            self._closed = True
            worker, self._worker = self._worker, None
            self._wake()
        if worker is not None:
            worker.join()

    def after_fork(self) -> None:
        """In a forked child: the worker and what it has queued are the parent's."""
        self._start()

    def _put(self, waiting: _Waiting, loop: AbstractEventLoop) -> None:
        """To be called on `loop`."""
        with self._lock:
            if self._worker is None:
                if self._closed:
                    raise Outage("the store is closed")
                worker = Thread(target=self._work, name="guarita-group-commit", daemon=True)
                worker.start()
                self._worker = worker
            if self._turn is not loop:
                # Runs when the loop has run all that is ready now. The worker sleeps until then:
                # what one turn of the loop asks costs one commit.
                loop.call_soon(self._end_turn)
                self._turn = loop
            self._asked.append(waiting)

    def _end_turn(self) -> None:
        with self._lock:
            self._turn = None
            self._wake()

    def _wake(self) -> None:
        # Under the lock.
        if self._asleep.locked():
            self._asleep.release()

    def _give_back(self, reserve: Reserve) -> None:
        # Behind the Reserve in the queue, and without effect where that did not get the
        # reservation.
        with suppress(Outage):
            self._put(_Waiting(Release(reserve.scope, reserve.token)), asyncio.get_running_loop())

    def _deliver(self, answered: list[tuple[_Waiting, Any]]) -> None:
        for waiting, answer in answered:
            future, ask = waiting.future, waiting.ask
            if future is None:
                continue
            if isinstance(answer, Outage) and waiting.failed is not None:
                waiting.failed(ask, answer)
            if future.done():  # cancelled
                if isinstance(ask, Reserve) and isinstance(answer, Reserved):
                    self._give_back(ask)
            elif isinstance(answer, BaseException):
                future.set_exception(answer)
            else:
                future.set_result(answer)

    # In the worker.

    def _work(self) -> None:
        while (asked := self._next()) is not None:
            for begin in range(0, len(asked), _LARGEST_BATCH):
                self._commit(asked[begin : begin + _LARGEST_BATCH])

    def _next(self) -> list[_Waiting] | None:
        """What has been asked, once there is something and the turn of its loop is over; None when
        this is closed.
        """
        patient = True
        while True:
            with self._lock:
                asked = self._asked
                if asked and (self._turn is None or self._closed or not patient):
                    self._asked = []
                    self._turn = None
                    return asked
                if self._closed:
                    return None
            patient = self._asleep.acquire(timeout=_PATIENCE_S if asked else -1)

    def _commit(self, batch: list[_Waiting]) -> None:
        try:
            answers = self._store.answer_all([waiting.ask for waiting in batch])
        except (
            BaseException
        ) as error:  # a bug, or memory is short: whoever waits must not wait for ever
            answers = [error for _ in batch]
        by_loop: dict[AbstractEventLoop, list[tuple[_Waiting, Any]]] = {}
        for waiting, answer in zip(batch, answers, strict=True):
            if waiting.loop is not None:
                by_loop.setdefault(waiting.loop, []).append((waiting, answer))
        for loop, answered in by_loop.items():
            try:
                loop.call_soon_threadsafe(self._deliver, answered)
            except RuntimeError:  # the loop is closed: nobody will act on these answers
                self._take_back(loop, batch, answers)

    def _take_back(
        self, loop: AbstractEventLoop, batch: list[_Waiting], answers: list[Any]
    ) -> None:
        releases = [
            Release(waiting.ask.scope, waiting.ask.token)
            for waiting, answer in zip(batch, answers, strict=True)
            if waiting.loop is loop
            and isinstance(waiting.ask, Reserve)
            and isinstance(answer, Reserved)
        ]
        if releases:
            self._store.answer_all(releases)
