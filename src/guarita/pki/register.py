"""What an authority has issued and revoked, kept in SQLite in its folder: one transaction per
change, on the disk before a certificate is handed out, safe under several processes.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

from guarita.pki.key_files import AuthorityError

_BUSY_S = 30.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS certificates (
    serial TEXT PRIMARY KEY, der BLOB NOT NULL, kind TEXT NOT NULL, subject TEXT NOT NULL,
    sha256 TEXT NOT NULL, account TEXT NOT NULL, key_id TEXT NOT NULL,
    not_before REAL NOT NULL, not_after REAL NOT NULL, issued_at REAL NOT NULL,
    revoked_at REAL, revoked_reason TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE TABLE IF NOT EXISTS lists (number INTEGER PRIMARY KEY, this_update REAL NOT NULL) STRICT;
"""
_COLUMNS = (
    "serial, sha256, subject, kind, account, key_id, not_before, not_after, issued_at, "
    "revoked_at, revoked_reason"
)


class IssuedRecord(Struct, frozen=True):
    """A certificate as its authority remembers it.

    Attributes:
        serial, sha256: as openssl prints them.
        subject: RFC 4514.
        kind: "client", "server" or "authority".
        account, key_id: whom it was issued for, "" where nobody was named.
        not_before, not_after, issued_at, revoked_at: Unix seconds; `revoked_at` is None where it is
            not revoked.
    """

    serial: str
    sha256: str
    subject: str
    kind: str
    account: str
    key_id: str
    not_before: float
    not_after: float
    issued_at: float
    revoked_at: float | None = None
    revoked_reason: str = ""


class Register:
    """The certificates of one authority. Thread-safe; every operation opens the file anew."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def create(self) -> None:
        """Makes the file (mode 0600) and its tables."""
        os.close(os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        with self._connected() as database:
            database.executescript(_SCHEMA)

    def add(self, record: IssuedRecord, der: bytes) -> bool:
        """Keeps `record`; False where its serial is taken."""
        values = (
            record.serial, der, record.kind, record.subject, record.sha256, record.account,
            record.key_id, record.not_before, record.not_after, record.issued_at,
        )  # fmt: skip
        with self._changing() as database:
            done = database.execute(
                "INSERT OR IGNORE INTO certificates (serial, der, kind, subject, sha256, account,"
                " key_id, not_before, not_after, issued_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                values,
            )
            return done.rowcount == 1

    def revoke(self, serial: str, reason: str, at: float) -> IssuedRecord | None:
        """Revokes `serial` at `at`, unless that was done before: the first time and reason stay.
        The record, or None where there is none.
        """
        with self._changing() as database:
            database.execute(
                "UPDATE certificates SET revoked_at = ?, revoked_reason = ?"
                " WHERE serial = ? AND revoked_at IS NULL",
                (at, reason, serial),
            )
            return self._find(database, serial)

    @contextmanager
    def next_list(self, at: float) -> Iterator[tuple[int, list[IssuedRecord]]]:
        """A number no list has had yet, and every certificate that is revoked. Nothing changes
        until the block is left, so that of two lists the later one is also published later.
        """
        with self._changing() as database:
            (number,) = database.execute(
                "INSERT INTO lists (number, this_update)"
                " SELECT COALESCE(MAX(number), 0) + 1, ? FROM lists RETURNING number",
                (at,),
            ).fetchone()
            rows = database.execute(
                f"SELECT {_COLUMNS} FROM certificates WHERE revoked_at IS NOT NULL"  # noqa: S608
                " ORDER BY revoked_at, serial"
            ).fetchall()
            yield number, [IssuedRecord(*row) for row in rows]

    def all(self) -> list[IssuedRecord]:
        """Every certificate, in the order of issue."""
        with self._connected() as database:
            rows = database.execute(
                f"SELECT {_COLUMNS} FROM certificates ORDER BY issued_at, rowid"  # noqa: S608
            )
            return [IssuedRecord(*row) for row in rows]

    def der(self, serial: str) -> bytes | None:
        """The certificate with `serial`, None where there is none."""
        with self._connected() as database:
            row = database.execute(
                "SELECT der FROM certificates WHERE serial = ?", (serial,)
            ).fetchone()
        return None if row is None else bytes(row[0])

    def _find(self, database: sqlite3.Connection, serial: str) -> IssuedRecord | None:
        row = database.execute(
            f"SELECT {_COLUMNS} FROM certificates WHERE serial = ?",  # noqa: S608
            (serial,),
        ).fetchone()
        return None if row is None else IssuedRecord(*row)

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        try:
            database = sqlite3.connect(
                f"{self._file.absolute().as_uri()}?mode=rw",
                uri=True,
                timeout=_BUSY_S,
                isolation_level=None,
            )
            try:
                database.execute("PRAGMA synchronous = FULL")
                yield database
            finally:
                database.close()
        except sqlite3.Error as error:
            raise AuthorityError(f"{self._file}: cannot be used: {error}") from error

    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        with self._connected() as database:
            database.execute("BEGIN IMMEDIATE")
            yield database
            database.execute("COMMIT")  # what is left undone is rolled back as the file closes
