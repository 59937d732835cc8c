"""The record of each charge: its fields, its states, finding it again.

What belongs here: rows and states. What does not: why a state changes (`pix.charges`).
"""

import sqlite3
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from guarita.sandbox.books import transactions
from guarita.sandbox.text import timestamps

Status = Literal["active", "paid", "expired"]


class ChargeEnded(ValueError):
    """The charge is not active any more."""


@dataclass(frozen=True, slots=True)
class Charge:
    """A charge as recorded. `transaction_id` is its txid, `amount` in base units; `*_ms` in
    milliseconds since 1970, `*_at` ISO 8601 UTC. `due_ms` is when its scenario acts.

    `location` is what the URL of its QR code ends in, `paid_transaction_id` the receipt of a paid
    one.
    """

    transaction_id: str
    uuid: str
    account: str
    status: Status
    amount: int
    description: str
    external_id: str | None
    pix_key: str
    city: str
    location: str
    qr_code: str
    scenario: str | None
    due_ms: int | None
    expires_ms: int
    expires_at: str
    created_ms: int
    created_at: str
    completed_at: str | None
    paid_transaction_id: str | None = None

    def payable(self, at: datetime) -> bool:
        """Whether a payment at this time would be accepted."""
        return self.status == "active" and timestamps.milliseconds(at) < self.expires_ms


_COLUMNS = tuple(name for name in Charge.__dataclass_fields__ if name != "paid_transaction_id")
_SELECT = (
    f"SELECT {', '.join(_COLUMNS)}, (SELECT receipts.transaction_id FROM transactions AS receipts"  # noqa: S608
    " WHERE receipts.charge = charges.transaction_id AND receipts.kind = 'receipt')"
    " AS paid_transaction_id FROM charges"
)


def record(conn: sqlite3.Connection, charge: Charge) -> Charge:
    """Write a new charge and the first step of its story."""
    conn.execute(
        f"INSERT INTO charges ({', '.join(_COLUMNS)}, sweep_ms)"  # noqa: S608 - fixed names
        f" VALUES ({', '.join('?' * len(_COLUMNS))}, ?)",
        [getattr(charge, name) for name in _COLUMNS] + [charge.expires_ms],
    )
    transactions.tell(conn, charge.transaction_id, charge.status, charge.created_at)
    return charge


def end(
    conn: sqlite3.Connection, charge: Charge, status: Literal["paid", "expired"], *, at: datetime
) -> Charge:
    """Take an active charge to its last state. Raises `ChargeEnded` if it is in it already."""
    time = timestamps.iso(at)
    changed = conn.execute(
        "UPDATE charges SET status = ?, due_ms = NULL, completed_at = ?"
        " WHERE transaction_id = ? AND status = 'active'",
        (status, time, charge.transaction_id),
    ).rowcount
    if changed != 1:
        raise ChargeEnded(f"{charge.transaction_id} is not active any more")
    transactions.tell(conn, charge.transaction_id, status, time)
    return replace(charge, status=status, due_ms=None, completed_at=time)


def no_longer_due(conn: sqlite3.Connection, charge: Charge) -> None:
    """Its scenario has nothing to do any more."""
    conn.execute(
        "UPDATE charges SET due_ms = NULL WHERE transaction_id = ?", (charge.transaction_id,)
    )


def put_off(conn: sqlite3.Connection, charge: Charge, until_ms: int) -> None:
    """Let neither its scenario nor a sweep look at an active charge before `until_ms`."""
    conn.execute(
        "UPDATE charges SET due_ms = CASE WHEN due_ms IS NULL THEN NULL ELSE max(due_ms, ?1) END,"
        " sweep_ms = max(sweep_ms, ?1) WHERE transaction_id = ?2 AND status = 'active'",
        (until_ms, charge.transaction_id),
    )


def get(conn: sqlite3.Connection, txid: str) -> Charge:
    """The charge with this txid, of whatever account. Raises `LookupError` if there is none: a txid
    that comes from a caller belongs into `find`.
    """
    charge = _one(conn, "transaction_id = ?", txid)
    if charge is None:
        raise LookupError(f"there is no charge {txid}")
    return charge


def find(conn: sqlite3.Connection, account: str, txid: str) -> Charge | None:
    """The account's charge with this txid."""
    return _one(conn, "transaction_id = ? AND account = ?", txid, account)


def by_external_id(conn: sqlite3.Connection, account: str, external_id: str) -> Charge | None:
    """The account's latest charge with this external id."""
    return _one(conn, "external_id = ? AND account = ? ORDER BY number DESC", external_id, account)


def by_tag(conn: sqlite3.Connection, account: str, prefix: str) -> list[Charge]:
    """The account's charges whose txid starts so, newest first, at most 50 (§6.8)."""
    return _many(
        conn,
        transactions.TAGGED,
        account,
        prefix,
        prefix + transactions.LAST,
        transactions.TAGGED_MAX,
    )


def by_location(conn: sqlite3.Connection, location: str) -> Charge | None:
    """The charge whose code's URL ends so."""
    return _one(conn, "location = ?", location)


def due(conn: sqlite3.Connection, now_ms: int, limit: int) -> list[Charge]:
    """Charges whose scenario has to act, the longest due first."""
    return _many(conn, "due_ms <= ? ORDER BY due_ms, number LIMIT ?", now_ms, limit)


def over(conn: sqlite3.Connection, at_ms: int, limit: int) -> list[Charge]:
    """Active charges whose time was over at `at_ms`, the longest over first."""
    return _many(
        conn,
        "status = 'active' AND sweep_ms <= ? ORDER BY sweep_ms, number LIMIT ?",
        at_ms,
        limit,
    )


def earliest(conn: sqlite3.Connection) -> tuple[int | None, int | None]:
    """Of the active charges, the earliest `due_ms` and when the first is over for the sweep."""
    due_ms, sweep_ms = conn.execute(
        "SELECT (SELECT min(due_ms) FROM charges WHERE due_ms IS NOT NULL),"
        " (SELECT min(sweep_ms) FROM charges WHERE status = 'active')"
    ).fetchone()
    return due_ms, sweep_ms


def _one(conn: sqlite3.Connection, where: str, *values: Any) -> Charge | None:
    row = conn.execute(f"{_SELECT} WHERE {where} LIMIT 1", values).fetchone()
    return None if row is None else Charge(**dict(row))


def _many(conn: sqlite3.Connection, where: str, *values: Any) -> list[Charge]:
    return [Charge(**dict(row)) for row in conn.execute(f"{_SELECT} WHERE {where}", values)]
