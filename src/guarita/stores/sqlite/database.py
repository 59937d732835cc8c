"""The SQLite file everything durable of one machine lives in: connecting, migrating, transactions,
and which errors are outages.

What is stored is said by `migrations/*.sql`; who reads and writes it stands beside this file.
"""

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.resources import files
from pathlib import Path

from guarita.asks import Outage

MINIMUM_SQLITE = (3, 37, 0)
"""STRICT tables need it."""

_BRIEF_WAIT_S = 0.0002
_BRIEFLY_S = 0.05
_LONGER_WAIT_S = 0.002

_OUT_OF_REACH = frozenset(
    {
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_NOTADB,
    }
)
"""Primary result codes (https://sqlite.org/rescode.html) that say "the file cannot be used now",
not "this statement is wrong".
"""


class SchemaTooNew(Exception):
    """The database was migrated by a newer Guarita than this one."""


_creating = threading.Lock()


@contextmanager
def outages() -> Iterator[None]:
    """Raise `Outage` for the sqlite3 errors that mean the database is out of reach; let every
    other error through.
    """
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", None)
        if code is None or code & 0xFF not in _OUT_OF_REACH:
            raise
        raise Outage(f"SQLite: {error} ({error.sqlite_errorname})") from error


def connect(path: Path, *, timeout_s: float = 5.0) -> sqlite3.Connection:
    """Open, and where needed create (mode 0600), the database at `path`.

    The connection is in autocommit mode (use `transaction`), in WAL mode, syncs every commit to
    disk, enforces foreign keys, and waits up to `timeout_s` seconds for another writer. It may be
    used by several threads, one at a time.

    Raises:
        Outage: the file cannot be opened, is not a database, or stays locked.
        RuntimeError: the SQLite library is older than `MINIMUM_SQLITE`.
    """
    if sqlite3.sqlite_version_info < MINIMUM_SQLITE:
        needed = ".".join(map(str, MINIMUM_SQLITE))
        raise RuntimeError(
            f"SQLite {sqlite3.sqlite_version} is too old: {needed} or newer is needed"
        )
    _create(path)
    with outages():
        conn = sqlite3.connect(
            path, timeout=timeout_s, isolation_level=None, check_same_thread=False
        )
        try:
            _switch_to_wal(conn, timeout_s)
            conn.execute("PRAGMA synchronous = FULL")
            conn.execute("PRAGMA foreign_keys = ON")
            conn.execute("PRAGMA journal_size_limit = 67108864")
        except BaseException:
            conn.close()
            raise
    return conn


def _create(path: Path) -> None:
    """Make an empty file with mode 0600 (SQLite would give it the umask's; its -wal and -shm files
    copy the mode), and leave a file that is there alone: closing any descriptor of a file drops the
    POSIX locks this process holds on it, and with them the WAL under an open connection.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0)
    with _creating:  # no other thread connects between the open and the close
        try:
            os.close(os.open(path, flags, 0o600))
        except FileExistsError:
            return
        except OSError as error:
            raise Outage(f"SQLite: cannot open {path.name}: {error.strerror}") from error


def _switch_to_wal(conn: sqlite3.Connection, timeout_s: float) -> None:
    # SQLite does not call the busy handler for this statement, so two processes that create a
    # database together would see "database is locked" at once.
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            conn.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.005)


@contextmanager
def transaction(conn: sqlite3.Connection) -> Iterator[None]:
    """One write transaction: BEGIN IMMEDIATE, then COMMIT, or ROLLBACK when anything is raised.

    Raises:
        Outage: the database is out of reach (locked past the connection's timeout, disk full,
            I/O error).
    """
    with outages():
        conn.execute("BEGIN IMMEDIATE")
        yield from _until_commit(conn)


@contextmanager
def prompt_transaction(conn: sqlite3.Connection, timeout_s: float) -> Iterator[None]:
    """As `transaction`, for a connection with `PRAGMA busy_timeout = 0` that waits often and short.

    SQLite's own waiting sleeps up to 100 ms at a time, in which another process that commits
    without pause may have its way for half a second.
    """
    with outages():
        _begin(conn, timeout_s)
        yield from _until_commit(conn)


def _begin(conn: sqlite3.Connection, timeout_s: float) -> None:
    try:
        conn.execute("BEGIN IMMEDIATE")
        return
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
            raise
    began = time.monotonic()
    while True:
        waited = time.monotonic() - began
        time.sleep(_BRIEF_WAIT_S if waited < _BRIEFLY_S else _LONGER_WAIT_S)
        try:
            conn.execute("BEGIN IMMEDIATE")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or waited > timeout_s:
                raise


def _until_commit(conn: sqlite3.Connection) -> Iterator[None]:
    try:
        yield
        conn.execute("COMMIT")
    except BaseException:
        # Some errors (disk full, I/O) have rolled back already; the first error is the one to
        # tell.
        if conn.in_transaction:
            with suppress(sqlite3.Error):
                conn.execute("ROLLBACK")
        raise


def migrate(conn: sqlite3.Connection) -> list[str]:
    """Apply the packaged migrations the database lacks, in order; return their names.

    Each one is applied and noted in one transaction, so a crash leaves whole migrations only, and
    of two processes that migrate at once one does the work and the other finds it done.

    Raises:
        SchemaTooNew: the database has a migration this code does not know.
        Outage: as for `transaction`.
    """
    known = _packaged()
    with outages():
        applied = _applied(conn)
    newest = max(known, default=0)
    if max(applied, default=0) > newest:
        raise SchemaTooNew(
            f"the database's schema is version {max(applied)}, this Guarita knows up to {newest}:"
            " install the newer Guarita again, or restore the database from before its upgrade"
        )
    return [
        name
        for version, (name, script) in sorted(known.items())
        if version not in applied and _apply(conn, version, name, script)
    ]


def _packaged() -> dict[int, tuple[str, str]]:
    folder = files("guarita.stores.sqlite").joinpath("migrations")
    return {
        int(entry.name[:4]): (entry.name.removesuffix(".sql"), entry.read_text("utf-8"))
        for entry in folder.iterdir()
        if entry.name.endswith(".sql")
    }


def _applied(conn: sqlite3.Connection) -> set[int]:
    if not conn.execute("SELECT 1 FROM sqlite_schema WHERE name = 'schema_migration'").fetchone():
        return set()
    return {version for (version,) in conn.execute("SELECT version FROM schema_migration")}


def _apply(conn: sqlite3.Connection, version: int, name: str, script: str) -> bool:
    with transaction(conn):
        conn.execute(
            "CREATE TABLE IF NOT EXISTS schema_migration"
            " (version INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at REAL NOT NULL) STRICT"
        )
        if version in _applied(conn):
            return False
        for statement in _statements(script):
            conn.execute(statement)
        conn.execute("INSERT INTO schema_migration VALUES (?, ?, ?)", (version, name, time.time()))
        return True


def _statements(script: str) -> Iterator[str]:
    # Connection.executescript would commit the transaction first.
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    if statement.strip():
        yield statement
