"""Payouts: money sent by PIX, by key or by QR code (fact sheet §6.2, §6.3).

What belongs here: ordering a payout and the steps of its life. What does not: when a step is due
(`settlement`), waiting for the directory (`queue`), money that comes back (`returns`).

A payout starts `processing`, its money on hold, or `queued` where the directory of keys may not be
asked for the moment: then nothing is held, and it is tried again. A processing payout settles or
fails; in between it can be held for review, which its status does not show. A payout to a key or
charge of this bank credits its account in the same step.

Without an idempotency key each POST is a new transaction (§3.4). A repeated submission in the same
minute derives the same end-to-end id; it is taken in, and fails as a duplicate if another one has
settled when its turn comes.
"""

import sqlite3
from dataclasses import dataclass
from datetime import datetime

from guarita.sandbox.books import bank_row, ledger, transactions
from guarita.sandbox.books.transactions import Transaction
from guarita.sandbox.pix import charges, destinations, directory, notices, reasons, receipts
from guarita.sandbox.pix.destinations import Destination
from guarita.sandbox.pix.rules import BASE_UNITS_PER_CENTAVO, MAX_AMOUNT_CENTAVOS, Rules
from guarita.sandbox.refusals import Refused
from guarita.sandbox.text import identifiers, timestamps
from guarita.sandbox.text.brcode import BrCode
from guarita.sandbox.text.pix_keys import PixKey

# Names of scenarios (see `scenarios`) that decide a step of a payout's life.
REJECTED = "rejected-"
HELD, HELD_REJECTED = "held", "held-rejected"
QUEUED, QUEUED_EXPIRED = "queued", "queued-expired"
RETURNED, RETURNED_PARTLY = "returned", "returned-partly"


@dataclass(frozen=True, slots=True)
class CashOut:
    """An order to pay: `amount` in centavos, to either a key or a QR code. A key whose type is not
    known is given as text. `external_id` and `end_to_end_id` have their form or are `None`. Raises
    `ValueError` otherwise.

    The amount of a charge of this bank replaces the order's.
    """

    amount: int
    pix_key: PixKey | str | None = None
    emv: BrCode | None = None
    description: str | None = None
    external_id: str | None = None
    end_to_end_id: str | None = None
    scenario: str | None = None

    def __post_init__(self) -> None:
        if type(self.amount) is not int or not 0 < self.amount <= MAX_AMOUNT_CENTAVOS:
            raise ValueError(f"amount must be an integer from 1 to {MAX_AMOUNT_CENTAVOS} centavos")
        if (self.pix_key is None) == (self.emv is None):
            raise ValueError("a cash-out takes either pix_key or emv")
        if self.end_to_end_id is not None and not identifiers.is_end_to_end_id(self.end_to_end_id):
            raise ValueError("end_to_end_id must be E, 8 digits and 22 to 26 letters or digits")


def create(
    conn: sqlite3.Connection, account: str, order: CashOut, *, at: datetime, rules: Rules
) -> Transaction:
    """Take in a payout of an open account. Returns it `processing`, or `queued`.

    Raises `ledger.InsufficientBalance`, `pix_keys.InvalidPixKey` for a text that is no key, and
    `Refused` for what cannot be paid; the caller's database transaction must then be rolled back.
    """
    if order.pix_key is not None:
        key = order.pix_key
        key = destinations.read_key(conn, key) if isinstance(key, str) else key
        to = destinations.of_key(conn, key, rules=rules)
    else:
        assert order.emv is not None  # noqa: S101 - an order has either
        to = destinations.of_code(conn, order.emv, at=at, rules=rules)
    if to.account == account:
        raise Refused("Cannot pay to the same account")
    _refuse_by_scenario(order, to)
    queued = order.scenario in (QUEUED, QUEUED_EXPIRED) or (
        to.key is not None and not directory.admit(conn, account, at=at, rules=rules)
    )
    if queued:
        _check_queue(conn, account, rules=rules)
    amount = order.amount * BASE_UNITS_PER_CENTAVO if to.charge is None else to.charge.amount
    submission = identifiers.submission(
        account=account,
        at=at,
        recipient=to.recipient,
        amount=amount,
        external_id=order.external_id,
        secret=bank_row.secret(conn),
    )
    wait_s = rules.queue_retry_s if queued else rules.settlement_delay_s
    # What only the directory tells is unknown while a payout waits to ask it.
    told = {} if queued and to.key is not None else known(to)
    payout = transactions.record(
        conn,
        transactions.draft(
            account=account,
            kind="payout",
            status="queued" if queued else "processing",
            amount=amount,
            fee=rules.fee,
            end_to_end_id=order.end_to_end_id
            or identifiers.end_to_end_id(submission, at=at, ispb=rules.ispb),
            at=at,
            pix_key=to.key.value if to.key else None,
            pix_key_type=to.key.type if to.key else None,
            description=order.description,
            external_id=order.external_id,
            charge=to.charge.transaction_id if to.charge else None,
            scenario=order.scenario,
            due_ms=due_in(at, wait_s),
            **told,
        ),
    )
    if queued:
        notices.transaction(conn, payout, "pix.payout.queued", "queued", at=at)
    else:
        _hold(conn, payout, at=at)
        notices.transaction(conn, payout, "pix.payout.processing", "processing", at=at)
    return payout


