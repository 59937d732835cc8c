"""Refused attempts as rows of the SQLite file (tables: `migrations/0005_faults.sql`). Runs inside
the caller's write transaction.
"""

import sqlite3

from guarita.asks import CountFault, Faults, FaultsOf
from guarita.stores.faults import MOST_ADDRESSES, NO_FAULTS

_COUNT_KNOWN = """
UPDATE fault_address SET hits = hits + 1
WHERE ends_at = ? AND window_s = ? AND key = ? AND address = ?
RETURNING hits
"""
_COUNT_KEY = """
INSERT INTO fault (ends_at, window_s, key, hits, addresses) VALUES (?1, ?2, ?3, 1, ?4)
ON CONFLICT (ends_at, window_s, key)
    DO UPDATE SET hits = hits + 1, addresses = min(addresses + ?4, ?5)
RETURNING hits, addresses
"""
_ADDRESSES = "SELECT addresses FROM fault WHERE ends_at = ? AND window_s = ? AND key = ?"
_COUNT_NEW = """
INSERT INTO fault_address (ends_at, window_s, key, address, hits) VALUES (?, ?, ?, ?, 1)
"""
_READ = """
SELECT
    coalesce((SELECT hits FROM fault_address
        WHERE ends_at = ?1 AND window_s = ?2 AND key = ?3 AND address = ?4), 0),
    hits,
    addresses
FROM fault WHERE ends_at = ?1 AND window_s = ?2 AND key = ?3
"""
_PURGE = (
    """
DELETE FROM fault WHERE (ends_at, window_s, key) IN
    (SELECT ends_at, window_s, key FROM fault WHERE ends_at <= ? ORDER BY ends_at LIMIT ?)
""",
    """
DELETE FROM fault_address WHERE (ends_at, window_s, key, address) IN
    (SELECT ends_at, window_s, key, address FROM fault_address
     WHERE ends_at <= ? ORDER BY ends_at LIMIT ?)
""",
)


def _window(ask: CountFault | FaultsOf) -> tuple[float, int, str]:
    return (ask.at // ask.window_s + 1) * ask.window_s, ask.window_s, ask.key


def count_fault(conn: sqlite3.Connection, ask: CountFault) -> Faults:
    """Count one refused attempt; returns the counts of its window so far."""
    window = _window(ask)
    # fetchall throughout, because a statement with rows left would keep the transaction from
    # committing.
    known = conn.execute(_COUNT_KNOWN, (*window, ask.address)).fetchall()
    if not known:
        [(addresses,)] = conn.execute(_ADDRESSES, window).fetchall() or [(0,)]
        if addresses < MOST_ADDRESSES:
            conn.execute(_COUNT_NEW, (*window, ask.address))
    [(of_address,)] = known or [(1,)]
    new = int(not known)
    [(of_key, addresses)] = conn.execute(_COUNT_KEY, (*window, new, MOST_ADDRESSES)).fetchall()
    return Faults(of_address, of_key, addresses)


def faults_of(conn: sqlite3.Connection, ask: FaultsOf) -> Faults:
    """The counts of a window so far."""
    found = conn.execute(_READ, (*_window(ask), ask.address)).fetchall()
    return Faults(*found[0]) if found else NO_FAULTS


def purge(conn: sqlite3.Connection, ask: CountFault, limit: int) -> None:
    """Delete at most `limit` rows of each table, of windows that ended a whole window before the
    attempt `ask`: stragglers find theirs.
    """
    for statement in _PURGE:
        conn.execute(statement, (ask.at - ask.window_s, limit))
