"""Books with something of everything in them: each kind of transaction in each of its states, by
each way that leads there, charges and disputes in each state, and payments of the first version of
the file.
"""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path

from guarita.sandbox.books import accounts, transactions
from guarita.sandbox.books.transactions import Transaction
from guarita.sandbox.database import Database
from guarita.sandbox.pix import (
    charges,
    directory,
    disputes,
    payouts,
    queue,
    receipts,
    refunds,
    returns,
    settlement,
)
from guarita.sandbox.pix.charges import CashIn
from guarita.sandbox.pix.disputes import DefenseOrder, Infraction
from guarita.sandbox.pix.payouts import CashOut
from guarita.sandbox.pix.refunds import RefundOrder
from guarita.sandbox.pix.rules import Rules
from guarita.sandbox.text import brcode, identifiers, pix_keys

RULES = Rules(opening_balance=10_000_000)
PAYER = directory.someone("a payer of the tests")
START = datetime(2026, 5, 1, 12, 0, 30, tzinfo=UTC)

# The first version of the file held accounts opened, and payments posted at once.
_VERSION_1 = """
    INSERT INTO ledger_accounts (id, kind, name, opened_at) VALUES
        (1, 'customer', 'alice', '2026-04-01T09:00:00Z'),
        (2, 'equity', 'opening-balances', '2026-04-01T09:00:00Z'),
        (3, 'clearing', 'pix-settlement', '2026-04-01T09:00:00Z'),
        (4, 'income', 'pix-fees', '2026-04-01T09:00:00Z');
    BEGIN;
    INSERT INTO postings VALUES (1, 'opening_balance', NULL, '2026-04-01T09:00:00Z');
    INSERT INTO entries VALUES (1, 1, 9000000), (1, 2, -9000000);
    INSERT INTO posting_seals VALUES (1);
    INSERT INTO transactions VALUES ('PIXOUTold', 'b7a3a1c2-0000-4000-8000-000000000001', 'alice',
        'pix', 'outbound', 'settled', 3000, 350, 3350, 'ana@example.com', 'email', NULL, NULL, NULL,
        'E3992922420260401090012345678901', 'digest', 0, '2026-04-01T09:00:00Z',
        '2026-04-01T09:00:00Z');
    INSERT INTO postings VALUES (2, 'pix_cash_out', 'PIXOUTold', '2026-04-01T09:00:00Z');
    INSERT INTO entries VALUES (2, 1, -3350), (2, 3, 3000), (2, 4, 350);
    INSERT INTO posting_seals VALUES (2);
    COMMIT;
    PRAGMA user_version = 1;
"""


class Teller:
    """Carries out business on one file, each step at its own second and in its own transaction."""

    def __init__(self, path: Path, rules: Rules = RULES) -> None:
        self.database = Database(path)
        self.rules = rules
        self.at = START

    def close(self) -> None:
        self.database.close()

    def tick(self, seconds: float = 1) -> datetime:
        self.at += timedelta(seconds=seconds)
        return self.at

    def open(self, *names: str, balance: int | None = None) -> None:
        opening = self.rules.opening_balance if balance is None else balance
        with self.database.writing() as conn:
            for name in names:
                accounts.open_customer(conn, name, balance=opening, at=self.tick())

    def balance(self, account: str) -> accounts.Balance:
        with self.database.reading() as conn:
            found = accounts.balance(conn, account)
        assert found is not None
        return found

    def money(self, account: str = "alice") -> tuple[int, int]:
        """What is available, and what is on hold."""
        found = self.balance(account)
        return found.available, found.pending

    def events(self, account: str) -> list[tuple[str, str]]:
        """The account's events as (type, status), in the order written."""
        with self.database.reading() as conn:
            rows = conn.execute(
                "SELECT event_type, status FROM events WHERE account = ? ORDER BY number",
                (account,),
            )
            return [(row[0], row[1]) for row in rows]

    def payout(self, account: str = "alice", key: str = "", scenario: str = "") -> Transaction:
        to = pix_keys.parse(key or f"payee{self.at:%H%M%S}@example.com")
        order = CashOut(1000, to, scenario=scenario or None)
        with self.database.writing() as conn:
            return payouts.create(conn, account, order, at=self.tick(), rules=self.rules)

    def settled_payout(self) -> Transaction:
        payout = self.payout()
        with self.database.writing() as conn:
            return payouts.settle(conn, payout, at=self.tick(), rules=self.rules)

    def give_back(self, payout: Transaction, amount: int | None = None) -> Transaction:
        with self.database.writing() as conn:
            return returns.give_back(
                conn, payout, amount, reason="MD06", at=self.tick(), rules=self.rules
            )

    def charge(self, account: str = "alice") -> charges.Charge:
        with self.database.writing() as conn:
            return charges.create(conn, account, CashIn(500), at=self.tick(), rules=self.rules)

    def paid_charge(self, account: str = "alice") -> Transaction:
        charge = self.charge(account)
        with self.database.writing() as conn:
            return charges.pay(
                conn,
                charge,
                PAYER,
                end_to_end_id=identifiers.new_end_to_end_id(self.tick(), ispb=PAYER.ispb),
                at=self.at,
                rules=self.rules,
            )

    def receipt(self, account: str = "alice", amount: int = 50_000) -> Transaction:
        """A payment to a key, in base units."""
        with self.database.writing() as conn:
            return receipts.receive(
                conn,
                account,
                amount=amount,
                end_to_end_id=identifiers.new_end_to_end_id(self.tick(), ispb=PAYER.ispb),
                payer=PAYER,
                at=self.at,
                rules=self.rules,
            )

    def refund(
        self, receipt: Transaction, centavos: int | None = None, scenario: str | None = None
    ) -> Transaction:
        order = RefundOrder(receipt.transaction_id, centavos, scenario=scenario)
        with self.database.writing() as conn:
            return refunds.create(conn, receipt.account, order, at=self.tick(), rules=self.rules)

    def settled_refund(self, refund: Transaction) -> Transaction:
        with self.database.writing() as conn:
            return refunds.settle(conn, refund, at=self.tick(), rules=self.rules)

    def case(self, receipt: Transaction) -> Infraction:
        with self.database.writing() as conn:
            return disputes.open_case(
                conn, receipt, reason="fraud", at=self.tick(), rules=self.rules
            )

    def defend(self, case: Infraction, scenario: str | None = None) -> disputes.Defense:
        order = DefenseOrder("Delivered.", ({"url": "https://example.com/a"},), scenario)
        with self.database.writing() as conn:
            return disputes.defend(
                conn, case.account, case.id, order, at=self.tick(), rules=self.rules
            )

    def resolve(self, case: Infraction, result: disputes.Result) -> Infraction:
        with self.database.writing() as conn:
            return settlement.resolve(conn, case, result, at=self.tick(), rules=self.rules)


