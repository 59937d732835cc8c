"""Ids: their patterns, and what the end-to-end id depends on."""

import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guarita.sandbox.bank import Bank
from guarita.sandbox.text import identifiers
from tests.sandbox.support import ACCOUNT, Clock, order

AT = datetime(2026, 5, 1, 12, 4, 59, tzinfo=UTC)
PAYMENT = {
    "account": ACCOUNT,
    "recipient": "52998224725",
    "amount": 300_000,
    "external_id": "pay-77",
    "secret": bytes(32),
}


def derive(at: datetime = AT, **changes: object) -> str:
    digest = identifiers.submission(at=at, **(PAYMENT | changes))  # type: ignore[arg-type]
    return identifiers.end_to_end_id(digest, at=at)


@given(
    at=st.datetimes(min_value=datetime(2020, 1, 1), timezones=st.just(UTC)),
    account=st.text(max_size=8),
)
def test_end_to_end_id_pattern(at: datetime, account: str) -> None:
    text = derive(at, account=account)
    assert identifiers.is_end_to_end_id(text)
    assert len(text) == 32
    assert text.startswith(f"E39929224{at:%Y%m%d%H%M}")


def test_the_same_payment_in_the_same_minute_derives_the_same_id() -> None:
    assert derive(AT) == derive(AT.replace(second=0))


def test_the_minute_is_counted_in_utc() -> None:
    assert derive(AT.astimezone(timezone(timedelta(hours=-3)))) == derive(AT)


@pytest.mark.parametrize(
    "changes",
    [
        {"account": "acc_2"},
        {"recipient": "52998224726"},
        {"amount": 300_001},
        {"external_id": None},
        {"external_id": "pay-78"},
        {"at": AT + timedelta(minutes=1)},
        {"account": ACCOUNT + "5", "recipient": "2998224725"},
        {"secret": bytes(31) + b"1"},
    ],
    ids=str,
)
def test_every_part_of_the_payment_counts(changes: dict[str, object]) -> None:
    assert derive(**changes) != derive()  # type: ignore[arg-type]


def test_processes_over_one_file_derive_the_same_id_and_other_files_another(
    tmp_path: Path,
) -> None:
    """Anybody could derive the id of another account's payment, use it first, and so have that
    payment rejected as a duplicate.
    """
    ids = []
    for folder in ("a", "a", "b"):
        with Bank(tmp_path / folder, clock=Clock()) as bank:
            ids.append(bank.cash_out(ACCOUNT, order()).end_to_end_id)
    assert ids[0] == ids[1] != ids[2]


def test_payments_from_other_banks_have_ids_of_their_own() -> None:
    ids = {identifiers.new_end_to_end_id(AT, ispb="90000001") for _ in range(1000)}
    assert len(ids) == 1000
    assert all(identifiers.is_end_to_end_id(text) for text in ids)
    assert all(text.startswith("E90000001202605011204") for text in ids)


@given(of=st.text(max_size=40), number=st.integers(0, 10**6))
def test_return_id_pattern(of: str, number: int) -> None:
    text = identifiers.return_id(of, number, at=AT, ispb="90000001")
    assert re.fullmatch(r"D90000001202605011204[0-9A-Za-z]{11}", text)
    assert text == identifiers.return_id(of, number, at=AT, ispb="90000001")
    assert text != identifiers.return_id(of, number + 1, at=AT, ispb="90000001")


@pytest.mark.parametrize(
    ("kind", "prefix"),
    [("payout", "PIXOUT"), ("receipt", "PIXIN"), ("refund", "PIXREF"), ("return", "PIXRET")],
)
def test_transaction_ids_differ_and_can_be_asked_for(kind: str, prefix: str) -> None:
    ids = {identifiers.new_transaction_id(AT, kind) for _ in range(1000)}
    assert len(ids) == 1000
    assert all(identifiers.is_transaction_id(text) for text in ids)
    assert all(text.startswith(f"{prefix}20260501") for text in ids)


@pytest.mark.parametrize(
    "text",
    ["", "E", "E3992922420260501120", "D39929224202605011204aaaaaaaaaaa", "E39929224" + "a" * 27],
)
def test_other_texts_are_no_end_to_end_ids(text: str) -> None:
    assert not identifiers.is_end_to_end_id(text)
    assert not identifiers.is_end_to_end_id("x" + text)
