"""The books: accounts, postings, entries. Double entry over an open SQLite write transaction.

What belongs here: opening ledger accounts, posting balanced entries, reading balances. What does
not: why money moves (`pix/`) and whether the books as a whole are right (`audit`).

Amounts are integers of base units (1/10,000 BRL). An entry's sign is that of the bank's debt: a
customer's balance is positive when the bank owes the customer. The same laws stand in the schema as
constraints and triggers; the checks here come first to give a caller a clear error.
"""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a ledger account is for. `CUSTOMER` (money available) and `HOLD` (in flight or blocked
    by a dispute) belong to a customer and are barred from falling below zero.
    """

    CUSTOMER = "customer"
    HOLD = "hold"
    CLEARING = "clearing"
    INCOME = "income"
    EQUITY = "equity"


@dataclass(frozen=True, slots=True)
class LedgerAccount:
    """A ledger account by its kind and name. A customer's name is the account id of its owner."""

    kind: Kind
    name: str


LIMIT = 2**62  # of any sum, in base units: half of what SQLite's integers hold

# The bank's own accounts.
OPENING_EQUITY = LedgerAccount(Kind.EQUITY, "opening-balances")
PIX_CLEARING = LedgerAccount(Kind.CLEARING, "pix-settlement")
PIX_FEES = LedgerAccount(Kind.INCOME, "pix-fees")


class LedgerError(Exception):
    """A posting that may not be made: it does not balance, or names an account that is not open."""


class TooMuchMoney(LedgerError):
    """A posting that would take one of the bank's sums near what its file can hold."""


class InsufficientBalance(LedgerError):
    """A posting that would take a customer (or its hold) below zero. `available` and `needed` are
    base units.
    """

    def __init__(self, account: LedgerAccount, available: int, needed: int) -> None:
        super().__init__(f"{account.name} holds {available} base units, the posting needs {needed}")
        self.available = available
        self.needed = needed


def customer(account: str) -> LedgerAccount:
    """The ledger account of the customer with this account id."""
    return LedgerAccount(Kind.CUSTOMER, account)


def hold(account: str) -> LedgerAccount:
    """The ledger account of what the customer with this account id cannot spend at the moment."""
    return LedgerAccount(Kind.HOLD, account)


def balance(conn: sqlite3.Connection, account: LedgerAccount) -> int | None:
    """The account's balance in base units, or `None` while it is not open."""
    row = _row(conn, account)
    return None if row is None else int(row["balance"])


def open_account(conn: sqlite3.Connection, account: LedgerAccount, *, at: str) -> None:
    """Open the account unless it is open already."""
    conn.execute(
        "INSERT INTO ledger_accounts (kind, name, opened_at) VALUES (?, ?, ?)"
        " ON CONFLICT (kind, name) DO NOTHING",
        (account.kind, account.name, at),
    )


def post(
    conn: sqlite3.Connection,
    entries: Mapping[LedgerAccount, int],
    *,
    kind: str,
    at: str,
    transaction_id: str | None = None,
    infraction: str | None = None,
) -> int:
    """Write one posting and its entries, and return its id. Entries of zero are left out.

    `infraction` is the dispute that blocks or frees money of `transaction_id`.

    `conn` must be inside a write transaction. Raises `InsufficientBalance` if a customer's account
    would fall below zero, `TooMuchMoney` if an account would go beyond `LIMIT`, and `LedgerError`
    if the entries do not sum to zero or an account is not open; nothing is written then.
    """
    if not conn.in_transaction:
        raise LedgerError("a posting needs an open write transaction")
    moves = {account: amount for account, amount in entries.items() if amount != 0}
    if any(type(amount) is not int for amount in moves.values()):
        raise LedgerError("amounts are integers of base units")
    if len(moves) < 2 or sum(moves.values()) != 0:
        raise LedgerError("a posting needs two entries or more that sum to zero")
    ids = {account: _check_move(conn, account, amount) for account, amount in moves.items()}
    cursor = conn.execute(
        "INSERT INTO postings (kind, transaction_id, infraction, posted_at) VALUES (?, ?, ?, ?)",
        (kind, transaction_id, infraction, at),
    )
    posting_id = cursor.lastrowid
    assert posting_id is not None  # noqa: S101 - an INSERT into a rowid table always sets it
    conn.executemany(
        "INSERT INTO entries (posting_id, ledger_account_id, amount) VALUES (?, ?, ?)",
        [(posting_id, ids[account], amount) for account, amount in moves.items()],
    )
    conn.execute("INSERT INTO posting_seals (posting_id) VALUES (?)", (posting_id,))
    return posting_id


def _check_move(conn: sqlite3.Connection, account: LedgerAccount, amount: int) -> int:
    row = _row(conn, account)
    if row is None:
        raise LedgerError(f"ledger account {account.kind}:{account.name} is not open")
    if account.kind in (Kind.CUSTOMER, Kind.HOLD) and row["balance"] + amount < 0:
        raise InsufficientBalance(account, available=row["balance"], needed=-amount)
    if abs(row["balance"] + amount) > LIMIT:
        raise TooMuchMoney(f"{account.kind}:{account.name} cannot hold more")
    return int(row["id"])


def _row(conn: sqlite3.Connection, account: LedgerAccount) -> sqlite3.Row | None:
    found: sqlite3.Row | None = conn.execute(
        "SELECT id, balance FROM ledger_accounts WHERE kind = ? AND name = ?",
        (account.kind, account.name),
    ).fetchone()
    return found
