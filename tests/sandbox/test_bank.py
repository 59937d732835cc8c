"""The use cases without HTTP: opening, paying, reading back, settings, and the file's life."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from guarita.sandbox import Bank, CashOut, pix_keys
from guarita.sandbox.ledger import InsufficientBalance
from guarita.sandbox.payments import TransactionNotFound
from tests.sandbox.support import ACCOUNT, FEE, Clock, order


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def bank(tmp_path: Path, clock: Clock) -> Iterator[Bank]:
    with Bank(tmp_path, opening_balance=1_000_000, clock=clock) as opened:
        yield opened


def test_an_account_opens_once_with_a_balance_posted_from_equity(bank: Bank) -> None:
    for _ in range(3):
        assert bank.balance(ACCOUNT).balance == 1_000_000
    audit = bank.check_ledger()
    assert (audit.accounts, audit.postings, audit.entries) == (2, 1, 2)


def test_a_payment_costs_amount_and_fee_and_is_settled_when_read_back(bank: Bank) -> None:
    payment = bank.cash_out(ACCOUNT, order(3000))
    assert (payment.amount, payment.fee_amount, payment.net_amount) == (300_000, FEE, 300_350)
    balance = bank.balance(ACCOUNT)
    assert (balance.balance, balance.pending, balance.available) == (699_650, 0, 699_650)
    found = bank.transaction(ACCOUNT, payment.transaction_id)
    assert found == payment
    assert (found.status, found.created_at) == ("settled", "2026-05-01T12:00:30Z")


def test_the_whole_balance_can_be_spent_and_not_a_unit_more(tmp_path: Path) -> None:
    with Bank(tmp_path / "enough", opening_balance=300_350) as bank:
        bank.cash_out(ACCOUNT, order(3000))
        assert bank.balance(ACCOUNT).balance == 0
    with Bank(tmp_path / "short", opening_balance=300_349) as bank:
        with pytest.raises(InsufficientBalance):
            bank.cash_out(ACCOUNT, order(3000))
        assert bank.balance(ACCOUNT).balance == 300_349
        assert bank.count_payments(ACCOUNT) == 0
        assert bank.check_ledger().ok


def test_each_submission_is_a_payment_with_ids_of_its_own(bank: Bank) -> None:
    payments = [bank.cash_out(ACCOUNT, order(100)) for _ in range(5)]
    assert len({p.transaction_id for p in payments}) == 5
    assert len({p.end_to_end_id for p in payments}) == 5
    assert len({p.uuid for p in payments}) == 5
    assert bank.count_payments(ACCOUNT) == 5


def test_accounts_do_not_see_each_other(bank: Bank) -> None:
    payment = bank.cash_out(ACCOUNT, order())
    with pytest.raises(TransactionNotFound):
        bank.transaction("acc_2", payment.transaction_id)
    assert bank.count_payments("acc_2") == 0
    assert bank.balance("acc_2").balance == 1_000_000


@pytest.mark.parametrize("unknown", ["", "PIXOUT", "' OR 1=1 --", "\ud800", "x" * 65, "é"])
def test_unknown_transactions_are_not_found(bank: Bank, unknown: str) -> None:
    bank.cash_out(ACCOUNT, order())
    with pytest.raises(TransactionNotFound):
        bank.transaction(ACCOUNT, unknown)


@pytest.mark.parametrize("amount", [0, -1, True, 1.0, "1", 10**13 + 1])
def test_an_order_without_a_sound_amount_cannot_be_made(amount: Any) -> None:
    with pytest.raises(ValueError, match="amount"):
        CashOut(amount, pix_keys.parse("52998224725"))


@pytest.mark.parametrize(
    "settings",
    [
        {"opening_balance": -1},
        {"opening_balance": 1.5},
        {"opening_balance": 10**15 + 1},
        {"fee": -1},
        {"fee": True},
        {"ispb": "123"},
        {"ispb": "1234567é"},
    ],
    ids=str,
)
def test_settings_that_cannot_be_right_are_refused(tmp_path: Path, settings: Any) -> None:
    with pytest.raises(ValueError, match=next(iter(settings))):
        Bank(tmp_path, **settings)


@pytest.mark.parametrize("account", ["", " ", "a b", "a\n", "x" * 129, "conta-é", "\ud800"])
def test_account_ids_have_a_form(bank: Bank, account: str) -> None:
    with pytest.raises(ValueError, match="account id"):
        bank.balance(account)
    with pytest.raises(ValueError, match="account id"):
        bank.cash_out(account, order())


def test_a_clock_without_time_zone_is_refused_and_posts_nothing(tmp_path: Path) -> None:
    naive = datetime(2026, 5, 1)
    with Bank(tmp_path, clock=lambda: naive) as bank:
        with pytest.raises(ValueError, match="time zone"):
            bank.cash_out(ACCOUNT, order())
        assert bank.check_ledger().postings == 0


def test_money_survives_a_restart(tmp_path: Path) -> None:
    with Bank(tmp_path) as bank:
        payment = bank.cash_out(ACCOUNT, order())
        left = bank.balance(ACCOUNT)
    with Bank(tmp_path, opening_balance=1) as again:
        assert again.balance(ACCOUNT) == left
        assert again.transaction(ACCOUNT, payment.transaction_id) == payment


def test_a_closed_bank_says_so(tmp_path: Path) -> None:
    bank = Bank(tmp_path)
    bank.close()
    with pytest.raises(RuntimeError, match="closed"):
        bank.balance(ACCOUNT)


def test_a_file_of_a_later_version_is_left_alone(tmp_path: Path) -> None:
    Bank(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / "bank.db")) as conn:
        conn.execute("PRAGMA user_version = 999")
    with pytest.raises(RuntimeError, match="999"):
        Bank(tmp_path)


def test_the_file_is_written_durably(tmp_path: Path, bank: Bank) -> None:
    with bank._database.writing() as conn:
        assert conn.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
        assert conn.execute("PRAGMA synchronous").fetchone()[0] == 2  # FULL
        assert conn.execute("PRAGMA foreign_keys").fetchone()[0] == 1
