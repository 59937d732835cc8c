"""The writing side of a decision log: thread, connection, batches, retention, and the count of what
was lost. What is asked on the request path stands in `writing`.
"""

import logging
import os
import sqlite3
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from pathlib import Path

from guarita.decision_log.entry import decode_head, without_secrets
from guarita.decision_log.file import LogUnavailable, open_to_write

logger = logging.getLogger("guarita.decision_log")

ROWS_PER_STATEMENT = (256, 64, 16, 4, 1)
"""`sqlite3` gives the interpreter lock away for each step of a statement, and beside a busy event
loop waits up to 5 ms to get it back. So a batch is a few long statements; `executemany` would wait
once a row.
"""

PRUNED_AT_ONCE = 1000
PRUNE_EVERY_S = 60.0
COMPLAIN_EVERY_S = 60.0
LOCK_TIMEOUT_S = 2.0

_PRUNE = (
    "DELETE FROM decisions WHERE rowid IN (SELECT rowid FROM decisions WHERE at < ? ORDER BY at "
    "LIMIT ?)",
    "DELETE FROM decisions WHERE rowid IN (SELECT rowid FROM decisions WHERE rowid <= "
    "(SELECT max(rowid) FROM decisions) - ? ORDER BY rowid LIMIT ?)",
)


