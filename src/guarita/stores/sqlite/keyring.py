"""The keyring on SQLite, for all processes of a machine (tables: `migrations/0001_keyring.sql` and
`0004_certificates.sql`)."""

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from threading import RLock

from guarita.asks import Outage
from guarita.keyring.errors import Refused, no_account, no_key
from guarita.records import Account, ApiKey
from guarita.stores.sqlite.database import connect, migrate, outages, transaction
from guarita.stores.sqlite.keyring_rows import (
    INSERT_KEY,
    SELECT_KEY,
    UPDATE_KEY,
    from_key,
    to_account,
    to_key,
)

_PART = 2_000


class SqliteKeyring:
    """A `guarita.keyring.Repository` in the database at `path`, which is migrated on opening.

    It has one connection that writes and one that reads, so that `touched` notices its own changes
    as well as those of other processes. A file that was deleted is an outage; one that was replaced
    (a restored backup) is opened anew: neither goes on as if nothing had happened.

    Raises:
        Outage: the file cannot be opened. SchemaTooNew: it belongs to a newer Guarita.
    """

    def __init__(self, path: Path, *, part: int = _PART) -> None:
        """`part`: about how many keys `changed_since` gives at a time."""
        self._part = part
        self._reader = _Connection(path)
        self._writer = _Connection(path)

    # Accounts

    def insert_account(self, account: Account) -> None:
        with self._writer as conn, transaction(conn):
            try:
                conn.execute(
                    "INSERT INTO account (account_id, name, status) VALUES (?, ?, ?)",
                    (account.account_id, account.name, account.status.value),
                )
            except sqlite3.IntegrityError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_CONSTRAINT_UNIQUE:
                    raise
                raise Refused(f"there is an account {account.account_id} already") from None
            _next_revision(conn)

    def update_account(self, account_id: str, change: Callable[[Account], Account]) -> Account:
        with self._writer as conn, transaction(conn):
            before = _account(conn, account_id)
            if before is None:
                raise no_account(account_id)
            after = change(before)
            if after.account_id != account_id:
                raise ValueError("an account_id cannot be changed")
            if after != before:
                conn.execute(
                    "UPDATE account SET name = ?, status = ? WHERE account_id = ?",
                    (after.name, after.status.value, account_id),
                )
                conn.execute(
                    "UPDATE api_key SET revision = ? "
                    "WHERE account = (SELECT number FROM account WHERE account_id = ?)",
                    (_next_revision(conn), account_id),
                )
            return after

    def account(self, account_id: str) -> Account | None:
        with self._reader as conn, outages():
            return _account(conn, account_id)

    def accounts(self) -> list[Account]:
        with self._reader as conn, outages():
            rows = conn.execute("SELECT account_id, name, status FROM account ORDER BY number")
            return [to_account(row) for row in rows]

    # Keys

    def insert_key(self, key: ApiKey) -> ApiKey:
        account_id = key.account.account_id
        with self._writer as conn, transaction(conn):
            if _account(conn, account_id) is None:
                raise no_account(account_id)
            values = (*from_key(key), key.client_id, _next_revision(conn), account_id)
            try:
                conn.execute(INSERT_KEY, values)
            except sqlite3.IntegrityError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_CONSTRAINT_UNIQUE:
                    raise
                raise Refused(f"there is a key {key.client_id} already") from None
            return _one_key(conn, key.client_id)

    def update_key(self, client_id: str, change: Callable[[ApiKey], ApiKey]) -> ApiKey:
        with self._writer as conn, transaction(conn):
            before = _one_key(conn, client_id)
            after = change(before)
            if after.client_id != client_id or after.account != before.account:
                raise ValueError("client_id and account of a key cannot be changed")
            if after != before:
                conn.execute(UPDATE_KEY, (*from_key(after), _next_revision(conn), client_id))
            return after

    def key(self, client_id: str) -> ApiKey | None:
        with self._reader as conn, outages():
            row = conn.execute(SELECT_KEY + "WHERE k.client_id = ?", (client_id,)).fetchone()
            return to_key(row) if row else None

    def keys(self, account_id: str | None = None) -> list[ApiKey]:
        with self._reader as conn, outages():
            if account_id is None:
                rows = conn.execute(SELECT_KEY + "ORDER BY k.number")
            else:
                rows = conn.execute(
                    SELECT_KEY + "WHERE a.account_id = ? ORDER BY k.number", (account_id,)
                )
            return [to_key(row) for row in rows]

    # Changes

    def revision(self) -> int:
        with self._reader as conn, outages():
            return _revision(conn)

    def changed_since(self, revision: int) -> tuple[int, list[ApiKey]]:
        with self._reader as conn, outages():
            # Read first: a change made in between is left for the next question, never lost, as a
            # row's revision only goes up.
            complete = _revision(conn)
            last = conn.execute(
                "SELECT revision FROM api_key WHERE revision > ? "
                "ORDER BY revision LIMIT 1 OFFSET ?",
                (revision, self._part - 1),
            ).fetchone()
            if last is not None:
                complete = min(complete, last[0])
            rows = conn.execute(
                SELECT_KEY + "WHERE k.revision > ? AND k.revision <= ? "
                "ORDER BY k.revision, k.client_id",
                (revision, complete),
            )
            return complete, [to_key(row) for row in rows]

    def touched(self) -> tuple[int, int]:
        with self._reader as conn, outages():
            (version,) = conn.execute("PRAGMA data_version").fetchone()
            return self._reader.times_opened, version

    # Pepper

    def check_pepper(self, fingerprint: bytes) -> bool:
        """Whether the stored hashes were made with the pepper of this fingerprint; the first one
        ever given is kept."""
        with self._writer as conn, transaction(conn):
            conn.execute(
                "UPDATE keyring SET pepper_check = ? WHERE pepper_check IS NULL", (fingerprint,)
            )
            (kept,) = conn.execute("SELECT pepper_check FROM keyring").fetchone()
            return bool(kept == fingerprint)

    def close(self) -> None:
        """Waits for operations that are under way."""
        self._reader.close()
        self._writer.close()


