"""The queue of payouts that wait for the directory of keys (fact sheet §6.2).

What belongs here: when a queued payout is tried again, and what becomes of it. What does not: who
comes into the queue, and what follows it (`payouts`).
"""

import sqlite3
from datetime import datetime

from guarita.sandbox.books import ledger, transactions
from guarita.sandbox.books.transactions import Transaction
from guarita.sandbox.pix import destinations, directory, payouts, reasons
from guarita.sandbox.pix.rules import Rules
from guarita.sandbox.text import timestamps

_LET_THROUGH_AT_RETRY = 2  # of scenario `queued`
_BY_SCENARIO = (payouts.QUEUED, payouts.QUEUED_EXPIRED)


def retry(
    conn: sqlite3.Connection, payout: Transaction, *, at: datetime, rules: Rules
) -> Transaction:
    """Try a queued payout again: it becomes `processing`, waits on, or fails (too long in the
    queue, too little money).
    """
    waited_ms = timestamps.milliseconds(at) - payout.created_ms
    if waited_ms >= rules.queue_limit_s * 1000:
        return payouts.fail(conn, payout, reasons.DIRECTORY, at=at)
    if not _let_through(conn, payout, waited_ms, at=at, rules=rules):
        return _wait_on(conn, payout, at=at, rules=rules)
    key = destinations.key_of(payout)
    if key is not None:
        to = destinations.of_key(conn, key, rules=rules)
        if to.account == payout.account:  # the key was registered with it in the meantime
            return payouts.fail(conn, payout, reasons.NOT_AUTHORISED, at=at)
        payout = transactions.amend(conn, payout, **payouts.known(to))
    try:
        return payouts.start(conn, payout, at=at, rules=rules)
    except ledger.InsufficientBalance:
        return payouts.fail(conn, payout, reasons.INSUFFICIENT_BALANCE, at=at)


def _let_through(
    conn: sqlite3.Connection, payout: Transaction, waited_ms: int, *, at: datetime, rules: Rules
) -> bool:
    if payout.scenario == payouts.QUEUED_EXPIRED:
        return False
    if payout.scenario == payouts.QUEUED:
        return waited_ms >= _LET_THROUGH_AT_RETRY * rules.queue_retry_s * 1000
    return directory.admit(conn, payout.account, at=at, rules=rules)


def _wait_on(
    conn: sqlite3.Connection, payout: Transaction, *, at: datetime, rules: Rules
) -> Transaction:
    """Let a queued payout wait for its next turn. If it is the directory that may not be asked, all
    the account's payouts that wait for it and are due wait on too, in one statement.
    """
    due_ms = payouts.due_in(at, rules.queue_retry_s)
    if payout.scenario not in _BY_SCENARIO:
        conn.execute(
            "UPDATE transactions SET due_ms = ? WHERE account = ? AND status = 'queued'"
            " AND due_ms <= ? AND created_ms > ? AND coalesce(scenario, '') NOT IN (?, ?)",
            (
                due_ms,
                payout.account,
                timestamps.milliseconds(at),
                payouts.due_in(at, -rules.queue_limit_s),  # older ones have waited long enough
                *_BY_SCENARIO,
            ),
        )
    return transactions.amend(conn, payout, due_ms=due_ms)
