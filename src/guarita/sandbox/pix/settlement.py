"""The settlement system, simulated: what is due, done.

What belongs here: which step is whose. What does not: the steps themselves. This is the only module
that knows every kind of business.
"""

import sqlite3
from datetime import datetime

from guarita.sandbox.books import transactions
from guarita.sandbox.books.transactions import Transaction
from guarita.sandbox.pix import charges, disputes, payouts, refunds, returns
from guarita.sandbox.pix.disputes import Infraction, Result
from guarita.sandbox.pix.rules import BASE_UNITS_PER_CENTAVO, Rules
from guarita.sandbox.refusals import Refused
from guarita.sandbox.text import timestamps

AT_ONCE = 50  # steps of each kind in one write transaction, so that requests need not wait long

DISPUTE_REASON = "Reported by the payer's bank as fraud"


def work(conn: sqlite3.Connection, *, at: datetime, rules: Rules) -> bool:
    """Take what is due one step on, at most `AT_ONCE` of each kind. Returns whether anything was
    due: then there may be more.

    `conn` must be inside a write transaction, which makes each step happen once, however many
    processes work.
    """
    now_ms = timestamps.milliseconds(at)
    due = transactions.due(conn, now_ms, AT_ONCE)
    for transaction in due:
        _advance(conn, transaction, at=at, rules=rules)
    due_charges = charges.due(conn, now_ms, AT_ONCE)
    for charge in due_charges:
        charges.advance(conn, charge, at=at, rules=rules)
    swept = charges.sweep(conn, at=at, rules=rules)
    cases = disputes.due(conn, now_ms, AT_ONCE)
    for infraction in cases:
        result = disputes.OUTCOMES[infraction.scenario or ""]
        resolve(conn, infraction, result, at=at, rules=rules)
    return bool(due or due_charges or swept or cases)


def next_due(conn: sqlite3.Connection, *, rules: Rules) -> int | None:
    """When `work` has something to do next, in milliseconds since 1970, or `None`."""
    transaction_ms, infraction_ms = conn.execute(
        "SELECT (SELECT min(due_ms) FROM transactions WHERE due_ms IS NOT NULL),"
        " (SELECT min(due_ms) FROM infractions WHERE due_ms IS NOT NULL)"
    ).fetchone()
    times = (transaction_ms, infraction_ms, charges.next_due(conn, rules=rules))
    return min((ms for ms in times if ms is not None), default=None)


def settle_refund(
    conn: sqlite3.Connection, refund: Transaction, *, at: datetime, rules: Rules
) -> Transaction:
    """Settle a processing refund, on both sides if the payer is an account of this bank."""
    settled = refunds.settle(conn, refund, at=at, rules=rules)
    returns.follow_refund(conn, settled, at=at, rules=rules)
    return settled


def resolve(
    conn: sqlite3.Connection,
    infraction: Infraction,
    result: Result,
    *,
    at: datetime,
    rules: Rules,
) -> Infraction:
    """End a case; the refund it may cause reaches a payer of this bank as well."""
    resolved = disputes.resolve(conn, infraction, result, at=at, rules=rules)
    for refund in transactions.giving_back(conn, resolved.transaction_id, "refund"):
        returns.follow_refund(conn, refund, at=at, rules=rules)
    return resolved


def _advance(
    conn: sqlite3.Connection, transaction: Transaction, *, at: datetime, rules: Rules
) -> None:
    current = transactions.find(conn, transaction.transaction_id)
    if current is None or current.due_ms != transaction.due_ms:
        return  # an earlier step of this batch took it along
    if current.kind == "payout" and current.status == "settled":
        _come_back(conn, current, at=at, rules=rules)
    elif current.kind == "payout":
        payouts.advance(conn, current, at=at, rules=rules)
    elif current.kind == "refund":
        settle_refund(conn, current, at=at, rules=rules)
    else:
        _dispute(conn, current, at=at, rules=rules)


def _come_back(
    conn: sqlite3.Connection, payout: Transaction, *, at: datetime, rules: Rules
) -> None:
    amount = returns.returnable(conn, payout)
    if payout.scenario == payouts.RETURNED_PARTLY:
        # Half of it in whole centavos, and not more than is left.
        centavos = -(-payout.amount // BASE_UNITS_PER_CENTAVO // 2)
        amount = min(amount, centavos * BASE_UNITS_PER_CENTAVO)
    returns.give_back(conn, payout, amount, reason="MD06", at=at, rules=rules)


def _dispute(conn: sqlite3.Connection, receipt: Transaction, *, at: datetime, rules: Rules) -> None:
    settled = transactions.amend(conn, receipt, due_ms=None)
    try:
        disputes.open_case(conn, settled, reason=DISPUTE_REASON, at=at, rules=rules)
    except Refused:
        return  # refunded or disputed in the meantime: nothing is left to ask back
