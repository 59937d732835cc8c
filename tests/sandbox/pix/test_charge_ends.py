"""Charges, ended: paid once, or over: for payers by the clock, to be seen by the sweep."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guarita.sandbox.pix import charges, receipts
from guarita.sandbox.pix.charges import CashIn
from guarita.sandbox.pix.rules import Rules
from guarita.sandbox.text import identifiers
from guarita.sandbox.text.pix_keys import PixKey
from tests.sandbox.pix.desks import ACCOUNT, PAYER, Desk

CPF = PixKey("cpf", "12345678901")
DAY = timedelta(days=1)


# Paid


def test_a_payment_ends_it(desk: Desk) -> None:
    desk.register(CPF)
    charge = desk.charge(4590, description="Assinatura", external_id="sub-1")
    desk.advance(hours=1)
    receipt = desk.pay(charge)
    paid = desk.now_of(charge)

    assert (paid.status, paid.paid_transaction_id) == ("paid", receipt.transaction_id)
    assert paid.completed_at == receipt.created_at == "2026-05-01T13:00:30Z"
    assert desk.story(charge) == ["active", "paid"]
    assert receipt.charge == charge.transaction_id
    assert (receipt.amount, receipt.fee_amount, receipt.net_amount) == (459_000, 350, 458_650)
    assert (receipt.description, receipt.external_id) == ("Assinatura", "sub-1")
    assert (receipt.pix_key, receipt.pix_key_type) == (CPF.value, "cpf")
    assert (receipt.scenario, receipt.due_ms) == (None, None)
    assert desk.balances() == {
        "available": 458_650,
        "held": 0,
        "fees": 350,
        "clearing": -459_000,
    }
    assert desk.audit().violations == ()


def test_its_events(desk: Desk) -> None:
    charge = desk.charge(4590, external_id="sub-1")
    receipt = desk.pay(charge)
    created, paid = desk.events()
    assert created == {
        "subject": charge.transaction_id,
        "event_type": "pix.charge.created",
        "status": "created",
        "account_id": 100731,
        "entity_id": charge.uuid,
        "transaction_id": charge.transaction_id,
        "end_to_end_id": None,
        "external_id": "sub-1",
        "amount": 459_000,
        "charge_id": charge.transaction_id,
        "expires_at": "2026-05-02T12:00:30Z",
    }
    assert paid == {
        "subject": charge.transaction_id,
        "event_type": "pix.charge.paid",
        "status": "paid",
        "account_id": 100731,
        "entity_id": receipt.uuid,
        "transaction_id": receipt.transaction_id,
        "end_to_end_id": receipt.end_to_end_id,
        "external_id": "sub-1",
        "amount": 459_000,
        "fee_amount": 350,
        "net_amount": 458_650,
        "charge_id": charge.transaction_id,
    }


def test_it_is_paid_once(desk: Desk) -> None:
    charge = desk.charge()
    desk.pay(charge)
    with pytest.raises(charges.NotPayable, match="Charge was paid already"):
        desk.pay(charge)
    assert desk.count("transactions") == 1


def test_it_is_paid_once_by_many_at_the_same_time(desk: Desk) -> None:
    charge = desk.charge()
    start = threading.Barrier(8)
    outcomes: list[str] = []

    def pay() -> None:
        start.wait()
        try:
            outcomes.append(desk.pay(charge).status)
        except charges.NotPayable as refused:
            outcomes.append(refused.text)

    threads = [threading.Thread(target=pay) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["Charge was paid already"] * 7 + ["settled"]
    assert desk.balances()["available"] == charge.amount - 350


def test_a_payment_that_is_refused_leaves_no_trace(desk: Desk) -> None:
    first = desk.pay(desk.charge())
    charge = desk.charge()
    with desk.open() as conn, pytest.raises(receipts.AlreadyReceived):
        charges.pay(
            conn,
            charge,
            PAYER,
            end_to_end_id=first.end_to_end_id,
            at=desk.now,
            rules=desk.rules,
        )
    # The caller went on and committed, as a settlement does that fails the payout instead.
    assert desk.now_of(charge) == charge
    assert desk.count("transactions") == 1
    assert desk.pay(charge).status == "settled"


def test_from_its_end_on_it_cannot_be_paid(desk: Desk) -> None:
    early, late = desk.charge(), desk.charge()
    desk.now += DAY - timedelta(milliseconds=1)
    assert desk.pay(early).status == "settled"
    desk.advance(milliseconds=1)
    with pytest.raises(charges.NotPayable, match="Charge has expired"):
        desk.pay(late)
    assert desk.now_of(late).status == "active"  # until the sweep
    desk.advance(minutes=5)
    desk.work()
    assert desk.now_of(late).status == "expired"
    with pytest.raises(charges.NotPayable, match="Charge has expired"):
        desk.pay(late)


def test_the_charge_in_hand_may_be_old(desk: Desk) -> None:
    charge = desk.charge()
    desk.pay(charge)
    assert charge.status == "active"
    with desk.open() as conn, pytest.raises(charges.NotPayable):
        charges.pay(
            conn, charge, PAYER, end_to_end_id="E" + "0" * 31, at=desk.now, rules=desk.rules
        )


# Over


def test_the_sweep_expires_what_is_over(desk: Desk) -> None:
    charge = desk.charge(external_id="sub-1")  # made at 12:00:30
    paid = desk.charge()
    desk.pay(paid)
    desk.now = datetime(2026, 5, 2, 12, 4, 59, 999_000, tzinfo=UTC)
    desk.work()
    assert desk.now_of(charge).status == "active"
    desk.now = datetime(2026, 5, 2, 12, 5, tzinfo=UTC)
    desk.work()
    expired = desk.now_of(charge)
    assert (expired.status, expired.completed_at) == ("expired", "2026-05-02T12:05:00Z")
    assert expired.expires_at == "2026-05-02T12:00:30Z"
    assert desk.now_of(paid).status == "paid"
    assert desk.story(charge) == ["active", "expired"]
    last = desk.events()[-1]
    assert (last["event_type"], last["status"]) == ("pix.charge.expired", "expired")
    assert last["subject"] == last["transaction_id"] == charge.transaction_id
    assert (last["external_id"], last["amount"]) == ("sub-1", charge.amount)
    desk.work()
    assert desk.count("events") == 4
    assert desk.audit().violations == ()


def test_a_sweep_takes_a_hundred(desk: Desk) -> None:
    with desk.open() as conn:
        for _ in range(101):
            charges.create(conn, ACCOUNT, CashIn(1), at=desk.now, rules=desk.rules)
    desk.now += 2 * DAY
    with desk.open() as conn:
        swept = [charges.sweep(conn, at=desk.now, rules=desk.rules) for _ in range(3)]
    assert swept == [charges.SWEPT_AT_ONCE, 1, 0]


def test_an_ended_charge_does_not_expire_again(desk: Desk) -> None:
    charge = desk.charge()
    with desk.open() as conn:
        charges.expire(conn, charge, at=desk.now)
    with desk.open() as conn, pytest.raises(charges.ChargeEnded):
        charges.expire(conn, charge, at=desk.now)
    assert desk.story(charge) == ["active", "expired"]


def test_when_something_is_due_next(desk: Desk) -> None:
    assert desk.next_due() is None
    charge = desk.charge()
    assert desk.next_due() == datetime(2026, 5, 2, 12, 5, tzinfo=UTC)
    desk.charge(scenario="paid")
    assert desk.next_due() == desk.now + timedelta(seconds=desk.rules.settlement_delay_s)
    desk.advance(seconds=desk.rules.settlement_delay_s)
    desk.work()
    assert desk.next_due() == datetime(2026, 5, 2, 12, 5, tzinfo=UTC)
    desk.pay(charge)
    assert desk.next_due() is None


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lifetime=st.integers(1, 100_000),
    every=st.floats(0.001, 1000),
    early=st.integers(1, 1000),
)
def test_a_charge_expires_at_the_first_sweep_after_its_end(
    desk: Desk, lifetime: int, every: float, early: int
) -> None:
    desk.rules = Rules(opening_balance=0, charge_lifetime_s=lifetime, sweep_s=every)
    charge = desk.charge()
    due = desk.next_due()
    assert due is not None
    end = datetime.fromtimestamp(charge.expires_ms / 1000, UTC)
    assert end <= due < end + timedelta(seconds=every, milliseconds=1)
    desk.now = due - timedelta(milliseconds=early)
    desk.work()
    assert desk.now_of(charge).status == "active"
    desk.now = due
    desk.work()
    assert desk.now_of(charge).status == "expired"
    assert desk.next_due() is None


# Scenarios


def step(desk: Desk) -> None:
    desk.advance(seconds=desk.rules.settlement_delay_s)
    desk.work()


@pytest.mark.parametrize("scenario", ["paid", "disputed"])
def test_a_scenario_pays(desk: Desk, scenario: str) -> None:
    charge = desk.charge(scenario=scenario)
    desk.work()
    assert desk.now_of(charge) == charge
    step(desk)
    paid = desk.now_of(charge)
    assert (paid.status, paid.due_ms) == ("paid", None)
    assert desk.balances()["available"] == charge.amount - 350
    with desk.open() as conn:
        (e2e, due_ms) = conn.execute("SELECT end_to_end_id, due_ms FROM transactions").fetchone()
    assert identifiers.END_TO_END_ID.fullmatch(e2e)
    disputed_at = desk.now + timedelta(seconds=desk.rules.review_s)
    assert due_ms == (disputed_at.timestamp() * 1000 if scenario == "disputed" else None)
    desk.work()
    assert desk.count("transactions") == 1
    assert desk.audit().violations == ()


def test_a_scenario_expires(desk: Desk) -> None:
    charge = desk.charge(scenario="expired")
    assert charge.expires_at == "2026-05-01T12:00:31Z"
    step(desk)
    assert desk.now_of(charge).status == "expired"
    with pytest.raises(charges.NotPayable, match="Charge has expired"):
        desk.pay(charge)


def test_a_scenario_that_comes_too_late_is_left_to_the_sweep(desk: Desk) -> None:
    charge = desk.charge(scenario="paid")
    desk.now += DAY
    desk.work()
    late = desk.now_of(charge)
    assert (late.status, late.due_ms) == ("active", None)
    assert desk.next_due() == datetime(2026, 5, 2, 12, 5, tzinfo=UTC)
    assert desk.balances()["available"] == 0


def test_a_scenario_paid_by_somebody_else_does_not_act(desk: Desk) -> None:
    charge = desk.charge(scenario="paid")
    desk.pay(charge)
    step(desk)
    assert desk.count("transactions") == 1


def test_another_scenario_is_kept_and_does_nothing(desk: Desk) -> None:
    charge = desk.charge(scenario="slow-1s")
    step(desk)
    assert desk.now_of(charge) == charge
    assert (charge.scenario, charge.due_ms, charge.status) == ("slow-1s", None, "active")
