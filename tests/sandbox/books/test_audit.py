"""The audit: it finds nothing wrong with books that hold something of everything, and names the law
that is broken when they are damaged behind the bank's back, one damage at a time.
"""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from guarita.sandbox.books import ledger, transactions
from guarita.sandbox.books.audit import LAWS, Audit, check_ledger
from guarita.sandbox.books.transactions import MOVES, STARTS
from guarita.sandbox.database import Database
from tests.sandbox.books import damage_of_rows, made
from tests.sandbox.books.damage import DAMAGE as DAMAGE_OF_BOOKS
from tests.sandbox.books.damage import EVENTS
from tests.sandbox.books.made import Teller

DAMAGE = {
    law: DAMAGE_OF_BOOKS.get(law, {}) | damage_of_rows.DAMAGE.get(law, {})
    for law in DAMAGE_OF_BOOKS | damage_of_rows.DAMAGE
}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    path = tmp_path_factory.mktemp("books") / "bank.db"
    ids = made.everything(path)
    return path, ids


@pytest.fixture
def books(template: tuple[Path, dict[str, str]], tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A copy of the books in the hands of somebody who is not the bank."""
    shutil.copy(template[0], tmp_path / "bank.db")
    with closing(sqlite3.connect(tmp_path / "bank.db", isolation_level=None)) as conn:
        yield conn


def audit(database: Database) -> Audit:
    with database.reading() as conn:
        return check_ledger(conn)


def test_sound_books_pass_and_are_counted(books: sqlite3.Connection) -> None:
    found = check_ledger(books)
    assert found.violations == ()
    assert found.ok
    counts = [
        books.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        for table in ("ledger_accounts", "transactions", "postings", "entries", "events")
    ]
    assert counts == [
        found.accounts,
        found.transactions,
        found.postings,
        found.entries,
        found.events,
    ]
    assert min(counts) > 8


def test_the_books_under_test_hold_every_start_and_move(books: sqlite3.Connection) -> None:
    starts = set(
        books.execute(
            "SELECT kind, s.status FROM stories s JOIN transactions ON subject = transaction_id"
            " WHERE step = 0"
        )
    )
    assert starts == {(kind, state) for kind, states in STARTS.items() for state in states}
    moves = set(
        books.execute(
            "SELECT p.status, s.status FROM stories s JOIN stories p ON p.subject = s.subject"
            " AND p.step = s.step - 1 JOIN transactions ON s.subject = transaction_id"
        )
    )
    assert moves == {(old, new) for old, news in MOVES.items() for new in news}


def test_empty_books_pass(tmp_path: Path) -> None:
    with closing(Database(tmp_path / "bank.db")) as database:
        assert audit(database) == Audit(0, 0, 0, 0, 0, ())


def test_a_file_of_the_first_version_passes_as_it_is_and_after_new_business(tmp_path: Path) -> None:
    """Its payments were posted in one step and told nobody."""
    made.version_1(tmp_path / "bank.db")
    with closing(Teller(tmp_path / "bank.db")) as teller:
        assert audit(teller.database).violations == ()
        with teller.database.reading() as conn:
            kinds = [row[0] for row in conn.execute("SELECT kind FROM postings ORDER BY id")]
            assert kinds == ["opening_balance", "pix_cash_out"]
        assert teller.events("alice") == []
        teller.settled_payout()
        assert audit(teller.database).violations == ()


def test_an_old_payment_that_is_returned_has_the_event_of_its_return(tmp_path: Path) -> None:
    made.version_1(tmp_path / "bank.db")
    with closing(Teller(tmp_path / "bank.db")) as teller:
        with teller.database.reading() as conn:
            old = transactions.find(conn, "PIXOUTold")
        assert old is not None
        teller.give_back(old)
        assert audit(teller.database).violations == ()
        assert [name for name, _ in teller.events("alice")] == [
            "pix.return.received",
            "pix.payout.returned",
        ]


@pytest.mark.parametrize(
    ("law", "damage"),
    [
        pytest.param(law, damage, id=done)
        for law, cases in DAMAGE.items()
        for done, damage in cases.items()
    ],
)
def test_the_audit_names_the_broken_law(
    books: sqlite3.Connection, template: tuple[Path, dict[str, str]], law: str, damage: str
) -> None:
    books.execute("PRAGMA ignore_check_constraints = ON")
    for name, made_id in template[1].items():
        damage = damage.replace(f"{{{name}}}", made_id)
    before = books.total_changes
    books.executescript(damage)
    assert books.total_changes > before, "the damage found nothing to change"
    found = check_ledger(books)
    assert not found.ok
    assert law in {violation.split(": ")[0] for violation in found.violations}


def test_every_law_was_broken_once() -> None:
    assert DAMAGE.keys() == {law for law, _ in LAWS}


def test_at_most_twenty_rows_are_reported_per_law(books: sqlite3.Connection) -> None:
    books.executescript(EVENTS + "DELETE FROM events")
    found = check_ledger(books).violations
    law = "each step has its webhook event, written with it, and each event its step"
    assert sum(violation.startswith(law) for violation in found) == 20


@pytest.mark.parametrize("account", [ledger.customer("alice"), ledger.hold("alice")])
def test_the_schema_itself_lets_no_account_fall_below_zero(
    books: sqlite3.Connection, account: ledger.LedgerAccount
) -> None:
    with pytest.raises(sqlite3.IntegrityError, match="no_overdraft"):
        books.execute(
            "UPDATE ledger_accounts SET balance = -1 WHERE (kind, name) = (?, ?)",
            (account.kind, account.name),
        )
