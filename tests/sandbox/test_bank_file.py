"""The bank's file: its settings, how it is opened and written, what survives a restart."""

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest

from guarita.sandbox.bank import Bank
from guarita.sandbox.pix.rules import Rules
from tests.sandbox.support import ACCOUNT, FEE, Clock, order

OTHER = "acc_2"
OPENING = 1_000_000


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def bank(tmp_path: Path, clock: Clock) -> Iterator[Bank]:
    with Bank(tmp_path, rules=Rules(opening_balance=OPENING), clock=clock) as opened:
        yield opened


def test_a_clock_without_time_zone_is_refused_and_posts_nothing(tmp_path: Path) -> None:
    naive = datetime(2026, 5, 1)
    with Bank(tmp_path, clock=lambda: naive) as bank:
        with pytest.raises(ValueError, match="time zone"):
            bank.cash_out(ACCOUNT, order())
        assert bank.check_ledger().postings == 0


def test_money_survives_a_restart(tmp_path: Path) -> None:
    clock = Clock()
    with Bank(tmp_path, clock=clock) as bank:
        payout = bank.cash_out(ACCOUNT, order())
        left = bank.balance(ACCOUNT)
    with Bank(tmp_path, rules=Rules(opening_balance=1), clock=clock) as again:
        assert again.balance(ACCOUNT) == left
        assert again.transaction(ACCOUNT, payout.transaction_id) == payout
        clock.advance(seconds=1)
        again.work()
        assert again.transaction(ACCOUNT, payout.transaction_id).status == "settled"


def test_the_fee_is_that_of_the_rules(tmp_path: Path) -> None:
    with Bank(tmp_path / "dear", rules=Rules(fee=FEE * 2)) as bank:
        assert bank.cash_out(ACCOUNT, order()).fee_amount == FEE * 2
    with Bank(tmp_path / "free", rules=Rules(fee=0)) as bank:
        assert bank.cash_out(ACCOUNT, order(3000)).net_amount == 300_000
        assert bank.check_ledger().ok


def test_a_closed_bank_says_so(tmp_path: Path) -> None:
    bank = Bank(tmp_path)
    bank.close()
    with pytest.raises(RuntimeError, match="closed"):
        bank.balance(ACCOUNT)


def test_a_current_file_is_opened_without_waiting_for_a_writer(tmp_path: Path, bank: Bank) -> None:
    """Opening took the write lock and read the whole file, each time."""
    with bank.database.writing(), ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: Bank(tmp_path).close()).result(timeout=10)


def test_a_file_of_a_later_version_is_left_alone(tmp_path: Path) -> None:
    Bank(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / "bank.db")) as conn:
        conn.execute("PRAGMA user_version = 999")
    with pytest.raises(RuntimeError, match="999"):
        Bank(tmp_path)


def test_the_file_is_written_durably(tmp_path: Path, bank: Bank) -> None:
    with bank.database.writing() as conn:
        assert conn.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
        assert conn.execute("PRAGMA synchronous").fetchone()[0] == 2  # FULL
        assert conn.execute("PRAGMA foreign_keys").fetchone()[0] == 1