def start(
    conn: sqlite3.Connection, payout: Transaction, *, at: datetime, rules: Rules
) -> Transaction:
    """Let a queued payout go on: its money is held, it is `processing`. Raises
    `ledger.InsufficientBalance`, and has written nothing then.
    """
    _hold(conn, payout, at=at)
    due_ms = due_in(at, rules.settlement_delay_s)
    started = transactions.move(conn, payout, "processing", at=at, due_ms=due_ms)
    notices.transaction(conn, started, "pix.payout.processing", "processing", at=at)
    return started


def advance(
    conn: sqlite3.Connection, payout: Transaction, *, at: datetime, rules: Rules
) -> Transaction:
    """Take a due processing payout one step on, as its scenario says."""
    scenario = payout.scenario or ""
    if scenario in (HELD, HELD_REJECTED) and not payout.in_review:
        return hold_for_review(conn, payout, at=at, rules=rules)
    if scenario == HELD_REJECTED:
        return fail(conn, payout, reasons.REJECTED_BY_RECEIVER, at=at)
    if scenario.startswith(REJECTED):
        return fail(conn, payout, scenario.removeprefix(REJECTED).upper(), at=at)
    return settle(conn, payout, at=at, rules=rules)


def hold_for_review(
    conn: sqlite3.Connection, payout: Transaction, *, at: datetime, rules: Rules
) -> Transaction:
    """Put a processing payout under review for `rules.review_s`; its status stays (§7.1)."""
    due_ms = due_in(at, rules.review_s)
    held = transactions.amend(conn, payout, in_review=True, due_ms=due_ms)
    notices.transaction(conn, held, "pix.payout.held", "processing", at=at)
    return held


def settle(
    conn: sqlite3.Connection, payout: Transaction, *, at: datetime, rules: Rules
) -> Transaction:
    """Settle a processing payout; the one that cannot be settled fails (duplicate, charge no longer
    payable, more than its receiver may have).
    """
    if _was_settled(conn, payout):
        return fail(conn, payout, reasons.DUPLICATE, at=at)
    if payout.receiver is not None:
        try:
            _credit(conn, payout, payout.receiver, at=at, rules=rules)
        except charges.NotPayable:
            return fail(conn, payout, reasons.CHARGE_NOT_PAYABLE, at=at)
        except receipts.AlreadyReceived:
            return fail(conn, payout, reasons.DUPLICATE, at=at)
        except receipts.NoRoom:
            return fail(conn, payout, reasons.OVER_THE_LIMIT, at=at)
    comes_back = payout.receiver is None and payout.scenario in (RETURNED, RETURNED_PARTLY)
    due_ms = due_in(at, rules.review_s) if comes_back else None
    settled = transactions.move(conn, payout, "settled", at=at, due_ms=due_ms)
    entries = {
        ledger.hold(payout.account): -payout.net_amount,
        ledger.PIX_CLEARING: payout.amount,
        ledger.PIX_FEES: payout.fee_amount,
    }
    _post(conn, payout, entries, kind="settlement", at=at)
    notices.transaction(conn, settled, "pix.payout.confirmed", "settled", at=at)
    return settled


