"""The bank without HTTP: each use case in its own database transaction.

What belongs here: which use cases there are, what settings they take, where their transactions
begin and end.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from guarita.sandbox import audit, identifiers, payments
from guarita.sandbox.database import Database
from guarita.sandbox.payments import Balance, CashOut, Payment

DATABASE_FILE = "bank.db"
DEFAULT_OPENING_BALANCE = 500_000_000  # R$ 50.000,00
DEFAULT_FEE = 350  # fact sheet §2
MAX_BALANCE = 10**15  # keeps every sum of the books far inside SQLite's 64 bits


def utc_now() -> datetime:
    return datetime.now(UTC)


class Bank:
    """A PIX bank in `data/bank.db`. Safe to use from many threads, and from many processes over one
    folder.

    Methods block on the disk: call them from a worker thread in asynchronous code. An account opens
    on its first use with `opening_balance`. Amounts are base units (1/10,000 BRL), except
    `CashOut.amount` (centavos).

    Raises `ValueError` for settings that cannot be right.
    """

    def __init__(
        self,
        data: Path,
        *,
        opening_balance: int = DEFAULT_OPENING_BALANCE,
        fee: int = DEFAULT_FEE,
        clock: Callable[[], datetime] = utc_now,
        ispb: str = identifiers.ISPB,
    ) -> None:
        for name, value in (("opening_balance", opening_balance), ("fee", fee)):
            if type(value) is not int or not 0 <= value <= MAX_BALANCE:
                raise ValueError(
                    f"{name} must be an integer of base units from 0 to {MAX_BALANCE},"
                    f" not {value!r}"
                )
        if len(ispb) != 8 or not (ispb.isascii() and ispb.isdigit()):
            raise ValueError(f"ispb must be 8 digits, not {ispb!r}")
        self._opening_balance = opening_balance
        self._fee = fee
        self._clock = clock
        self._ispb = ispb
        self._database = Database(data / DATABASE_FILE)

    def balance(self, account: str) -> Balance:
        """The account's balance; opens the account if this is its first use."""
        self._check_account(account)
        with self._database.reading() as conn:
            known = payments.balance(conn, account)
        if known is not None:
            return known
        with self._database.writing() as conn:
            payments.open_customer(conn, account, balance=self._opening_balance, at=self._now())
            opened = payments.balance(conn, account)
        assert opened is not None  # noqa: S101 - opened in the same transaction
        return opened

    def cash_out(self, account: str, order: CashOut) -> Payment:
        """Pay. Raises `ledger.InsufficientBalance`, and then leaves no trace of the order in the
        books.
        """
        self._check_account(account)
        with self._database.writing() as conn:
            at = self._now()
            payments.open_customer(conn, account, balance=self._opening_balance, at=at)
            return payments.cash_out(conn, account, order, fee=self._fee, at=at, ispb=self._ispb)

    def transaction(self, account: str, transaction_id: str) -> Payment:
        """The account's transaction. Raises `payments.TransactionNotFound`, also for another
        account's.
        """
        self._check_account(account)
        with self._database.reading() as conn:
            return payments.find(conn, account, transaction_id)

    def count_payments(self, account: str) -> int:
        """How many cash-outs have been posted against the account."""
        with self._database.reading() as conn:
            return payments.count(conn, account)

    def check_ledger(self) -> audit.Audit:
        """Check every law of the books on one state of the file."""
        with self._database.reading() as conn:
            return audit.check_ledger(conn)

    def close(self) -> None:
        """Close the database's connections. Everything committed is on disk already."""
        self._database.close()

    def __enter__(self) -> "Bank":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _now(self) -> datetime:
        at = self._clock()
        if at.tzinfo is None:
            raise ValueError("the bank's clock must give times with a time zone")
        return at.astimezone(UTC)

    @staticmethod
    def _check_account(account: str) -> None:
        if not identifiers.is_account_id(account):
            raise ValueError(
                "an account id is 1 to 128 characters of A-Z a-z 0-9 . _ : -, not " + repr(account)
            )
