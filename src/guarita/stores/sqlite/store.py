"""Reservations and counters in one SQLite file, durable before they are answered, shared by the
processes of one machine.

`SqliteStore.answer` commits one ask and blocks its thread on the disk; `answer_all` commits many
in one transaction, which is what `guarita.stores.group_commit` puts behind an event loop.
"""

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from threading import Lock
from typing import Any, Literal

from guarita.asks import (
    Ask,
    Busy,
    CountFault,
    CountHit,
    Faults,
    FaultsOf,
    LoseOutcome,
    Outage,
    Record,
    Release,
    Reserve,
    Reserved,
    Stored,
)
from guarita.decision import Response
from guarita.stores.reservations import ReservationRow, reset_after_fork, unanswerable
from guarita.stores.sqlite import counters, faults, reservations
from guarita.stores.sqlite.database import connect, migrate, outages, prompt_transaction
from guarita.stores.sqlite.instances import Instance, is_dead, sweep

_ASKS_PER_PURGE = 16
_PURGED_AT_ONCE = 64

_NOT_SYNCED: frozenset[type[Ask]] = frozenset({CountHit, CountFault, FaultsOf})

_abandoned: list[sqlite3.Connection] = []
"""Connections inherited over a fork: a child may neither use nor close them
(https://sqlite.org/howtocorrupt.html, 2.6).
"""


