"""Payouts: taking them in, their steps, duplicates, payments inside the bank, the queue."""

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guarita.sandbox.bank import Bank
from guarita.sandbox.books.ledger import InsufficientBalance
from guarita.sandbox.books.transactions import Transaction
from guarita.sandbox.pix import reasons
from guarita.sandbox.pix.charges import CashIn
from guarita.sandbox.pix.payouts import CashOut
from guarita.sandbox.pix.rules import Bucket, Rules
from guarita.sandbox.refusals import Refused
from guarita.sandbox.text import brcode, pix_keys
from guarita.sandbox.text.brcode import BrCode
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


def money(bank: Bank, account: str = ACCOUNT) -> tuple[int, int]:
    """What is available, and what is on hold."""
    balance = bank.balance(account)
    return balance.available, balance.pending


def with_scenario(name: str, **fields: Any) -> CashOut:
    return replace(order(**fields), scenario=name)


def test_a_payout_is_held_then_settled(bank: Bank, clock: Clock) -> None:
    payout = bank.cash_out(ACCOUNT, order(3000, external_id="pay-1"))
    assert (payout.status, payout.completed_at) == ("processing", None)
    assert (payout.amount, payout.fee_amount, payout.net_amount) == (300_000, FEE, 300_350)
    assert money(bank) == (OPENING - 300_350, 300_350)
    assert bank.count_payments(ACCOUNT) == 0

    later(bank, clock, 0.999)
    assert read(bank, payout) == payout

    later(bank, clock, 0.001)
    settled = read(bank, payout)
    assert (settled.status, settled.completed_at) == ("settled", "2026-05-01T12:00:31Z")
    assert money(bank) == (OPENING - 300_350, 0)
    assert bank.count_payments(ACCOUNT) == 1
    assert events(bank) == [
        ("pix.payout.processing", "processing"),
        ("pix.payout.confirmed", "settled"),
    ]


def test_the_directory_tells_who_is_paid(bank: Bank) -> None:
    payout = bank.cash_out(ACCOUNT, order(key="52998224725"))
    assert payout.counterparty_document == "52998224725"
    assert payout.counterparty_name
    assert payout.counterparty_ispb != bank.rules.ispb


def test_the_whole_balance_can_be_spent_and_not_a_unit_more(tmp_path: Path) -> None:
    with Bank(tmp_path / "enough", rules=Rules(opening_balance=300_350)) as bank:
        bank.cash_out(ACCOUNT, order(3000))
        assert money(bank) == (0, 300_350)
    with Bank(tmp_path / "short", rules=Rules(opening_balance=300_349)) as bank:
        with pytest.raises(InsufficientBalance):
            bank.cash_out(ACCOUNT, order(3000))
        assert money(bank) == (300_349, 0)
        assert bank.check_ledger().transactions == 0
        assert events(bank) == []
        assert bank.check_ledger().ok


@pytest.mark.parametrize("amount", [0, -1, True, 1.0, "1", 10**12])
def test_an_order_without_a_sound_amount_cannot_be_made(amount: Any) -> None:
    with pytest.raises(ValueError, match="amount"):
        CashOut(amount, pix_keys.parse("52998224725"))


def test_an_order_names_one_destination_and_a_sound_end_to_end_id() -> None:
    key = pix_keys.parse("52998224725")
    with pytest.raises(ValueError, match="either"):
        CashOut(1)
    with pytest.raises(ValueError, match="either"):
        CashOut(1, key, BrCode.static(key, merchant_name="Ana", city="Recife"))
    with pytest.raises(ValueError, match="end_to_end_id"):
        CashOut(1, key, end_to_end_id="E1")


@pytest.mark.parametrize("code", sorted(reasons.REASONS))
def test_a_rejected_payout_gives_its_hold_back(bank: Bank, clock: Clock, code: str) -> None:
    payout = bank.cash_out(ACCOUNT, with_scenario(f"rejected-{code.lower()}"))
    later(bank, clock, 1)
    failed = read(bank, payout)
    assert (failed.status, failed.reason) == ("failed", code)
    assert failed.completed_at is not None
    assert money(bank) == (OPENING, 0)
    assert bank.count_payments(ACCOUNT) == 0
    assert events(bank)[-1] == ("pix.payout.failed", "rejected")


