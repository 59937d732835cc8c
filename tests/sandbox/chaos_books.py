"""The books after the chaos: computed once more, by plain SQL and sums of our own.

Nothing of the sandbox's audit is used here.
"""

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.sandbox.chaos import Order

OUTBOUND = ("payout", "refund")


class Books:
    """What the bank's file holds once everything has come to its end."""

    def __init__(self, data: Path) -> None:
        with closing(sqlite3.connect(data / "bank.db")) as conn:
            conn.row_factory = sqlite3.Row
            self.transactions = conn.execute("SELECT * FROM transactions").fetchall()
            self.charges = conn.execute("SELECT * FROM charges").fetchall()
            self.cases = conn.execute("SELECT * FROM infractions").fetchall()
            self.defenses = conn.execute("SELECT * FROM defenses").fetchall()
            self.events = conn.execute("SELECT * FROM events ORDER BY number").fetchall()
            self.postings = conn.execute("SELECT * FROM postings").fetchall()
            self.entries = conn.execute(
                "SELECT e.amount, a.kind, a.name FROM entries e"
                " JOIN ledger_accounts a ON a.id = e.ledger_account_id ORDER BY e.posting_id"
            ).fetchall()
        self.by_id = {row["transaction_id"]: row for row in self.transactions}

    def executions(self) -> Counter[str]:
        """How often each order was carried out, by its tag."""
        tags = [row["description"] for row in self.transactions if row["kind"] in OUTBOUND]
        tags += [row["description"] for row in self.charges]
        tags += [row["text"] for row in self.defenses]
        return Counter(tags)

    def check(self, orders: Sequence[Order]) -> None:
        """Every law there is."""
        self.answers_are_kept(orders)
        self.nothing_is_left_in_flight()
        self.every_payment_is_posted_once()
        self.nobody_was_ever_overdrawn()
        self.balances_follow_from_the_transactions()
        self.both_sides_of_a_payment_agree()
        self.nothing_is_given_back_twice()
        self.every_event_is_told_once()

    def answers_are_kept(self, orders: Sequence[Order]) -> None:
        executions = self.executions()
        assert len({order.tag for order in orders}) == len(orders)
        for order in orders:
            count = executions[order.tag]
            assert count <= 1, f"{order.tag} was executed {count} times"
            if order.reply is None or order.reply.status == 409:
                continue
            assert order.reply.status in (200, 202, 404, 422), order.reply
            assert count == (1 if order.reply.status in (200, 202) else 0), order

    def nothing_is_left_in_flight(self) -> None:
        states = Counter(row["status"] for row in self.transactions)
        assert states["queued"] == states["processing"] == 0, states

    def every_payment_is_posted_once(self) -> None:
        posted: dict[str, Counter[str]] = defaultdict(Counter)
        for row in self.postings:
            if row["transaction_id"] is not None and row["infraction"] is None:
                posted[row["transaction_id"]][row["kind"]] += 1
        for row in self.transactions:
            found = dict(posted[row["transaction_id"]])
            if row["kind"] not in OUTBOUND:
                assert found == {row["kind"]: 1}
            elif row["status"] == "failed":
                assert found in ({}, {"hold": 1, "release": 1})
            else:
                assert found == {"hold": 1, "settlement": 1}

    def nobody_was_ever_overdrawn(self) -> None:
        running: Counter[tuple[str, str]] = Counter()
        for row in self.entries:
            account = (row["kind"], row["name"])
            running[account] += row["amount"]
            assert row["kind"] not in ("customer", "hold") or running[account] >= 0, account
        assert sum(running.values()) == 0

    def balances_follow_from_the_transactions(self) -> None:
        balances: Counter[tuple[str, str]] = Counter()
        for row in self.entries:
            balances[row["kind"], row["name"]] += row["amount"]
        expected: Counter[str] = Counter()
        opening = -balances["equity", "opening-balances"]
        accounts = sorted(name for kind, name in balances if kind == "customer")
        for row in self.transactions:
            if row["status"] != "failed":
                outbound = row["kind"] in OUTBOUND
                expected[row["account"]] += -row["net_amount"] if outbound else row["net_amount"]
        blocked: Counter[str] = Counter()
        for row in self.cases:
            if row["status"] == "ACKNOWLEDGED":
                blocked[row["account"]] += row["blocked"]
        for account in accounts:
            own = opening // len(accounts) + expected[account]
            assert balances["hold", account] == blocked[account]
            assert balances["customer", account] == own - blocked[account]
        fees = sum(row["fee_amount"] for row in self.transactions if row["status"] != "failed")
        assert balances["income", "pix-fees"] == fees

    def both_sides_of_a_payment_agree(self) -> None:
        paid = Counter(row["charge"] for row in self.transactions if row["kind"] == "receipt")
        for charge in self.charges:
            assert paid[charge["transaction_id"]] == (1 if charge["status"] == "paid" else 0)
        receipts = {row["end_to_end_id"]: row for row in self.transactions
                    if row["kind"] == "receipt"}  # fmt: skip
        for row in self.transactions:
            if row["kind"] == "payout" and row["charge"] is not None and row["status"] != "failed":
                assert receipts[row["end_to_end_id"]]["charge"] == row["charge"]
                assert receipts[row["end_to_end_id"]]["amount"] == row["amount"]

    def nothing_is_given_back_twice(self) -> None:
        given: Counter[str] = Counter()
        for row in self.transactions:
            if row["original"] is not None and row["status"] != "failed":
                given[row["original"]] += row["amount"]
        for original, amount in given.items():
            row = self.by_id[original]
            assert amount <= row["amount"]
            if row["kind"] == "payout":
                assert (row["status"] == "returned") == (amount == row["amount"])

    def every_event_is_told_once(self) -> None:
        bodies: list[dict[str, Any]] = [json.loads(row["body"]) for row in self.events]
        told = Counter((body["entity_id"], body["event_type"]) for body in bodies)
        assert set(told.values()) <= {1}
        ends = {"settled": "pix.payout.confirmed", "returned": "pix.payout.confirmed",
                "failed": "pix.payout.failed"}  # fmt: skip
        for row in self.transactions:
            if row["kind"] == "payout":
                assert told[row["uuid"], ends[row["status"]]] == 1
            elif row["kind"] == "receipt":
                assert told[row["uuid"], "pix.charge.paid"] == 1
            elif row["kind"] == "return":
                assert told[row["uuid"], "pix.return.received"] == 1
            else:
                assert told[row["uuid"], "pix.refund.completed"] == 1
