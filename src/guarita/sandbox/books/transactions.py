"""The record of each transaction: its fields, the states it may pass through, finding it again.

What belongs here: rows and states. What does not: why a state changes, and the money that moves
with it (`pix/`). Every change of state goes through `move`, which writes the transaction's story.
"""

import sqlite3
import uuid
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from guarita.sandbox.text import identifiers, timestamps

Kind = Literal["payout", "receipt", "refund", "return"]
Status = Literal["queued", "processing", "settled", "failed", "returned"]

TAGGED_MAX = 50  # fact sheet §6.8
# Of an account's transactions or charges, the newest whose id lies between two texts: answered from
# an index alone, however many the account has.
TAGGED = "account = ? AND transaction_id >= ? AND transaction_id < ? ORDER BY number DESC LIMIT ?"
LAST = "\U0010ffff"  # sorts after every character of an id

# From each state to those that may follow. A new transaction starts in one of STARTS.
MOVES: dict[str, tuple[Status, ...]] = {
    "queued": ("processing", "failed"),
    "processing": ("settled", "failed"),
    "settled": ("returned",),
    "failed": (),
    "returned": (),
}
STARTS: dict[str, tuple[Status, ...]] = {
    "payout": ("queued", "processing"),
    "refund": ("processing",),
    "receipt": ("settled",),
    "return": ("settled",),
}
IN_FLIGHT: tuple[Status, ...] = ("queued", "processing")


class TransactionNotFound(LookupError):
    """No such transaction, or another account's: a caller cannot tell which."""


class WrongState(ValueError):
    """The transaction cannot pass from the state it is in to the one asked for."""


@dataclass(frozen=True, slots=True)
class Transaction:
    """A transaction as recorded. Amounts in base units; outbound `net_amount` = `amount` +
    `fee_amount`, inbound `amount` - `fee_amount`. `*_ms` in milliseconds since 1970, `*_at` ISO
    8601 UTC.

    `original` is the transaction id of what a refund or return gives back, `charge` that of the
    charge a receipt paid (or a payout is to pay), `receiver` the account of this bank a payout was
    resolved to (`None`: it leads to another bank). `reason` is the code of a failure, refund or
    return. `due_ms` is when the settlement system looks at it next.
    """

    transaction_id: str
    uuid: str
    account: str
    kind: Kind
    direction: Literal["inbound", "outbound"]
    status: Status
    in_review: bool
    amount: int
    fee_amount: int
    net_amount: int
    end_to_end_id: str
    pix_key: str | None
    pix_key_type: str | None
    description: str | None
    external_id: str | None
    counterparty_name: str | None
    counterparty_document: str | None
    counterparty_ispb: str | None
    counterparty_bank: str | None
    original: str | None
    charge: str | None
    reason: str | None
    scenario: str | None
    due_ms: int | None
    created_ms: int
    created_at: str
    completed_at: str | None
    receiver: str | None = None

    @property
    def final(self) -> bool:
        """Whether its first outcome is known. A settled payout can still be returned."""
        return self.status not in IN_FLIGHT


_COLUMNS = tuple(Transaction.__dataclass_fields__)
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM transactions"  # noqa: S608 - fixed names


def draft(
    *,
    account: str,
    kind: Kind,
    status: Status,
    amount: int,
    fee: int,
    end_to_end_id: str,
    at: datetime,
    **rest: Any,
) -> Transaction:
    """A new transaction of these fields (amounts in base units); what is not given is `None`.
    `record` writes it.
    """
    outbound = kind in ("payout", "refund")
    time = timestamps.iso(at)
    fields: dict[str, Any] = dict.fromkeys(_COLUMNS)
    fields |= {
        "transaction_id": identifiers.new_transaction_id(at, kind),
        "uuid": str(uuid.uuid4()),
        "account": account,
        "kind": kind,
        "direction": "outbound" if outbound else "inbound",
        "status": status,
        "in_review": False,
        "amount": amount,
        "fee_amount": fee,
        "net_amount": amount + fee if outbound else amount - fee,
        "end_to_end_id": end_to_end_id,
        "created_ms": timestamps.milliseconds(at),
        "created_at": time,
        "completed_at": None if status in IN_FLIGHT else time,
    }
    unknown = rest.keys() - fields.keys()
    if unknown:
        raise TypeError(f"a transaction has no {', '.join(sorted(unknown))}")
    return Transaction(**(fields | rest))


def record(conn: sqlite3.Connection, transaction: Transaction) -> Transaction:
    """Write a new transaction and the first step of its story. Raises `WrongState` for a state it
    cannot start in.
    """
    if transaction.status not in STARTS[transaction.kind]:
        raise WrongState(f"a {transaction.kind} does not start {transaction.status}")
    conn.execute(
        f"INSERT INTO transactions ({', '.join(_COLUMNS)})"  # noqa: S608 - fixed names
        f" VALUES ({', '.join('?' * len(_COLUMNS))})",
        [getattr(transaction, name) for name in _COLUMNS],
    )
    tell(conn, transaction.transaction_id, transaction.status, transaction.created_at)
    return transaction


