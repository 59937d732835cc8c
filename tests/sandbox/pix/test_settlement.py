"""The settlement system: what is due is done once, in order, whoever does it."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from guarita.sandbox.bank import Bank
from guarita.sandbox.books.transactions import Transaction
from guarita.sandbox.pix import settlement
from guarita.sandbox.pix.charges import CashIn
from guarita.sandbox.pix.disputes import DefenseOrder
from guarita.sandbox.pix.refunds import RefundOrder
from guarita.sandbox.pix.rules import Rules
from guarita.sandbox.world import World
from tests.sandbox.support import ACCOUNT, Clock, events, order, python

# Waits for a line, then works until nothing is due, and tells when something is due next.
WORK = """
import sys
from datetime import datetime
from pathlib import Path
from guarita.sandbox.bank import Bank

now = datetime.fromisoformat(sys.argv[2])
with Bank(Path(sys.argv[1]), clock=lambda: now) as bank:
    print("ready", flush=True)
    sys.stdin.readline()
    print("left", bank.work(), flush=True)
"""


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def bank(tmp_path: Path, clock: Clock) -> Iterator[Bank]:
    with Bank(tmp_path, clock=clock) as opened:
        yield opened
        assert opened.check_ledger().violations == ()


def later(bank: Bank, clock: Clock, seconds: float) -> None:
    clock.advance(seconds=seconds)
    bank.work()


def statuses(bank: Bank, payouts: list[Transaction]) -> list[str]:
    return [bank.transaction(p.account, p.transaction_id).status for p in payouts]


def test_work_tells_when_something_is_due_next(bank: Bank, clock: Clock) -> None:
    assert bank.work() is None
    bank.cash_out(ACCOUNT, order(1))
    clock.advance(seconds=0.25)
    bank.cash_out(ACCOUNT, order(2))
    assert bank.work() == clock.now + timedelta(seconds=0.75)
    clock.advance(seconds=0.75)
    assert bank.work() == clock.now + timedelta(seconds=0.25)
    clock.advance(seconds=0.25)
    assert bank.work() is None


def test_an_idle_worker_writes_nothing(bank: Bank, clock: Clock) -> None:
    bank.cash_out(ACCOUNT, order())
    with bank.database.writing(), ThreadPoolExecutor(1) as pool:
        # Would wait for the write lock if it wanted to write.
        assert pool.submit(bank.work).result(timeout=10) == clock.now + timedelta(seconds=1)


def test_more_than_one_batch_is_done_in_one_go(bank: Bank, clock: Clock) -> None:
    count = 2 * settlement.AT_ONCE + 1
    payouts = [bank.cash_out(ACCOUNT, order(1, external_id=str(n))) for n in range(count)]
    clock.advance(seconds=1)
    assert bank.work() is None
    assert statuses(bank, payouts) == ["settled"] * count


def test_steps_without_delay_happen_in_one_go(tmp_path: Path) -> None:
    clock, rules = Clock(), Rules(settlement_delay_s=0, review_s=0)
    with Bank(tmp_path / "instant", rules=rules, clock=clock) as bank:
        names = ("settled", "held", "held-rejected", "returned", "rejected-ac03")
        payouts = [
            bank.cash_out(ACCOUNT, replace(order(n), scenario=name))
            for n, name in enumerate(names, start=1)
        ]
        charge = bank.cash_in(ACCOUNT, CashIn(100, scenario="disputed"))
        bank.work()
        expected = ["settled", "settled", "failed", "returned", "failed"]
        assert statuses(bank, payouts) == expected
        assert bank.transaction(ACCOUNT, charge.transaction_id).status == "paid"
        assert len(bank.infractions(ACCOUNT)) == 1
        assert bank.check_ledger().violations == ()


def test_what_is_due_first_settles_first(bank: Bank, clock: Clock) -> None:
    held = bank.cash_out(ACCOUNT, replace(order(), scenario="held"))
    later(bank, clock, 1)
    second = bank.cash_out(ACCOUNT, order())
    assert held.end_to_end_id == second.end_to_end_id
    later(bank, clock, 1)
    later(bank, clock, 9)
    assert statuses(bank, [held, second]) == ["failed", "settled"]


def test_every_kind_of_business_is_looked_after(bank: Bank, clock: Clock) -> None:
    paid = bank.cash_in(ACCOUNT, CashIn(100, scenario="paid"))
    disputed = bank.cash_in(ACCOUNT, CashIn(200, scenario="disputed"))
    expired = bank.cash_in(ACCOUNT, CashIn(300, scenario="expired"))
    left = bank.cash_in(ACCOUNT, CashIn(400))
    later(bank, clock, 1)
    states = [
        bank.transaction(ACCOUNT, charge.transaction_id).status
        for charge in (paid, disputed, expired, left)
    ]
    assert states == ["paid", "paid", "expired", "active"]

    refund = bank.refund(ACCOUNT, RefundOrder(paid.transaction_id))
    later(bank, clock, 1)
    assert statuses(bank, [refund]) == ["settled"]

    later(bank, clock, 9)
    (case,) = bank.infractions(ACCOUNT)
    assert (case.status, case.amount) == ("ACKNOWLEDGED", 20_000)
    bank.defend(ACCOUNT, case.id, DefenseOrder("Entregue", scenario="dispute-disagreed"))
    later(bank, clock, 1)
    assert bank.infraction(ACCOUNT, case.id).analysis_result == "DISAGREED"

    later(bank, clock, 86_400 + 300)
    assert bank.transaction(ACCOUNT, left.transaction_id).status == "expired"
    assert bank.work() is None


def test_a_receipt_refunded_before_its_dispute_is_left_alone(bank: Bank, clock: Clock) -> None:
    charge = bank.cash_in(ACCOUNT, CashIn(200, scenario="disputed"))
    later(bank, clock, 1)
    bank.refund(ACCOUNT, RefundOrder(charge.transaction_id))
    later(bank, clock, 10)
    assert bank.infractions(ACCOUNT) == []
    assert bank.work() is None


def test_a_charge_expires_with_a_sweep(bank: Bank, clock: Clock) -> None:
    """Sweeps happen every 300 s by the clock on the wall; the charge is made 30 s after one."""
    charge = bank.cash_in(ACCOUNT, CashIn(100))
    clock.advance(days=1)
    assert bank.work() == clock.now + timedelta(seconds=270)
    assert bank.transaction(ACCOUNT, charge.transaction_id).status == "active"
    clock.advance(seconds=270)
    assert bank.work() is None
    assert bank.transaction(ACCOUNT, charge.transaction_id).status == "expired"
    assert events(bank)[-1] == ("pix.charge.expired", "expired")


def test_a_commanded_settlement_comes_before_the_due_one(bank: Bank, clock: Clock) -> None:
    payout = bank.cash_out(ACCOUNT, order())
    assert World(bank).settle(payout.transaction_id).status == "settled"
    later(bank, clock, 1)
    assert bank.count_payments(ACCOUNT) == 1


def test_many_threads_settle_each_payout_once(bank: Bank, clock: Clock) -> None:
    payouts = [bank.cash_out(ACCOUNT, order(1, external_id=str(n))) for n in range(120)]
    clock.advance(seconds=1)
    start = threading.Barrier(8)

    def work(_thread: int) -> None:
        start.wait()
        bank.work()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert statuses(bank, payouts) == ["settled"] * 120
    assert bank.count_payments(ACCOUNT) == 120
    assert bank.check_ledger().postings == 1 + 2 * 120
    assert len(events(bank)) == 2 * 120


def test_two_processes_settle_each_payout_once(tmp_path: Path, bank: Bank, clock: Clock) -> None:
    payouts = [bank.cash_out(ACCOUNT, order(1, external_id=str(n))) for n in range(300)]
    clock.advance(seconds=1)
    workers = [python("-c", WORK, str(tmp_path), clock.now.isoformat()) for _ in range(2)]
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:  # both are ready: now both start
        assert worker.stdin is not None
        worker.stdin.write("\n")
        worker.stdin.flush()
    outputs = [worker.communicate(timeout=60)[0] for worker in workers]
    assert outputs == ["left None\n", "left None\n"]
    assert [worker.returncode for worker in workers] == [0, 0]
    assert statuses(bank, payouts) == ["settled"] * 300
    assert bank.count_payments(ACCOUNT) == 300
    assert len(events(bank)) == 2 * 300


def test_a_worker_that_dies_leaves_whole_steps(tmp_path: Path, bank: Bank, clock: Clock) -> None:
    """What a batch had done when it failed is undone, and done again by the next worker."""
    payouts = [bank.cash_out(ACCOUNT, order(1, external_id=str(n))) for n in range(10)]
    clock.advance(seconds=1)

    def work_and_die() -> None:
        with bank.database.writing() as conn:
            assert settlement.work(conn, at=clock.now, rules=bank.rules)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work_and_die()
    assert statuses(bank, payouts) == ["processing"] * 10
    assert bank.check_ledger().violations == ()
    bank.work()
    assert statuses(bank, payouts) == ["settled"] * 10
