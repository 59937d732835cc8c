"""One account's incoming business over a database file, at a time the test sets."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from guarita.sandbox.books import accounts, audit, ledger
from guarita.sandbox.books.transactions import Transaction
from guarita.sandbox.database import Database
from guarita.sandbox.pix import charges, directory, receipts
from guarita.sandbox.pix.charges import CashIn, Charge
from guarita.sandbox.pix.rules import Rules
from guarita.sandbox.text import identifiers
from guarita.sandbox.text.pix_keys import PixKey

ACCOUNT = "acc_1"
PAYER = directory.someone("a payer")


@dataclass
class Desk:
    """Each method in its own database transaction; the account is open."""

    database: Database
    rules: Rules
    now: datetime = datetime(2026, 5, 1, 12, 0, 30, tzinfo=UTC)

    def advance(self, **time: float) -> None:
        self.now += timedelta(**time)

    @contextmanager
    def open(self) -> Iterator[sqlite3.Connection]:
        with self.database.writing() as conn:
            accounts.open_customer(conn, ACCOUNT, balance=self.rules.opening_balance, at=self.now)
            yield conn

    def register(self, key: PixKey, account: str = ACCOUNT) -> None:
        with self.open() as conn:
            accounts.open_customer(conn, account, balance=0, at=self.now)
            accounts.add_key(conn, account, key, at=self.now)

    def receive(self, amount: int = 10_000, **more: Any) -> Transaction:
        more.setdefault("end_to_end_id", identifiers.new_end_to_end_id(self.now, ispb=PAYER.ispb))
        with self.open() as conn:
            return receipts.receive(
                conn, ACCOUNT, amount=amount, payer=PAYER, at=self.now, rules=self.rules, **more
            )

    def charge(self, amount: int = 4590, *, account: str = ACCOUNT, **order: Any) -> Charge:
        with self.open() as conn:
            return charges.create(
                conn, account, CashIn(amount, **order), at=self.now, rules=self.rules
            )

    def pay(self, charge: Charge, end_to_end_id: str | None = None) -> Transaction:
        e2e = end_to_end_id or identifiers.new_end_to_end_id(self.now, ispb=PAYER.ispb)
        with self.open() as conn:
            return charges.pay(
                conn, charge, PAYER, end_to_end_id=e2e, at=self.now, rules=self.rules
            )

    def work(self) -> None:
        """Steps of scenarios that are due, then the sweep, as the settlement system does them."""
        with self.open() as conn:
            for charge in charges.due(conn, round(self.now.timestamp() * 1000), 50):
                charges.advance(conn, charge, at=self.now, rules=self.rules)
            charges.sweep(conn, at=self.now, rules=self.rules)

    def next_due(self) -> datetime | None:
        with self.open() as conn:
            ms = charges.next_due(conn, rules=self.rules)
        return None if ms is None else datetime.fromtimestamp(ms / 1000, UTC)

    def now_of(self, charge: Charge) -> Charge:
        """The charge as it stands now."""
        with self.open() as conn:
            return charges.get(conn, charge.transaction_id)

    def balances(self) -> dict[str, int | None]:
        with self.open() as conn:
            return {
                "available": ledger.balance(conn, ledger.customer(ACCOUNT)),
                "held": ledger.balance(conn, ledger.hold(ACCOUNT)),
                "fees": ledger.balance(conn, ledger.PIX_FEES),
                "clearing": ledger.balance(conn, ledger.PIX_CLEARING),
            }

    def events(self) -> list[dict[str, Any]]:
        with self.open() as conn:
            rows = conn.execute("SELECT subject, body FROM events ORDER BY number")
            return [{"subject": row["subject"], **json.loads(row["body"])} for row in rows]

    def story(self, charge: Charge) -> list[str]:
        with self.open() as conn:
            rows = conn.execute(
                "SELECT status FROM stories WHERE subject = ? ORDER BY step",
                (charge.transaction_id,),
            )
            return [str(row["status"]) for row in rows]

    def count(self, table: str) -> int:
        with self.open() as conn:
            (rows,) = conn.execute(f"SELECT count(*) FROM {table}").fetchone()
            return int(rows)

    def audit(self) -> audit.Audit:
        with self.open() as conn:
            return audit.check_ledger(conn)
