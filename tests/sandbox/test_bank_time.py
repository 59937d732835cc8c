"""The bank's time: it follows the clock, and never goes back before what happened already."""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from guarita.sandbox.bank import Bank
from guarita.sandbox.books.ledger import InsufficientBalance
from guarita.sandbox.books.transactions import Transaction
from guarita.sandbox.pix.charges import CashIn
from guarita.sandbox.text import timestamps
from guarita.sandbox.world import World
from tests.sandbox.support import ACCOUNT, Clock, order


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def bank(tmp_path: Path, clock: Clock) -> Iterator[Bank]:
    with Bank(tmp_path, clock=clock) as opened:
        yield opened
        assert opened.check_ledger().violations == ()


def story(bank: Bank, subject: str) -> list[str]:
    with bank.database.reading() as conn:
        rows = conn.execute("SELECT at FROM stories WHERE subject = ? ORDER BY step", (subject,))
        return [row[0] for row in rows]


def test_a_payout_settles_after_the_clock_was_put_back(bank: Bank, clock: Clock) -> None:
    """Its story went back in time, and the books could never be proved right again."""
    payout = bank.cash_out(ACCOUNT, order())
    clock.advance(seconds=-5)
    settled = World(bank).settle(payout.transaction_id)
    assert settled.completed_at == payout.created_at
    assert story(bank, payout.transaction_id) == [payout.created_at] * 2


def test_a_customers_orders_and_a_dispute_go_on_with_the_clock_put_back(
    bank: Bank, clock: Clock
) -> None:
    world = World(bank)
    receipt = world.pay(bank.pix_keys(ACCOUNT)[0].key, 100)
    clock.advance(hours=-1)
    case = world.infraction(receipt.transaction_id)
    assert case.created_at == receipt.created_at
    clock.advance(seconds=5)
    assert bank.cash_out(ACCOUNT, order()).created_at == receipt.created_at
    assert world.resolve(case.id, "AGREED").resolved_at == receipt.created_at


def test_the_receipt_of_a_charge_paid_with_the_clock_put_back_is_the_one_found(
    bank: Bank, clock: Clock
) -> None:
    charge = bank.cash_in(ACCOUNT, CashIn(100, external_id="x"))
    clock.advance(seconds=-5)
    receipt = World(bank).pay(charge.transaction_id)
    assert bank.by_external_id(ACCOUNT, "x") == receipt


def test_time_stands_still_until_the_clock_has_caught_up(bank: Bank, clock: Clock) -> None:
    payout = bank.cash_out(ACCOUNT, order())
    made = clock.now
    clock.advance(seconds=-5)
    assert bank.work() == made + timedelta(seconds=1)
    clock.advance(seconds=5.5)
    assert bank.work() == made + timedelta(seconds=1)
    clock.advance(seconds=0.5)
    assert bank.work() is None
    assert bank.transaction(ACCOUNT, payout.transaction_id).status == "settled"


def test_the_work_of_a_process_whose_clock_is_behind_goes_by_the_newest_time(
    tmp_path: Path, bank: Bank, clock: Clock
) -> None:
    """It does what is due by then, and does not wait for its own clock."""
    payout = bank.cash_out(ACCOUNT, order())
    clock.advance(seconds=30)
    bank.cash_in(ACCOUNT, CashIn(100))
    with Bank(tmp_path, clock=Clock()) as late:
        late.work()
        done = late.transaction(ACCOUNT, payout.transaction_id)
    assert isinstance(done, Transaction)
    assert (done.status, done.completed_at) == ("settled", timestamps.iso(clock.now))


def test_what_is_rolled_back_happened_at_no_time(bank: Bank, clock: Clock) -> None:
    bank.balance(ACCOUNT)
    clock.advance(days=1)
    with pytest.raises(InsufficientBalance):
        bank.cash_out(ACCOUNT, order(10**9))
    clock.advance(days=-1)
    assert bank.cash_out(ACCOUNT, order()).created_at == timestamps.iso(clock.now)


def test_a_clock_far_behind_is_told_once(
    bank: Bank, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    bank.cash_out(ACCOUNT, order())
    clock.advance(seconds=-59)
    bank.cash_out(ACCOUNT, order())
    assert caplog.record_tuples == []
    clock.advance(days=-3650)
    for _ in range(2):
        bank.cash_out(ACCOUNT, order())
    ((name, level, text),) = caplog.record_tuples
    assert (name, level) == ("guarita.sandbox", logging.WARNING)
    assert "3650 days" in text
    assert "another data folder" in text


def test_a_begun_millisecond_is_not_counted() -> None:
    """Rounded up, the last half millisecond of a day fell on the next day's statement, while the
    time shown was that of the day before.
    """
    last = datetime(2026, 5, 1, 23, 59, 59, 999_700, tzinfo=UTC)
    ms = timestamps.milliseconds(last)
    assert timestamps.iso(timestamps.from_milliseconds(ms)) == timestamps.iso(last)
    assert timestamps.from_milliseconds(ms) == last.replace(microsecond=999_000)
    assert timestamps.milliseconds(timestamps.from_milliseconds(ms)) == ms
