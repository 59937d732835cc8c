"""What the bank knows of itself: its secret, and the newest time anything happened at.

What belongs here: that one row. What does not: the clock (`bank`).
"""

import sqlite3
from datetime import datetime

from guarita.sandbox.text import timestamps


def newest(conn: sqlite3.Connection) -> datetime:
    """The latest time anything happened at, to the millisecond."""
    (newest_ms,) = conn.execute("SELECT newest_ms FROM bank").fetchone()
    return timestamps.from_milliseconds(newest_ms)


def advance(conn: sqlite3.Connection, at: datetime) -> datetime:
    """The time of what happens in this write transaction: `at`, but never before what happened
    already, whatever the clock says. From here on it is the newest.
    """
    at_ms = timestamps.milliseconds(at)
    (newest_ms,) = conn.execute("SELECT newest_ms FROM bank").fetchone()
    if at_ms < newest_ms:
        return timestamps.from_milliseconds(newest_ms)
    if at_ms > newest_ms:
        conn.execute("UPDATE bank SET newest_ms = ?", (at_ms,))
    return at


def secret(conn: sqlite3.Connection) -> bytes:
    """32 random bytes, made with the file."""
    (value,) = conn.execute("SELECT secret FROM bank").fetchone()
    return bytes(value)
