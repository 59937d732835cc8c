"""Receipts: money that comes in is recorded, posted and announced in one step."""

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guarita.sandbox.books import ledger
from guarita.sandbox.pix import receipts
from guarita.sandbox.pix.rules import Rules
from guarita.sandbox.text import identifiers
from guarita.sandbox.text.pix_keys import PixKey
from tests.sandbox.pix.desks import PAYER, Desk

KEY = PixKey("email", "loja@exemplo.test")


def test_the_net_amount_is_available_and_the_fee_is_kept(desk: Desk) -> None:
    receipt = desk.receive(10_000, pix_key=KEY, description="Pedido 7", external_id="p-7")

    assert (receipt.amount, receipt.fee_amount, receipt.net_amount) == (10_000, 350, 9_650)
    assert desk.balances() == {"available": 9_650, "held": 0, "fees": 350, "clearing": -10_000}
    assert (receipt.kind, receipt.direction, receipt.status) == ("receipt", "inbound", "settled")
    assert receipt.transaction_id.startswith("PIXIN20260501")
    assert receipt.created_at == receipt.completed_at == "2026-05-01T12:00:30Z"
    assert (receipt.pix_key, receipt.pix_key_type) == (KEY.value, "email")
    assert (receipt.description, receipt.external_id) == ("Pedido 7", "p-7")
    assert receipt.counterparty_name == PAYER.name
    assert receipt.counterparty_document == PAYER.document
    assert receipt.counterparty_ispb == PAYER.ispb
    assert receipt.counterparty_bank == PAYER.bank_name
    assert (receipt.charge, receipt.scenario, receipt.due_ms) == (None, None, None)


@pytest.mark.parametrize(
    ("amount", "fee", "net"), [(1, 1, 0), (349, 349, 0), (350, 350, 0), (351, 350, 1)]
)
def test_the_fee_is_never_more_than_the_amount(desk: Desk, amount: int, fee: int, net: int) -> None:
    receipt = desk.receive(amount)
    assert (receipt.fee_amount, receipt.net_amount) == (fee, net)
    assert desk.balances()["available"] == net


def test_the_event_tells_of_the_receipt(desk: Desk) -> None:
    receipt = desk.receive(10_000, external_id="p-7")
    (event,) = desk.events()
    assert event == {
        "subject": receipt.transaction_id,
        "event_type": "pix.charge.paid",
        "status": "paid",
        "account_id": 100731,
        "entity_id": receipt.uuid,
        "transaction_id": receipt.transaction_id,
        "end_to_end_id": receipt.end_to_end_id,
        "external_id": "p-7",
        "amount": 10_000,
        "fee_amount": 350,
        "net_amount": 9_650,
        "charge_id": None,
    }


def test_an_end_to_end_id_is_received_once(desk: Desk) -> None:
    first = desk.receive()
    with pytest.raises(receipts.AlreadyReceived, match=first.end_to_end_id):
        desk.receive(end_to_end_id=first.end_to_end_id)
    assert desk.balances()["available"] == 9_650
    assert [desk.count(table) for table in ("transactions", "postings", "events")] == [1, 1, 1]


def test_a_disputed_receipt_is_due_after_the_review(desk: Desk) -> None:
    receipt = desk.receive(scenario="disputed")
    due = desk.now + timedelta(seconds=desk.rules.review_s)
    assert receipt.scenario == "disputed"
    assert receipt.due_ms == due.timestamp() * 1000


def test_another_scenario_makes_nothing_due(desk: Desk) -> None:
    receipt = desk.receive(scenario="slow-1s")
    assert (receipt.scenario, receipt.due_ms) == ("slow-1s", None)


def test_an_account_that_is_not_open_receives_nothing(desk: Desk) -> None:
    with desk.database.writing() as conn, pytest.raises(ledger.LedgerError):
        receipts.receive(
            conn,
            "acc_2",
            amount=1,
            end_to_end_id=identifiers.new_end_to_end_id(desk.now, ispb=PAYER.ispb),
            payer=PAYER,
            at=desk.now,
            rules=desk.rules,
        )


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(amount=st.integers(1, 10**15), fee=st.integers(0, 10**15))
def test_nothing_is_made_or_lost(desk: Desk, amount: int, fee: int) -> None:
    before = desk.balances()
    desk.rules = Rules(opening_balance=0, fee=fee)
    receipt = desk.receive(amount)
    after = desk.balances()
    moved = {name: (after[name] or 0) - (before[name] or 0) for name in after}
    assert moved == {
        "available": receipt.net_amount,
        "held": 0,
        "fees": receipt.fee_amount,
        "clearing": -amount,
    }
    assert receipt.fee_amount == min(fee, amount)
    assert sum(moved.values()) == 0
