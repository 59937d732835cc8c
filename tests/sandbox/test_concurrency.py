"""No overdraft and no lost payment: across threads, across processes, and across a crash."""

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from guarita.sandbox.bank import Bank
from guarita.sandbox.books.ledger import InsufficientBalance
from guarita.sandbox.database import Database
from guarita.sandbox.pix.rules import Rules
from tests.sandbox.support import ACCOUNT, FEE, Clock, order, python

COST = 100_00 + FEE
AFFORDABLE = 40

# Waits for a line, then pays until the account is empty and tells how often it paid. Its clock runs
# ahead by a second before each order, so that payouts settle while others are taken in.
DRAIN = f"""
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from guarita.sandbox.bank import Bank
from guarita.sandbox.books.ledger import InsufficientBalance
from guarita.sandbox.pix.payouts import CashOut
from guarita.sandbox.pix.rules import Rules
from guarita.sandbox.text.pix_keys import PixKey

key = PixKey("cpf", "52998224725")
now = datetime(2026, 5, 1, 12, tzinfo=UTC)
print("ready", flush=True)
sys.stdin.readline()
paid = 0
rules = Rules(opening_balance=int(sys.argv[2]))
with Bank(Path(sys.argv[1]), rules=rules, clock=lambda: now) as bank:
    while True:
        now += timedelta(seconds=1)
        name = f"{{sys.argv[3]}}-{{paid}}"
        try:
            bank.cash_out({ACCOUNT!r}, CashOut(100, key, external_id=name))
        except InsufficientBalance:
            break
        paid += 1
        print(paid, flush=True)
        bank.work()
    now += timedelta(seconds=1)
    bank.work()
print("paid", paid, flush=True)
"""


def tomorrow() -> Clock:
    """A clock past that of the processes."""
    clock = Clock()
    clock.advance(days=1)
    return clock


def test_sixteen_threads_drain_one_account_and_never_overdraw(tmp_path: Path) -> None:
    clock = Clock()
    opening = AFFORDABLE * COST + COST - 1
    with Bank(tmp_path, rules=Rules(opening_balance=opening), clock=clock) as bank:
        start = threading.Barrier(16)

        def drain(thread: int) -> int:
            start.wait()
            paid = 0
            for number in range(10):
                try:
                    bank.cash_out(ACCOUNT, order(100, external_id=f"{thread}-{number}"))
                except InsufficientBalance:
                    continue
                paid += 1
                assert bank.balance(ACCOUNT).available >= 0
            return paid

        with ThreadPoolExecutor(16) as pool:
            paid = list(pool.map(drain, range(16)))

        assert sum(paid) == AFFORDABLE
        balance = bank.balance(ACCOUNT)
        assert (balance.available, balance.pending) == (COST - 1, AFFORDABLE * COST)
        clock.advance(seconds=1)
        bank.work()
        assert bank.count_payments(ACCOUNT) == AFFORDABLE
        assert bank.balance(ACCOUNT).balance == COST - 1
        assert bank.check_ledger().violations == ()


def test_one_payment_sent_by_sixteen_threads_is_executed_once(tmp_path: Path) -> None:
    clock = Clock()
    with Bank(tmp_path, clock=clock) as bank:
        start = threading.Barrier(16)

        def pay(_thread: int) -> None:
            start.wait()
            bank.cash_out(ACCOUNT, order(100, external_id="the-same"))

        with ThreadPoolExecutor(16) as pool:
            list(pool.map(pay, range(16)))
        clock.advance(seconds=1)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: bank.work(), range(4)))
        assert bank.count_payments(ACCOUNT) == 1
        assert bank.balance(ACCOUNT).balance == bank.rules.opening_balance - COST
        assert bank.check_ledger().violations == ()


def test_a_writer_keeps_other_processes_out_before_it_has_read_anything(tmp_path: Path) -> None:
    with closing(Database(tmp_path / "bank.db")) as database:
        stranger = sqlite3.connect(tmp_path / "bank.db", timeout=0, isolation_level=None)
        with closing(stranger), database.writing():
            with pytest.raises(sqlite3.OperationalError) as refused:
                stranger.execute("BEGIN IMMEDIATE")
            assert refused.value.sqlite_errorcode == sqlite3.SQLITE_BUSY


def test_two_processes_open_a_new_file_at_once_and_drain_one_account(tmp_path: Path) -> None:
    affordable = 400  # enough to keep both at it for a while
    opening = affordable * COST
    processes = [python("-c", DRAIN, str(tmp_path), str(opening), name) for name in ("a", "b")]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:  # both are ready: now both start
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    outputs = [process.communicate(timeout=60)[0].splitlines() for process in processes]

    assert [process.returncode for process in processes] == [0, 0]
    assert sum(int(output[-1].removeprefix("paid ")) for output in outputs) == affordable
    with Bank(tmp_path, clock=tomorrow()) as bank:
        bank.work()
        assert bank.balance(ACCOUNT).balance == 0
        assert bank.count_payments(ACCOUNT) == affordable
        audit = bank.check_ledger()
        assert audit.violations == ()
        assert audit.postings == 2 * affordable + 1  # one opening, though two processes opened it


def test_kill_9_leaves_whole_payments_only(tmp_path: Path) -> None:
    process = python("-c", DRAIN, str(tmp_path), str(10_000 * COST), "a")
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.stdin.write("\n")
    process.stdin.flush()
    for _ in range(10):
        told = int(process.stdout.readline())
    process.kill()
    rest, _ = process.communicate(timeout=60)
    told = max([told, *(int(line) for line in rest.splitlines() if line.isdigit())])

    with Bank(tmp_path, clock=tomorrow()) as bank:
        assert bank.check_ledger().violations == ()
        balance = bank.balance(ACCOUNT)
        taken = 10_000 - balance.available // COST
        assert taken in (told, told + 1)  # the last one may have been killed before it was told
        # What was under way is finished by whoever works next.
        assert balance.pending == (taken - bank.count_payments(ACCOUNT)) * COST
        bank.work()
        assert bank.count_payments(ACCOUNT) == taken
        assert bank.balance(ACCOUNT).balance == (10_000 - taken) * COST
        assert bank.check_ledger().violations == ()
