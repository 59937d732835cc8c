"""One step that cannot be done keeps the bank from nothing else; and what the books cannot hold is
refused before it becomes such a step.
"""

import logging
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from guarita.sandbox.bank import Bank
from guarita.sandbox.books import ledger
from guarita.sandbox.books.transactions import Transaction
from guarita.sandbox.pix import charges, directory, disputes, payouts, receipts, settlement
from guarita.sandbox.pix.charges import CashIn
from guarita.sandbox.pix.disputes import DefenseOrder
from guarita.sandbox.pix.payouts import CashOut
from guarita.sandbox.pix.rules import MAX_AMOUNT_CENTAVOS, MAX_BALANCE, Rules
from guarita.sandbox.text import identifiers
from guarita.sandbox.text.brcode import BrCode
from guarita.sandbox.text.pix_keys import PixKey
from guarita.sandbox.world import Impossible, World
from tests.sandbox.support import ACCOUNT, FEE, Clock, order

LATER = timedelta(milliseconds=settlement.PUT_OFF_MS)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def bank(tmp_path: Path, clock: Clock) -> Iterator[Bank]:
    with Bank(tmp_path, clock=clock) as opened:
        yield opened
        assert opened.check_ledger().violations == ()


def status(bank: Bank, made: Any) -> str:
    return bank.transaction(made.account, made.transaction_id).status


def fails_for(
    monkeypatch: pytest.MonkeyPatch, module: object, name: str, account: str, error: Exception
) -> None:
    """The function works, then fails, for one account, until the patch is undone."""
    works: Callable[..., Any] = getattr(module, name)

    def failing(conn: sqlite3.Connection, about: Any, *more: Any, **named: Any) -> Any:
        done = works(conn, about, *more, **named)
        if about.account == account:
            raise error
        return done

    monkeypatch.setattr(module, name, failing)


