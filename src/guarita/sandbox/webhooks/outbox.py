"""The outbox: events written in the same database transaction as the money they tell of.

What belongs here: writing an event and its deliveries. What does not: sending them (`delivery`).
"""

import json
import secrets
import sqlite3
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from guarita.sandbox.text import timestamps
from guarita.sandbox.webhooks.event_types import EVENT_TYPES

_SUBSCRIBERS = """
    SELECT webhooks.id FROM webhooks
    JOIN subscriptions ON subscriptions.webhook = webhooks.id AND subscriptions.event_type = ?
    WHERE webhooks.account = ? AND webhooks.deleted_at IS NULL ORDER BY webhooks.number
"""


def emit(
    conn: sqlite3.Connection,
    account: str,
    event_type: str,
    body: Mapping[str, Any],
    *,
    subject: str,
    at: datetime,
) -> str:
    """Write an event and one delivery for each webhook of the account that subscribed to it.
    Returns the event's id.

    The event is written even if nobody subscribed. `body` holds at least `event_type` and `status`;
    its bytes are fixed here. Events of one `subject` are delivered in the order written. `conn`
    must be inside a write transaction: the event exists if, and only if, that transaction commits.
    Raises `ValueError` for an event that is not in the table of fact sheet §7.1.
    """
    subscribers = [str(row[0]) for row in conn.execute(_SUBSCRIBERS, (event_type, account))]
    return emit_to(conn, subscribers, account, event_type, body, subject=subject, at=at)


def emit_to(
    conn: sqlite3.Connection,
    webhooks: Iterable[str],
    account: str,
    event_type: str,
    body: Mapping[str, Any],
    *,
    subject: str,
    at: datetime,
) -> str:
    """As `emit`, to these webhooks (ids) whether they subscribed or not."""
    if not conn.in_transaction:
        raise ValueError("an event needs an open write transaction")
    known = EVENT_TYPES.get(event_type)
    if known is None or not known.sent:
        raise ValueError(f"{event_type} is not an event that is sent")
    if body.get("event_type") != event_type or body.get("status") not in known.statuses:
        raise ValueError(
            f"the body of {event_type} must name it and have a status of {known.statuses}, not"
            f" {body.get('event_type')!r} and {body.get('status')!r}"
        )
    event_id = f"evt_{secrets.token_hex(16)}"
    cursor = conn.execute(
        "INSERT INTO events (id, account, subject, event_type, status, body, created_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (event_id, account, subject, event_type, body["status"], encode(body), timestamps.iso(at)),
    )
    event = cursor.lastrowid
    for webhook in webhooks:
        behind = conn.execute(
            "SELECT 1 FROM deliveries WHERE webhook = ? AND subject = ? AND status = 'pending'",
            (webhook, subject),
        ).fetchone()
        status, due = ("waiting", None) if behind else ("pending", timestamps.milliseconds(at))
        conn.execute(
            "INSERT INTO deliveries (event, webhook, subject, status, due_ms)"
            " VALUES (?, ?, ?, ?, ?)",
            (event, webhook, subject, status, due),
        )
    return event_id


def encode(body: Mapping[str, Any]) -> bytes:
    """The body as it is signed and sent: compact JSON in UTF-8. Raises `ValueError` for NaN."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode()