class SqliteStore:
    """Answers the asks about counters and reservations from a SQLite file. See `ReservationStore`.

    Each object is an instance of its own: when it is closed, or its process dies, the reservations
    it left in flight become "outcome unknown". After a fork, parent and child are two instances.
    """

    def __init__(self, path: Path | str, *, timeout_s: float = 5.0) -> None:
        """Open the database at `path`, creating and migrating it where needed.

        `timeout_s` is how long one answer waits for other processes' transactions.

        Raises:
            Outage: the database cannot be opened.
            SchemaTooNew: a newer Guarita has migrated it.
        """
        self._path = Path(path).absolute()
        self._folder = self._path.with_name(self._path.name + "-instances")
        self._timeout_s = timeout_s
        self._lock = Lock()
        self._closed = False
        self._instance: Instance | None = None
        self._syncs = True
        self._reserves = 0
        self._hits = 0
        self._faults = 0
        self._handlers: dict[type[Any], Callable[[sqlite3.Connection, Any], Any]] = {
            CountHit: self._count_hit,
            CountFault: self._count_fault,
            FaultsOf: faults.faults_of,
            Reserve: self._reserve,
            Record: reservations.record,
            Release: reservations.release,
            LoseOutcome: reservations.lose_outcome,
        }
        with closing(connect(self._path, timeout_s=timeout_s)) as conn:
            migrate(conn)
        self._conn: sqlite3.Connection | None = self._connect()
        reset_after_fork(self)

    def answer(self, ask: Ask) -> Any:
        """Answer one ask, atomically and durably. Any thread may call it; it waits for the disk.

        Raises:
            Outage: the database is out of reach, or the store is closed.
            TypeError: an ask that is not a store's to answer.
        """
        with self._lock:
            return self._commit((ask,))[0]

    def answer_all(self, asks: Sequence[Ask]) -> list[Any]:
        """Answer `asks`, in order, in one transaction; an ask that cannot be answered has its
        exception as its answer.

        Never raises on account of an ask. An outage is every ask's; any other error is its own
        ask's only.
        """
        with self._lock:
            try:
                return self._commit(asks)
            except Outage as outage:
                return [Outage(str(outage)) for _ in asks]
            except Exception as error:
                if len(asks) == 1:
                    return [error]
            # Rolled back. One of the asks is at fault, so each now gets a transaction of its own.
            answers: list[Any] = []
            for ask in asks:
                try:
                    answers += self._commit((ask,))
                except Exception as error:
                    answers.append(error)
            return answers

    def reservations(
        self, *, state: str | None = None, account: str | None = None, at: float | None = None
    ) -> list[ReservationRow]:
        """The reservations kept, oldest first. See `ReservationStore.reservations`. Does not hold
        up writers.
        """
        if self._closed:
            raise Outage("the store is closed")
        with outages(), closing(connect(self._path, timeout_s=self._timeout_s)) as conn:
            return reservations.listed(conn, self._is_dead, state, account, at)

    def resolve(self, digest: bytes, resolution: Literal["release"] | Response) -> bool:
        """Settle a reservation whose outcome is unknown. See `ReservationStore.resolve`."""
        with self._lock:
            conn = self._connection()
            self._sync_commits(conn, True)
            with prompt_transaction(conn, self._timeout_s):
                return reservations.resolve(conn, self._is_dead, digest, resolution)

    def close(self) -> None:
        """End this instance and close the database. Reservations still in flight become "outcome
        unknown".
        """
        with self._lock:
            self._closed = True
            conn, self._conn = self._conn, None
            instance, self._instance = self._instance, None
            if instance is not None:
                try:
                    forget = conn is not None and not reservations.refers_to(conn, instance.id)
                except sqlite3.Error:
                    forget = False
                instance.close(forget=forget)
            if conn is not None:
                conn.close()

    def after_fork(self) -> None:
        """In a forked child: become an instance of its own, with a connection of its own, when
        first asked.
        """
        self._lock = Lock()
        if self._conn is not None:
            _abandoned.append(self._conn)
            self._conn = None
        if self._instance is not None:
            self._instance.abandon()
            self._instance = None

    # Under the lock.

    def _connection(self) -> sqlite3.Connection:
        if self._closed:
            raise Outage("the store is closed")
        if self._conn is None:
            self._conn = self._connect()
        return self._conn

    def _connect(self) -> sqlite3.Connection:
        conn = connect(self._path, timeout_s=self._timeout_s)
        # `prompt_transaction` does the waiting.
        conn.execute("PRAGMA busy_timeout = 0")
        self._syncs = True
        return conn

    def _commit(self, asks: Sequence[Ask]) -> list[Any]:
        conn = self._connection()
        kinds = set(map(type, asks))
        if not kinds <= self._handlers.keys():
            raise next(unanswerable(self, ask) for ask in asks if type(ask) not in self._handlers)
        self._sync_commits(conn, not kinds <= _NOT_SYNCED)
        with prompt_transaction(conn, self._timeout_s):
            return [self._handlers[type(ask)](conn, ask) for ask in asks]

    def _sync_commits(self, conn: sqlite3.Connection, sync: bool) -> None:
        # Reservations are synced to disk before they are answered. Counters alone are not worth a
        # sync: a power cut (not a crash of the process) may set one back by the last few. In WAL
        # mode the next sync covers them too.
        if sync is not self._syncs:
            with outages():
                conn.execute(f"PRAGMA synchronous = {'FULL' if sync else 'NORMAL'}")
            self._syncs = sync

    def _begin_instance(self, conn: sqlite3.Connection) -> Instance:
        try:
            instance = self._instance = Instance(self._folder)
        except OSError as error:
            raise Outage(f"{self._folder.name}: {error.strerror}") from error
        sweep(self._folder, lambda other: reservations.refers_to(conn, other))
        return instance

    def _is_own(self, instance: str) -> bool:
        return self._instance is not None and instance == self._instance.id

    def _is_dead(self, instance: str) -> bool:
        if self._is_own(instance):
            return False
        try:
            return is_dead(self._folder, instance)
        except OSError as error:
            raise Outage(f"{self._folder.name}: {error.strerror}") from error

    def _reserve(self, conn: sqlite3.Connection, ask: Reserve) -> Reserved | Stored | Busy:
        self._reserves += 1
        if not self._reserves % _ASKS_PER_PURGE:
            reservations.purge(conn, ask.at, _PURGED_AT_ONCE)
        instance = self._instance or self._begin_instance(conn)
        return reservations.reserve(conn, ask, instance.id, self._is_dead)

    def _count_hit(self, conn: sqlite3.Connection, ask: CountHit) -> int:
        self._hits += 1
        if not self._hits % _ASKS_PER_PURGE:
            counters.purge(conn, ask, _PURGED_AT_ONCE)
        return counters.count_hit(conn, ask)

    def _count_fault(self, conn: sqlite3.Connection, ask: CountFault) -> Faults:
        self._faults += 1
        if not self._faults % _ASKS_PER_PURGE:
            faults.purge(conn, ask, _PURGED_AT_ONCE)
        return faults.count_fault(conn, ask)
