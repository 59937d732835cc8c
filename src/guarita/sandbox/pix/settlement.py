"""The settlement system, simulated: what is due, done.

What belongs here: which step is whose. What does not: the steps themselves. This is the only module
that knows every kind of business.
"""

import logging
import sqlite3
from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from guarita.sandbox.books import charges as charge_records
from guarita.sandbox.books import transactions
from guarita.sandbox.books.transactions import Transaction
from guarita.sandbox.pix import charges, disputes, payouts, queue, refunds, returns
from guarita.sandbox.pix.charges import Charge
from guarita.sandbox.pix.disputes import Infraction, Result
from guarita.sandbox.pix.rules import BASE_UNITS_PER_CENTAVO, Rules
from guarita.sandbox.refusals import Refused
from guarita.sandbox.text import timestamps

T = TypeVar("T", bound=Transaction | Charge | Infraction)

logger = logging.getLogger("guarita.sandbox")

AT_ONCE = 50  # steps of each kind in one write transaction, so that requests need not wait long
PUT_OFF_MS = 60_000
"""A step that failed is tried again so much later; the steps of others go on."""

DISPUTE_REASON = "Reported by the payer's bank as fraud"


def work(conn: sqlite3.Connection, *, at: datetime, rules: Rules) -> bool:
    """Take what is due one step on, at most `AT_ONCE` of each kind. Returns whether anything was
    due: then there may be more. A step that fails is undone, logged and put off.

    `conn` must be inside a write transaction, which makes each step happen once, however many
    processes work.
    """
    now_ms = timestamps.milliseconds(at)
    later_ms = now_ms + PUT_OFF_MS
    due = transactions.due(conn, now_ms, AT_ONCE)
    _each(
        *(conn, due),
        lambda transaction: _advance(conn, transaction, at=at, rules=rules),
        lambda transaction: transactions.amend(conn, transaction, due_ms=later_ms),
    )
    due_charges = charges.due(conn, now_ms, AT_ONCE)
    _each(
        *(conn, due_charges),
        lambda charge: charges.advance(conn, charge, at=at, rules=rules),
        lambda charge: charge_records.put_off(conn, charge, later_ms),
    )
    swept = charges.over(conn, at=at, rules=rules)
    _each(
        *(conn, swept),
        lambda charge: charges.expire(conn, charge, at=at),
        lambda charge: charge_records.put_off(conn, charge, later_ms),
    )
    cases = disputes.due(conn, now_ms, AT_ONCE)
    _each(
        *(conn, cases),
        lambda case: _resolve(conn, case, at=at, rules=rules),
        lambda case: disputes.put_off(conn, case, later_ms),
    )
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


def _each(
    conn: sqlite3.Connection,
    due: list[T],
    step: Callable[[T], object],
    put_off: Callable[[T], object],
) -> None:
    """Take each one step on. A step that fails of itself, and would fail again, must not keep the
    bank from all others; where the file cannot be written, the whole work fails.
    """
    for each in due:
        conn.execute("SAVEPOINT step")
        try:
            step(each)
        except sqlite3.OperationalError:
            raise
        except Exception:
            if not conn.in_transaction:
                raise
            conn.execute("ROLLBACK TO step")
            name = each.id if isinstance(each, Infraction) else each.transaction_id
            seconds = PUT_OFF_MS // 1000
            logger.exception("the step that was due of %s failed; put off %d s", name, seconds)
            put_off(each)
        conn.execute("RELEASE step")


def _resolve(conn: sqlite3.Connection, case: Infraction, *, at: datetime, rules: Rules) -> None:
    resolve(conn, case, disputes.OUTCOMES[case.scenario or ""], at=at, rules=rules)


def _advance(
    conn: sqlite3.Connection, transaction: Transaction, *, at: datetime, rules: Rules
) -> None:
    current = transactions.find(conn, transaction.transaction_id)
    if current is None or current.due_ms != transaction.due_ms:
        return  # an earlier step of this batch took it along
    if current.kind == "payout" and current.status == "settled":
        _come_back(conn, current, at=at, rules=rules)
    elif current.status == "queued":
        queue.retry(conn, current, at=at, rules=rules)
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
