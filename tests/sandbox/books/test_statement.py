"""The statement: what each filter's word means, days in UTC, pages, order."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guarita.sandbox.books import transactions
from guarita.sandbox.books.statement import STATUSES, StatementQuery, statement
from guarita.sandbox.books.transactions import Transaction
from guarita.sandbox.database import Database
from tests.sandbox.books import made


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    path = tmp_path_factory.mktemp("books") / "bank.db"
    made.everything(path)
    with closing(Database(path)) as database:
        yield database


def ask(database: Database, account: str = "alice", **query: Any) -> list[Transaction]:
    with database.reading() as conn:
        return statement(conn, account, StatementQuery(**query))


def recorded(database: Database, account: str = "alice") -> list[Transaction]:
    """Everything of the account, newest first, by another way."""
    with database.reading() as conn:
        found = transactions.select(conn, "account = ?", account)
        numbers = dict(conn.execute("SELECT transaction_id, number FROM transactions").fetchall())
    return sorted(found, key=lambda each: numbers[each.transaction_id], reverse=True)


def test_without_filters_it_is_everything_of_the_account_newest_first(books: Database) -> None:
    found = ask(books, per_page=100)
    assert found == recorded(books)
    assert {each.account for each in found} == {"alice"}
    assert [each.created_ms for each in found] == sorted(
        (each.created_ms for each in found), reverse=True
    )
    assert {each.kind for each in found} == {"payout", "receipt", "refund", "return"}
    assert ask(books, "nobody") == []


@pytest.mark.parametrize(
    ("word", "states"),
    [
        ("pending", {"queued", "processing"}),
        ("completed", {"settled", "returned"}),
        ("failed", {"failed"}),
        ("queued", {"queued"}),
        ("processing", {"processing"}),
        ("settled", {"settled"}),
        ("returned", {"returned"}),
    ],
)
def test_each_word_of_the_status_filter(books: Database, word: str, states: set[str]) -> None:
    found = ask(books, status=word, per_page=100)
    assert found == [each for each in recorded(books) if each.status in states]
    assert {each.status for each in found} == states


def test_the_three_words_of_the_fact_sheet_leave_nothing_out(books: Database) -> None:
    words = ("pending", "completed", "failed")
    found = [ask(books, status=word, per_page=100) for word in words]
    assert sum(map(len, found)) == len(recorded(books))
    assert {state for states in STATUSES.values() for state in states} == set(transactions.MOVES)


@pytest.mark.parametrize(
    ("word", "all_of_it"), [("pix", True), ("ted", False), ("internal", False)]
)
def test_each_word_of_the_type_filter(books: Database, word: str, all_of_it: bool) -> None:
    assert ask(books, type=word) == (ask(books) if all_of_it else [])


@pytest.mark.parametrize("per_page", [1, 7, 20, 100])
def test_pages_join_up_to_the_whole(books: Database, per_page: int) -> None:
    pages, page = [], 1
    while found := ask(books, page=page, per_page=per_page):
        assert len(found) <= per_page
        pages += found
        page += 1
    assert pages == recorded(books)


@pytest.mark.parametrize("page", [10**6, 2**62, 2**63, 10**400])
def test_a_page_past_the_end_is_empty(books: Database, page: int) -> None:
    assert ask(books, page=page, per_page=100) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"page": 0},
        {"page": -1},
        {"per_page": 0},
        {"per_page": 101},
        {"status": "done"},
        {"status": ""},
        {"status": "Pending"},
        {"type": "boleto"},
    ],
    ids=str,
)
def test_a_query_that_cannot_be_right_is_refused_by_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        StatementQuery(**wrong)


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A receipt at the first and the last millisecond of each of three days, in two accounts."""
    with closing(Database(tmp_path_factory.mktemp("days") / "bank.db")) as database:
        with database.writing() as conn:
            number = 0
            for day in (1, 2, 3):
                for time in ((0, 0, 0, 0), (23, 59, 59, 999_000)):
                    at = datetime(2026, 5, day, *time, tzinfo=UTC)
                    for account in ("alice", "bob"):
                        number += 1
                        draft = transactions.draft(
                            account=account,
                            kind="receipt",
                            status="settled",
                            amount=100,
                            fee=0,
                            end_to_end_id=f"E{number}",
                            at=at,
                        )
                        transactions.record(conn, draft)
        yield database


@pytest.mark.parametrize(
    ("date_from", "date_to", "expected"),
    [
        (None, None, [3, 3, 2, 2, 1, 1]),
        (2, None, [3, 3, 2, 2]),
        (None, 2, [2, 2, 1, 1]),
        (2, 2, [2, 2]),
        (1, 3, [3, 3, 2, 2, 1, 1]),
        (3, 1, []),
        (4, None, []),
    ],
)
def test_days_are_of_utc_and_both_are_included(
    days: Database, date_from: int | None, date_to: int | None, expected: list[int]
) -> None:
    found = ask(
        days,
        date_from=None if date_from is None else date(2026, 5, date_from),
        date_to=None if date_to is None else date(2026, 5, date_to),
    )
    assert [int(each.created_at[8:10]) for each in found] == expected


def test_any_day_of_the_calendar_can_be_asked_for(days: Database) -> None:
    assert len(ask(days, date_from=date.min, date_to=date.max)) == 6
    assert ask(days, date_to=date.min) == ask(days, date_from=date.max) == []


@settings(deadline=None)
@given(
    query=st.builds(
        StatementQuery,
        page=st.integers(1, 5),
        per_page=st.integers(1, 9),
        status=st.none() | st.sampled_from(sorted(STATUSES)),
        date_from=st.none() | st.dates(date(2026, 4, 30), date(2026, 5, 3)),
        date_to=st.none() | st.dates(date(2026, 4, 30), date(2026, 5, 3)),
    )
)
def test_filters_together_agree_with_a_model(books: Database, query: StatementQuery) -> None:
    def wanted(each: Transaction) -> bool:
        day = date.fromisoformat(each.created_at[:10])
        return (
            (query.status is None or each.status in STATUSES[query.status])
            and (query.date_from is None or query.date_from <= day)
            and (query.date_to is None or day <= query.date_to)
        )

    matching = [each for each in recorded(books) if wanted(each)]
    start = (query.page - 1) * query.per_page
    with books.reading() as conn:
        assert statement(conn, "alice", query) == matching[start : start + query.per_page]
        first = replace(query, page=1, per_page=100)
        assert statement(conn, "alice", first) == matching
