"""The laws of the books: held by the code, held again by the schema, and checked by the audit."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from guarita.sandbox.bank import Bank
from guarita.sandbox.books import ledger
from guarita.sandbox.books.audit import check_ledger
from guarita.sandbox.books.ledger import Kind, LedgerAccount, LedgerError
from guarita.sandbox.database import Database
from tests.sandbox.support import ACCOUNT, Clock, order

AT = "2026-05-01T12:00:00Z"
ALICE, BOB = ledger.customer("alice"), ledger.customer("bob")
HOLD = ledger.hold("alice")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with closing(Database(tmp_path / "bank.db")) as opened:
        with opened.writing() as conn:
            for account in (ALICE, BOB, ledger.OPENING_EQUITY, HOLD):
                ledger.open_account(conn, account, at=AT)
        yield opened


def post(database: Database, entries: dict[LedgerAccount, int]) -> None:
    with database.writing() as conn:
        ledger.post(conn, entries, kind="opening_balance", at=AT)


def run(database: Database, statements: str) -> None:
    """The statements in one write transaction, past the checks of `ledger`."""
    with database.writing() as conn:
        for statement in statements.split(";")[:-1]:
            conn.execute(statement)


def balances(database: Database) -> list[int | None]:
    with database.reading() as conn:
        return [ledger.balance(conn, a) for a in (ALICE, BOB, ledger.OPENING_EQUITY, HOLD)]


def test_a_posting_moves_money_between_accounts(database: Database) -> None:
    post(database, {ledger.OPENING_EQUITY: -100, ALICE: 70, BOB: 30})
    post(database, {ALICE: -50, HOLD: 50})
    assert balances(database) == [20, 30, -100, 50]
    with database.reading() as conn:
        assert conn.execute("SELECT count(*) FROM posting_seals").fetchone()[0] == 2


@pytest.mark.parametrize(
    "entries",
    [
        {},
        {ALICE: 0, BOB: 0},
        {ALICE: 5},
        {ledger.OPENING_EQUITY: -5, ALICE: 4},
        {ledger.OPENING_EQUITY: -5, ALICE: 5.0},
        {ledger.OPENING_EQUITY: -1, ALICE: True},
        {ledger.OPENING_EQUITY: -5, LedgerAccount(Kind.CUSTOMER, "nobody"): 5},
        {ALICE: -5, ledger.OPENING_EQUITY: 5},
        {HOLD: -5, ledger.OPENING_EQUITY: 5},
    ],
    ids=str,
)
def test_a_wrong_posting_is_refused_and_writes_nothing(
    database: Database, entries: dict[LedgerAccount, int]
) -> None:
    with pytest.raises(LedgerError):
        post(database, entries)
    assert balances(database) == [0, 0, 0, 0]
    with database.reading() as conn:
        assert conn.execute("SELECT count(*) FROM postings").fetchone()[0] == 0


def test_a_posting_needs_a_write_transaction(tmp_path: Path, database: Database) -> None:
    with (
        closing(sqlite3.connect(tmp_path / "bank.db", isolation_level=None)) as conn,
        pytest.raises(LedgerError, match="write transaction"),
    ):
        ledger.post(conn, {ALICE: -1, BOB: 1}, kind="opening_balance", at=AT)


# Statements that would break a law if the schema let them, after one sound posting (id 1).
POSTING = "INSERT INTO postings (id, kind, posted_at) VALUES (2, 'opening_balance', 'now');"
FORBIDDEN = {
    "unsealed posting": POSTING,
    "unsealed entries": POSTING + "INSERT INTO entries VALUES (2, 1, 5), (2, 3, -5);",
    "unbalanced": POSTING
    + "INSERT INTO entries VALUES (2, 1, 5), (2, 3, -4); INSERT INTO posting_seals VALUES (2);",
    "no entries": POSTING + "INSERT INTO posting_seals VALUES (2);",
    "overdraft": POSTING
    + "INSERT INTO entries VALUES (2, 1, -71), (2, 3, 71); INSERT INTO posting_seals VALUES (2);",
    "overdraft of a hold": POSTING
    + "INSERT INTO entries VALUES (2, 4, -1), (2, 3, 1); INSERT INTO posting_seals VALUES (2);",
    "entry added later": "INSERT INTO entries VALUES (1, 2, 5);",
    "fraction": POSTING + "INSERT INTO entries VALUES (2, 1, 0.5);",
    "zero": POSTING + "INSERT INTO entries VALUES (2, 1, 0);",
    "text": POSTING + "INSERT INTO entries VALUES (2, 1, 'five');",
    "unknown account": POSTING
    + "INSERT INTO entries VALUES (2, 99, 5), (2, 3, -5); INSERT INTO posting_seals VALUES (2);",
    "entry changed": "UPDATE entries SET amount = amount * 2;",
    "entry deleted": "DELETE FROM entries;",
    "posting changed": "UPDATE postings SET posted_at = 'then';",
    "posting deleted": "DELETE FROM postings;",
    "seal deleted": "DELETE FROM posting_seals;",
    "negative balance": "UPDATE ledger_accounts SET balance = -1 WHERE id = 1;",
    "payment without transaction": "INSERT INTO postings (id, kind, posted_at)"
    " VALUES (2, 'settlement', 'now');",
    "unknown kind": "INSERT INTO postings (id, kind, posted_at) VALUES (2, 'gift', 'now');",
}


@pytest.mark.parametrize("statements", FORBIDDEN.values(), ids=FORBIDDEN.keys())
def test_the_schema_alone_holds_the_laws(database: Database, statements: str) -> None:
    post(database, {ledger.OPENING_EQUITY: -70, ALICE: 70})
    with pytest.raises(sqlite3.IntegrityError):
        run(database, statements)
    assert balances(database) == [70, 0, -70, 0]
    with database.reading() as conn:
        assert check_ledger(conn).violations == ()


# What a file damaged by other hands would look like, and the law that must name it.
DAMAGE = {
    "the balance of each account": "UPDATE ledger_accounts SET balance = balance + 1 WHERE id = 1",
    "all entries together": "DROP TRIGGER entries_are_never_changed;"
    "UPDATE entries SET amount = amount + 1 WHERE ledger_account_id = 1",
    "the entries of each posting": "DROP TRIGGER entries_are_never_deleted;"
    "DELETE FROM entries WHERE ledger_account_id = 1",
    "each posting is sealed": "DROP TRIGGER seals_are_never_deleted; DELETE FROM posting_seals",
    "no customer's money": "DROP TRIGGER entries_are_never_changed;"
    "UPDATE entries SET amount = -amount",
    "each posting moves": "UPDATE transactions"
    " SET amount = amount + 1, net_amount = net_amount + 1",
    "every reference": "DELETE FROM ledger_accounts WHERE kind = 'income'",
}


@pytest.mark.parametrize(("law", "damage"), DAMAGE.items(), ids=DAMAGE.keys())
def test_the_audit_names_the_broken_law(tmp_path: Path, law: str, damage: str) -> None:
    clock = Clock()
    with Bank(tmp_path, clock=clock) as bank:
        bank.cash_out(ACCOUNT, order())
        clock.advance(seconds=1)
        bank.work()
        assert bank.check_ledger().ok
        with closing(sqlite3.connect(tmp_path / "bank.db")) as conn:
            conn.executescript(damage)
        found = bank.check_ledger()
        assert not found.ok
        assert any(violation.startswith(law) for violation in found.violations)
