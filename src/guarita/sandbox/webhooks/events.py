"""The events written so far, with what became of their deliveries: for whoever runs the bank.

What belongs here: looking. Writing events is `outbox`, sending them again `dead_letters`.
"""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

STATES = ("delivered", "pending", "waiting", "dead", "cancelled")
"""What a delivery can be, in the order shown."""

_COUNTS = ", ".join(
    f"coalesce(sum(deliveries.status = '{state}'), 0) AS {state}" for state in STATES
)
_LATEST = f"""
    SELECT * FROM (
        SELECT events.number, events.id, events.event_type, events.status, events.account,
            events.subject, events.body, events.created_at,
            {_COUNTS}
        FROM events LEFT JOIN deliveries ON deliveries.event = events.number
        WHERE :account IS NULL OR events.account = :account
        GROUP BY events.number ORDER BY events.number DESC LIMIT :count
    ) ORDER BY number
"""  # noqa: S608 - fixed names


@dataclass(frozen=True, slots=True)
class WrittenEvent:
    """An event. `body` is what is sent; `deliveries` counts them by `STATES`."""

    event_id: str
    event_type: str
    status: str
    account: str
    subject: str
    created_at: str
    body: dict[str, Any]
    deliveries: Mapping[str, int]


def latest(conn: sqlite3.Connection, account: str | None, count: int) -> list[WrittenEvent]:
    """The newest `count` events of one account, or of all, oldest first."""
    return [
        WrittenEvent(
            event_id=row["id"],
            event_type=row["event_type"],
            status=row["status"],
            account=row["account"],
            subject=row["subject"],
            created_at=row["created_at"],
            body=json.loads(row["body"]),
            deliveries={state: row[state] for state in STATES},
        )
        for row in conn.execute(_LATEST, {"account": account, "count": count})
    ]
