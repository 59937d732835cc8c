"""The queue of payouts that wait for the directory: it costs the bank little, however long."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from guarita.sandbox import bank as bank_module
from guarita.sandbox.bank import Bank
from guarita.sandbox.books.transactions import Transaction
from guarita.sandbox.pix import directory, settlement
from guarita.sandbox.pix.rules import Bucket, Rules
from guarita.sandbox.refusals import Refused
from tests.sandbox.support import ACCOUNT, Clock, events, order

MAX = 200
RULES = Rules(dict_per_account=Bucket(1, 0.1), queue_max=MAX, queue_limit_s=60)
OTHER = "acc_2"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def bank(tmp_path: Path, clock: Clock) -> Iterator[Bank]:
    with Bank(tmp_path, rules=RULES, clock=clock) as opened:
        yield opened
        assert opened.check_ledger().violations == ()


def queue(bank: Bank, count: int, scenario: str | None = None) -> list[Transaction]:
    """The first look-up of an account is free."""
    return [
        bank.cash_out(ACCOUNT, replace(order(1, external_id=str(n)), scenario=scenario))
        for n in range(count)
    ]


def statuses(bank: Bank, payouts: list[Transaction]) -> set[str]:
    return {bank.transaction(each.account, each.transaction_id).status for each in payouts}


def due_times(bank: Bank) -> list[int]:
    with bank.database.reading() as conn:
        rows = conn.execute("SELECT due_ms FROM transactions WHERE status = 'queued'")
        return sorted(row[0] for row in rows)


def test_after_the_first_refusal_all_of_the_account_wait_on(
    bank: Bank, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each asked for itself: tens of thousands kept the worker from ever returning."""
    first, *queued = queue(bank, MAX)
    asked: list[str] = []
    admit = directory.admit

    def counted(conn: object, account: str, **named: object) -> bool:
        asked.append(account)
        return admit(conn, account, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(directory, "admit", counted)
    clock.advance(seconds=3)
    assert bank.work() == clock.now + timedelta(seconds=3)
    assert asked == [ACCOUNT]
    assert statuses(bank, queued) == {"queued"}
    assert statuses(bank, [first]) == {"settled"}
    assert len(set(due_times(bank))) == 1


def test_those_let_through_go_on_in_their_order(bank: Bank, clock: Clock) -> None:
    _, *queued = queue(bank, 4)
    for _ in range(4):
        clock.advance(seconds=3)
        bank.work()
    assert [bank.transaction(ACCOUNT, p.transaction_id).status for p in queued] == [
        *("processing", "queued", "queued"),
    ]


def test_the_queue_is_given_up_in_the_end(bank: Bank, clock: Clock) -> None:
    """Also by those that another's refusal put off."""
    _, *queued = queue(bank, MAX)
    clock.advance(seconds=58)
    bank.work()
    clock.advance(seconds=2)
    bank.work()
    clock.advance(seconds=1)
    bank.work()
    assert statuses(bank, queued) == {"failed", "settled"}
    failed = [name for name, _ in events(bank)].count("pix.payout.failed")
    assert failed == MAX - 2


def test_an_accounts_queue_has_an_end(bank: Bank, clock: Clock) -> None:
    """Queued payouts need no money: an account could fill the bank with them."""
    queue(bank, 1 + MAX)
    before = bank.check_ledger()
    for scenario in (None, "queued", "queued-expired"):
        with pytest.raises(Refused, match=r"^Too many queued payments$"):
            bank.cash_out(ACCOUNT, replace(order(2), scenario=scenario))
    assert bank.check_ledger() == before
    assert bank.cash_out(OTHER, order(1)).status == "processing"
    assert bank.cash_out(OTHER, order(2)).status == "queued"
    clock.advance(seconds=60)
    bank.work()
    for amount, status in ((2, "processing"), (3, "queued")):
        assert bank.cash_out(ACCOUNT, order(amount)).status == status


def test_what_a_scenario_queued_is_not_put_off_by_a_refusal(bank: Bank, clock: Clock) -> None:
    queue(bank, 1)
    by_scenario = queue(bank, 2, "queued")
    clock.advance(seconds=3)
    waiting = bank.cash_out(ACCOUNT, order(3))
    clock.advance(seconds=3)
    bank.work()
    assert statuses(bank, by_scenario) == {"processing"}
    assert statuses(bank, [waiting]) == {"queued"}


def test_one_call_of_work_makes_so_many_batches(
    bank: Bank, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So it returns, whatever becomes due meanwhile; a due time in the past asks for more."""
    monkeypatch.setattr(bank_module, "BATCHES", 2)
    monkeypatch.setattr(settlement, "AT_ONCE", 3)
    payouts = [bank.cash_out(f"acc_{n}", order(1)) for n in range(8)]
    clock.advance(seconds=1)
    due = bank.work()
    assert due is not None
    assert due <= clock.now
    assert len([p for p in payouts if statuses(bank, [p]) == {"settled"}]) == 6
    assert bank.work() is None
    assert statuses(bank, payouts) == {"settled"}


@pytest.mark.parametrize("setting", ["queue_retry_s", "queue_limit_s", "sweep_s"])
def test_the_bank_counts_in_milliseconds(setting: str) -> None:
    """A retry after 0.4 ms was a retry after none, over and over."""
    too_short: dict[str, Any] = {setting: 0.0004}
    with pytest.raises(ValueError, match=rf"^{setting} must be 0.001 or more seconds"):
        Rules(**too_short)
    enough: dict[str, Any] = {setting: 0.001}
    assert getattr(Rules(**enough), setting) == 0.001


@pytest.mark.parametrize("most", [0, -1, True, 1.5])
def test_a_queue_has_room_for_one_at_least(most: int) -> None:
    with pytest.raises(ValueError, match="queue_max"):
        Rules(queue_max=most)