def test_a_payout_that_cannot_settle_is_put_off_and_the_others_settle(
    bank: Bank, clock: Clock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It stopped the settlement of everybody's payments."""
    bad = bank.cash_out("bad", order(1))
    good = [bank.cash_out(name, order(1)) for name in ("a", "b")]
    clock.advance(seconds=1)
    with monkeypatch.context() as patch:
        fails_for(patch, payouts, "settle", "bad", RuntimeError("no way"))
        assert bank.work() == clock.now + LATER
    assert [status(bank, each) for each in (bad, *good)] == ["processing", "settled", "settled"]
    assert bank.balance("bad").pending == bad.net_amount  # the half that was done is undone
    assert bank.check_ledger().ok
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("guarita.sandbox", logging.ERROR)
    assert bad.transaction_id in record.getMessage()
    assert record.exc_info is not None
    clock.now += LATER
    assert bank.work() is None
    assert status(bank, bad) == "settled"


def test_charges_and_disputes_that_fail_are_put_off_too(
    bank: Bank, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(bank)
    cases = {}
    for name in ("bad", "good"):
        receipt = world.pay(bank.pix_keys(name)[0].key, 1000)
        cases[name] = world.infraction(receipt.transaction_id)
        bank.defend(name, cases[name].id, DefenseOrder("x", scenario="dispute-disagreed"))
    paid = {name: bank.cash_in(name, CashIn(100, scenario="paid")) for name in cases}
    ended = {name: bank.cash_in(name, CashIn(200)) for name in cases}
    clock.advance(seconds=1)
    with monkeypatch.context() as patch:
        fails_for(patch, charges, "pay", "bad", RuntimeError())
        fails_for(patch, disputes, "resolve", "bad", RuntimeError())
        assert bank.work() == clock.now + LATER
    assert (status(bank, paid["bad"]), status(bank, paid["good"])) == ("active", "paid")
    states = [bank.infraction(name, case.id).status for name, case in cases.items()]
    assert states == ["ACKNOWLEDGED", "CLOSED"]
    clock.now += LATER
    bank.work()
    assert status(bank, paid["bad"]) == "paid"
    assert bank.infraction("bad", cases["bad"].id).status == "CLOSED"

    clock.advance(days=1, seconds=300)
    with monkeypatch.context() as patch:
        fails_for(patch, charges, "expire", "bad", RuntimeError())
        due = bank.work()
    assert due is not None
    assert clock.now < due <= clock.now + LATER + timedelta(seconds=bank.rules.sweep_s)
    assert (status(bank, ended["bad"]), status(bank, ended["good"])) == ("active", "expired")
    clock.now = due
    assert bank.work() is None
    assert status(bank, ended["bad"]) == "expired"


def test_where_the_file_cannot_be_written_nothing_is_put_off(
    bank: Bank, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    payout = bank.cash_out(ACCOUNT, order(1))
    clock.advance(seconds=1)
    with monkeypatch.context() as patch:
        full = sqlite3.OperationalError("database or disk is full")
        fails_for(patch, payouts, "settle", ACCOUNT, full)
        with pytest.raises(sqlite3.OperationalError, match="full"):
            bank.work()
    assert status(bank, payout) == "processing"
    assert bank.work() is None
    assert status(bank, payout) == "settled"


def test_nobody_can_use_up_the_end_to_end_id_a_charge_will_be_paid_with(
    bank: Bank, clock: Clock
) -> None:
    """It was derived from the charge's id: a payment sent under it before stopped the worker."""
    key = PixKey("evp", bank.pix_keys(ACCOUNT)[0].key)
    charge = bank.cash_in(ACCOUNT, CashIn(5000, scenario="paid"))
    payer = directory.someone(charge.transaction_id)
    code = BrCode.static(key, merchant_name="M", city="SP")
    guess = identifiers.end_to_end_id(charge.transaction_id, at=clock.now, ispb=payer.ispb)
    World(bank).settle(
        bank.cash_out("acc_2", CashOut(1, emv=code, end_to_end_id=guess)).transaction_id
    )
    clock.advance(seconds=1)
    bank.work()
    assert status(bank, charge) == "paid"


def fill(bank: Bank, account: str, left: int) -> None:
    """Let the account have all but `left` of the most it may have."""
    with bank.customer(account) as (conn, at):
        money = ledger.balance(conn, ledger.customer(account)) or 0
        amount = MAX_BALANCE - money - left
        receipts.receive(
            conn,
            account,
            amount=amount + bank.rules.fee,
            end_to_end_id=identifiers.new_end_to_end_id(at, ispb="90000001"),
            payer=directory.someone("a rich one"),
            at=at,
            rules=bank.rules,
        )


def test_an_account_takes_no_more_than_the_books_can_hold(bank: Bank, clock: Clock) -> None:
    """Some thousand receipts of the greatest amount went beyond SQLite's integers, and the worker
    failed for ever after.
    """
    key = bank.pix_keys(ACCOUNT)[0].key
    fill(bank, ACCOUNT, left=100)
    charge = bank.cash_in(ACCOUNT, CashIn(MAX_AMOUNT_CENTAVOS, scenario="paid"))
    for amount in (5, MAX_AMOUNT_CENTAVOS):
        with pytest.raises(Impossible, match="Balance limit"):
            World(bank).pay(key, amount)
    payout = bank.cash_out("acc_2", CashOut(5, PixKey("evp", key)))
    other = bank.cash_out("acc_3", order(1))
    clock.advance(seconds=1)
    bank.work()
    found = bank.transaction("acc_2", payout.transaction_id)
    assert isinstance(found, Transaction)
    assert (found.status, found.reason) == ("failed", "AM02")
    assert (status(bank, other), status(bank, charge)) == ("settled", "active")
    clock.advance(days=1, seconds=300)
    bank.work()
    assert status(bank, charge) == "expired"
    assert World(bank).pay(key, 4).net_amount == 50  # there is room for what is left of it


def test_held_money_counts_and_always_finds_its_way_back(bank: Bank, clock: Clock) -> None:
    payout = bank.cash_out(ACCOUNT, order(3000))
    fill(bank, ACCOUNT, left=payout.net_amount)
    with pytest.raises(Impossible, match="Balance limit"):
        World(bank).pay(bank.pix_keys(ACCOUNT)[0].key, 4)
    World(bank).reject(payout.transaction_id)
    assert bank.balance(ACCOUNT).available == MAX_BALANCE


def test_a_return_waits_until_its_account_has_room(bank: Bank, clock: Clock) -> None:
    payout = bank.cash_out(ACCOUNT, replace(order(3000), scenario="returned"))
    clock.advance(seconds=1)
    bank.work()
    fill(bank, ACCOUNT, left=0)
    with pytest.raises(Impossible, match="Balance limit"):
        World(bank).give_back(payout.transaction_id)
    clock.advance(seconds=10)
    bank.work()
    assert status(bank, payout) == "settled"
    spent = bank.cash_out(ACCOUNT, order(5000))
    World(bank).settle(spent.transaction_id)
    clock.now += LATER
    bank.work()
    assert status(bank, payout) == "returned"


def test_no_sum_of_the_bank_comes_near_what_its_file_can_hold(bank: Bank) -> None:
    bank.balance(ACCOUNT)
    with bank.database.writing() as conn:
        conn.execute(
            "UPDATE ledger_accounts SET balance = ? WHERE kind = 'clearing'", (1 - ledger.LIMIT,)
        )
        with pytest.raises(ledger.TooMuchMoney, match="clearing"):
            ledger.post(
                conn,
                {ledger.PIX_CLEARING: -2, ledger.customer(ACCOUNT): 2},
                kind="opening_balance",
                at="2026-05-01T12:00:30Z",
            )
        with pytest.raises(receipts.NoRoom):
            receipts.check_room(conn, ACCOUNT, credited=2)
        receipts.check_room(conn, ACCOUNT, credited=1)
        conn.execute("UPDATE ledger_accounts SET balance = 0 WHERE kind = 'clearing'")


@pytest.mark.parametrize("ispb", ["90000001", "90000005"])
def test_the_bank_takes_no_simulated_banks_code(ispb: str) -> None:
    """Every payment there looked like one to an account of its own."""
    with pytest.raises(ValueError, match="simulated"):
        Rules(ispb=ispb)


def test_a_payment_inside_arrives_although_the_banks_code_changed_meanwhile(
    tmp_path: Path, clock: Clock
) -> None:
    """Its receiver was guessed from the code; the money left and arrived nowhere."""
    with Bank(tmp_path / "x", clock=clock) as bank:
        opening = bank.balance("acc_2").balance
        key = PixKey("evp", bank.pix_keys("acc_2")[0].key)
        payout = bank.cash_out(ACCOUNT, CashOut(1000, key))
    clock.advance(seconds=1)
    with Bank(tmp_path / "x", rules=Rules(ispb="12345678"), clock=clock) as bank:
        bank.work()
        assert status(bank, payout) == "settled"
        assert bank.balance("acc_2").balance == opening + 100_000 - FEE
        assert bank.check_ledger().violations == ()