@pytest.mark.parametrize(
    ("scenario", "outcome", "left"),
    [("held", "settled", OPENING - 300_350), ("held-rejected", "failed", OPENING)],
)
def test_a_payout_under_review_stays_processing(
    bank: Bank, clock: Clock, scenario: str, outcome: str, left: int
) -> None:
    payout = bank.cash_out(ACCOUNT, with_scenario(scenario))
    later(bank, clock, 1)
    held = read(bank, payout)
    assert (held.status, held.in_review) == ("processing", True)
    assert money(bank) == (OPENING - 300_350, 300_350)
    later(bank, clock, 9.999)
    assert read(bank, payout) == held
    later(bank, clock, 0.001)
    ended = read(bank, payout)
    assert (ended.status, ended.in_review) == (outcome, False)
    assert money(bank) == (left, 0)
    assert [status for _, status in events(bank)][:2] == ["processing", "processing"]
    assert [event for event, _ in events(bank)][1] == "pix.payout.held"


@pytest.mark.parametrize(
    ("scenario", "text"),
    [
        ("key-not-found", "PIX key not found"),
        ("insufficient-balance", "Insufficient balance"),
    ],
)
def test_a_refusal_by_scenario_leaves_no_trace(bank: Bank, scenario: str, text: str) -> None:
    with pytest.raises(Refused) as refused:
        bank.cash_out(ACCOUNT, with_scenario(scenario))
    assert refused.value.text == text
    assert bank.check_ledger().transactions == 0
    assert money(bank) == (OPENING, 0)


# Duplicates


def test_a_resubmission_in_the_same_minute_fails_as_a_duplicate(bank: Bank, clock: Clock) -> None:
    first, second = (bank.cash_out(ACCOUNT, order(external_id="pay-1")) for _ in range(2))
    assert first.end_to_end_id == second.end_to_end_id
    assert len({first.transaction_id, second.transaction_id, first.uuid, second.uuid}) == 4
    assert money(bank) == (OPENING - 2 * 300_350, 2 * 300_350)
    later(bank, clock, 1)
    assert read(bank, first).status == "settled"
    assert (read(bank, second).status, read(bank, second).reason) == ("failed", "DUPL")
    assert money(bank) == (OPENING - 300_350, 0)
    assert bank.by_end_to_end_id(ACCOUNT, first.end_to_end_id) == read(bank, first)


def test_a_failed_payment_can_be_sent_again(bank: Bank, clock: Clock) -> None:
    first = bank.cash_out(ACCOUNT, with_scenario("rejected-ac03"))
    later(bank, clock, 1)
    second = bank.cash_out(ACCOUNT, order())
    assert second.end_to_end_id == first.end_to_end_id
    later(bank, clock, 1)
    assert read(bank, second).status == "settled"
    assert bank.by_end_to_end_id(ACCOUNT, first.end_to_end_id) == read(bank, second)


def test_a_returned_payment_still_makes_its_resubmission_a_duplicate(
    bank: Bank, clock: Clock
) -> None:
    first = bank.cash_out(ACCOUNT, order())
    later(bank, clock, 1)
    World(bank).give_back(first.transaction_id)
    second = bank.cash_out(ACCOUNT, order())
    later(bank, clock, 1)
    assert read(bank, second).reason == "DUPL"


@pytest.mark.parametrize("other", [{"external_id": "b"}, {"amount": 3001}, {"key": "a@b.test"}])
def test_another_payment_is_no_duplicate(bank: Bank, clock: Clock, other: dict[str, Any]) -> None:
    payouts = [
        bank.cash_out(ACCOUNT, order(external_id="a")),
        bank.cash_out(ACCOUNT, replace(order(**({"external_id": "a"} | other)))),
    ]
    later(bank, clock, 1)
    assert [read(bank, payout).status for payout in payouts] == ["settled", "settled"]


def test_the_next_minute_makes_another_payment(bank: Bank, clock: Clock) -> None:
    first = bank.cash_out(ACCOUNT, order())
    later(bank, clock, 60)
    second = bank.cash_out(ACCOUNT, order())
    later(bank, clock, 1)
    assert [read(bank, payout).status for payout in (first, second)] == ["settled", "settled"]