def version_1(path: Path) -> None:
    """A file as the first version of the bank left it, with one payment of `alice`."""
    script = (files("guarita.sandbox") / "migrations" / "0001_ledger_and_payments.sql").read_text()
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        conn.execute("PRAGMA foreign_keys = ON")
        conn.executescript(script + _VERSION_1)


def everything(path: Path) -> dict[str, str]:
    """Write a file that holds something of everything; returns the ids by what they name."""
    version_1(path)
    with closing(Teller(path)) as teller:
        teller.open("alice", "bob")
        teller.open("poor", balance=0)
        ids = {"old": "PIXOUTold"}
        ids |= {name: each.transaction_id for name, each in _payouts(teller).items()}
        ids |= {name: each.transaction_id for name, each in _incoming(teller).items()}
        return ids | {name: each.id for name, each in _cases(teller).items()}


def _payouts(teller: Teller) -> dict[str, Transaction]:
    rules, database = teller.rules, teller.database
    made = {
        "queued": teller.payout(scenario="queued"),
        "processing": teller.payout(),
        "settled": teller.settled_payout(),
        "returned": teller.settled_payout(),
        "partly": teller.settled_payout(),
        "failed": teller.payout(),
        "expired": teller.payout(scenario="queued-expired"),
        "let through": teller.payout(scenario="queued"),
        "settled late": teller.payout(scenario="queued"),
        "held": teller.payout(),
    }
    for amount in (30_000, None):
        made["return"] = teller.give_back(made["returned"], amount)
    made["part"] = teller.give_back(made["partly"], 30_000)
    with database.writing() as conn:
        payouts.fail(conn, made["failed"], "AC03", at=teller.tick())
        payouts.fail(conn, made["expired"], "DICT", at=teller.tick())
        for name in ("let through", "settled late"):
            made[name] = queue.retry(conn, made[name], at=teller.tick(60), rules=rules)
        payouts.settle(conn, made["settled late"], at=teller.tick(), rules=rules)
        payouts.hold_for_review(conn, made["held"], at=teller.tick(), rules=rules)
        key = accounts.keys(conn, "bob")[0].key
    return made | _inside(teller, key)


def _inside(teller: Teller, key: str) -> dict[str, Transaction]:
    """Payments of alice to bob, by key and by QR code, of which a part is refunded."""
    inside = teller.payout(key=key)
    code = CashOut(1, emv=brcode.parse(teller.charge("bob").qr_code))
    with teller.database.writing() as conn:
        by_code = payouts.create(conn, "alice", code, at=teller.tick(), rules=teller.rules)
        for payout in (inside, by_code):
            payouts.settle(conn, payout, at=teller.tick(), rules=teller.rules)
        arrived = transactions.by_end_to_end_id(conn, "bob", inside.end_to_end_id)
    assert arrived is not None
    refund = teller.refund(arrived, 300)
    with teller.database.writing() as conn:
        settlement.settle_refund(conn, refund, at=teller.tick(), rules=teller.rules)
    return {"inside": inside, "inside by code": by_code, "refund inside": refund}


def _incoming(teller: Teller) -> dict[str, Transaction]:
    made = {"paid charge": teller.paid_charge(), "receipt": teller.receipt()}
    made["refund"] = teller.settled_refund(teller.refund(made["receipt"], 100))
    made["refunding"] = teller.refund(made["receipt"], 200)
    released = teller.refund(made["receipt"], scenario=refunds.RELEASED, centavos=150)
    made["released"] = teller.settled_refund(released)
    teller.charge("bob")
    ended = teller.charge("bob")
    with teller.database.writing() as conn:
        charges.expire(conn, ended, at=teller.tick())
    return made


def _cases(teller: Teller) -> dict[str, Infraction]:
    made = {
        "open": teller.case(teller.receipt()),
        "agreed": teller.case(teller.paid_charge()),
        "disagreed": teller.case(teller.receipt()),
        "cancelled": teller.case(teller.receipt()),
        "nothing blocked": teller.case(teller.receipt("poor", amount=100)),
    }
    for name in ("open", "agreed"):
        teller.defend(made[name])
    teller.resolve(made["agreed"], "AGREED")
    teller.resolve(made["disagreed"], "DISAGREED")
    teller.resolve(made["cancelled"], "CANCELLED")
    teller.resolve(made["nothing blocked"], "AGREED")
    return made
