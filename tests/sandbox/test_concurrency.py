"""No overdraft and no lost payment: across threads, across processes, and across a crash."""

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from guarita.sandbox import Bank
from guarita.sandbox.database import Database
from guarita.sandbox.ledger import InsufficientBalance
from tests.sandbox.support import ACCOUNT, FEE, order, python

COST = 100_00 + FEE
AFFORDABLE = 40

# Waits for a line, then pays until the account is empty and tells how often it paid.
DRAIN = f"""
import sys
from pathlib import Path
from guarita.sandbox import Bank, CashOut, pix_keys
from guarita.sandbox.ledger import InsufficientBalance

print("ready", flush=True)
sys.stdin.readline()
paid = 0
with Bank(Path(sys.argv[1]), opening_balance=int(sys.argv[2])) as bank:
    while True:
        try:
            bank.cash_out({ACCOUNT!r}, CashOut(100, pix_keys.parse("52998224725")))
        except InsufficientBalance:
            break
        paid += 1
        print(paid, flush=True)
print("paid", paid, flush=True)
"""


def test_sixteen_threads_drain_one_account_and_never_overdraw(tmp_path: Path) -> None:
    opening = AFFORDABLE * COST + COST - 1
    with Bank(tmp_path, opening_balance=opening) as bank:
        start = threading.Barrier(16)

        def drain(_thread: int) -> int:
            start.wait()
            paid = 0
            for _ in range(10):
                try:
                    bank.cash_out(ACCOUNT, order(100))
                except InsufficientBalance:
                    continue
                paid += 1
                assert bank.balance(ACCOUNT).balance >= 0
            return paid

        with ThreadPoolExecutor(16) as pool:
            paid = list(pool.map(drain, range(16)))

        assert sum(paid) == AFFORDABLE
        assert bank.count_payments(ACCOUNT) == AFFORDABLE
        assert bank.balance(ACCOUNT).balance == COST - 1
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
    processes = [python("-c", DRAIN, str(tmp_path), str(opening)) for _ in range(2)]
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
    with Bank(tmp_path) as bank:
        assert bank.balance(ACCOUNT).balance == 0
        assert bank.count_payments(ACCOUNT) == affordable
        audit = bank.check_ledger()
        assert audit.violations == ()
        assert audit.postings == affordable + 1  # one opening, though two processes opened it


def test_kill_9_leaves_whole_payments_only(tmp_path: Path) -> None:
    process = python("-c", DRAIN, str(tmp_path), str(10_000 * COST))
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

    with Bank(tmp_path) as bank:
        recorded = bank.count_payments(ACCOUNT)
        assert recorded in (told, told + 1)  # the last one may have been killed before it was told
        assert bank.balance(ACCOUNT).balance == (10_000 - recorded) * COST
        assert bank.check_ledger().violations == ()
