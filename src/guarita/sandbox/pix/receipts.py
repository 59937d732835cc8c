"""Receipts: money that comes in, for a charge or to a key.

What belongs here: recording, posting and announcing one received payment. What does not: whether a
charge may be paid (`charges`), and who pays (`payouts`, `world`).
"""

import sqlite3
from datetime import datetime, timedelta

from guarita.sandbox.books import accounts, ledger, transactions
from guarita.sandbox.books.transactions import Transaction
from guarita.sandbox.pix import notices
from guarita.sandbox.pix.directory import Counterparty
from guarita.sandbox.pix.rules import MAX_BALANCE, Rules
from guarita.sandbox.refusals import Refused
from guarita.sandbox.text import timestamps
from guarita.sandbox.text.pix_keys import PixKey

DISPUTED = "disputed"  # the scenario of a payment that its payer's bank asks back


class AlreadyReceived(Refused):
    """The account has received a payment with this end-to-end id before."""

    def __init__(self, end_to_end_id: str) -> None:
        super().__init__(f"a payment with the end-to-end id {end_to_end_id} was received already")


class NoRoom(Refused):
    """The account, or the bank, can take no more money."""

    def __init__(self) -> None:
        super().__init__("Balance limit of the account exceeded")


def receive(
    conn: sqlite3.Connection,
    account: str,
    *,
    amount: int,
    end_to_end_id: str,
    payer: Counterparty,
    at: datetime,
    rules: Rules,
    charge: str | None = None,
    pix_key: PixKey | None = None,
    description: str | None = None,
    external_id: str | None = None,
    scenario: str | None = None,
) -> Transaction:
    """Credit the open account with `amount` (base units) less the fee, which is never more than the
    amount, and announce it (`pix.charge.paid`, §7.1: "fee charged").

    `charge` is the txid of the charge it pays, `None` for a payment to a key. In scenario
    `disputed` the receipt is due for a dispute after `rules.review_s`. Raises `AlreadyReceived` and
    `NoRoom`, and has written nothing then.
    """
    if _was_received(conn, account, end_to_end_id):
        raise AlreadyReceived(end_to_end_id)
    fee = min(rules.fee, amount)
    check_room(conn, account, credited=amount - fee, cleared=amount)
    disputed_at = at + timedelta(seconds=rules.review_s)
    receipt = transactions.record(
        conn,
        transactions.draft(
            account=account,
            kind="receipt",
            status="settled",
            amount=amount,
            fee=fee,
            end_to_end_id=end_to_end_id,
            at=at,
            pix_key=None if pix_key is None else pix_key.value,
            pix_key_type=None if pix_key is None else pix_key.type,
            description=description,
            external_id=external_id,
            counterparty_name=payer.name,
            counterparty_document=payer.document,
            counterparty_ispb=payer.ispb,
            counterparty_bank=payer.bank_name,
            charge=charge,
            scenario=scenario,
            due_ms=timestamps.milliseconds(disputed_at) if scenario == DISPUTED else None,
        ),
    )
    entries = {
        ledger.PIX_CLEARING: -amount,
        ledger.customer(account): amount - fee,
        ledger.PIX_FEES: fee,
    }
    ledger.post(
        conn,
        entries,
        kind="receipt",
        at=receipt.created_at,
        transaction_id=receipt.transaction_id,
    )
    _announce(conn, receipt, at=at)
    return receipt


def check_room(
    conn: sqlite3.Connection, account: str, *, credited: int, cleared: int | None = None
) -> None:
    """Raises `NoRoom` where crediting an open account with this much (base units) would take it
    beyond `MAX_BALANCE`, or the bank's sums beyond theirs.
    """
    clearing = ledger.balance(conn, ledger.PIX_CLEARING) or 0
    lowest = clearing - (credited if cleared is None else cleared)
    if credited > accounts.room(conn, account, limit=MAX_BALANCE) or lowest < -ledger.LIMIT:
        raise NoRoom


def _announce(conn: sqlite3.Connection, receipt: Transaction, *, at: datetime) -> None:
    """The event has the charge as its subject: created, paid and expired are delivered in order."""
    notices.emit(
        conn,
        receipt.account,
        "pix.charge.paid",
        "paid",
        subject=receipt.charge or receipt.transaction_id,
        entity_id=receipt.uuid,
        at=at,
        transaction_id=receipt.transaction_id,
        end_to_end_id=receipt.end_to_end_id,
        external_id=receipt.external_id,
        amount=receipt.amount,
        fee_amount=receipt.fee_amount,
        net_amount=receipt.net_amount,
        charge_id=receipt.charge,
    )


def _was_received(conn: sqlite3.Connection, account: str, end_to_end_id: str) -> bool:
    row = conn.execute(
        "SELECT 1 FROM transactions WHERE end_to_end_id = ? AND account = ?"
        " AND direction = 'inbound'",
        (end_to_end_id, account),
    ).fetchone()
    return row is not None
