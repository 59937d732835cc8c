"""Webhooks of an account: registering, listing, deleting, and sending one a test (fact sheet §6.17,
§6.18).

What belongs here: rows of webhooks and what may be registered. What does not: JSON shapes (`api/`).
"""

import secrets
import sqlite3
import uuid
from dataclasses import dataclass, field
from datetime import datetime

from guarita.sandbox.books import accounts
from guarita.sandbox.refusals import Missing, Refused
from guarita.sandbox.text import timestamps
from guarita.sandbox.webhooks import outbox, targets
from guarita.sandbox.webhooks.event_types import EVENT_TYPES, WEBHOOK_TEST
from guarita.sandbox.webhooks.targets import InvalidTarget

MAX_WEBHOOKS = 5  # of an account; the documentation names no number
SECRET_LENGTHS = range(8, 257)
NOT_FOUND = "Webhook not found"


@dataclass(frozen=True, slots=True)
class WebhookOrder:
    """A webhook to register. Without a `secret` one is made; `allow_insecure` admits `http`."""

    url: str = field(repr=False)
    events: tuple[str, ...]
    secret: str | None = field(default=None, repr=False)
    description: str | None = None
    allow_insecure: bool = False


@dataclass(frozen=True, slots=True)
class Webhook:
    """A registered webhook. `secret` is there right after registration only."""

    id: str
    account: str
    url: str = field(repr=False)
    events: tuple[str, ...]
    secret: str | None = field(repr=False)
    description: str | None
    allow_insecure: bool
    is_active: bool
    created_at: str


class InvalidField(Refused):
    """A field of an order that breaks its rule. `field` is its name, `problem` what is wrong."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem


def create(
    conn: sqlite3.Connection,
    account: str,
    order: WebhookOrder,
    *,
    at: datetime,
    unsafe_loopback: bool = False,
) -> Webhook:
    """Register a webhook and return it with its secret. Raises `Refused` with what is wrong, and
    its kind `InvalidField` for `events` empty and a `secret` that breaks its rule.

    `unsafe_loopback` lets URLs of this machine's loopback addresses in.
    """
    _check(order, unsafe_loopback=unsafe_loopback)
    count = "SELECT count(*) FROM webhooks WHERE account = ? AND deleted_at IS NULL"
    if conn.execute(count, (account,)).fetchone()[0] >= MAX_WEBHOOKS:
        raise Refused(f"At most {MAX_WEBHOOKS} webhooks per account")
    made = Webhook(
        id=f"wh_{secrets.token_hex(16)}",
        account=account,
        url=order.url,
        events=tuple(dict.fromkeys(order.events)),
        secret=order.secret if order.secret is not None else new_secret(),
        description=order.description,
        allow_insecure=order.allow_insecure,
        is_active=True,
        created_at=timestamps.iso(at),
    )
    conn.execute(
        "INSERT INTO webhooks (id, account, url, secret, description, allow_insecure, created_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            *(made.id, made.account, made.url, made.secret, made.description),
            *(made.allow_insecure, made.created_at),
        ),
    )
    conn.executemany(
        "INSERT INTO subscriptions (webhook, event_type, place) VALUES (?, ?, ?)",
        [(made.id, event_type, place) for place, event_type in enumerate(made.events)],
    )
    return made


def of_account(conn: sqlite3.Connection, account: str) -> list[Webhook]:
    """The account's webhooks, oldest first, without their secrets."""
    rows = conn.execute(
        "SELECT id, account, url, description, allow_insecure, created_at FROM webhooks"
        " WHERE account = ? AND deleted_at IS NULL ORDER BY number",
        (account,),
    ).fetchall()
    return [
        Webhook(
            id=row["id"],
            account=row["account"],
            url=row["url"],
            events=_events(conn, row["id"]),
            secret=None,
            description=row["description"],
            allow_insecure=bool(row["allow_insecure"]),
            is_active=True,
            created_at=row["created_at"],
        )
        for row in rows
    ]


def delete(conn: sqlite3.Connection, account: str, webhook_id: str, *, at: datetime) -> None:
    """Delete a webhook and its secret; deliveries not made yet are cancelled. Raises `Missing`."""
    deleted = conn.execute(
        "UPDATE webhooks SET deleted_at = ?, secret = NULL"
        " WHERE id = ? AND account = ? AND deleted_at IS NULL",
        (timestamps.iso(at), webhook_id, account),
    ).rowcount
    if not deleted:
        raise Missing(NOT_FOUND)
    conn.execute(
        "UPDATE deliveries SET status = 'cancelled', due_ms = NULL, lease = NULL, finished_at = ?"
        " WHERE webhook = ? AND status IN ('pending', 'waiting')",
        (timestamps.iso(at), webhook_id),
    )


def owner_of(conn: sqlite3.Connection, webhook_id: str) -> str | None:
    """Whose webhook it is, `None` where there is none (any more)."""
    row = conn.execute(
        "SELECT account FROM webhooks WHERE id = ? AND deleted_at IS NULL", (webhook_id,)
    ).fetchone()
    return None if row is None else str(row["account"])


def send_test(conn: sqlite3.Connection, account: str, webhook_id: str, *, at: datetime) -> str:
    """Write a `webhook.test` event for this webhook alone, subscribed or not, and return the id of
    the event. Raises `Missing`.
    """
    row = conn.execute(
        "SELECT 1 FROM webhooks WHERE id = ? AND account = ? AND deleted_at IS NULL",
        (webhook_id, account),
    ).fetchone()
    customer = accounts.customer(conn, account)
    if row is None or customer is None:
        raise Missing(NOT_FOUND)
    entity = str(uuid.uuid4())
    body = {
        "event_type": WEBHOOK_TEST,
        "status": "test",
        "account_id": customer.number,
        "entity_id": entity,
    }
    return outbox.emit_to(conn, [webhook_id], account, WEBHOOK_TEST, body, subject=entity, at=at)


def new_secret() -> str:
    """A fresh secret of 256 random bits."""
    return f"whsec_{secrets.token_urlsafe(32)}"


def secret_problem(secret: str) -> str | None:
    """What is wrong with a secret a caller chose, or `None`."""
    if len(secret) not in SECRET_LENGTHS:
        return f"must have {SECRET_LENGTHS.start} to {SECRET_LENGTHS.stop - 1} characters"
    if not (secret.isascii() and secret.isprintable()):
        return "must be printable ASCII characters"
    return None


def _check(order: WebhookOrder, *, unsafe_loopback: bool) -> None:
    if not order.events:
        raise InvalidField("events", "can't be blank")  # fact sheet §6.17
    problem = None if order.secret is None else secret_problem(order.secret)
    if problem is not None:
        raise InvalidField("secret", problem)
    unknown = [name[:64] for name in dict.fromkeys(order.events) if name not in EVENT_TYPES]
    if unknown:
        raise Refused(f"events: contains invalid events: {', '.join(unknown)}")
    try:
        targets.parse(
            order.url, allow_insecure=order.allow_insecure, unsafe_loopback=unsafe_loopback
        )
    except InvalidTarget as error:
        raise Refused(error.text) from None


def _events(conn: sqlite3.Connection, webhook_id: str) -> tuple[str, ...]:
    rows = conn.execute(
        "SELECT event_type FROM subscriptions WHERE webhook = ? ORDER BY place", (webhook_id,)
    )
    return tuple(str(row[0]) for row in rows)
