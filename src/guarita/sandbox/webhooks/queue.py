"""Deliveries as rows: which are due, whose turn it is, what came of an attempt.

What belongs here: the states of a delivery (see `0003_webhooks.sql`) on an open connection. What
does not: sending. All times in milliseconds since 1970.

Several processes share the rows. One takes a delivery for a time (a lease): until then no other
does, afterwards any may, so an attempt that died with its process is made again. Whoever lost the
lease can no longer record an outcome.
"""

import json
import secrets
import sqlite3
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from guarita.sandbox.text import timestamps
from guarita.sandbox.webhooks.client import Answer

# Seconds from the event, or from the failed attempt before, to each attempt (fact sheet §7.2).
SCHEDULE_S = (0.0, 60.0, 300.0, 1800.0, 7200.0)

_JOB = """
    SELECT deliveries.number, deliveries.lease, deliveries.attempts, deliveries.webhook,
        events.id AS event_id, events.event_type, events.body,
        webhooks.url, webhooks.secret, webhooks.allow_insecure
    FROM deliveries JOIN events ON events.number = deliveries.event
    JOIN webhooks ON webhooks.id = deliveries.webhook WHERE deliveries.number = ?
"""


@dataclass(frozen=True, slots=True)
class Job:
    """An attempt to make: what to send where. `attempts` is how many were made before."""

    number: int
    lease: str
    attempts: int
    webhook: str
    event_id: str
    event_type: str
    body: bytes = field(repr=False)
    url: str = field(repr=False)
    secret: str = field(repr=False)
    allow_insecure: bool


def next_due(conn: sqlite3.Connection) -> int | None:
    """When a delivery is due next, or `None` if none is pending."""
    (due,) = conn.execute("SELECT min(due_ms) FROM deliveries WHERE status = 'pending'").fetchone()
    return None if due is None else int(due)


def due(
    conn: sqlite3.Connection, *, now_ms: int, limit: int, busy: Mapping[str, int], per_webhook: int
) -> list[int]:
    """Up to `limit` deliveries that are due, longest due first; `busy` tells how many attempts each
    webhook has under way already, `per_webhook` how many it may have.
    """
    counts = Counter(busy)
    full = [webhook for webhook, count in counts.items() if count >= per_webhook]
    rows = conn.execute(
        "SELECT number, webhook FROM deliveries WHERE status = 'pending' AND due_ms <= ?"
        " AND webhook NOT IN (SELECT value FROM json_each(?)) ORDER BY due_ms",
        (now_ms, json.dumps(full)),
    )
    chosen: list[int] = []
    for number, webhook in rows:
        if len(chosen) == limit:
            break
        if counts[webhook] < per_webhook:
            counts[webhook] += 1
            chosen.append(int(number))
    return chosen


def claim(conn: sqlite3.Connection, number: int, *, now_ms: int, until_ms: int) -> Job | None:
    """Take a delivery until `until_ms`, or `None` if another process was faster."""
    taken = conn.execute(
        "UPDATE deliveries SET lease = ?, due_ms = ?"
        " WHERE number = ? AND status = 'pending' AND due_ms <= ?",
        (secrets.token_hex(8), until_ms, number, now_ms),
    ).rowcount
    if not taken:
        return None
    row = conn.execute(_JOB, (number,)).fetchone()
    return Job(**{**dict(row), "allow_insecure": bool(row["allow_insecure"])})


def give_back(conn: sqlite3.Connection, job: Job, *, now_ms: int) -> None:
    """Let others take a delivery whose attempt was not finished."""
    conn.execute(
        "UPDATE deliveries SET lease = NULL, due_ms = ? WHERE number = ? AND lease = ?",
        (now_ms, job.number, job.lease),
    )


def finish(
    conn: sqlite3.Connection, job: Job, answer: Answer, *, now_ms: int, jitter: float
) -> str | None:
    """Record what came of an attempt and return the delivery's state, `None` if the lease was lost.

    `jitter` multiplies the wait until the next attempt.
    """
    attempts = job.attempts + 1
    if answer.delivered:
        status, due_ms = "delivered", None
    elif attempts >= len(SCHEDULE_S):
        status, due_ms = "dead", None
    else:
        status, due_ms = "pending", now_ms + round(1000 * SCHEDULE_S[attempts] * jitter)
    time = timestamps.iso(timestamps.from_milliseconds(now_ms))
    row = conn.execute(
        "UPDATE deliveries SET status = ?, due_ms = ?, lease = NULL, attempts = ?,"
        " last_status = ?, last_error = ?, finished_at = ?"
        " WHERE number = ? AND lease = ? RETURNING webhook, subject",
        (
            *(status, due_ms, attempts, answer.status, answer.error),
            *(None if status == "pending" else time, job.number, job.lease),
        ),
    ).fetchone()
    if row is None:
        return None
    if status != "pending":
        _advance(conn, row["webhook"], row["subject"], now_ms=now_ms)
    return status


def revive(conn: sqlite3.Connection, number: int, *, now_ms: int) -> None:
    """Send a dead delivery again, with all its attempts, in its turn."""
    conn.execute(
        "UPDATE deliveries SET status = 'waiting', attempts = 0, finished_at = NULL"
        " WHERE number = ? AND status = 'dead'",
        (number,),
    )
    row = conn.execute(
        "SELECT webhook, subject FROM deliveries WHERE number = ?", (number,)
    ).fetchone()
    pending = conn.execute(
        "SELECT 1 FROM deliveries WHERE webhook = ? AND subject = ? AND status = 'pending'",
        (row["webhook"], row["subject"]),
    ).fetchone()
    if pending is None:
        _advance(conn, row["webhook"], row["subject"], now_ms=now_ms)


def _advance(conn: sqlite3.Connection, webhook: str, subject: str, *, now_ms: int) -> None:
    """Let the subject's next event go: the one before it is delivered or dead."""
    conn.execute(
        "UPDATE deliveries SET status = 'pending', due_ms = ? WHERE number = ("
        " SELECT min(number) FROM deliveries"
        " WHERE webhook = ? AND subject = ? AND status = 'waiting')",
        (now_ms, webhook, subject),
    )
