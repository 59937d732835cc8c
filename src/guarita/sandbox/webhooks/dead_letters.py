"""Deliveries that were given up after the last attempt: listing them, sending them again.

What belongs here: what an operator does about them, on an open connection.
"""

import sqlite3
from dataclasses import dataclass
from datetime import datetime

from guarita.sandbox.refusals import Missing, Refused
from guarita.sandbox.text import timestamps
from guarita.sandbox.webhooks import queue


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A delivery given up. `number` names it; `last_status` is the HTTP status answered last,
    `None` if none was; `finished_at` when it was given up.
    """

    number: int
    account: str
    webhook: str
    event_id: str
    event_type: str
    subject: str
    attempts: int
    last_status: int | None
    last_error: str | None
    finished_at: str


def of(conn: sqlite3.Connection, account: str | None = None) -> list[DeadLetter]:
    """The dead letters of one account, or of all, oldest event first. Those of deleted webhooks are
    left out: they cannot be sent again.
    """
    rows = conn.execute(
        "SELECT deliveries.number, webhooks.account, deliveries.webhook, events.id AS event_id,"
        " events.event_type, deliveries.subject, deliveries.attempts, deliveries.last_status,"
        " deliveries.last_error, deliveries.finished_at"
        " FROM deliveries JOIN events ON events.number = deliveries.event"
        " JOIN webhooks ON webhooks.id = deliveries.webhook"
        " WHERE deliveries.status = 'dead' AND webhooks.deleted_at IS NULL"
        " AND (? IS NULL OR webhooks.account = ?) ORDER BY deliveries.number",
        (account, account),
    )
    return [DeadLetter(**dict(row)) for row in rows]


def redeliver(conn: sqlite3.Connection, number: int, *, at: datetime) -> None:
    """Send one again, from the first attempt on. Raises `Missing` if there is no such delivery and
    `Refused` if it is not dead or its webhook was deleted.
    """
    row = conn.execute(
        "SELECT deliveries.status, webhooks.deleted_at FROM deliveries"
        " JOIN webhooks ON webhooks.id = deliveries.webhook WHERE deliveries.number = ?",
        (number,),
    ).fetchone()
    if row is None:
        raise Missing(f"there is no delivery {number}")
    if row["status"] != "dead":
        raise Refused(f"delivery {number} is {row['status']}, not dead")
    if row["deleted_at"] is not None:
        raise Refused(f"the webhook of delivery {number} was deleted")
    queue.revive(conn, number, now_ms=timestamps.milliseconds(at))


def redeliver_all(conn: sqlite3.Connection, account: str | None = None, *, at: datetime) -> int:
    """Send all of one account, or of all, again, in their order. Returns how many there are."""
    letters = of(conn, account)
    for letter in letters:
        redeliver(conn, letter.number, at=at)
    return len(letters)
