"""The bank without HTTP: each use case in its own database transaction.

What belongs here: which use cases there are, what settings they take, where their transactions
begin and end. What does not: how money moves (`pix/`), what the other side does (`world`).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from sqlite3 import Connection
from types import TracebackType

from guarita.sandbox.bank_time import BankTime
from guarita.sandbox.bank_time import utc_now as utc_now
from guarita.sandbox.books import accounts, audit, finding, statement
from guarita.sandbox.books.accounts import Balance, RegisteredKey
from guarita.sandbox.books.statement import StatementQuery
from guarita.sandbox.books.transactions import Transaction
from guarita.sandbox.database import Database
from guarita.sandbox.pix import charges, disputes, kept_rules, payouts, refunds, settlement
from guarita.sandbox.pix.charges import CashIn, Charge
from guarita.sandbox.pix.disputes import Defense, DefenseOrder, Infraction
from guarita.sandbox.pix.payouts import CashOut
from guarita.sandbox.pix.refunds import RefundOrder
from guarita.sandbox.pix.rules import Rules
from guarita.sandbox.text import identifiers, timestamps
from guarita.sandbox.webhooks import subscriptions
from guarita.sandbox.webhooks.subscriptions import Webhook, WebhookOrder

DATABASE_FILE = "bank.db"
BATCHES = 20
"""How many write transactions one call of `Bank.work` makes at most."""


class Bank:
    """A PIX bank in `data/bank.db`. Safe to use from many threads, and from many processes over one
    folder.

    Methods block on the disk: call them from a worker thread in asynchronous code. An account opens
    on its first use with `rules.opening_balance`. Amounts are base units (1/10,000 BRL), except
    those of orders (centavos). Without `rules` it goes by those it was last served with, if any.

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
        self.database = Database(data / DATABASE_FILE)
        if rules is None:
            with self.database.reading() as conn:
                rules = kept_rules.kept(conn) or Rules()
        self.rules = rules
        self._time = BankTime(clock)
        self._unsafe_loopback = unsafe_loopback_webhooks

    def now(self) -> datetime:
        """What the clock says, in UTC. Raises `ValueError` for a clock without a time zone."""
        return self._time.by_clock()

    @contextmanager
    def acting(self) -> Iterator[tuple[Connection, datetime]]:
        """A write transaction, and the time of what happens in it."""
        with self.database.writing() as conn:
            yield conn, self._time.act(conn)

    @contextmanager
    def customer(self, account: str) -> Iterator[tuple[Connection, datetime]]:
        """A write transaction for the account, opened if this is its first use, and its time."""
        _check_account(account)
        with self.acting() as (conn, at):
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
            return finding.by_id(conn, account, transaction_id)

    def by_end_to_end_id(self, account: str, end_to_end_id: str) -> Transaction:
        """The account's transaction (§6.6); never a charge. Raises `TransactionNotFound`."""
        with self._reading(account) as conn:
            return finding.by_end_to_end_id(conn, account, end_to_end_id)

    def by_external_id(self, account: str, external_id: str) -> Transaction | Charge:
        """The account's latest transaction or charge with this external id, the receipt in place of
        a charge that is paid (§6.7). Raises `TransactionNotFound`.
        """
        with self._reading(account) as conn:
            return finding.by_external_id(conn, account, external_id)

    def by_tag(self, account: str, prefix: str) -> list[Transaction | Charge]:
        """The account's transactions and charges whose id starts so, newest first, at most 50
        (§6.8).
        """
        with self._reading(account) as conn:
            return finding.by_tag(conn, account, prefix)

    def receipt(self, account: str, transaction_id: str) -> Transaction:
        """The account's transaction once its outcome is known; a paid charge's id leads to its
        receipt (§6.9). Raises `TransactionNotFound`.
        """
        with self._reading(account) as conn:
            return finding.receipt(conn, account, transaction_id)

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
        """Do what is due by the bank's clock, in at most `BATCHES` short write transactions. Safe
        to run from several processes at once.

        Returns when something is due next, or `None`. A time that is not in the future means that
        there is more to do now.
        """
        due, now = self._next_due()
        for _ in range(BATCHES):
            if due is None or due > now:
                break
            with self.acting() as (conn, at):
                worked = settlement.work(conn, at=at, rules=self.rules)
            due, now = self._next_due()
            if not worked:
                break
        return due

    def keep_rules(self) -> None:
        """Keep the rules in the file: who serves it says what commands beside it go by."""
        with self.database.writing() as conn:
            kept_rules.keep(conn, self.rules)

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

    def _next_due(self) -> tuple[datetime | None, datetime]:
        """When something is due next, and the bank's time."""
        with self.database.reading() as conn:
            due_ms = settlement.next_due(conn, rules=self.rules)
            now = self._time.now(conn)
        return (None if due_ms is None else timestamps.from_milliseconds(due_ms)), now

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
