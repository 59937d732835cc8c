"""The other side: each command does what it says, and says what would be right where it cannot."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from guarita.sandbox.bank import Bank
from guarita.sandbox.books.transactions import Transaction
from guarita.sandbox.pix.charges import CashIn
from guarita.sandbox.pix.payouts import CashOut
from guarita.sandbox.pix.refunds import RefundOrder
from guarita.sandbox.pix.rules import Rules
from guarita.sandbox.refusals import Refused
from guarita.sandbox.text import brcode, pix_keys
from guarita.sandbox.text.brcode import BrCode
from guarita.sandbox.world import Impossible, World
from tests.sandbox.support import ACCOUNT, FEE, Clock, events, order

OPENING = 1_000_000


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def bank(tmp_path: Path, clock: Clock) -> Iterator[Bank]:
    with Bank(tmp_path, rules=Rules(opening_balance=OPENING), clock=clock) as opened:
        yield opened
        assert opened.check_ledger().violations == ()


@pytest.fixture
def world(bank: Bank) -> World:
    return World(bank)


def available(bank: Bank) -> int:
    return bank.balance(ACCOUNT).available


def status(bank: Bank, transaction: Transaction) -> str:
    return bank.transaction(transaction.account, transaction.transaction_id).status


def refused(text: str, call: Callable[[], object], bank: Bank) -> None:
    """The call is impossible, says so, and changes nothing."""
    before = (bank.balance(ACCOUNT), bank.check_ledger())
    with pytest.raises(Impossible, match=text):
        call()
    assert (bank.balance(ACCOUNT), bank.check_ledger()) == before


# Paying


def test_somebody_pays_a_charge_by_its_txid_or_its_code(bank: Bank, world: World) -> None:
    charges = [bank.cash_in(ACCOUNT, CashIn(3000)) for _ in range(2)]
    by_txid = world.pay(charges[0].transaction_id, payer="Maria da Silva")
    by_code = world.pay(charges[1].qr_code, 3000)
    for receipt, charge in zip((by_txid, by_code), charges, strict=True):
        assert (receipt.kind, receipt.charge) == ("receipt", charge.transaction_id)
        assert (receipt.amount, receipt.net_amount) == (300_000, 300_000 - FEE)
    assert by_txid.counterparty_name == "Maria da Silva"
    assert by_txid.end_to_end_id != by_code.end_to_end_id
    assert available(bank) == OPENING + 2 * (300_000 - FEE)


def test_somebody_pays_a_key_or_a_static_code(bank: Bank, world: World) -> None:
    key = bank.pix_keys(ACCOUNT)[0].key
    to_key = world.pay(key, 1, description="Gorjeta")
    assert (to_key.amount, to_key.description) == (100, "Gorjeta")
    assert (to_key.fee_amount, to_key.net_amount) == (100, 0)  # the fee is at most the amount
    parsed = pix_keys.parse(key)
    code = BrCode.static(parsed, merchant_name="Loja", city="Recife", amount_centavos=700)
    assert world.pay(code.text).amount == 70_000
    assert world.pay(code.text, 800).amount == 80_000
    assert available(bank) == OPENING + 150_000 - 2 * FEE


def test_a_payment_names_its_payers_bank(bank: Bank, world: World) -> None:
    receipt = world.pay(bank.pix_keys(ACCOUNT)[0].key, 100)
    assert receipt.end_to_end_id.startswith(f"E{receipt.counterparty_ispb}")
    assert receipt.counterparty_ispb != bank.rules.ispb


def test_what_cannot_be_paid(bank: Bank, world: World, clock: Clock) -> None:
    key = bank.pix_keys(ACCOUNT)[0].key
    charge = bank.cash_in(ACCOUNT, CashIn(3000))
    foreign = BrCode.dynamic("pix.other.example/qr/1", merchant_name="Loja", city="Recife").text
    txid = charge.transaction_id
    refused("no account of this bank", lambda: world.pay("52998224725", 100), bank)
    refused("no PIX key, no text", lambda: world.pay("nothing", 100), bank)
    refused("no PIX key, no text", lambda: world.pay("\udcff", 100), bank)
    refused("needs an amount", lambda: world.pay(key), bank)
    refused("1 to", lambda: world.pay(key, 0), bank)
    refused("1 to", lambda: world.pay(key, 10**12), bank)
    refused("over 3000 centavos, not 2999", lambda: world.pay(txid, 2999), bank)
    refused("CRC", lambda: world.pay(charge.qr_code[:-4] + "0000"), bank)
    refused("no charge of this bank", lambda: world.pay(foreign), bank)
    world.pay(txid)
    refused("paid already", lambda: world.pay(txid), bank)
    late = bank.cash_in(ACCOUNT, CashIn(3000))
    clock.advance(days=1)
    refused("expired", lambda: world.pay(late.transaction_id), bank)


@pytest.mark.parametrize("amount", [1.5, 1.0, "3", True, b"1"], ids=repr)
def test_an_amount_is_a_whole_number(bank: Bank, world: World, amount: Any) -> None:
    """Fractions went on into the ledger, which failed on them; True was a centavo."""
    payout = bank.cash_out(ACCOUNT, order())
    world.settle(payout.transaction_id)
    key = bank.pix_keys(ACCOUNT)[0].key
    refused("whole number", lambda: world.pay(key, amount), bank)
    refused("whole number", lambda: world.give_back(payout.transaction_id, amount), bank)


def test_a_code_of_this_bank_without_its_charge_cannot_be_paid(bank: Bank, world: World) -> None:
    own = BrCode.dynamic(
        "PIX.minhakonta.example/qr/v2/" + "0" * 32, merchant_name="Loja", city="Recife"
    )
    refused("no charge of this bank", lambda: world.pay(own.text), bank)
    with pytest.raises(Refused, match=r"^Charge not found$"):
        bank.cash_out(ACCOUNT, CashOut(1, emv=own))
    charge = bank.cash_in("acc_2", CashIn(3000))
    spelled = BrCode.dynamic(
        "PIX.MinhaKonta.example/qr/v2/" + charge.location, merchant_name="Loja", city="Recife"
    )
    payouts = [bank.cash_out(ACCOUNT, CashOut(1, emv=code)) for code in
               (spelled, brcode.parse(charge.qr_code))]  # fmt: skip
    assert [payout.charge for payout in payouts] == [charge.transaction_id] * 2
    assert payouts[0].end_to_end_id == payouts[1].end_to_end_id  # the same payment
    assert payouts[0].amount == 300_000


def test_a_listed_key_is_found_by_the_text_it_is_listed_as(bank: Bank, world: World) -> None:
    """Eleven digits registered as a CPF were read as a phone number, which nobody has."""
    listed = world.add_key("acc_2", "12345678901", "cpf").key  # without check digits, as seed L153
    assert listed in [key.key for key in bank.pix_keys("acc_2")]
    assert world.pay(listed, 100).account == "acc_2"
    payout = bank.cash_out(ACCOUNT, CashOut(100, listed))
    assert (payout.receiver, payout.pix_key_type) == ("acc_2", "cpf")
    typed = bank.cash_out(ACCOUNT, CashOut(100, pix_keys.parse(listed, "phone")))
    assert (typed.receiver, typed.pix_key) == (None, "+5512345678901")


# Payouts and refunds


def test_a_payout_is_settled_by_command(bank: Bank, world: World) -> None:
    payout = bank.cash_out(ACCOUNT, order())
    assert world.settle(payout.transaction_id).status == "settled"
    assert bank.count_payments(ACCOUNT) == 1
    refused("settled payout", lambda: world.settle(payout.transaction_id), bank)


def test_a_payout_is_rejected_by_command(bank: Bank, world: World) -> None:
    payout = bank.cash_out(ACCOUNT, order())
    rejected = world.reject(payout.transaction_id, "ac06")
    assert (rejected.status, rejected.reason) == ("failed", "AC06")
    assert available(bank) == OPENING
    refused("failed payout", lambda: world.reject(payout.transaction_id), bank)


def test_a_reason_must_be_known(bank: Bank, world: World) -> None:
    payout = bank.cash_out(ACCOUNT, order())
    refused("use one of AB03", lambda: world.reject(payout.transaction_id, "XX99"), bank)
    assert status(bank, payout) == "processing"


def test_a_payout_is_held_by_command(bank: Bank, world: World, clock: Clock) -> None:
    payout = bank.cash_out(ACCOUNT, order())
    assert world.hold(payout.transaction_id).in_review
    refused("under review already", lambda: world.hold(payout.transaction_id), bank)
    clock.advance(seconds=9)
    bank.work()
    assert status(bank, payout) == "processing"
    clock.advance(seconds=1)
    bank.work()
    assert status(bank, payout) == "settled"
    assert ("pix.payout.held", "processing") in events(bank, payout.transaction_id)


def test_a_refund_is_settled_or_refused_by_command(bank: Bank, world: World) -> None:
    receipt = world.pay(bank.pix_keys(ACCOUNT)[0].key, 3000)
    first = bank.refund(ACCOUNT, RefundOrder(receipt.transaction_id, 1000))
    second = bank.refund(ACCOUNT, RefundOrder(receipt.transaction_id, 2000))
    assert world.settle(first.transaction_id).status == "settled"
    assert world.reject(second.transaction_id).status == "failed"
    assert available(bank) == OPENING + 300_000 - FEE - 100_000
    refused("takes a processing payout", lambda: world.hold(first.transaction_id), bank)


def test_a_payout_is_given_back_by_command(bank: Bank, world: World) -> None:
    payout = bank.cash_out(ACCOUNT, order(3000))
    refused("settled payout", lambda: world.give_back(payout.transaction_id), bank)
    world.settle(payout.transaction_id)
    refused("3000 centavos", lambda: world.give_back(payout.transaction_id, 3001), bank)
    refused("3000 centavos", lambda: world.give_back(payout.transaction_id, 0), bank)
    refused("code of four", lambda: world.give_back(payout.transaction_id, 1, "x"), bank)
    part = world.give_back(payout.transaction_id, 1000, "be08")
    assert (part.amount, part.reason) == (100_000, "BE08")
    assert world.give_back(payout.transaction_id).amount == 200_000
    assert status(bank, payout) == "returned"
    refused("returned payout", lambda: world.give_back(payout.transaction_id), bank)


def test_what_stays_in_the_bank_is_refunded_not_given_back(bank: Bank, world: World) -> None:
    payout = bank.cash_out(ACCOUNT, order(3000, key=bank.pix_keys("acc_2")[0].key))
    world.settle(payout.transaction_id)
    refused("POST /pix/refund", lambda: world.give_back(payout.transaction_id), bank)


# Disputes, charges, keys


def test_a_dispute_is_opened_and_resolved(bank: Bank, world: World) -> None:
    charge = bank.cash_in(ACCOUNT, CashIn(3000))
    refused("no transaction", lambda: world.infraction(charge.transaction_id), bank)
    receipt = world.pay(charge.transaction_id)
    case = world.infraction(charge.transaction_id, "Golpe")  # the charge stands for its receipt
    assert (case.transaction_id, case.reason) == (receipt.transaction_id, "Golpe")
    assert bank.balance(ACCOUNT).pending == 300_000
    refused("disputed already", lambda: world.infraction(receipt.transaction_id), bank)
    refused("use one of AGREED", lambda: world.resolve(case.id, "MAYBE"), bank)
    assert world.resolve(case.id, "disagreed").analysis_result == "DISAGREED"
    refused("closed", lambda: world.resolve(case.id, "AGREED"), bank)
    refused("no dispute", lambda: world.resolve("nothing", "AGREED"), bank)
    assert available(bank) == OPENING + 300_000 - FEE


def test_a_charge_ends_by_command(bank: Bank, world: World) -> None:
    charge = bank.cash_in(ACCOUNT, CashIn(3000))
    assert world.expire(charge.transaction_id).status == "expired"
    assert events(bank)[-1] == ("pix.charge.expired", "expired")
    refused("only an active charge", lambda: world.expire(charge.transaction_id), bank)
    refused("no charge", lambda: world.expire("nothing"), bank)


def test_a_key_is_registered_once(bank: Bank, world: World) -> None:
    made = world.add_key(ACCOUNT, "Ana@Example.test")
    assert (made.key, made.key_type, made.account) == ("ana@example.test", "email", ACCOUNT)
    assert bank.pix_keys(ACCOUNT)[-1] == made
    assert world.pay("ana@example.test", 100).account == ACCOUNT
    refused("already", lambda: world.add_key("acc_2", "ana@example.test"), bank)
    refused("no PIX key of type cpf", lambda: world.add_key(ACCOUNT, "1", "cpf"), bank)
    for number in range(18):
        world.add_key(ACCOUNT, f"ana{number}@example.test")
    refused("20 PIX keys", lambda: world.add_key(ACCOUNT, "ana99@example.test"), bank)


@pytest.mark.parametrize("unknown", ["", "nothing", "\udcff", "' OR 1=1 --"])
def test_unknown_transactions_are_named(bank: Bank, world: World, unknown: str) -> None:
    calls: tuple[Callable[[str], object], ...] = (
        *(world.settle, world.reject, world.hold, world.give_back, world.infraction),
    )
    for call in calls:
        with pytest.raises(Impossible, match="no transaction"):
            call(unknown)
    with pytest.raises(Impossible, match="no charge"):
        world.expire(unknown)
