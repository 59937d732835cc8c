"""Reservations as rows of the SQLite file. Every function but `listed` runs inside the caller's
write transaction.
"""

import sqlite3
from collections.abc import Callable
from typing import Literal

from guarita.asks import (
    IN_FLIGHT,
    OUTCOME_UNKNOWN,
    Busy,
    LoseOutcome,
    Record,
    Release,
    Reserve,
    Reserved,
    Scope,
    Stored,
)
from guarita.decision import Response
from guarita.stores.reservations import (
    ReservationRow,
    State,
    pack_response,
    unpack_response,
)

IsDead = Callable[[str], bool]
"""Whether the instance of that id has ended; never so for one's own."""

_RESERVED = Reserved()

_INSERT = """
INSERT INTO reservation
    (digest, account, method, path, key, state, token, owner, fingerprint, at, expires_at)
VALUES (?, ?, ?, ?, ?, 'in_flight', ?, ?, ?, ?, ?)
ON CONFLICT (digest) DO NOTHING
"""
_FIND = """
SELECT state, owner, fingerprint, at, expires_at, response FROM reservation WHERE digest = ?
"""
_STORE = """
UPDATE reservation SET state = 'stored', status = ?, response = ?
WHERE digest = ? AND token = ? AND state <> 'stored'
"""
_LOSE = """
UPDATE reservation SET state = 'outcome_unknown'
WHERE digest = ? AND token = ? AND state = 'in_flight'
"""
_RELEASE = "DELETE FROM reservation WHERE digest = ? AND token = ? AND state = 'in_flight'"
_PURGE = """
DELETE FROM reservation WHERE rowid IN
    (SELECT rowid FROM reservation WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)
"""
_LIST = """
SELECT digest, account, method, path, key, state, token, owner, at, expires_at, status
FROM reservation
WHERE (:account IS NULL OR account = :account) AND (:at IS NULL OR expires_at > :at)
"""
_UNSETTLED = " AND state <> 'stored'"


def reserve(
    conn: sqlite3.Connection, ask: Reserve, owner: str, is_dead: IsDead
) -> Reserved | Stored | Busy:
    """Reserve for the instance `owner`, or say what stands in the way."""
    scope = ask.scope
    row = (
        scope.digest,
        scope.account,
        scope.method,
        scope.path,
        scope.key,
        ask.token,
        owner,
        ask.fingerprint,
        ask.at,
        ask.at + ask.keep_s,
    )
    if conn.execute(_INSERT, row).rowcount == 1:
        return _RESERVED
    state, held_by, fingerprint, at, expires_at, response = conn.execute(
        _FIND, (scope.digest,)
    ).fetchone()
    if expires_at <= ask.at or at + ask.keep_s <= ask.at:
        conn.execute("DELETE FROM reservation WHERE digest = ?", (scope.digest,))
        conn.execute(_INSERT, row)
        return _RESERVED
    if state == State.STORED:
        return Stored(unpack_response(response), fingerprint)
    if state == State.IN_FLIGHT:
        if not is_dead(held_by):
            return IN_FLIGHT
        conn.execute(
            "UPDATE reservation SET state = 'outcome_unknown' WHERE digest = ?", (scope.digest,)
        )
    return OUTCOME_UNKNOWN


def record(conn: sqlite3.Connection, ask: Record) -> None:
    """Store the answer of a reservation its token still owns; a late answer to an unknown outcome
    is taken too.
    """
    response = ask.response
    conn.execute(_STORE, (response.status, pack_response(response), ask.scope.digest, ask.token))


def release(conn: sqlite3.Connection, ask: Release) -> None:
    """Give a reservation in flight up."""
    conn.execute(_RELEASE, (ask.scope.digest, ask.token))


def lose_outcome(conn: sqlite3.Connection, ask: LoseOutcome) -> None:
    """Mark a reservation in flight as of unknown outcome."""
    conn.execute(_LOSE, (ask.scope.digest, ask.token))


def purge(conn: sqlite3.Connection, at: float, limit: int) -> None:
    """Delete at most `limit` of the records that have expired at `at`."""
    conn.execute(_PURGE, (at, limit))


def refers_to(conn: sqlite3.Connection, instance: str) -> bool:
    """Whether a reservation that is not settled was made by `instance`."""
    query = "SELECT 1 FROM reservation WHERE owner = ? AND state <> 'stored' LIMIT 1"
    return conn.execute(query, (instance,)).fetchone() is not None


def resolve(
    conn: sqlite3.Connection,
    is_dead: IsDead,
    digest: bytes,
    resolution: Literal["release"] | Response,
) -> bool:
    """See `ReservationStore.resolve`."""
    found = conn.execute(
        "SELECT state, owner, token FROM reservation WHERE digest = ?", (digest,)
    ).fetchone()
    if found is None:
        return False
    state, owner, token = found
    if state == State.STORED or (state == State.IN_FLIGHT and not is_dead(owner)):
        return False
    if resolution == "release":
        conn.execute("DELETE FROM reservation WHERE digest = ?", (digest,))
    else:
        conn.execute(_STORE, (resolution.status, pack_response(resolution), digest, token))
    return True


def listed(
    conn: sqlite3.Connection,
    is_dead: IsDead,
    state: str | None,
    account: str | None,
    at: float | None,
) -> list[ReservationRow]:
    """See `ReservationStore.reservations`."""
    wanted = None if state is None else State(state)
    query = _LIST
    if wanted is not None:
        query += " AND state = 'stored'" if wanted is State.STORED else _UNSETTLED
    dead: dict[str, bool] = {}
    rows = []
    for (
        digest,
        acc,
        method,
        path,
        key,
        kept_state,
        token,
        owner,
        reserved_at,
        expires_at,
        status,
    ) in conn.execute(query + " ORDER BY at", {"account": account, "at": at}):
        found = State(kept_state)
        if found is State.IN_FLIGHT:
            if owner not in dead:
                dead[owner] = is_dead(owner)
            if dead[owner]:
                found = State.OUTCOME_UNKNOWN
        if wanted is None or found is wanted:
            scope = Scope(digest, acc, method, path, key)
            rows.append(ReservationRow(scope, found, token, reserved_at, expires_at, status))
    return rows
