"""The decision log's SQLite file: its schema, opening it to write and to read. Who writes what, and
when, stands in `writing`.
"""

import os
import sqlite3
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

APPLICATION_ID = 0x47554454  # "GUDT": a file of other software is told from ours
VERSION = 1

SCHEMA = f"""
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS decisions (ray TEXT NOT NULL, at REAL NOT NULL, entry BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS decisions_ray ON decisions (ray);
CREATE INDEX IF NOT EXISTS decisions_at ON decisions (at);
CREATE TABLE IF NOT EXISTS losses (
  since REAL NOT NULL, until REAL NOT NULL, entries INTEGER NOT NULL
);
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {VERSION};
COMMIT;
"""


class LogUnavailable(Exception):
    """There is no decision log at that path, or it cannot be opened."""


def open_to_write(path: Path, *, timeout_s: float) -> sqlite3.Connection:
    """A connection in autocommit mode to the log at `path`, made if it does not exist (readable by
    its owner only: it holds addresses of people). Usable from any thread, by one at a time.

    Raises:
        LogUnavailable: the file is something else, or of a later version.
        OSError, sqlite3.Error: the file cannot be made, opened or written.
    """
    # An existing file is never opened and closed besides SQLite: that would drop the locks of this
    # process's other connections (POSIX advisory locks).
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    db = sqlite3.connect(path, timeout=timeout_s, isolation_level=None, check_same_thread=False)
    try:
        if db.execute("SELECT count(*) FROM sqlite_schema").fetchone() != (0,):
            _check(db, path)
        # The mode is kept in the file; asking for it again costs nothing.
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        if db.execute("PRAGMA user_version").fetchone() != (VERSION,):
            db.executescript(SCHEMA)
    except BaseException:
        db.close()
        raise
    return db


def open_to_read(path: Path) -> sqlite3.Connection:
    """A read-only connection to the log at `path`; a process that is writing it is not disturbed.

    Raises:
        LogUnavailable: no such file, not a decision log, of a later version, or not readable.
    """
    if not path.is_file():
        raise LogUnavailable(
            f"there is no decision log at {path}; "
            f"name the data directory of the server that gave the Ray ID"
        )
    uri = f"file:{quote(str(path.absolute()))}?mode=ro"
    try:
        return _opened(uri, path)
    except sqlite3.OperationalError as problem:
        # A log nobody has open, in a directory this user may not write: SQLite cannot make its -shm
        # file there.
        if not os.path.exists(f"{path}-wal"):
            try:
                return _opened(uri + "&immutable=1", path)
            except sqlite3.Error:
                pass
        raise LogUnavailable(f"the decision log at {path} cannot be read: {problem}") from problem
    except sqlite3.DatabaseError as problem:
        raise LogUnavailable(f"{path} is not a decision log: {problem}") from problem


def _opened(uri: str, path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(uri, uri=True, timeout=5.0)
    try:
        _check(db, path)
    except BaseException:
        db.close()
        raise
    return db


def _check(db: sqlite3.Connection, path: Path) -> None:
    if db.execute("PRAGMA application_id").fetchone() != (APPLICATION_ID,):
        raise LogUnavailable(f"{path} is an SQLite file, but not a decision log")
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version > VERSION:
        raise LogUnavailable(
            f"the decision log at {path} has version {version}, "
            f"this program reads up to {VERSION}; upgrade it"
        )