def test_two_accounts_may_choose_the_same_end_to_end_id(bank: Bank, clock: Clock) -> None:
    chosen = "E39929224202605011200abcdefghijk"
    orders = [replace(order(), end_to_end_id=chosen, external_id=name) for name in ("a", "b")]
    mine = bank.cash_out(ACCOUNT, orders[0])
    theirs = bank.cash_out(OTHER, orders[1])
    again = bank.cash_out(ACCOUNT, orders[1])
    assert {mine.end_to_end_id, theirs.end_to_end_id, again.end_to_end_id} == {chosen}
    later(bank, clock, 1)
    statuses = [read(bank, payout).status for payout in (mine, theirs, again)]
    assert statuses == ["settled", "settled", "failed"]


# Payments inside the bank


def own_key(bank: Bank, account: str) -> str:
    return bank.pix_keys(account)[0].key


def test_a_payout_to_a_key_of_this_bank_arrives_there(bank: Bank, clock: Clock) -> None:
    key = own_key(bank, OTHER)
    payout = bank.cash_out(ACCOUNT, replace(order(key=key), description="Aluguel"))
    assert payout.counterparty_ispb == bank.rules.ispb
    assert money(bank, OTHER) == (OPENING, 0)
    later(bank, clock, 1)
    receipt = bank.by_end_to_end_id(OTHER, payout.end_to_end_id)
    assert (receipt.kind, receipt.amount, receipt.fee_amount) == ("receipt", 300_000, FEE)
    assert (receipt.pix_key, receipt.description) == (key, "Aluguel")
    assert money(bank, OTHER) == (OPENING + 300_000 - FEE, 0)
    assert money(bank) == (OPENING - 300_350, 0)
    assert events(bank, receipt.transaction_id) == [("pix.charge.paid", "paid")]


def test_a_charge_of_this_bank_is_paid_by_its_code(bank: Bank, clock: Clock) -> None:
    charge = bank.cash_in(OTHER, CashIn(5000, external_id="sub-1"))
    payout = bank.cash_out(ACCOUNT, CashOut(1, emv=brcode.parse(charge.qr_code)))
    assert payout.amount == charge.amount  # what the charge asks for replaces the order's amount
    assert payout.pix_key is None
    later(bank, clock, 1)
    assert read(bank, payout).status == "settled"
    paid = bank.by_external_id(OTHER, "sub-1")
    assert isinstance(paid, Transaction)
    assert (paid.charge, paid.end_to_end_id) == (charge.transaction_id, payout.end_to_end_id)


def test_a_charge_is_paid_by_one_of_two_payouts(bank: Bank, clock: Clock) -> None:
    code = brcode.parse(bank.cash_in(OTHER, CashIn(5000)).qr_code)
    first = bank.cash_out(ACCOUNT, CashOut(5000, emv=code))
    second = bank.cash_out("acc_3", CashOut(5000, emv=code))
    later(bank, clock, 1)
    assert read(bank, first).status == "settled"
    assert (read(bank, second).status, read(bank, second).reason) == ("failed", "BE17")
    assert money(bank, "acc_3") == (OPENING, 0)
    with pytest.raises(Refused, match="paid already"):
        bank.cash_out(ACCOUNT, CashOut(5000, emv=code))


def test_a_charge_that_expires_on_the_way_is_not_paid(bank: Bank, clock: Clock) -> None:
    code = brcode.parse(bank.cash_in(OTHER, CashIn(5000)).qr_code)
    clock.advance(seconds=bank.rules.charge_lifetime_s - 0.5)
    payout = bank.cash_out(ACCOUNT, CashOut(5000, emv=code))
    later(bank, clock, 1)
    assert read(bank, payout).reason == "BE17"
    assert money(bank) == (OPENING, 0)
    with pytest.raises(Refused, match="expired"):
        bank.cash_out(ACCOUNT, CashOut(5000, emv=code))


def test_a_code_of_another_bank_names_its_merchant(bank: Bank, clock: Clock) -> None:
    code = BrCode.dynamic("pix.other.example/qr/1", merchant_name="Padaria Sol", city="Recife")
    payout = bank.cash_out(ACCOUNT, CashOut(700, emv=code))
    assert (payout.amount, payout.counterparty_name) == (70_000, "Padaria Sol")
    later(bank, clock, 1)
    assert read(bank, payout).status == "settled"


def test_a_static_code_pays_its_key(bank: Bank, clock: Clock) -> None:
    key = pix_keys.parse(own_key(bank, OTHER))
    code = BrCode.static(key, merchant_name="Loja", city="Recife", amount_centavos=900)
    payout = bank.cash_out(ACCOUNT, CashOut(700, emv=code))
    assert (payout.amount, payout.pix_key) == (70_000, key.value)  # §6.3: the request's amount
    later(bank, clock, 1)
    assert money(bank, OTHER) == (OPENING + 70_000 - FEE, 0)


