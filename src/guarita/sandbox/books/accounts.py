"""Customers of the bank: opening, balances, PIX keys, holds.

What belongs here: what an account is and has. What does not: why money moves (`pix/`).
"""

import sqlite3
import uuid
from dataclasses import dataclass
from datetime import datetime

from guarita.sandbox.books import ledger
from guarita.sandbox.text import timestamps
from guarita.sandbox.text.pix_keys import PixKey

OPENING_BALANCE = "opening_balance"
MAX_KEYS = 20  # of a company, fact sheet §6.12


@dataclass(frozen=True, slots=True)
class Customer:
    """Who holds an account: its id, and the integer account number that webhook bodies carry
    (§7.3).
    """

    account: str
    number: int

    @property
    def name(self) -> str:
        return f"Lojista {self.number}"


@dataclass(frozen=True, slots=True)
class Balance:
    """An account's money in base units: `available` = `balance` - `pending` (§6.11)."""

    balance: int
    pending: int

    @property
    def available(self) -> int:
        return self.balance - self.pending


@dataclass(frozen=True, slots=True)
class RegisteredKey:
    """A PIX key that leads to an account of this bank (§6.12)."""

    key: str
    key_type: str
    account: str
    status: str
    created_at: str


class KeyTaken(ValueError):
    """The key leads to an account already."""


class TooManyKeys(ValueError):
    """The account has as many keys as it may have."""


def open_customer(
    conn: sqlite3.Connection, account: str, *, balance: int, at: datetime
) -> Customer:
    """The account's customer. Opens the account on its first use: with an opening balance (base
    units) posted from the bank's equity, and with one random key.
    """
    known = customer(conn, account)
    if known is not None:
        return known
    time = timestamps.iso(at)
    conn.execute("INSERT INTO customers (account, opened_at) VALUES (?, ?)", (account, time))
    for own in (ledger.customer(account), ledger.hold(account)):
        ledger.open_account(conn, own, at=time)
    for own in (ledger.OPENING_EQUITY, ledger.PIX_CLEARING, ledger.PIX_FEES):
        ledger.open_account(conn, own, at=time)
    if balance:
        entries = {ledger.OPENING_EQUITY: -balance, ledger.customer(account): balance}
        ledger.post(conn, entries, kind=OPENING_BALANCE, at=time)
    add_key(conn, account, PixKey("evp", str(uuid.uuid4())), at=at)
    opened = customer(conn, account)
    assert opened is not None  # noqa: S101 - inserted above
    return opened


def customer(conn: sqlite3.Connection, account: str) -> Customer | None:
    """The customer of an open account, or `None`."""
    row = conn.execute(
        "SELECT account, number FROM customers WHERE account = ?", (account,)
    ).fetchone()
    return None if row is None else Customer(*row)


def balance(conn: sqlite3.Connection, account: str) -> Balance | None:
    """The balance of an open account, `None` for one not open."""
    available = ledger.balance(conn, ledger.customer(account))
    if available is None:
        return None
    held = ledger.balance(conn, ledger.hold(account)) or 0
    return Balance(balance=available + held, pending=held)


def room(conn: sqlite3.Connection, account: str, *, limit: int) -> int:
    """How much more an open account may be credited with, in base units, so that what is available
    and what is on hold stay within `limit` together.
    """
    money = balance(conn, account)
    return limit if money is None else max(limit - money.balance, 0)


def registered(conn: sqlite3.Connection, text: str) -> RegisteredKey | None:
    """The active key of this bank that is listed as exactly this text, or `None`."""
    if not text.isascii():
        return None
    row = conn.execute(
        "SELECT key, key_type, account, status, created_at FROM pix_keys"
        " WHERE key = ? AND status = 'active'",
        (text,),
    ).fetchone()
    return None if row is None else RegisteredKey(*row)


def add_key(conn: sqlite3.Connection, account: str, key: PixKey, *, at: datetime) -> RegisteredKey:
    """Register a key for an open account. Raises `KeyTaken` and `TooManyKeys`."""
    if owner_of(conn, key.value) is not None:
        raise KeyTaken(f"the key {key.value} leads to an account of this bank already")
    if len(keys(conn, account)) >= MAX_KEYS:
        raise TooManyKeys(f"account {account} has {MAX_KEYS} PIX keys, the most it may have")
    made = RegisteredKey(key.value, key.type, account, "active", timestamps.iso(at))
    conn.execute(
        "INSERT INTO pix_keys (key, key_type, account, status, created_at) VALUES (?, ?, ?, ?, ?)",
        (made.key, made.key_type, made.account, made.status, made.created_at),
    )
    return made


def keys(conn: sqlite3.Connection, account: str) -> list[RegisteredKey]:
    """The account's keys, oldest first (§6.12)."""
    rows = conn.execute(
        "SELECT key, key_type, account, status, created_at FROM pix_keys WHERE account = ?"
        " ORDER BY number",
        (account,),
    )
    return [RegisteredKey(*row) for row in rows]


def owner_of(conn: sqlite3.Connection, key: str) -> str | None:
    """The account of this bank that a key (in normal form) leads to, or `None`."""
    row = conn.execute(
        "SELECT account FROM pix_keys WHERE key = ? AND status = 'active'", (key,)
    ).fetchone()
    return None if row is None else str(row["account"])