def move(
    conn: sqlite3.Connection,
    transaction: Transaction,
    status: Status,
    *,
    at: datetime,
    due_ms: int | None = None,
    reason: str | None = None,
) -> Transaction:
    """Take the transaction to its next state. A state that is not in flight completes it.

    Raises `WrongState` if it may not, or is not (or no longer) in the state given.
    """
    if status not in MOVES[transaction.status]:
        raise WrongState(
            f"{transaction.transaction_id} is {transaction.status} and cannot become {status}"
        )
    time = timestamps.iso(at)
    completed_at = transaction.completed_at
    if completed_at is None and status not in IN_FLIGHT:
        completed_at = time
    changed = conn.execute(
        "UPDATE transactions SET status = ?, in_review = 0, due_ms = ?, completed_at = ?,"
        " reason = coalesce(?, reason) WHERE transaction_id = ? AND status = ?",
        (
            status,
            due_ms,
            completed_at,
            reason,
            transaction.transaction_id,
            transaction.status,
        ),
    ).rowcount
    if changed != 1:
        raise WrongState(f"{transaction.transaction_id} is not {transaction.status} any more")
    tell(conn, transaction.transaction_id, status, time)
    return replace(
        transaction,
        status=status,
        in_review=False,
        due_ms=due_ms,
        completed_at=completed_at,
        reason=reason or transaction.reason,
    )


def amend(conn: sqlite3.Connection, transaction: Transaction, **fields: Any) -> Transaction:
    """Change fields that are no state: `due_ms`, `in_review`, `scenario`, what was learned of the
    counterparty and receiver.
    """
    allowed = {"due_ms", "in_review", "scenario", "receiver"}
    allowed |= {name for name in _COLUMNS if name.startswith("counterparty_")}
    if not fields or not fields.keys() <= allowed:
        raise TypeError(f"only {', '.join(sorted(allowed))} can be amended")
    conn.execute(
        f"UPDATE transactions SET {', '.join(f'{name} = ?' for name in fields)}"  # noqa: S608
        " WHERE transaction_id = ?",
        (*fields.values(), transaction.transaction_id),
    )
    return replace(transaction, **fields)


def tell(conn: sqlite3.Connection, subject: str, status: str, time: str) -> None:
    """Write the next step of the story of a transaction or charge."""
    conn.execute(
        "INSERT INTO stories (subject, step, status, at)"
        " SELECT ?, count(*), ?, ? FROM stories WHERE subject = ?",
        (subject, status, time, subject),
    )


def find(conn: sqlite3.Connection, transaction_id: str) -> Transaction | None:
    """The transaction with this id, of whatever account."""
    return _one(conn, "transaction_id = ?", transaction_id)


def of_account(conn: sqlite3.Connection, account: str, transaction_id: str) -> Transaction | None:
    """The account's transaction with this id."""
    return _one(conn, "transaction_id = ? AND account = ?", transaction_id, account)


def by_end_to_end_id(
    conn: sqlite3.Connection, account: str, end_to_end_id: str
) -> Transaction | None:
    """The account's transaction: a settled one first, then one in flight, then the latest that
    failed (§6.6).
    """
    return _one(
        conn,
        "end_to_end_id = ? AND account = ? ORDER BY CASE WHEN status IN ('settled', 'returned')"
        " THEN 0 WHEN status IN ('queued', 'processing') THEN 1 ELSE 2 END, number DESC",
        end_to_end_id,
        account,
    )


def by_external_id(conn: sqlite3.Connection, account: str, external_id: str) -> Transaction | None:
    """The account's latest transaction with this external id."""
    return _one(conn, "external_id = ? AND account = ? ORDER BY number DESC", external_id, account)


def by_tag(conn: sqlite3.Connection, account: str, prefix: str) -> list[Transaction]:
    """The account's transactions whose id starts so, newest first, at most 50 (§6.8)."""
    return select(
        conn,
        TAGGED,
        account,
        prefix,
        prefix + LAST,
        TAGGED_MAX,
    )


def giving_back(
    conn: sqlite3.Connection, original: str, kind: Literal["refund", "return"]
) -> list[Transaction]:
    """The refunds or returns of a transaction that were not rejected."""
    return select(
        conn, "original = ? AND kind = ? AND status <> 'failed' ORDER BY number", original, kind
    )


def due(conn: sqlite3.Connection, now_ms: int, limit: int) -> list[Transaction]:
    """Transactions the settlement system has to look at, the longest due first."""
    return select(conn, "due_ms <= ? ORDER BY due_ms, number LIMIT ?", now_ms, limit)


def _one(conn: sqlite3.Connection, where: str, *values: Any) -> Transaction | None:
    row = conn.execute(f"{_SELECT} WHERE {where} LIMIT 1", values).fetchone()
    return None if row is None else _read(row)


def select(conn: sqlite3.Connection, where: str, *values: Any) -> list[Transaction]:
    """The transactions that a condition holds for: fixed SQL text of the caller's, values bound."""
    return [_read(row) for row in conn.execute(f"{_SELECT} WHERE {where}", values)]


def _read(row: sqlite3.Row) -> Transaction:
    fields = dict(row)
    fields["in_review"] = bool(fields["in_review"])
    return Transaction(**fields)
