"""Returns: money of a settled payout that comes back from who received it.

What belongs here: crediting the payer with what was given back, by another bank or by an account of
this one. What does not: refunds, which an account of this bank orders (`refunds`).

A return is a transaction of its own, for the payout's whole amount or a part; it costs no fee, and
the payout's fee is kept. The payout is `returned` once its whole amount has come back.
"""

import sqlite3
from datetime import datetime

from guarita.sandbox.books import ledger, transactions
from guarita.sandbox.books.transactions import Transaction
from guarita.sandbox.pix import notices, receipts
from guarita.sandbox.pix.rules import Rules
from guarita.sandbox.refusals import Refused
from guarita.sandbox.text import identifiers, timestamps

DESCRIPTION = "Devolução PIX"


def give_back(
    conn: sqlite3.Connection,
    payout: Transaction,
    amount: int | None,
    *,
    reason: str,
    at: datetime,
    rules: Rules,
    end_to_end_id: str | None = None,
) -> Transaction:
    """Credit the payer with `amount` (base units; `None` for all that has not come back) of a
    settled payout. Returns the return. `end_to_end_id` is the id the other side gave it, if any.

    Raises `Refused` for more than is left, for a payout that is not settled, and for an account
    that can take no more money.
    """
    left = returnable(conn, payout)
    given = left if amount is None else amount
    if not 0 < given <= left:
        raise Refused("Return exceeds the amount of the payment")
    receipts.check_room(conn, payout.account, credited=given)
    number = len(transactions.giving_back(conn, payout.transaction_id, "return"))
    ispb = payout.counterparty_ispb or rules.ispb
    returned = transactions.record(
        conn,
        transactions.draft(
            account=payout.account,
            kind="return",
            status="settled",
            amount=given,
            fee=0,
            end_to_end_id=end_to_end_id
            or identifiers.return_id(payout.end_to_end_id, number, at=at, ispb=ispb),
            at=at,
            description=DESCRIPTION,
            counterparty_name=payout.counterparty_name,
            counterparty_document=payout.counterparty_document,
            counterparty_ispb=payout.counterparty_ispb,
            counterparty_bank=payout.counterparty_bank,
            original=payout.transaction_id,
            reason=reason,
        ),
    )
    ledger.post(
        conn,
        {ledger.PIX_CLEARING: -given, ledger.customer(payout.account): given},
        kind="return",
        at=timestamps.iso(at),
        transaction_id=returned.transaction_id,
    )
    _tell(conn, returned, payout, at=at)
    if given == left:
        ended = transactions.move(conn, payout, "returned", at=at)
        notices.transaction(conn, ended, "pix.payout.returned", "returned", at=at)
    elif payout.due_ms is not None:
        transactions.amend(conn, payout, due_ms=None)
    return returned


def returnable(conn: sqlite3.Connection, payout: Transaction) -> int:
    """What has not come back of a settled payout yet, in base units. Raises `Refused` for another
    transaction.
    """
    if payout.kind != "payout" or payout.status != "settled":
        raise Refused(
            f"Only a settled payout can be returned, and {payout.transaction_id} is a"
            f" {payout.status} {payout.kind}"
        )
    earlier = transactions.giving_back(conn, payout.transaction_id, "return")
    return payout.amount - sum(each.amount for each in earlier)


def follow_refund(
    conn: sqlite3.Connection, refund: Transaction, *, at: datetime, rules: Rules
) -> Transaction | None:
    """Give a settled refund to the account of this bank that made the payment, if one did: both
    sides of the payment have one end-to-end id, and so have both sides of the refund. Does nothing
    if that was done.
    """
    receipt = transactions.find(conn, refund.original or "")
    if receipt is None or refund.status != "settled":
        return None
    sent = transactions.select(
        conn,
        # Callers may choose end-to-end ids: an equal one alone proves nothing.
        "end_to_end_id = ? AND kind = 'payout' AND status = 'settled' AND receiver = ?",
        receipt.end_to_end_id,
        receipt.account,
    )
    for payout in sent:
        if not _has(conn, payout, refund):
            return give_back(
                conn,
                payout,
                refund.amount,
                reason=refund.reason or "",
                at=at,
                rules=rules,
                end_to_end_id=refund.end_to_end_id,
            )
    return None


def _has(conn: sqlite3.Connection, payout: Transaction, refund: Transaction) -> bool:
    earlier = transactions.giving_back(conn, payout.transaction_id, "return")
    return any(each.end_to_end_id == refund.end_to_end_id for each in earlier)


def _tell(
    conn: sqlite3.Connection, returned: Transaction, payout: Transaction, *, at: datetime
) -> None:
    """The event has the payout as its subject: nobody hears of a return before the payout."""
    notices.emit(
        conn,
        returned.account,
        "pix.return.received",
        "settled",
        subject=payout.transaction_id,
        entity_id=returned.uuid,
        at=at,
        transaction_id=returned.transaction_id,
        end_to_end_id=returned.end_to_end_id,
        external_id=payout.external_id,
        amount=returned.amount,
        fee_amount=returned.fee_amount,
        net_amount=returned.net_amount,
        original_transaction_id=payout.transaction_id,
        original_end_to_end_id=payout.end_to_end_id,
        reason=returned.reason,
    )
