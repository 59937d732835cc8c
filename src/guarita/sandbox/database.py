"""The bank's SQLite file: connections, transactions and schema migration.

What belongs here: how the file is opened, shared by threads and processes, and brought to the
current schema. What does not: any statement about accounts or payments.

Durability: WAL with `synchronous=FULL`, so a committed payment survives a crash of the process and
of the machine. Isolation: a writer holds SQLite's write lock from `BEGIN IMMEDIATE` on, so what it
read is still true when it writes, against other threads and other processes alike.
"""

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

BUSY_TIMEOUT_S = 30.0
MIGRATIONS = (
    "0001_ledger_and_payments.sql",
    "0002_the_whole_bank.sql",
    "0003_webhooks.sql",
)

_WAL_ATTEMPTS = 200
_WAL_PAUSE_S = 0.05


class Database:
    """One SQLite file, used by any number of threads here and of processes elsewhere.

    Opening creates the file's folder and brings the schema up to date. No connection stays open
    afterwards, so an application may be created before its server forks.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._idle: list[sqlite3.Connection] = []
        self._pool_lock = threading.Lock()
        self._write_lock = threading.Lock()
        self._closed = False
        path.parent.mkdir(parents=True, exist_ok=True)
        _create(path)
        connection = _connect(path)
        try:
            _use_wal(connection)
            _migrate(connection)
        finally:
            connection.close()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection inside a read transaction: all its statements see one state of the books."""
        with self._borrowed() as connection:
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A connection inside a write transaction, committed at the end and rolled back on any
        exception.

        The lock spares the threads of one process SQLite's polling for its write lock.
        """
        with self._borrowed() as connection, self._write_lock:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """Close idle connections now, and those in use when they come back. A closed database
        cannot be used.
        """
        with self._pool_lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    @contextmanager
    def _borrowed(self) -> Iterator[sqlite3.Connection]:
        connection = self._take()
        try:
            yield connection
        finally:
            self._give_back(connection)

    def _take(self) -> sqlite3.Connection:
        with self._pool_lock:
            if self._closed:
                raise RuntimeError("the bank's database is closed")
            if self._idle:
                return self._idle.pop()
        return _connect(self.path)

    def _give_back(self, connection: sqlite3.Connection) -> None:
        with self._pool_lock:
            if not self._closed and not connection.in_transaction:
                self._idle.append(connection)
                return
        connection.close()


def _create(path: Path) -> None:
    """Make an empty file only its owner can read; SQLite would give it the umask's mode. A file
    that is there is left alone: closing a second descriptor of it would drop this process's locks.
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        return


def _connect(path: Path) -> sqlite3.Connection:
    # The pool hands a connection to one thread at a time, hence check_same_thread=False.
    connection = sqlite3.connect(
        path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
    )
    try:
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA secure_delete = ON")  # secrets of deleted webhooks
    except BaseException:
        connection.close()
        raise
    return connection


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch the file to WAL. SQLite does not wait for its lock here, so two processes starting at
    once must retry.
    """
    for attempt in range(1, _WAL_ATTEMPTS + 1):
        try:
            (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or attempt == _WAL_ATTEMPTS:
                raise
            time.sleep(_WAL_PAUSE_S)
        else:
            if mode != "wal":
                raise RuntimeError(
                    f"SQLite keeps journal mode {mode!r}; the bank needs WAL, on a local disk"
                )
            return


def _migrate(connection: sqlite3.Connection) -> None:
    """Apply the migrations the file has not seen, all or none.

    Raises `RuntimeError` if the file was written by a later version of the bank.
    """
    if connection.execute("PRAGMA user_version").fetchone()[0] == len(MIGRATIONS):
        return  # without waiting for the write lock, and without reading the whole file
    # Tables are rebuilt: references are checked once, at the end.
    connection.execute("PRAGMA foreign_keys = OFF")
    connection.execute("BEGIN IMMEDIATE")
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version > len(MIGRATIONS):
            raise RuntimeError(
                f"bank.db has schema version {version}, this bank knows versions up to "
                f"{len(MIGRATIONS)}: use the newer guarita that wrote it, or another data folder"
            )
        folder = files("guarita.sandbox") / "migrations"
        for name in MIGRATIONS[version:]:
            for statement in _statements((folder / name).read_text("utf-8")):
                connection.execute(statement)
        if connection.execute("PRAGMA foreign_key_check").fetchone() is not None:
            raise RuntimeError("bank.db holds a row without the row it refers to; not migrated")
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _statements(script: str) -> Iterator[str]:
    """The statements of a script one by one: `executescript` would commit before it starts."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    if any(line.strip() and not line.strip().startswith("--") for line in statement.splitlines()):
        raise ValueError("a migration must end with a complete statement")
