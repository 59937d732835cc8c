"""Refunds: which receipt an order names, how much may go back, where the money is meanwhile."""

import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from guarita.sandbox.books import accounts, transactions
from guarita.sandbox.books.audit import check_ledger
from guarita.sandbox.books.transactions import Transaction, WrongState
from guarita.sandbox.pix import payouts, refunds, settlement
from guarita.sandbox.pix.payouts import CashOut
from guarita.sandbox.pix.refunds import RefundOrder
from guarita.sandbox.refusals import Missing, Refused
from guarita.sandbox.text import pix_keys
from tests.sandbox.books.made import RULES, Teller

OPENING = 1_000_000
FEE = RULES.fee


@pytest.fixture
def teller(tmp_path: Path) -> Iterator[Teller]:
    with closing(Teller(tmp_path / "bank.db")) as opened:
        opened.open("alice", "bob", balance=OPENING)
        yield opened
        with opened.database.reading() as conn:
            assert check_ledger(conn).violations == ()


def order(teller: Teller, account: str, original: str, centavos: int | None = None) -> Transaction:
    with teller.database.writing() as conn:
        return refunds.create(
            conn, account, RefundOrder(original, centavos), at=teller.tick(), rules=teller.rules
        )


def test_a_refund_holds_its_amount_without_a_fee_until_it_settles(teller: Teller) -> None:
    receipt = teller.receipt(amount=50_000)
    had = OPENING + 50_000 - FEE
    refund = teller.refund(receipt, 100)
    assert (refund.status, refund.kind, refund.direction) == ("processing", "refund", "outbound")
    assert (refund.amount, refund.fee_amount, refund.net_amount) == (10_000, 0, 10_000)
    assert teller.money() == (had - 10_000, 10_000)
    settled = teller.settled_refund(refund)
    assert (settled.status, settled.completed_at) == ("settled", "2026-05-01T12:00:35Z")
    assert teller.money() == (had - 10_000, 0)
    assert teller.events("alice") == [
        ("pix.charge.paid", "paid"),
        ("pix.refund.requested", "requested"),
        ("pix.refund.completed", "settled"),
    ]


def test_a_refund_tells_whose_money_it_gives_back(teller: Teller) -> None:
    receipt = teller.receipt()
    refund = teller.refund(receipt)
    assert refund.original == receipt.transaction_id
    for name in ("name", "document", "ispb", "bank"):
        assert getattr(refund, f"counterparty_{name}") == getattr(receipt, f"counterparty_{name}")
    assert (refund.reason, refund.description) == ("MD06", "Devolução PIX")
    assert (refund.external_id, refund.pix_key, refund.charge) == (None, None, None)


def test_reason_and_description_are_kept_as_ordered(teller: Teller) -> None:
    receipt = teller.receipt()
    words = RefundOrder(receipt.transaction_id, 1, reason="BE08", description="wrong item")
    with teller.database.writing() as conn:
        refund = refunds.create(conn, "alice", words, at=teller.tick(), rules=teller.rules)
    assert (refund.reason, refund.description) == ("BE08", "wrong item")


def test_each_refund_has_an_end_to_end_id_of_its_own(teller: Teller) -> None:
    receipt = teller.receipt()
    ids = [teller.refund(receipt, 1).end_to_end_id for _ in range(5)]
    assert len(set(ids)) == 5
    for text in ids:
        assert re.fullmatch(r"D39929224202605011200[0-9A-Za-z]{11}", text)


def test_a_refund_is_due_after_the_settlement_delay(teller: Teller) -> None:
    refund = teller.refund(teller.receipt(), 1)
    assert refund.due_ms == refund.created_ms + round(RULES.settlement_delay_s * 1000)
    with teller.database.writing() as conn:
        assert not settlement.work(conn, at=teller.at, rules=RULES)
        assert settlement.work(conn, at=teller.tick(RULES.settlement_delay_s), rules=RULES)
        found = transactions.find(conn, refund.transaction_id)
    assert found is not None
    assert (found.status, found.due_ms) == ("settled", None)


# Which receipt is meant


@pytest.mark.parametrize("name", ["transaction_id", "end_to_end_id", "charge"])
def test_the_original_is_named_by_its_id_its_end_to_end_id_or_its_charge(
    teller: Teller, name: str
) -> None:
    receipt = teller.paid_charge()
    teller.paid_charge()  # another one
    refund = order(teller, "alice", getattr(receipt, name), 1)
    assert refund.original == receipt.transaction_id


def test_a_transaction_that_is_no_receipt_of_the_account_looks_missing(teller: Teller) -> None:
    other = teller.paid_charge("bob")
    payout = teller.settled_payout()
    back = teller.give_back(payout, 100)
    refund = teller.refund(teller.receipt(), 1)
    active = teller.charge()
    assert other.charge is not None
    named = [other.transaction_id, other.end_to_end_id, other.charge, active.transaction_id]
    for each in (payout, back, refund):
        named += [each.transaction_id, each.end_to_end_id]
    texts = []
    for original in (*named, "PIXIN0", "E" + "0" * 31, "", "x" * 65, "' OR 1=1 --", "\ud800", "é"):
        with pytest.raises(Missing) as caught:
            order(teller, "alice", original)
        texts.append(caught.value.text)
    assert set(texts) == {"original transaction not found"}


