"""The webhook events of transactions, charges and disputes: which members each body carries (fact
sheet §7.3, the flat body).

What belongs here: bodies. What does not: when an event arises, and how it is delivered
(`webhooks/`).
"""

import sqlite3
from datetime import datetime
from typing import Any

from guarita.sandbox.books import accounts
from guarita.sandbox.books.transactions import Transaction
from guarita.sandbox.webhooks import outbox


def transaction(
    conn: sqlite3.Connection,
    about: Transaction,
    event_type: str,
    status: str,
    *,
    at: datetime,
    **more: Any,
) -> None:
    """Write the event of a transaction; `more` are members of this event alone."""
    emit(
        conn,
        about.account,
        event_type,
        status,
        subject=about.transaction_id,
        entity_id=about.uuid,
        at=at,
        transaction_id=about.transaction_id,
        end_to_end_id=about.end_to_end_id,
        external_id=about.external_id,
        amount=about.amount,
        fee_amount=about.fee_amount,
        net_amount=about.net_amount,
        **more,
    )


def emit(
    conn: sqlite3.Connection,
    account: str,
    event_type: str,
    status: str,
    *,
    subject: str,
    entity_id: str,
    at: datetime,
    **members: Any,
) -> None:
    """Write one event into the outbox, in the caller's database transaction. Events of one
    `subject` (a transaction id) are delivered in the order written.
    """
    customer = accounts.customer(conn, account)
    assert customer is not None  # noqa: S101 - only an open account has business
    body = {
        "event_type": event_type,
        "status": status,
        "account_id": customer.number,
        "entity_id": entity_id,
        **members,
    }
    outbox.emit(conn, account, event_type, body, subject=subject, at=at)
