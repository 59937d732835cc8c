"""Payments: the use cases that move money, on an open transaction.

What belongs here: what a payment is, how it is posted and found again. What does not: transactions
(`bank`), HTTP fields (`bodies`), the books' own laws (`ledger`).

A cash-out is posted at once: in the transaction that records it the customer's account is charged
and the payment is settled. The answer to the POST still says `processing` (§6.2), because callers
must be ready for a settlement that comes later; read back, the same payment is `settled`.

Without an idempotency key each POST is a new transaction (§3.4). A repeated submission derives the
same end-to-end id, so its id is disambiguated by its number; `submission` keeps what the payments
share, for a settlement system that answers DUPL.
"""

import sqlite3
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime

from guarita.sandbox import identifiers, ledger
from guarita.sandbox.pix_keys import PixKey

BASE_UNITS_PER_CENTAVO = 100  # requests in centavos, responses in 1/10,000 BRL, fact sheet §2
MAX_AMOUNT_CENTAVOS = 10**13

CASH_OUT = "pix_cash_out"
OPENING_BALANCE = "opening_balance"


class TransactionNotFound(LookupError):
    """No such transaction, or another account's: a caller cannot tell which."""


@dataclass(frozen=True, slots=True)
class CashOut:
    """An order to pay: `amount` in centavos, the key parsed, `external_id` valid or `None`."""

    amount: int
    pix_key: PixKey
    description: str | None = None
    external_id: str | None = None

    def __post_init__(self) -> None:
        if type(self.amount) is not int or not 0 < self.amount <= MAX_AMOUNT_CENTAVOS:
            raise ValueError(f"amount must be an integer from 1 to {MAX_AMOUNT_CENTAVOS} centavos")


@dataclass(frozen=True, slots=True)
class Payment:
    """A transaction as recorded. Amounts in base units, `net_amount` = `amount` + `fee_amount`;
    times ISO 8601 UTC.
    """

    uuid: str
    transaction_id: str
    end_to_end_id: str
    external_id: str | None
    type: str
    direction: str
    status: str
    amount: int
    fee_amount: int
    net_amount: int
    description: str | None
    counterparty_name: str | None
    pix_key: str
    pix_key_type: str
    created_at: str
    completed_at: str | None


@dataclass(frozen=True, slots=True)
class Balance:
    """An account's money in base units: `available` = `balance` - `pending` (§6.11)."""

    balance: int
    pending: int

    @property
    def available(self) -> int:
        return self.balance - self.pending


def open_customer(conn: sqlite3.Connection, account: str, *, balance: int, at: datetime) -> None:
    """Open the account on its first use, with an opening balance posted from the bank's equity."""
    owner, time = ledger.customer(account), timestamp(at)
    if ledger.balance(conn, owner) is not None:
        return
    ledger.open_account(conn, owner, at=time)
    if balance:
        ledger.open_account(conn, ledger.OPENING_EQUITY, at=time)
        entries = {ledger.OPENING_EQUITY: -balance, owner: balance}
        ledger.post(conn, entries, kind=OPENING_BALANCE, at=time)


def balance(conn: sqlite3.Connection, account: str) -> Balance | None:
    """The balance of an open account, `None` for one not open. Nothing is in flight: payments
    settle at once.
    """
    held = ledger.balance(conn, ledger.customer(account))
    return None if held is None else Balance(balance=held, pending=0)


def cash_out(
    conn: sqlite3.Connection, account: str, order: CashOut, *, fee: int, at: datetime, ispb: str
) -> Payment:
    """Record and post a payment of an open account. `fee` in base units, `at` in UTC.

    Raises `ledger.InsufficientBalance`; the caller's transaction must then be rolled back.
    """
    time = timestamp(at)
    amount = order.amount * BASE_UNITS_PER_CENTAVO
    end_to_end_id, submission, number = _next_end_to_end_id(conn, account, order, amount, at, ispb)
    payment = Payment(
        uuid=str(uuid.uuid4()),
        transaction_id=identifiers.new_transaction_id(at),
        end_to_end_id=end_to_end_id,
        external_id=order.external_id,
        type="pix",
        direction="outbound",
        status="settled",
        amount=amount,
        fee_amount=fee,
        net_amount=amount + fee,
        description=order.description,
        counterparty_name=None,  # known to the directory of keys, which this bank does not ask
        pix_key=order.pix_key.value,
        pix_key_type=order.pix_key.type,
        created_at=time,
        completed_at=time,
    )
    _insert(conn, payment, account, submission, number)
    for own in (ledger.PIX_CLEARING, ledger.PIX_FEES):
        ledger.open_account(conn, own, at=time)
    entries = {
        ledger.customer(account): -payment.net_amount,
        ledger.PIX_CLEARING: payment.amount,
        ledger.PIX_FEES: payment.fee_amount,
    }
    ledger.post(conn, entries, kind=CASH_OUT, at=time, transaction_id=payment.transaction_id)
    return payment


def find(conn: sqlite3.Connection, account: str, transaction_id: str) -> Payment:
    """The account's transaction with this id. Raises `TransactionNotFound`."""
    row = None
    if identifiers.is_transaction_id(transaction_id):
        row = conn.execute(
            f"SELECT {', '.join(_COLUMNS)} FROM transactions"  # noqa: S608 - fixed names
            " WHERE transaction_id = ? AND account = ?",
            (transaction_id, account),
        ).fetchone()
    if row is None:
        raise TransactionNotFound("Transaction not found")
    return Payment(*row)


def count(conn: sqlite3.Connection, account: str) -> int:
    """How many cash-outs have been posted against the account: counted in the books, not in the
    transactions.
    """
    (postings,) = conn.execute(
        "SELECT count(*) FROM ledger_accounts a JOIN entries e ON e.ledger_account_id = a.id"
        " JOIN postings p ON p.id = e.posting_id WHERE a.kind = ? AND a.name = ? AND p.kind = ?",
        (ledger.Kind.CUSTOMER, account, CASH_OUT),
    ).fetchone()
    return int(postings)


def timestamp(at: datetime) -> str:
    """An aware time as ISO 8601 UTC with `Z`, to the second (fact sheet §2)."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


_COLUMNS = tuple(Payment.__dataclass_fields__)


def _next_end_to_end_id(
    conn: sqlite3.Connection, account: str, order: CashOut, amount: int, at: datetime, ispb: str
) -> tuple[str, str, int]:
    """The id of this submission, the digest it derives from, and how many times that was submitted
    before.
    """
    digest = identifiers.submission(
        account=account,
        at=at,
        pix_key=order.pix_key.value,
        amount=amount,
        external_id=order.external_id,
    )
    (number,) = conn.execute(
        "SELECT coalesce(max(submission_number) + 1, 0) FROM transactions WHERE submission = ?",
        (digest,),
    ).fetchone()
    while True:
        candidate = identifiers.end_to_end_id(digest, number, at=at, ispb=ispb)
        taken = conn.execute(
            "SELECT 1 FROM transactions WHERE end_to_end_id = ?", (candidate,)
        ).fetchone()
        if taken is None:
            return candidate, digest, number
        number += 1  # two digests met in 65 bits: as good as never, and harmless


def _insert(
    conn: sqlite3.Connection, payment: Payment, account: str, submission: str, number: int
) -> None:
    columns = (*_COLUMNS, "account", "submission", "submission_number")
    values = [getattr(payment, name) for name in _COLUMNS]
    conn.execute(
        f"INSERT INTO transactions ({', '.join(columns)})"  # noqa: S608 - fixed names
        f" VALUES ({', '.join('?' * len(columns))})",
        (*values, account, submission, number),
    )