def test_a_receipt_is_found_although_a_payout_has_its_end_to_end_id(teller: Teller) -> None:
    """Callers may choose a payout's end-to-end id."""
    receipt = teller.receipt()
    twin = CashOut(1, pix_keys.parse("ana@example.com"), end_to_end_id=receipt.end_to_end_id)
    with teller.database.writing() as conn:
        payouts.create(conn, "alice", twin, at=teller.tick(), rules=RULES)
    refund = order(teller, "alice", receipt.end_to_end_id, 1)
    assert refund.original == receipt.transaction_id


# How much


def test_without_an_amount_the_whole_receipt_goes_back(teller: Teller) -> None:
    receipt = teller.receipt(amount=50_000)
    assert teller.refund(receipt).amount == 50_000


def test_parts_add_up_to_the_received_amount_and_not_a_centavo_more(teller: Teller) -> None:
    receipt = teller.receipt(amount=50_000)
    for centavos in (200, 299):
        teller.refund(receipt, centavos)
    with pytest.raises(Refused, match=r"^Refund exceeds the received amount$"):
        teller.refund(receipt, 2)
    with pytest.raises(Refused, match=r"^Refund exceeds the received amount$"):
        teller.refund(receipt)
    teller.refund(receipt, 1)
    with pytest.raises(Refused):
        teller.refund(receipt, 1)


def test_a_released_refund_can_be_ordered_again(teller: Teller) -> None:
    receipt = teller.receipt(amount=50_000)
    for _ in range(2):
        teller.settled_refund(teller.refund(receipt, scenario=refunds.RELEASED))
    assert teller.settled_refund(teller.refund(receipt)).status == "settled"


def test_money_that_is_not_there_cannot_be_refunded(teller: Teller) -> None:
    teller.open("carol", balance=0)
    receipt = teller.receipt("carol", amount=50_000)  # less the fee
    before = teller.events("carol")
    with pytest.raises(Refused, match=r"^Insufficient balance for refund$"):
        teller.refund(receipt)
    assert teller.money("carol") == (50_000 - FEE, 0)
    assert teller.events("carol") == before
    assert teller.refund(receipt, 496).status == "processing"
    assert teller.money("carol") == (50, 49_600)


def test_what_a_dispute_blocks_is_not_refunded_twice(teller: Teller) -> None:
    receipt = teller.receipt(amount=50_000)
    case = teller.case(receipt)
    with pytest.raises(Refused, match=r"^Refund exceeds the received amount$"):
        teller.refund(receipt, 1)
    teller.resolve(case, "DISAGREED")
    assert teller.refund(receipt).amount == 50_000


@pytest.mark.parametrize("amount", [0, -1, True, 1.0, "1", 10**12])
def test_an_order_without_a_sound_amount_cannot_be_made(amount: Any) -> None:
    with pytest.raises(ValueError, match="amount"):
        RefundOrder("PIXIN1", amount)


# How it ends


def test_the_scenario_releases_the_hold_instead(teller: Teller) -> None:
    receipt = teller.receipt(amount=50_000)
    had = teller.money()
    failed = teller.settled_refund(teller.refund(receipt, scenario="refund-released"))
    assert (failed.status, failed.reason) == ("failed", "MD06")
    assert teller.money() == had
    assert teller.events("alice")[1:] == [
        ("pix.refund.requested", "requested"),
        ("pix.refund.completed", "completed"),
    ]


def test_a_refund_ends_once(teller: Teller) -> None:
    refund = teller.refund(teller.receipt(), 1)
    teller.settled_refund(refund)
    with pytest.raises(WrongState), teller.database.writing() as conn:
        refunds.release(conn, refund, at=teller.tick())
    with pytest.raises(WrongState):
        teller.settled_refund(replace(refund, scenario=None))


def test_a_refund_to_an_account_of_this_bank_arrives_there(teller: Teller) -> None:
    with teller.database.reading() as conn:
        key = accounts.keys(conn, "bob")[0].key
    payout = teller.payout(key=key)
    with teller.database.writing() as conn:
        settlement.work(conn, at=teller.tick(), rules=RULES)
        received = transactions.by_end_to_end_id(conn, "bob", payout.end_to_end_id)
    assert received is not None
    refund = teller.refund(received, 300)
    with teller.database.writing() as conn:
        settlement.work(conn, at=teller.tick(), rules=RULES)
        arrived = transactions.by_end_to_end_id(conn, "alice", refund.end_to_end_id)
    assert arrived is not None
    assert (arrived.kind, arrived.amount, arrived.original) == (
        "return",
        30_000,
        payout.transaction_id,
    )
    assert teller.money() == (OPENING - 100_000 - FEE + 30_000, 0)
    assert teller.money("bob") == (OPENING + 100_000 - FEE - 30_000, 0)
