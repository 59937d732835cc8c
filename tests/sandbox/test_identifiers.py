"""Ids: their patterns, and what the end-to-end id depends on."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guarita.sandbox import Bank, identifiers
from tests.sandbox.support import ACCOUNT, Clock, order

AT = datetime(2026, 5, 1, 12, 4, 59, tzinfo=UTC)
PAYMENT = {
    "account": ACCOUNT,
    "pix_key": "52998224725",
    "amount": 300_000,
    "external_id": "pay-77",
}


def derive(at: datetime = AT, number: int = 0, **changes: object) -> str:
    digest = identifiers.submission(at=at, **(PAYMENT | changes))  # type: ignore[arg-type]
    return identifiers.end_to_end_id(digest, number, at=at)


@given(
    at=st.datetimes(min_value=datetime(2020, 1, 1), timezones=st.just(UTC)),
    number=st.integers(0, 10**6),
    account=st.text(max_size=8),
)
def test_end_to_end_id_pattern(at: datetime, number: int, account: str) -> None:
    text = derive(at, number, account=account)
    assert identifiers.END_TO_END_ID.fullmatch(text)
    assert len(text) == 32
    assert text.startswith(f"E39929224{at:%Y%m%d%H%M}")


def test_the_same_payment_in_the_same_minute_derives_the_same_id() -> None:
    assert derive(AT) == derive(AT.replace(second=0))


@pytest.mark.parametrize(
    "changes",
    [
        {"account": "acc_2"},
        {"pix_key": "52998224726"},
        {"amount": 300_001},
        {"external_id": None},
        {"external_id": "pay-78"},
        {"at": AT + timedelta(minutes=1)},
        {"number": 1},
        {"account": ACCOUNT + "5", "pix_key": "2998224725"},
    ],
    ids=str,
)
def test_every_part_of_the_payment_counts(changes: dict[str, object]) -> None:
    assert derive(**changes) != derive()  # type: ignore[arg-type]


def test_two_banks_derive_the_same_id(tmp_path: Path) -> None:
    """The id is a function of the payment, not of the file or the process it is recorded in."""

    with Bank(tmp_path / "a", clock=Clock()) as one, Bank(tmp_path / "b", clock=Clock()) as other:
        first = one.cash_out(ACCOUNT, order())
        assert other.cash_out(ACCOUNT, order()).end_to_end_id == first.end_to_end_id


def test_transaction_ids_differ_and_can_be_asked_for() -> None:
    ids = {identifiers.new_transaction_id(AT) for _ in range(1000)}
    assert len(ids) == 1000
    assert all(identifiers.is_transaction_id(text) for text in ids)
