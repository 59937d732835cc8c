"""Returns: money of a settled payout that comes back, from other banks and inside this one."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from guarita.sandbox.bank import Bank
from guarita.sandbox.books import transactions
from guarita.sandbox.books.transactions import Transaction
from guarita.sandbox.pix import returns
from guarita.sandbox.pix.refunds import RefundOrder
from guarita.sandbox.pix.rules import Rules
from guarita.sandbox.refusals import Refused
from guarita.sandbox.world import World
from tests.sandbox.support import ACCOUNT, FEE, Clock, events, order

OTHER = "acc_2"
OPENING = 1_000_000


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def bank(tmp_path: Path, clock: Clock) -> Iterator[Bank]:
    with Bank(tmp_path, rules=Rules(opening_balance=OPENING), clock=clock) as opened:
        yield opened
        assert opened.check_ledger().violations == ()


def later(bank: Bank, clock: Clock, seconds: float) -> None:
    clock.advance(seconds=seconds)
    bank.work()


def read(bank: Bank, transaction: Transaction) -> Transaction:
    found = bank.transaction(transaction.account, transaction.transaction_id)
    assert isinstance(found, Transaction)
    return found


def given_back(bank: Bank, payout: Transaction) -> list[Transaction]:
    with bank.database.reading() as conn:
        return transactions.giving_back(conn, payout.transaction_id, "return")


def give_back(bank: Bank, payout: Transaction, amount: int | None) -> Transaction:
    with bank.database.writing() as conn:
        found = transactions.find(conn, payout.transaction_id)
        assert found is not None
        return returns.give_back(
            conn, found, amount, reason="MD06", at=bank.now(), rules=bank.rules
        )


@pytest.fixture
def payout(bank: Bank, clock: Clock) -> Transaction:
    made = bank.cash_out(ACCOUNT, order(3000, external_id="pay-1"))
    later(bank, clock, 1)
    return read(bank, made)


def test_a_whole_return_credits_the_amount_and_keeps_the_fee(
    bank: Bank, payout: Transaction
) -> None:
    returned = give_back(bank, payout, None)
    assert (returned.kind, returned.direction, returned.status) == ("return", "inbound", "settled")
    assert (returned.amount, returned.fee_amount, returned.net_amount) == (300_000, 0, 300_000)
    assert (returned.original, returned.reason) == (payout.transaction_id, "MD06")
    assert returned.end_to_end_id.startswith(f"D{payout.counterparty_ispb}")
    assert returned.counterparty_name == payout.counterparty_name
    assert bank.balance(ACCOUNT).available == OPENING - FEE
    assert read(bank, payout).status == "returned"
    assert bank.count_payments(ACCOUNT) == 1  # it was executed, and that stays true
    assert events(bank, payout.transaction_id) == [
        ("pix.payout.processing", "processing"),
        ("pix.payout.confirmed", "settled"),
        ("pix.return.received", "settled"),
        ("pix.payout.returned", "returned"),
    ]


def test_parts_make_it_returned_when_they_reach_the_whole(bank: Bank, payout: Transaction) -> None:
    first = give_back(bank, payout, 100_000)
    assert read(bank, payout).status == "settled"
    second = give_back(bank, payout, 200_000)
    assert read(bank, payout).status == "returned"
    assert first.end_to_end_id != second.end_to_end_id
    assert bank.balance(ACCOUNT).available == OPENING - FEE


@pytest.mark.parametrize("amount", [0, -1, 300_001, 10**18])
def test_no_more_than_the_payment_comes_back(bank: Bank, payout: Transaction, amount: int) -> None:
    with pytest.raises(Refused, match="exceeds"):
        give_back(bank, payout, amount)
    give_back(bank, payout, 100_000)
    with pytest.raises(Refused, match="exceeds"):
        give_back(bank, payout, 200_001)
    assert bank.balance(ACCOUNT).available == OPENING - 300_350 + 100_000


def test_only_a_settled_payout_comes_back(bank: Bank, clock: Clock, payout: Transaction) -> None:
    returned = give_back(bank, payout, None)
    processing = bank.cash_out(ACCOUNT, order(1))
    for other in (payout, returned, processing):
        with pytest.raises(Refused, match="Only a settled payout"):
            give_back(bank, other, None)


@pytest.mark.parametrize(
    ("centavos", "scenario", "back", "status"),
    [
        (3000, "returned", 300_000, "returned"),
        (3000, "returned-partly", 150_000, "settled"),
        (5, "returned-partly", 300, "settled"),
        (1, "returned-partly", 100, "returned"),  # a centavo has no half
    ],
)
def test_a_scenario_returns_it_after_a_while(
    bank: Bank, clock: Clock, centavos: int, scenario: str, back: int, status: str
) -> None:
    payout = bank.cash_out(ACCOUNT, replace(order(centavos), scenario=scenario))
    later(bank, clock, 1)
    later(bank, clock, 9.999)
    assert given_back(bank, payout) == []
    later(bank, clock, 0.001)
    assert [each.amount for each in given_back(bank, payout)] == [back]
    assert read(bank, payout).status == status
    assert bank.work() is None


def test_a_scenario_returns_what_is_left(bank: Bank, clock: Clock) -> None:
    payout = bank.cash_out(ACCOUNT, replace(order(3000), scenario="returned"))
    later(bank, clock, 1)
    World(bank).give_back(payout.transaction_id, 1000)
    later(bank, clock, 10)
    assert [each.amount for each in given_back(bank, payout)] == [100_000]
    World(bank).give_back(payout.transaction_id)
    assert read(bank, payout).status == "returned"


# Inside the bank, a return is the other side of a refund.


@pytest.fixture
def inside(bank: Bank, clock: Clock) -> Transaction:
    made = bank.cash_out(ACCOUNT, order(3000, key=bank.pix_keys(OTHER)[0].key))
    later(bank, clock, 1)
    return read(bank, made)


def test_a_refund_inside_the_bank_reaches_the_payer(
    bank: Bank, clock: Clock, inside: Transaction
) -> None:
    receipt = bank.by_end_to_end_id(OTHER, inside.end_to_end_id)
    refund = bank.refund(OTHER, RefundOrder(receipt.transaction_id, 1000))
    assert given_back(bank, inside) == []
    later(bank, clock, 1)
    (returned,) = given_back(bank, inside)
    assert (returned.amount, returned.reason) == (100_000, "MD06")
    assert returned.end_to_end_id == refund.end_to_end_id
    assert bank.balance(ACCOUNT).available == OPENING - 300_350 + 100_000
    assert bank.balance(OTHER).available == OPENING + 300_000 - FEE - 100_000
    bank.refund(OTHER, RefundOrder(receipt.transaction_id, 2000))
    later(bank, clock, 1)
    assert read(bank, inside).status == "returned"


def test_a_refused_refund_reaches_nobody(bank: Bank, clock: Clock, inside: Transaction) -> None:
    receipt = bank.by_end_to_end_id(OTHER, inside.end_to_end_id)
    bank.refund(OTHER, RefundOrder(receipt.transaction_id, scenario="refund-released"))
    later(bank, clock, 1)
    assert given_back(bank, inside) == []


def test_a_lost_dispute_inside_the_bank_reaches_the_payer(bank: Bank, inside: Transaction) -> None:
    receipt = bank.by_end_to_end_id(OTHER, inside.end_to_end_id)
    case = World(bank).infraction(receipt.transaction_id)
    World(bank).resolve(case.id, "AGREED")
    (returned,) = given_back(bank, inside)
    assert (returned.amount, returned.reason) == (300_000, "FR01")
    assert bank.balance(ACCOUNT).available == OPENING - FEE


def test_a_borrowed_end_to_end_id_draws_no_refund(bank: Bank, clock: Clock) -> None:
    """Somebody pays another bank under the id of a payment that a third account received."""
    receipt = World(bank).pay(bank.pix_keys(OTHER)[0].key, 3000)
    borrowed = replace(order(3000), end_to_end_id=receipt.end_to_end_id)
    thief = bank.cash_out(ACCOUNT, borrowed)
    later(bank, clock, 1)
    bank.refund(OTHER, RefundOrder(receipt.transaction_id))
    later(bank, clock, 1)
    assert given_back(bank, thief) == []
    assert bank.balance(ACCOUNT).available == OPENING - 300_350
