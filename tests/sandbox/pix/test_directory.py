"""The directory of keys: counterparties as functions of keys, and the leaky buckets."""

import tempfile
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guarita.sandbox.books.accounts import Customer
from guarita.sandbox.database import Database
from guarita.sandbox.pix import directory
from guarita.sandbox.pix.rules import Bucket, Rules
from guarita.sandbox.text import documents, pix_keys
from guarita.sandbox.text.pix_keys import PixKey

AT = datetime(2026, 5, 1, 12, 0, 30, tzinfo=UTC)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with closing(Database(tmp_path / "bank.db")) as opened:
        yield opened


def admitted(
    database: Database, rules: Rules, *moments: float, account: str = "acc_1"
) -> list[bool]:
    """Whether a look-up was admitted at each of these seconds."""
    answers = []
    for moment in moments:
        with database.writing() as conn:
            at = AT + timedelta(seconds=moment)
            answers.append(directory.admit(conn, account, at=at, rules=rules))
    return answers


@given(key=st.emails().map(lambda text: PixKey("email", text)))
def test_a_key_leads_to_the_same_person_at_another_bank_always(key: PixKey) -> None:
    found = directory.look_up(key)
    assert found == directory.look_up(key)
    assert documents.has_cpf_check_digits(found.document)
    assert len(found.ispb) == 8
    assert found.ispb.isdigit()
    assert found.ispb != Rules().ispb
    assert found.name
    assert found.bank_name


def test_keys_lead_to_many_people() -> None:
    found = {directory.look_up(PixKey("email", f"{n}@b.test")) for n in range(500)}
    assert len({each.name for each in found}) > 100
    assert len({each.document for each in found}) == 500
    assert len({each.ispb for each in found}) > 1


@pytest.mark.parametrize("text", ["52998224725", "12345678000195", "12ABC34501DE35"])
def test_a_document_as_a_key_is_its_holders(text: str) -> None:
    assert directory.look_up(pix_keys.parse(text)).document == text


def test_a_payer_can_be_given_a_name() -> None:
    named = directory.someone("x", name="Maria da Silva")
    assert named.name == "Maria da Silva"
    assert named.document == directory.someone("x").document


def test_a_customer_is_a_company_at_this_bank() -> None:
    rules = Rules(ispb="12345678")
    found = directory.of_customer(Customer("acc_1", 100731), rules=rules)
    assert (found.ispb, found.name) == ("12345678", "Lojista 100731")
    assert documents.has_cnpj_check_digits(found.document)
    assert found != directory.of_customer(Customer("acc_2", 100732), rules=rules)


def test_a_bucket_takes_its_capacity_at_once_and_leaks(database: Database) -> None:
    rules = Rules(dict_per_account=Bucket(3, 2.0))
    assert admitted(database, rules, 0, 0, 0, 0) == [True, True, True, False]
    assert admitted(database, rules, 0.499, 0.5, 0.5) == [False, True, False]
    assert admitted(database, rules, 100, 100, 100, 100) == [True, True, True, False]


def test_the_accounts_share_the_global_bucket(database: Database) -> None:
    rules = Rules(dict_global=Bucket(2, 1.0))
    assert admitted(database, rules, 0, account="a") == [True]
    assert admitted(database, rules, 0, account="b") == [True]
    assert admitted(database, rules, 0, account="c") == [False]
    assert admitted(database, rules, 1, account="c") == [True]


def test_a_refused_look_up_is_not_counted(database: Database) -> None:
    rules = Rules(dict_per_account=Bucket(1, 1.0), dict_global=Bucket(2, 0.001))
    assert admitted(database, rules, 0, 0, 0, account="a") == [True, False, False]
    assert admitted(database, rules, 0, account="b") == [True]


def test_asking_often_does_not_keep_a_bucket_full(database: Database) -> None:
    """Each question comes before a whole thousandth of a look-up has leaked since the last."""
    rules = Rules(dict_per_account=Bucket(1, 0.5))
    answers = admitted(database, rules, *(n / 1000 for n in range(2100)))
    assert answers.count(True) == 2
    assert 2000 <= answers.index(True, 1) <= 2001


def test_a_bucket_leaks_on_from_where_a_clock_was_set_back_to(database: Database) -> None:
    """It stayed full until the clock had reached the time it was set back from."""
    rules = Rules(dict_per_account=Bucket(1, 1.0))
    assert admitted(database, rules, 100, 0, 0.9, 1, 1.9, 2) == [
        *(True, False, False, True, False, True),
    ]


def test_a_look_up_that_is_rolled_back_is_not_counted(database: Database) -> None:
    rules = Rules(dict_per_account=Bucket(1, 0.001))

    def refused_later() -> None:
        with database.writing() as conn:
            assert directory.admit(conn, "acc_1", at=AT, rules=rules)
            raise LookupError

    with pytest.raises(LookupError):
        refused_later()
    assert admitted(database, rules, 0) == [True]


@settings(max_examples=50, deadline=None)
@given(
    capacity=st.integers(1, 5),
    per_second=st.sampled_from([0.1, 0.333, 1, 2.5, 7]),
    pauses=st.lists(st.integers(0, 3000), max_size=40),
)
def test_never_more_than_the_capacity_and_what_leaked(
    capacity: int, per_second: float, pauses: list[int]
) -> None:
    """In any window, what is admitted is at most the capacity and what leaks in that time; and a
    question after enough silence is always admitted.
    """
    rules = Rules(dict_per_account=Bucket(capacity, per_second))
    moments = [sum(pauses[:n]) / 1000 for n in range(1, len(pauses) + 1)]
    quiet = sum(pauses) / 1000 + capacity / per_second + 1
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(Database(Path(folder) / "bank.db")) as database,
    ):
        answers = admitted(database, rules, *moments)
        assert admitted(database, rules, quiet) == [True]
    yes = [at for at, answer in zip(moments, answers, strict=True) if answer]
    for start in range(len(yes)):
        for end in range(start, len(yes)):
            allowed = capacity + (yes[end] - yes[start]) * per_second
            assert end - start + 1 <= allowed + 0.001