def test_nobody_pays_himself(bank: Bank, clock: Clock) -> None:
    charge = bank.cash_in(ACCOUNT, CashIn(100))
    for attempt in (
        order(key=own_key(bank, ACCOUNT)),
        CashOut(100, emv=brcode.parse(charge.qr_code)),
    ):
        with pytest.raises(Refused, match="Cannot pay to the same account"):
            bank.cash_out(ACCOUNT, attempt)
    assert money(bank) == (OPENING, 0)


def test_a_key_registered_later_does_not_draw_the_money(bank: Bank, clock: Clock) -> None:
    payout = bank.cash_out(ACCOUNT, order(key="late@example.test"))
    World(bank).add_key(ACCOUNT, "late@example.test")
    later(bank, clock, 1)
    assert read(bank, payout).status == "settled"
    assert money(bank) == (OPENING - 300_350, 0)


def test_an_id_the_receiver_has_seen_is_a_duplicate(bank: Bank, clock: Clock) -> None:
    chosen = "E39929224202605011200abcdefghijk"
    key = own_key(bank, OTHER)
    payouts = [
        bank.cash_out(account, replace(order(key=key), end_to_end_id=chosen))
        for account in (ACCOUNT, "acc_3")
    ]
    later(bank, clock, 1)
    assert [read(bank, payout).status for payout in payouts] == ["settled", "failed"]
    assert read(bank, payouts[1]).reason == "DUPL"
    assert money(bank, OTHER) == (OPENING + 300_000 - FEE, 0)
    assert money(bank, "acc_3") == (OPENING, 0)


def test_returning_is_for_other_banks(bank: Bank) -> None:
    with pytest.raises(Refused, match="another bank"):
        bank.cash_out(ACCOUNT, with_scenario("returned", key=own_key(bank, OTHER)))


# The queue


@pytest.fixture
def busy(tmp_path: Path, clock: Clock) -> Iterator[Bank]:
    """A bank that may ask the directory once in ten seconds for an account."""
    rules = Rules(opening_balance=OPENING, dict_per_account=Bucket(1, 0.1))
    with Bank(tmp_path / "busy", rules=rules, clock=clock) as opened:
        yield opened
        assert opened.check_ledger().violations == ()


def test_a_look_up_too_many_queues_the_payout_without_a_debit(busy: Bank, clock: Clock) -> None:
    first, second = (busy.cash_out(ACCOUNT, order(amount)) for amount in (100, 200))
    assert (first.status, second.status) == ("processing", "queued")
    assert second.counterparty_name is None
    assert money(busy) == (OPENING - 10_350, 10_350)
    assert events(busy, second.transaction_id) == [("pix.payout.queued", "queued")]

    for seconds in (3, 3, 3):  # retries at 3, 6 and 9 s: the bucket is full until 10 s
        later(busy, clock, seconds)
        assert read(busy, second).status == "queued"
    later(busy, clock, 3)
    started = read(busy, second)
    assert (started.status, started.end_to_end_id) == ("processing", second.end_to_end_id)
    assert started.counterparty_name is not None
    assert money(busy) == (OPENING - 10_350 - 20_350, 20_350)
    later(busy, clock, 1)
    assert read(busy, second).status == "settled"
    assert events(busy, second.transaction_id) == [
        ("pix.payout.queued", "queued"),
        ("pix.payout.processing", "processing"),
        ("pix.payout.confirmed", "settled"),
    ]


def test_a_code_without_a_key_asks_no_directory(busy: Bank) -> None:
    busy.cash_out(ACCOUNT, order(100))
    code = BrCode.dynamic("pix.other.example/qr/1", merchant_name="Padaria Sol", city="Recife")
    for amount in (1, 2, 3):
        assert busy.cash_out(ACCOUNT, CashOut(amount, emv=code)).status == "processing"
    static = BrCode.static(pix_keys.parse("a@b.test"), merchant_name="Ana", city="Recife")
    assert busy.cash_out(ACCOUNT, CashOut(1, emv=static)).status == "queued"


def test_one_account_does_not_use_up_the_look_ups_of_another(busy: Bank) -> None:
    assert [busy.cash_out(ACCOUNT, order(n)).status for n in (1, 2)] == ["processing", "queued"]
    assert busy.cash_out(OTHER, order()).status == "processing"