class Writer:
    """The writing side: thread, connection, retention, losses. All but `drop` and `start` run under
    `_lock`.
    """

    def __init__(
        self,
        path: Path,
        waiting: deque[bytes],
        *,
        keep_s: float,
        max_rows: int,
        flush_s: float,
        batch: int,
        max_waiting: int,
        clock: Callable[[], float],
    ) -> None:
        self._path = path
        self._waiting = waiting
        self._keep_s = keep_s
        self._max_rows = max_rows
        self._flush_s = flush_s
        self._batch = batch
        self._max_waiting = max_waiting
        self._clock = clock
        self._db: sqlite3.Connection | None = None
        self._inode: tuple[int, int] | None = None
        self._begin_afresh()
        _writers.add(self)

    def _begin_afresh(self) -> None:
        self.thread: threading.Thread | None = None
        self.dropped = 0
        self._dropped_since = self._dropped_until = 0.0
        self._complained_at = float("-inf")
        self._prune_at = 0.0
        self._lock = threading.RLock()
        self._short_lock = threading.Lock()  # never held during I/O
        self._stop = threading.Event()

    def after_fork(self) -> None:
        """In a forked child: what waits is the parent's to write, and its connection must not even
        be closed here.
        """
        if self._db is not None:
            _abandoned.append(self._db)
            self._db = None
        self._waiting.clear()
        self._begin_afresh()

    def start(self) -> None:
        with self._short_lock:
            if self.thread is not None:
                return
            self._stop = threading.Event()
            thread = threading.Thread(
                target=self._run, args=(self._stop,), name="guarita-decision-log", daemon=True
            )
            try:
                thread.start()
            except RuntimeError as problem:  # no more threads, or the interpreter is ending
                self._complain(problem)
            else:
                self.thread = thread

    def _run(self, stop: threading.Event) -> None:
        while not stop.wait(self._flush_s):
            self.try_to_flush()

    def try_to_flush(self) -> None:
        try:
            self.flush()
            self._prune_when_due()
        except (OSError, sqlite3.Error, LogUnavailable) as problem:
            with self._lock:
                self._disconnect()
            self._complain(problem)

    def drop(self) -> None:
        """Drop the oldest entries until no more than `max_waiting` wait."""
        with self._short_lock:
            while len(self._waiting) > self._max_waiting:
                try:
                    at = decode_head(self._waiting.popleft()).at
                except IndexError:
                    return  # the thread has just taken them
                if not self.dropped:
                    self._dropped_since = at
                self._dropped_until = at
                self.dropped += 1

    def flush(self) -> None:
        with self._lock:
            while self._waiting or self.dropped:
                entries = self._take()
                try:
                    self._write(entries)
                except BaseException:
                    self._disconnect()
                    self._waiting.extendleft(reversed(entries))
                    self.drop()
                    raise

    def close(self) -> None:
        with self._short_lock:
            thread, self.thread = self.thread, None
            self._stop.set()
        if thread is not None and thread is not threading.current_thread():
            thread.join(LOCK_TIMEOUT_S + 1)
        with self._lock:
            try:
                self.flush()
            except (OSError, sqlite3.Error, LogUnavailable) as problem:
                logger.error(
                    "decision log %s: closed with %d entries not written (%s)",
                    self._path,
                    len(self._waiting) + self.dropped,
                    problem,
                )
            self._disconnect()

    def _take(self) -> list[bytes]:
        entries: list[bytes] = []
        try:
            while len(entries) < self._batch:
                entries.append(self._waiting.popleft())
        except IndexError:
            pass
        return entries

    def _write(self, entries: list[bytes]) -> None:
        """One transaction: the entries, the loss if there was one, and as much pruning as keeps
        step with them.
        """
        db = self._connected()
        with self._short_lock:
            dropped, since, until = self.dropped, self._dropped_since, self._dropped_until
        db.execute("BEGIN IMMEDIATE")
        _insert(db, entries)
        if dropped:
            db.execute("INSERT INTO losses VALUES (?, ?, ?)", (since, until, dropped))
        self._prune(db, max(PRUNED_AT_ONCE, 2 * len(entries)))
        db.execute("COMMIT")
        if dropped:
            with self._short_lock:
                self.dropped -= dropped
                self._dropped_since = self._dropped_until
            logger.warning(
                "decision log %s: can be written again; %d entries were lost", self._path, dropped
            )

    def _prune_when_due(self) -> None:
        """Old entries are personal data: they go even where no new ones come."""
        if self._clock() < self._prune_at:
            return
        with self._lock:
            pruned = self._prune(self._connected(), PRUNED_AT_ONCE)
            self._prune_at = self._clock() + (0 if pruned >= PRUNED_AT_ONCE else PRUNE_EVERY_S)

    def _prune(self, db: sqlite3.Connection, most: int) -> int:
        oldest = self._clock() - self._keep_s
        pruned = db.execute(_PRUNE[0], (oldest, most)).rowcount
        pruned += db.execute(_PRUNE[1], (self._max_rows, most)).rowcount
        db.execute("DELETE FROM losses WHERE until < ?", (oldest,))
        return pruned

    def _connected(self) -> sqlite3.Connection:
        """The connection; a new one where the file was removed or replaced meanwhile."""
        if self._db is not None:
            try:
                same = _inode(self._path) == self._inode
            except FileNotFoundError:
                same = False
            if not same:
                self._disconnect()
        if self._db is None:
            self._db = open_to_write(self._path, timeout_s=LOCK_TIMEOUT_S)
            self._inode = _inode(self._path)
        return self._db

    def _disconnect(self) -> None:
        if self._db is not None:
            self._db.close()  # rolls back
            self._db = None

    def _complain(self, problem: Exception) -> None:
        now = time.monotonic()
        if now - self._complained_at >= COMPLAIN_EVERY_S:
            self._complained_at = now
            logger.warning(
                "decision log %s cannot be written (%s); %d entries wait, %d were dropped",
                self._path,
                problem,
                len(self._waiting),
                self.dropped,
            )


def _insert(db: sqlite3.Connection, entries: list[bytes]) -> None:
    done = 0
    for size in ROWS_PER_STATEMENT:
        sql = "INSERT INTO decisions VALUES " + ",".join(["(?,?,?)"] * size)  # noqa: S608
        while len(entries) - done >= size:
            values: list[str | float | bytes] = []
            for entry in entries[done : done + size]:
                kept = without_secrets(entry)
                head = decode_head(kept)
                values += (head.ray, head.at, kept)
            db.execute(sql, values)
            done += size


def _inode(path: Path) -> tuple[int, int]:
    stat = os.stat(path)
    return stat.st_dev, stat.st_ino


_writers: weakref.WeakSet[Writer] = weakref.WeakSet()
_abandoned: list[sqlite3.Connection] = []


def _after_fork() -> None:
    for writer in list(_writers):
        writer.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