class _Connection:
    """One connection, used by one thread at a time, to the file that is at the path now."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = RLock()
        self._closed = False
        self.times_opened = 1
        self._conn = _migrated(path)
        self._file = _identity(path)

    def __enter__(self) -> sqlite3.Connection:
        self._lock.acquire()
        try:
            if self._closed:
                raise Outage("the keyring has been closed")
            file = _identity(self._path)
            if file != self._file:
                fresh = _migrated(self._path)
                self._conn.close()
                self._conn, self._file = fresh, file
                self.times_opened += 1
            return self._conn
        except BaseException:
            self._lock.release()
            raise

    def __exit__(self, *exc: object) -> None:
        self._lock.release()

    def close(self) -> None:
        with self._lock:
            if not self._closed:
                self._closed = True
                self._conn.close()


def _migrated(path: Path) -> sqlite3.Connection:
    conn = connect(path)
    try:
        migrate(conn)
    except BaseException:
        conn.close()
        raise
    return conn


def _identity(path: Path) -> tuple[int, int]:
    """Device and inode of the database file. Raises Outage where there is none."""
    try:
        found = os.stat(path)
    except OSError as error:
        raise Outage(f"SQLite: cannot open {path.name}: {error.strerror}") from error
    return found.st_dev, found.st_ino


def _revision(conn: sqlite3.Connection) -> int:
    (revision,) = conn.execute("SELECT revision FROM keyring").fetchone()
    return int(revision)


def _next_revision(conn: sqlite3.Connection) -> int:
    conn.execute("UPDATE keyring SET revision = revision + 1")
    return _revision(conn)


def _account(conn: sqlite3.Connection, account_id: str) -> Account | None:
    row = conn.execute(
        "SELECT account_id, name, status FROM account WHERE account_id = ?", (account_id,)
    ).fetchone()
    return to_account(row) if row else None


def _one_key(conn: sqlite3.Connection, client_id: str) -> ApiKey:
    row = conn.execute(SELECT_KEY + "WHERE k.client_id = ?", (client_id,)).fetchone()
    if row is None:
        raise no_key(client_id)
    return to_key(row)
