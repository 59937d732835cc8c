"""The bank without HTTP: each use case in its own database transaction.

What belongs here: which use cases there are, what settings they take, where their transactions
begin and end. What does not: how money moves (`pix/`), what the other side does (`world`).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from sqlite3 import Connection
from types import TracebackType

from guarita.sandbox.books import accounts, audit, statement, transactions
from guarita.sandbox.books.accounts import Balance, RegisteredKey
from guarita.sandbox.books.statement import StatementQuery
from guarita.sandbox.books.transactions import Transaction, TransactionNotFound
from guarita.sandbox.database import Database
from guarita.sandbox.pix import charges, disputes, payouts, refunds, settlement
from guarita.sandbox.pix.charges import CashIn, Charge
from guarita.sandbox.pix.disputes import Defense, DefenseOrder, Infraction
from guarita.sandbox.pix.payouts import CashOut
from guarita.sandbox.pix.refunds import RefundOrder
from guarita.sandbox.pix.rules import Rules
from guarita.sandbox.text import identifiers, timestamps
from guarita.sandbox.webhooks import subscriptions
from guarita.sandbox.webhooks.subscriptions import Webhook, WebhookOrder

DATABASE_FILE = "bank.db"


def utc_now() -> datetime:
    return datetime.now(UTC)


class Bank:
    """A PIX bank in `data/bank.db`. Safe to use from many threads, and from many processes over one
    folder.

    Methods block on the disk: call them from a worker thread in asynchronous code. An account opens
    on its first use with `rules.opening_balance`. Amounts are base units (1/10,000 BRL), except
    those of orders (centavos).

    `unsafe_loopback_webhooks` lets webhooks lead to this machine's loopback addresses.

    What a method cannot do it refuses with `refusals.Refused` or `refusals.Missing` (their text is
    for the caller) or with one of the exceptions it names, and has then changed nothing. A wrong
    account id raises `ValueError`.
    """

    def __init__(
        self,
        data: Path,
        *,
        rules: Rules | None = None,
        clock: Callable[[], datetime] = utc_now,
        unsafe_loopback_webhooks: bool = False,
    ) -> None:
        self.rules = Rules() if rules is None else rules
        self.database = Database(data / DATABASE_FILE)
        self._clock = clock
        self._unsafe_loopback = unsafe_loopback_webhooks

    def now(self) -> datetime:
        """The bank's time, in UTC. Raises `ValueError` for a clock without a time zone."""
        at = self._clock()
        if at.tzinfo is None:
            raise ValueError("the bank's clock must give times with a time zone")
        return at.astimezone(UTC)

    @contextmanager
    def customer(self, account: str) -> Iterator[tuple[Connection, datetime]]:
        """A write transaction for the account, opened if this is its first use, and its time."""
        _check_account(account)
        with self.database.writing() as conn:
            at = self.now()
            accounts.open_customer(conn, account, balance=self.rules.opening_balance, at=at)
            yield conn, at

    # Money

    def balance(self, account: str) -> Balance:
        """The account's balance (§6.11)."""
        with self._reading(account) as conn:
            known = accounts.balance(conn, account)
        if known is None:
            with self.customer(account) as (conn, _at):
                known = accounts.balance(conn, account)
        assert known is not None  # noqa: S101 - opened in the same transaction
        return known

    def cash_out(self, account: str, order: CashOut) -> Transaction:
        """Pay (§6.2, §6.3): the transaction is `processing`, its money on hold, or `queued`.

        Raises `ledger.InsufficientBalance`.
        """
        with self.customer(account) as (conn, at):
            return payouts.create(conn, account, order, at=at, rules=self.rules)

    def cash_in(self, account: str, order: CashIn) -> Charge:
        """Make a charge: a dynamic QR code (§6.1)."""
        with self.customer(account) as (conn, at):
            return charges.create(conn, account, order, at=at, rules=self.rules)

    def refund(self, account: str, order: RefundOrder) -> Transaction:
        """Give back a receipt or a part of it (§6.4)."""
        with self.customer(account) as (conn, at):
            return refunds.create(conn, account, order, at=at, rules=self.rules)

    # Queries

    def transaction(self, account: str, transaction_id: str) -> Transaction | Charge:
        """The account's transaction or charge (§6.5). Raises `TransactionNotFound`, also for
        another account's.
        """
        with self._reading(account) as conn:
            return _found(_by_id(conn, account, transaction_id))

    def by_end_to_end_id(self, account: str, end_to_end_id: str) -> Transaction:
        """The account's transaction (§6.6); never a charge. Raises `TransactionNotFound`."""
        with self._reading(account) as conn:
            found = None
            if identifiers.is_transaction_id(end_to_end_id):  # returns and refunds have ids of D…
                found = transactions.by_end_to_end_id(conn, account, end_to_end_id)
        if found is None:
            raise TransactionNotFound("Transaction not found")
        return found

    def by_external_id(self, account: str, external_id: str) -> Transaction | Charge:
        """The account's latest transaction or charge with this external id, the receipt in place of
        a charge that is paid (§6.7). Raises `TransactionNotFound`.
        """
        if identifiers.external_id(external_id) != external_id:
            raise TransactionNotFound("Transaction not found")
        with self._reading(account) as conn:
            transaction = transactions.by_external_id(conn, account, external_id)
            charge = charges.by_external_id(conn, account, external_id)
        if transaction is None or charge is None:
            return _found(transaction or charge)
        return transaction if transaction.created_ms >= charge.created_ms else charge

    def by_tag(self, account: str, prefix: str) -> list[Transaction | Charge]:
        """The account's transactions and charges whose id starts so, newest first, at most 50
        (§6.8).
        """
        if prefix and not identifiers.is_transaction_id(prefix):
            return []
        with self._reading(account) as conn:
            found: list[Transaction | Charge] = [
                *transactions.by_tag(conn, account, prefix),
                *charges.by_tag(conn, account, prefix),
            ]
        found.sort(key=lambda each: each.created_ms, reverse=True)
        return found[: transactions.TAGGED_MAX]

    def receipt(self, account: str, transaction_id: str) -> Transaction:
        """The account's transaction once its outcome is known; a paid charge's id leads to its
        receipt (§6.9). Raises `TransactionNotFound`.
        """
        with self._reading(account) as conn:
            found = _by_id(conn, account, transaction_id)
            if isinstance(found, Charge) and found.paid_transaction_id is not None:
                found = transactions.of_account(conn, account, found.paid_transaction_id)
        if not isinstance(found, Transaction) or not found.final:
            raise TransactionNotFound("Transaction not found")
        return found

    def statement(self, account: str, query: StatementQuery) -> list[Transaction]:
        """A page of the account's transactions, newest first (§6.10)."""
        with self._reading(account) as conn:
            return statement.statement(conn, account, query)

    def pix_keys(self, account: str) -> list[RegisteredKey]:
        """The account's keys, oldest first (§6.12). A new account has one."""
        with self._reading(account) as conn:
            known = accounts.keys(conn, account)
        if not known:
            with self.customer(account) as (conn, _at):
                known = accounts.keys(conn, account)
        return known

    # Disputes

    def infractions(self, account: str) -> list[Infraction]:
        """The account's cases (§6.14)."""
        with self._reading(account) as conn:
            return disputes.of_account(conn, account)

    def infraction(self, account: str, infraction_id: str) -> Infraction:
        """The account's case (§6.15)."""
        with self._reading(account) as conn:
            return disputes.find(conn, infraction_id, account)

    def defend(self, account: str, infraction_id: str, order: DefenseOrder) -> Defense:
        """Submit the defense of a case (§6.16)."""
        with self.customer(account) as (conn, at):
            return disputes.defend(conn, account, infraction_id, order, at=at, rules=self.rules)

    # Webhooks

    def create_webhook(self, account: str, order: WebhookOrder) -> Webhook:
        """Register a webhook (§6.17). The only time its secret is told."""
        with self.customer(account) as (conn, at):
            return subscriptions.create(
                conn, account, order, at=at, unsafe_loopback=self._unsafe_loopback
            )

    def webhooks(self, account: str) -> list[Webhook]:
        """The account's webhooks (§6.18)."""
        with self._reading(account) as conn:
            return subscriptions.of_account(conn, account)

    def delete_webhook(self, account: str, webhook_id: str) -> None:
        """Delete a webhook (§6.18)."""
        with self.customer(account) as (conn, at):
            subscriptions.delete(conn, account, webhook_id, at=at)

    # The bank's own affairs

    def work(self) -> datetime | None:
        """Do everything that is due by the bank's clock, in short write transactions. Safe to run
        from several processes at once.

        Returns when something is due next, or `None`.
        """
        due = self._next_due()
        while due is not None and due <= self.now():
            with self.database.writing() as conn:
                worked = settlement.work(conn, at=self.now(), rules=self.rules)
            due = self._next_due()
            if not worked:
                break
        return due

    def count_payments(self, account: str) -> int:
        """How many payouts of the account have been executed: counted in the books, not in the
        transactions.
        """
        with self.database.reading() as conn:
            return payouts.count_executed(conn, account)

    def check_ledger(self) -> audit.Audit:
        """Check every law of the books on one state of the file."""
        with self.database.reading() as conn:
            return audit.check_ledger(conn)

    def close(self) -> None:
        """Close the database's connections. Everything committed is on disk already."""
        self.database.close()

    def __enter__(self) -> "Bank":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _next_due(self) -> datetime | None:
        with self.database.reading() as conn:
            due_ms = settlement.next_due(conn, rules=self.rules)
        return None if due_ms is None else timestamps.from_milliseconds(due_ms)

    @contextmanager
    def _reading(self, account: str) -> Iterator[Connection]:
        _check_account(account)
        with self.database.reading() as conn:
            yield conn


def _check_account(account: str) -> None:
    if not identifiers.is_account_id(account):
        raise ValueError(
            "an account id is 1 to 128 characters of A-Z a-z 0-9 . _ : -, not " + repr(account)
        )


def _by_id(conn: Connection, account: str, transaction_id: str) -> Transaction | Charge | None:
    if not identifiers.is_transaction_id(transaction_id):
        return None
    return transactions.of_account(conn, account, transaction_id) or charges.find(
        conn, account, transaction_id
    )


def _found(found: Transaction | Charge | None) -> Transaction | Charge:
    if found is None:
        raise TransactionNotFound("Transaction not found")
    return found
