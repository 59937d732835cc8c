"""The use cases without HTTP: opening, reading back, settings."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from guarita.sandbox.bank import Bank
from guarita.sandbox.books.statement import StatementQuery
from guarita.sandbox.books.transactions import LAST, TAGGED, Transaction, TransactionNotFound
from guarita.sandbox.pix.charges import CashIn
from guarita.sandbox.pix.disputes import DefenseOrder
from guarita.sandbox.pix.payouts import CashOut
from guarita.sandbox.pix.refunds import RefundOrder
from guarita.sandbox.pix.rules import Bucket, Rules
from guarita.sandbox.refusals import Missing
from guarita.sandbox.text import identifiers
from guarita.sandbox.text.brcode import BrCode
from guarita.sandbox.text.pix_keys import PixKey
from guarita.sandbox.webhooks.subscriptions import WebhookOrder
from guarita.sandbox.world import World
from tests.sandbox.support import ACCOUNT, Clock, order

OTHER = "acc_2"
OPENING = 1_000_000


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def bank(tmp_path: Path, clock: Clock) -> Iterator[Bank]:
    with Bank(tmp_path, rules=Rules(opening_balance=OPENING), clock=clock) as opened:
        yield opened


def test_an_account_opens_once_with_a_balance_posted_from_equity(bank: Bank) -> None:
    for _ in range(3):
        assert bank.balance(ACCOUNT).balance == OPENING
    audit = bank.check_ledger()
    assert (audit.postings, audit.entries) == (1, 2)
    with bank.database.reading() as conn:
        kinds = [row[0] for row in conn.execute("SELECT kind FROM ledger_accounts ORDER BY kind")]
    assert kinds == ["clearing", "customer", "equity", "hold", "income"]


def test_an_account_opens_with_one_random_key(bank: Bank) -> None:
    (key,) = bank.pix_keys(ACCOUNT)
    assert (key.key_type, key.status) == ("evp", "active")
    assert bank.pix_keys(ACCOUNT) == [key]
    assert bank.pix_keys(OTHER) != [key]


def test_the_balance_is_what_is_available_and_what_is_pending(bank: Bank, clock: Clock) -> None:
    bank.cash_out(ACCOUNT, order(3000))
    balance = bank.balance(ACCOUNT)
    assert (balance.balance, balance.pending, balance.available) == (OPENING, 300_350, 699_650)
    clock.advance(seconds=1)
    bank.work()
    balance = bank.balance(ACCOUNT)
    assert (balance.balance, balance.pending, balance.available) == (699_650, 0, 699_650)


def test_a_transaction_is_found_by_each_of_its_names(bank: Bank, clock: Clock) -> None:
    payout = bank.cash_out(ACCOUNT, order(external_id="pay-1"))
    assert bank.transaction(ACCOUNT, payout.transaction_id) == payout
    assert bank.by_end_to_end_id(ACCOUNT, payout.end_to_end_id) == payout
    assert bank.by_external_id(ACCOUNT, "pay-1") == payout
    assert bank.by_tag(ACCOUNT, payout.transaction_id[:14]) == [payout]
    assert bank.by_tag(ACCOUNT, "PIXIN") == []
    assert bank.statement(ACCOUNT, StatementQuery()) == [payout]


def test_a_charge_is_found_and_after_payment_its_receipt(bank: Bank, clock: Clock) -> None:
    charge = bank.cash_in(ACCOUNT, CashIn(3000, external_id="sub-1"))
    assert bank.transaction(ACCOUNT, charge.transaction_id) == charge
    assert bank.by_external_id(ACCOUNT, "sub-1") == charge
    assert bank.by_tag(ACCOUNT, charge.transaction_id[:5]) == [charge]
    with pytest.raises(TransactionNotFound):
        bank.receipt(ACCOUNT, charge.transaction_id)

    receipt = World(bank).pay(charge.transaction_id)
    paid = bank.transaction(ACCOUNT, charge.transaction_id)
    assert not isinstance(paid, Transaction)
    assert (paid.status, paid.paid_transaction_id) == ("paid", receipt.transaction_id)
    assert bank.by_external_id(ACCOUNT, "sub-1") == receipt
    assert bank.receipt(ACCOUNT, charge.transaction_id) == receipt
    assert bank.receipt(ACCOUNT, receipt.transaction_id) == receipt
    assert bank.by_end_to_end_id(ACCOUNT, receipt.end_to_end_id) == receipt


def test_of_several_with_one_external_id_the_latest_is_found(bank: Bank, clock: Clock) -> None:
    bank.cash_out(ACCOUNT, order(external_id="x"))
    clock.advance(seconds=1)
    charge = bank.cash_in(ACCOUNT, CashIn(3000, external_id="x"))
    assert bank.by_external_id(ACCOUNT, "x") == charge
    clock.advance(seconds=1)
    payout = bank.cash_out(ACCOUNT, order(external_id="x"))
    assert bank.by_external_id(ACCOUNT, "x") == payout


def test_a_receipt_is_for_a_known_outcome(bank: Bank, clock: Clock) -> None:
    payout = bank.cash_out(ACCOUNT, order())
    with pytest.raises(TransactionNotFound):
        bank.receipt(ACCOUNT, payout.transaction_id)
    World(bank).reject(payout.transaction_id)
    assert bank.receipt(ACCOUNT, payout.transaction_id).status == "failed"


def test_tagged_transactions_come_newest_first_and_fifty_at_most(bank: Bank, clock: Clock) -> None:
    made: list[Any] = []
    for number in range(60):
        clock.advance(seconds=1)
        made.append(
            bank.cash_in(ACCOUNT, CashIn(100))
            if number % 2
            else bank.cash_out(ACCOUNT, order(1, external_id=str(number)))
        )
    found = bank.by_tag(ACCOUNT, "")
    newest = [each.transaction_id for each in reversed(made)]
    assert [each.transaction_id for each in found] == newest[:50]


def test_accounts_do_not_see_each_other(bank: Bank, clock: Clock) -> None:
    payout = bank.cash_out(ACCOUNT, order(external_id="pay-1"))
    charge = bank.cash_in(ACCOUNT, CashIn(3000, external_id="sub-1"))
    receipt = World(bank).pay(charge.transaction_id)
    case = World(bank).infraction(receipt.transaction_id)
    hook = bank.create_webhook(ACCOUNT, WebhookOrder("https://a.test/", ("pix.charge.paid",)))
    for transaction_id in (payout.transaction_id, charge.transaction_id, receipt.transaction_id):
        for query in (bank.transaction, bank.receipt):
            with pytest.raises(TransactionNotFound):
                query(OTHER, transaction_id)
        assert bank.by_tag(OTHER, transaction_id) == []
    for external_id in ("pay-1", "sub-1"):
        with pytest.raises(TransactionNotFound):
            bank.by_external_id(OTHER, external_id)
    with pytest.raises(TransactionNotFound):
        bank.by_end_to_end_id(OTHER, payout.end_to_end_id)
    for attempt in (
        lambda: bank.refund(OTHER, RefundOrder(receipt.transaction_id)),
        lambda: bank.infraction(OTHER, case.id),
        lambda: bank.defend(OTHER, case.id, DefenseOrder("x")),
        lambda: bank.delete_webhook(OTHER, hook.id),
    ):
        with pytest.raises(Missing):
            attempt()
    assert bank.infractions(OTHER) == []
    assert bank.webhooks(OTHER) == []
    assert bank.statement(OTHER, StatementQuery()) == []
    assert bank.count_payments(OTHER) == 0
    assert bank.balance(OTHER).balance == OPENING


def test_a_webhook_is_registered_shown_and_deleted(bank: Bank) -> None:
    made = bank.create_webhook(ACCOUNT, WebhookOrder("https://a.test/", ("pix.charge.paid",)))
    assert made.secret is not None
    (shown,) = bank.webhooks(ACCOUNT)
    assert (shown.id, shown.secret) == (made.id, None)
    bank.delete_webhook(ACCOUNT, made.id)
    assert bank.webhooks(ACCOUNT) == []
    with pytest.raises(Missing):
        bank.delete_webhook(ACCOUNT, made.id)


@pytest.mark.parametrize("unknown", ["", "PIXOUT", "' OR 1=1 --", "\ud800", "x" * 65, "é"])
def test_unknown_transactions_are_not_found(bank: Bank, unknown: str) -> None:
    bank.cash_out(ACCOUNT, order())
    for query in (bank.transaction, bank.receipt, bank.by_end_to_end_id, bank.by_external_id):
        with pytest.raises(TransactionNotFound):
            query(ACCOUNT, unknown)
    if unknown not in ("", "PIXOUT"):
        assert bank.by_tag(ACCOUNT, unknown) == []
    for attempt in (
        lambda: bank.infraction(ACCOUNT, unknown),
        lambda: bank.defend(ACCOUNT, unknown, DefenseOrder("x")),
        lambda: bank.refund(ACCOUNT, RefundOrder(unknown)),
    ):
        with pytest.raises(Missing):
            attempt()


@pytest.mark.parametrize(
    "settings",
    [
        {"opening_balance": -1},
        {"opening_balance": 1.5},
        {"opening_balance": 10**15 + 1},
        {"fee": -1},
        {"fee": True},
        {"ispb": "123"},
        {"ispb": "1234567é"},
        {"settlement_delay_s": -1},
        {"review_s": float("nan")},
        {"queue_retry_s": 0},
        {"queue_limit_s": float("inf")},
    ],
    ids=str,
)
def test_settings_that_cannot_be_right_are_refused(settings: Any) -> None:
    with pytest.raises(ValueError, match=next(iter(settings))):
        Rules(**settings)


@pytest.mark.parametrize("bucket", [(0, 1), (-1, 1), (1.5, 1), (1, 0), (1, -1)], ids=str)
def test_buckets_that_cannot_be_right_are_refused(bucket: Any) -> None:
    with pytest.raises(ValueError, match="bucket"):
        Bucket(*bucket)


CALLS: dict[str, Callable[[Bank, str], object]] = {
    "balance": lambda bank, account: bank.balance(account),
    "cash_out": lambda bank, account: bank.cash_out(account, order()),
    "cash_in": lambda bank, account: bank.cash_in(account, CashIn(1)),
    "refund": lambda bank, account: bank.refund(account, RefundOrder("x")),
    "transaction": lambda bank, account: bank.transaction(account, "x"),
    "by_end_to_end_id": lambda bank, account: bank.by_end_to_end_id(account, "x"),
    "by_external_id": lambda bank, account: bank.by_external_id(account, "x"),
    "by_tag": lambda bank, account: bank.by_tag(account, "x"),
    "receipt": lambda bank, account: bank.receipt(account, "x"),
    "statement": lambda bank, account: bank.statement(account, StatementQuery()),
    "pix_keys": lambda bank, account: bank.pix_keys(account),
    "infractions": lambda bank, account: bank.infractions(account),
    "infraction": lambda bank, account: bank.infraction(account, "x"),
    "defend": lambda bank, account: bank.defend(account, "x", DefenseOrder("x")),
    "create_webhook": lambda bank, account: bank.create_webhook(
        account, WebhookOrder("https://a.test/", ("pix.charge.paid",))
    ),
    "webhooks": lambda bank, account: bank.webhooks(account),
    "delete_webhook": lambda bank, account: bank.delete_webhook(account, "x"),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
@pytest.mark.parametrize("account", ["", " ", "a b", "a\n", "x" * 129, "conta-é", "\ud800"])
def test_account_ids_have_a_form(
    bank: Bank, account: str, call: Callable[[Bank, str], object]
) -> None:
    with pytest.raises(ValueError, match="account id"):
        call(bank, account)


def test_the_beginning_of_an_id_is_looked_up_in_an_index(bank: Bank) -> None:
    """It was compared with each transaction of the account."""
    bank.balance(ACCOUNT)
    with bank.database.reading() as conn:
        for table in ("transactions", "charges"):
            plan = conn.execute(
                f"EXPLAIN QUERY PLAN SELECT * FROM {table} WHERE {TAGGED}",
                (ACCOUNT, "PIXOUT2026", "PIXOUT2026" + LAST, 50),
            ).fetchall()
            assert "transaction_id>? AND transaction_id<?" in plan[0]["detail"]


def test_a_guessed_end_to_end_id_stops_nobodys_payment(bank: Bank, clock: Clock) -> None:
    """The id of another account's next payment could be derived, and used first at its receiver:
    then the payment itself was rejected as a duplicate.
    """
    key = PixKey("evp", bank.pix_keys("shop")[0].key)
    guess = identifiers.end_to_end_id(
        identifiers.submission(
            account="victim",
            at=clock.now,
            recipient=key.value,
            amount=100_000,
            external_id=None,
            secret=bytes(32),
        ),
        at=clock.now,
    )
    code = BrCode.static(key, merchant_name="Loja", city="Recife")
    attack = bank.cash_out("attacker", CashOut(1, emv=code, end_to_end_id=guess))
    World(bank).settle(attack.transaction_id)
    payment = bank.cash_out("victim", CashOut(1000, key))
    assert payment.end_to_end_id != guess
    assert World(bank).settle(payment.transaction_id).status == "settled"
