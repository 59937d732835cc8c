"""Refunds: a received payment given back by its receiver, in whole or in parts (fact sheet §6.4).

What belongs here: ordering a refund, its settlement or release, and the refund a lost dispute
causes. What does not: disputes themselves (`disputes`), money coming back to a payer (`returns`).

A refund costs no fee. It starts `processing` with its money on hold; the settlement system then
settles it or, refused by the payer's bank, releases it.
"""

import sqlite3
from dataclasses import dataclass
from datetime import datetime

from guarita.sandbox.books import ledger, transactions
from guarita.sandbox.books.transactions import Transaction
from guarita.sandbox.pix import notices, reasons
from guarita.sandbox.pix.rules import BASE_UNITS_PER_CENTAVO, MAX_AMOUNT_CENTAVOS, Rules
from guarita.sandbox.refusals import Missing, Refused
from guarita.sandbox.text import identifiers, timestamps

DEFAULT_REASON = reasons.AGREED_RETURN  # fact sheet §6.4
DISPUTE_REASON = reasons.FRAUD
DEFAULT_DESCRIPTION = "Devolução PIX"
RELEASED = "refund-released"  # scenario: the payer's bank refuses the money, the hold is released


@dataclass(frozen=True, slots=True)
class RefundOrder:
    """An order to give back: `amount` in centavos, `None` for the whole received amount. `original`
    is the receipt's transaction id, its end-to-end id, or the txid of the charge it paid.
    """

    original: str
    amount: int | None = None
    reason: str = DEFAULT_REASON
    description: str | None = DEFAULT_DESCRIPTION
    scenario: str | None = None

    def __post_init__(self) -> None:
        if self.amount is not None and (
            type(self.amount) is not int or not 0 < self.amount <= MAX_AMOUNT_CENTAVOS
        ):
            raise ValueError(f"amount must be an integer from 1 to {MAX_AMOUNT_CENTAVOS} centavos")


def create(
    conn: sqlite3.Connection, account: str, order: RefundOrder, *, at: datetime, rules: Rules
) -> Transaction:
    """Order a refund of one of the account's receipts: recorded, its money on hold, announced.

    Raises `Missing` where the account has no such receipt, and `Refused` for more than is left of
    it or more than is available; the caller's database transaction must then be rolled back.
    """
    receipt = _receipt(conn, account, order.original)
    if receipt is None:
        raise Missing("original transaction not found")
    amount = receipt.amount if order.amount is None else order.amount * BASE_UNITS_PER_CENTAVO
    if amount > refundable(conn, receipt):
        raise Refused("Refund exceeds the received amount")
    try:
        refund = _begin(
            conn,
            receipt,
            amount,
            reason=order.reason,
            description=order.description,
            scenario=order.scenario,
            due_ms=timestamps.milliseconds(at) + round(rules.settlement_delay_s * 1000),
            at=at,
            rules=rules,
        )
    except ledger.InsufficientBalance as error:
        raise Refused("Insufficient balance for refund") from error
    notices.transaction(conn, refund, "pix.refund.requested", "requested", at=at)
    return refund


def settle(
    conn: sqlite3.Connection, refund: Transaction, *, at: datetime, rules: Rules
) -> Transaction:
    """Let a processing refund reach the payer (or be released, where its scenario says so)."""
    if refund.scenario == RELEASED:
        return release(conn, refund, at=at)
    settled = _pay(conn, refund, at=at)
    notices.transaction(conn, settled, "pix.refund.completed", "settled", at=at)
    return settled


def release(conn: sqlite3.Connection, refund: Transaction, *, at: datetime) -> Transaction:
    """End a processing refund without paying it: the money on hold is available again."""
    failed = transactions.move(conn, refund, "failed", at=at)
    entries = {ledger.hold(refund.account): -refund.net_amount}
    entries[ledger.customer(refund.account)] = refund.net_amount
    _post(conn, failed, entries, kind="release", at=at)
    notices.transaction(conn, failed, "pix.refund.completed", "completed", at=at)
    return failed


def of_dispute(
    conn: sqlite3.Connection, receipt: Transaction, amount: int, *, at: datetime, rules: Rules
) -> Transaction:
    """Give back what a lost dispute had blocked, at once. `amount` in base units, available and
    refundable: the dispute has just freed it.
    """
    refund = _begin(
        conn,
        receipt,
        amount,
        reason=DISPUTE_REASON,
        description=DEFAULT_DESCRIPTION,
        scenario=None,
        due_ms=None,
        at=at,
        rules=rules,
    )
    return settle(conn, refund, at=at, rules=rules)


def refundable(conn: sqlite3.Connection, receipt: Transaction) -> int:
    """What may still be refunded of a receipt, in base units: not what refunds gave back or are
    about to, and not what a dispute blocks of it.
    """
    (blocked,) = conn.execute(
        "SELECT coalesce(sum(blocked), 0) FROM infractions"
        " WHERE transaction_id = ? AND status = 'ACKNOWLEDGED'",
        (receipt.transaction_id,),
    ).fetchone()
    refunds = transactions.giving_back(conn, receipt.transaction_id, "refund")
    return receipt.amount - sum(refund.amount for refund in refunds) - int(blocked)


def _receipt(conn: sqlite3.Connection, account: str, original: str) -> Transaction | None:
    if not identifiers.is_transaction_id(original):  # no end-to-end id or txid either
        return None
    for name in ("transaction_id", "end_to_end_id", "charge"):
        found = transactions.select(
            conn, f"{name} = ? AND account = ? AND kind = 'receipt'", original, account
        )
        if found:
            return found[0]
    return None


def _begin(
    conn: sqlite3.Connection,
    receipt: Transaction,
    amount: int,
    *,
    reason: str,
    description: str | None,
    scenario: str | None,
    due_ms: int | None,
    at: datetime,
    rules: Rules,
) -> Transaction:
    """Record a refund and hold its money. Raises `ledger.InsufficientBalance`."""
    (earlier,) = conn.execute(
        "SELECT count(*) FROM transactions WHERE original = ?", (receipt.transaction_id,)
    ).fetchone()
    refund = transactions.record(
        conn,
        transactions.draft(
            account=receipt.account,
            kind="refund",
            status="processing",
            amount=amount,
            fee=0,
            end_to_end_id=identifiers.return_id(
                receipt.end_to_end_id, earlier, at=at, ispb=rules.ispb
            ),
            at=at,
            description=description,
            counterparty_name=receipt.counterparty_name,
            counterparty_document=receipt.counterparty_document,
            counterparty_ispb=receipt.counterparty_ispb,
            counterparty_bank=receipt.counterparty_bank,
            original=receipt.transaction_id,
            reason=reason,
            scenario=scenario,
            due_ms=due_ms,
        ),
    )
    entries = {ledger.customer(refund.account): -amount, ledger.hold(refund.account): amount}
    _post(conn, refund, entries, kind="hold", at=at)
    return refund


def _pay(conn: sqlite3.Connection, refund: Transaction, *, at: datetime) -> Transaction:
    settled = transactions.move(conn, refund, "settled", at=at)
    entries = {ledger.hold(refund.account): -refund.net_amount, ledger.PIX_CLEARING: refund.amount}
    _post(conn, settled, entries, kind="settlement", at=at)
    return settled


def _post(
    conn: sqlite3.Connection,
    refund: Transaction,
    entries: dict[ledger.LedgerAccount, int],
    *,
    kind: str,
    at: datetime,
) -> None:
    time = timestamps.iso(at)
    ledger.post(conn, entries, kind=kind, at=time, transaction_id=refund.transaction_id)