def fail(
    conn: sqlite3.Connection, payout: Transaction, reason: str, *, at: datetime
) -> Transaction:
    """End a payout in flight: what was on hold is available again. `reason` is a code of
    `reasons.REASONS`.
    """
    failed = transactions.move(conn, payout, "failed", at=at, reason=reason)
    if payout.status == "processing":
        held = payout.net_amount
        entries = {ledger.hold(payout.account): -held, ledger.customer(payout.account): held}
        _post(conn, payout, entries, kind="release", at=at)
    notices.transaction(conn, failed, "pix.payout.failed", "rejected", at=at, failure_reason=reason)
    return failed


def count_executed(conn: sqlite3.Connection, account: str) -> int:
    """How many payouts of the account were executed: counted in the books."""
    (postings,) = conn.execute(
        "SELECT count(*) FROM postings p JOIN transactions t USING (transaction_id)"
        " WHERE t.account = ? AND t.kind = 'payout' AND p.kind IN ('settlement', 'pix_cash_out')",
        (account,),
    ).fetchone()
    return int(postings)


def _check_queue(conn: sqlite3.Connection, account: str, *, rules: Rules) -> None:
    """What is queued needs no money: only its number keeps an account from filling the bank."""
    (queued,) = conn.execute(
        "SELECT count(*) FROM transactions WHERE account = ? AND status = 'queued'", (account,)
    ).fetchone()
    if queued >= rules.queue_max:
        raise Refused("Too many queued payments")


def _refuse_by_scenario(order: CashOut, to: Destination) -> None:
    if order.scenario == "key-not-found":
        raise Refused("PIX key not found")
    if order.scenario == "insufficient-balance":
        raise Refused("Insufficient balance")
    if order.scenario in (RETURNED, RETURNED_PARTLY) and to.account is not None:
        raise Refused(f"Scenario {order.scenario} needs a recipient at another bank")


def known(to: Destination) -> dict[str, str | None]:
    """The fields of a transaction that tell where it leads."""
    return to.counterparty.columns | {"receiver": to.account}


def _was_settled(conn: sqlite3.Connection, payout: Transaction) -> bool:
    """Whether another payment with its end-to-end id has left the account."""
    settled = conn.execute(
        "SELECT 1 FROM transactions WHERE end_to_end_id = ? AND account = ?"
        " AND direction = 'outbound' AND status IN ('settled', 'returned')",
        (payout.end_to_end_id, payout.account),
    ).fetchone()
    return settled is not None


def _credit(
    conn: sqlite3.Connection, payout: Transaction, receiver: str, *, at: datetime, rules: Rules
) -> None:
    """Raises `charges.NotPayable`, `receipts.AlreadyReceived` and `receipts.NoRoom`, and has
    written nothing then.
    """
    payer = destinations.of_account(conn, payout.account, rules=rules)
    same_id = payout.end_to_end_id
    if payout.charge is not None:
        charge = charges.get(conn, payout.charge)
        charges.pay(conn, charge, payer, end_to_end_id=same_id, at=at, rules=rules)
        return
    receipts.receive(
        conn,
        receiver,
        amount=payout.amount,
        end_to_end_id=same_id,
        payer=payer,
        at=at,
        rules=rules,
        pix_key=destinations.key_of(payout),
        description=payout.description,
    )


def _hold(conn: sqlite3.Connection, payout: Transaction, *, at: datetime) -> None:
    held = payout.net_amount
    entries = {ledger.customer(payout.account): -held, ledger.hold(payout.account): held}
    _post(conn, payout, entries, kind="hold", at=at)


def _post(
    conn: sqlite3.Connection,
    payout: Transaction,
    entries: dict[ledger.LedgerAccount, int],
    *,
    kind: str,
    at: datetime,
) -> None:
    time = timestamps.iso(at)
    ledger.post(conn, entries, kind=kind, at=time, transaction_id=payout.transaction_id)


def due_in(at: datetime, seconds: float) -> int:
    """The time so much later, in milliseconds since 1970."""
    return timestamps.milliseconds(at) + round(seconds * 1000)