def test_a_queued_payout_without_money_fails_when_its_turn_comes(busy: Bank, clock: Clock) -> None:
    busy.cash_out(ACCOUNT, order(5000))
    queued = busy.cash_out(ACCOUNT, order(9000))
    later(busy, clock, 12)
    failed = read(busy, queued)
    assert (failed.status, failed.reason) == ("failed", "AM04")
    assert money(busy) == (OPENING - 500_350, 0)


def test_a_queued_payout_is_given_up_after_two_hours(bank: Bank, clock: Clock) -> None:
    queued = bank.cash_out(ACCOUNT, with_scenario("queued-expired"))
    later(bank, clock, 7199)
    assert read(bank, queued).status == "queued"
    assert money(bank) == (OPENING, 0)
    later(bank, clock, 3)
    failed = read(bank, queued)
    assert (failed.status, failed.reason) == ("failed", "DICT")
    assert money(bank) == (OPENING, 0)
    assert events(bank) == [("pix.payout.queued", "queued"), ("pix.payout.failed", "rejected")]


def test_scenario_queued_is_let_through_at_the_second_retry(bank: Bank, clock: Clock) -> None:
    queued = bank.cash_out(ACCOUNT, with_scenario("queued"))
    assert queued.status == "queued"
    later(bank, clock, 3)
    assert read(bank, queued).status == "queued"
    later(bank, clock, 3)
    assert read(bank, queued).status == "processing"
    later(bank, clock, 1)
    assert read(bank, queued).status == "settled"


def test_a_queued_payout_to_a_key_that_became_its_own_fails(bank: Bank, clock: Clock) -> None:
    queued = bank.cash_out(ACCOUNT, with_scenario("queued", key="late@example.test"))
    World(bank).add_key(ACCOUNT, "late@example.test")
    later(bank, clock, 6)
    assert (read(bank, queued).status, read(bank, queued).reason) == ("failed", "AG03")


# Any sequence

ACCOUNTS = ("acc_1", "acc_2", "acc_3")
Same = tuple[str, str, int, str | None]  # what makes two submissions one payment
STEPS = st.lists(
    st.tuples(
        st.sampled_from(ACCOUNTS),
        st.integers(1, 120),  # centavos
        st.sampled_from([None, "a", "b"]),
        st.sampled_from([None, "rejected-ac03"]),
        st.integers(0, 90),  # seconds until the next step
    ),
    max_size=25,
)


@settings(max_examples=40, deadline=None)
@given(steps=STEPS, fee=st.sampled_from([0, 1, FEE]), opening=st.sampled_from([0, 10_000, 40_000]))
def test_random_payments_agree_with_a_model(
    steps: list[tuple[str, int, str | None, str | None, int]], fee: int, opening: int
) -> None:
    clock, rules = Clock(), Rules(opening_balance=opening, fee=fee)
    free, held = dict.fromkeys(ACCOUNTS, opening), dict.fromkeys(ACCOUNTS, 0)
    settled: set[Same] = set()
    paid = dict.fromkeys(ACCOUNTS, 0)
    flying: list[tuple[str, int, Same, bool]] = []
    with tempfile.TemporaryDirectory() as folder, Bank(Path(folder), rules=rules, clock=clock) as b:
        for account, centavos, external_id, scenario, pause in steps:
            cost = centavos * 100 + fee
            minute = f"{clock.now:%Y%m%d%H%M}"
            wanted = replace(order(centavos, external_id=external_id), scenario=scenario)
            if cost > free[account]:
                with pytest.raises(InsufficientBalance):
                    b.cash_out(account, wanted)
            else:
                payout = b.cash_out(account, wanted)
                assert (payout.fee_amount, payout.net_amount) == (fee, cost)
                free[account] -= cost
                held[account] += cost
                same = (account, minute, centavos, external_id)
                flying.append((account, cost, same, scenario is None))
            later(b, clock, pause)
            if pause:
                for account_of, cost_of, same, accepted in flying:
                    held[account_of] -= cost_of
                    if accepted and same not in settled:
                        settled.add(same)
                        paid[account_of] += 1
                    else:
                        free[account_of] += cost_of
                flying.clear()
            assert {a: money(b, a) for a in ACCOUNTS} == {a: (free[a], held[a]) for a in ACCOUNTS}
        assert {a: b.count_payments(a) for a in ACCOUNTS} == paid
        assert b.check_ledger().violations == ()
