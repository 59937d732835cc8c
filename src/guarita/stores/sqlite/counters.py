"""Hit counters as rows of the SQLite file, one per key and window. Runs inside the caller's write
transaction.
"""

import sqlite3

from guarita.asks import CountHit

_COUNT = """
INSERT INTO counter (ends_at, window_s, key, hits) VALUES (?, ?, ?, 1)
ON CONFLICT (ends_at, window_s, key) DO UPDATE SET hits = hits + 1
RETURNING hits
"""
_PURGE = """
DELETE FROM counter WHERE (ends_at, window_s, key) IN
    (SELECT ends_at, window_s, key FROM counter WHERE ends_at <= ? ORDER BY ends_at LIMIT ?)
"""


def count_hit(conn: sqlite3.Connection, ask: CountHit) -> int:
    """Count one hit; returns the hits of its window so far."""
    window_s = ask.window_s
    ends_at = (ask.at // window_s + 1) * window_s
    # fetchall, because a statement with rows left would keep the transaction from committing.
    [(hits,)] = conn.execute(_COUNT, (ends_at, window_s, ask.key)).fetchall()
    return int(hits)


def purge(conn: sqlite3.Connection, ask: CountHit, limit: int) -> None:
    """Delete at most `limit` counters of windows that ended a whole window before the hit `ask`:
    stragglers find theirs.
    """
    conn.execute(_PURGE, (ask.at - ask.window_s, limit))
