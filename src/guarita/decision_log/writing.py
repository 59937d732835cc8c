"""Takes decisions on the request path and leaves the writing to a thread (`writer`)."""

import sqlite3
import time
import weakref
from collections import deque
from collections.abc import Callable
from pathlib import Path

from guarita.decision import Decision
from guarita.decision_log.entry import Entry, decode_entry, encoded, without_secrets
from guarita.decision_log.file import LogUnavailable, open_to_write
from guarita.decision_log.writer import LOCK_TIMEOUT_S, Writer
from guarita.facts import Facts
from guarita.profile import Profile, RouteClass


class MemoryLog:
    """A decision log that keeps everything in `entries`: for tests and embedding."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def add(
        self,
        profile: Profile,
        route_class: RouteClass,
        facts: Facts,
        decision: Decision,
        status: int,
    ) -> None:
        """As `DecisionLog.add`; goes through the same encoding."""
        entry = encoded(profile, route_class, facts, decision, status)
        self.entries.append(decode_entry(without_secrets(entry)))

    def flush(self) -> None:
        """Nothing waits to be written."""


class DecisionLog:
    """A decision log in an SQLite file of its own, which several processes may write at once.

    A crash loses at most what was added in the last `flush_s` seconds. While the file cannot be
    written, `max_waiting` entries wait; then the oldest are dropped, counted, and the loss is
    recorded once the file is back.

    Args:
        path: the file; its directory exists.
        keep_days: entries older than this are deleted.
        max_rows: most entries kept; the oldest are deleted first.
        flush_s: time between two writes, in seconds.
        batch: most entries written in one transaction.
        max_waiting: most entries waiting to be written; an entry takes about 400 bytes, 4 KiB
            at most but for extreme requests.
        clock: Unix time, for the age of entries.

    Raises:
        LogUnavailable: the file cannot be made or written, or is no decision log.
    """

    def __init__(
        self,
        path: Path,
        *,
        keep_days: float = 7,
        max_rows: int = 1_000_000,
        flush_s: float = 0.2,
        batch: int = 1000,
        max_waiting: int = 100_000,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if keep_days <= 0 or max_rows < 1 or flush_s <= 0 or batch < 1 or max_waiting < 1:
            raise ValueError("keep_days, max_rows, flush_s, batch and max_waiting must be positive")
        try:
            open_to_write(path, timeout_s=LOCK_TIMEOUT_S).close()
        except (OSError, sqlite3.Error) as problem:
            raise LogUnavailable(f"cannot write the decision log {path}: {problem}") from problem
        self.path = path
        self._waiting: deque[bytes] = deque()
        self._max_waiting = max_waiting
        self._writer = Writer(
            path,
            self._waiting,
            keep_s=keep_days * 86_400,
            max_rows=max_rows,
            flush_s=flush_s,
            batch=batch,
            max_waiting=max_waiting,
            clock=clock,
        )
        # The thread holds the writer, not the log: a log nobody holds any more is drained, as are
        # all at exit.
        weakref.finalize(self, self._writer.close)

    def add(
        self,
        profile: Profile,
        route_class: RouteClass,
        facts: Facts,
        decision: Decision,
        status: int,
    ) -> None:
        """Record a decision. Runs on the request path: no I/O, no lock, nothing of the request is
        retained.

        `status`: what Guarita answers itself, 0 where the application answers.
        """
        self._waiting.append(encoded(profile, route_class, facts, decision, status))
        if self._writer.thread is None:
            self._writer.start()
        if len(self._waiting) > self._max_waiting:
            self._writer.drop()

    @property
    def waiting(self) -> int:
        """Entries of this process not written yet."""
        return len(self._waiting)

    @property
    def dropped(self) -> int:
        """Entries this process dropped since a loss was last recorded in the file."""
        return self._writer.dropped

    def flush(self) -> None:
        """Write everything added so far, now. Never raises: what cannot be written goes on waiting,
        and a warning says why.
        """
        self._writer.try_to_flush()

    def close(self) -> None:
        """Write everything added so far and end the thread. Never raises: what cannot be written is
        counted in a log message. Another `add` opens the log again.
        """
        self._writer.close()
