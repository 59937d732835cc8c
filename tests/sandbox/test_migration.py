"""A file of the bank's first version keeps its money and its payments in this one."""

import sqlite3
from contextlib import closing
from importlib.resources import files
from pathlib import Path

import pytest

from guarita.sandbox.bank import Bank
from guarita.sandbox.books.statement import StatementQuery
from guarita.sandbox.books.transactions import Transaction
from guarita.sandbox.database import MIGRATIONS
from guarita.sandbox.pix.charges import CashIn
from guarita.sandbox.world import World
from tests.sandbox.support import ACCOUNT, FEE, Clock, order

OTHER = "acc_2"
OPENING = 1_000_000
PAYMENTS = {  # transaction id -> account, amount, end-to-end id
    "PIXOUT20260430aaaaaaaaaaaaaaaa": (ACCOUNT, 300_000, "E39929224202604301200aaaaaaaaaaa"),
    "PIXOUT20260430bbbbbbbbbbbbbbbb": (ACCOUNT, 100, "E39929224202604301200bbbbbbbbbbb"),
    "PIXOUT20260430cccccccccccccccc": (OTHER, 50_000, "E39929224202604301200ccccccccccc"),
}
TIME = "2026-04-30T12:00:00Z"


def first_version(path: Path) -> None:
    """A file as the first version left it: two customers, an opening each, three payments."""
    script = (files("guarita.sandbox") / "migrations" / MIGRATIONS[0]).read_text("utf-8")
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        conn.execute("PRAGMA foreign_keys = ON")
        conn.executescript(script)
        conn.execute("BEGIN")
        ids = {}
        for kind, name in (
            *(("equity", "opening-balances"), ("clearing", "pix-settlement")),
            *(("income", "pix-fees"), ("customer", ACCOUNT), ("customer", OTHER)),
        ):
            row = conn.execute(
                "INSERT INTO ledger_accounts (kind, name, opened_at) VALUES (?, ?, ?)",
                (kind, name, TIME),
            )
            ids[name] = row.lastrowid
        for account in (ACCOUNT, OTHER):
            entries = {"opening-balances": -OPENING, account: OPENING}
            post(conn, ids, "opening_balance", None, entries)
        for number, (transaction_id, (account, amount, end_to_end_id)) in enumerate(
            PAYMENTS.items()
        ):
            conn.execute(
                "INSERT INTO transactions VALUES (?, ?, ?, 'pix', 'outbound', 'settled', ?, ?, ?,"
                " '52998224725', 'cpf', 'Pagamento', ?, NULL, ?, ?, 0, ?, ?)",
                (
                    *(transaction_id, f"uuid-{number}", account, amount, FEE, amount + FEE),
                    *(f"pay-{number}", end_to_end_id, f"digest-{number}", TIME, TIME),
                ),
            )
            entries = {account: -amount - FEE, "pix-settlement": amount, "pix-fees": FEE}
            post(conn, ids, "pix_cash_out", transaction_id, entries)
        conn.execute("COMMIT")
        conn.execute("PRAGMA user_version = 1")


def post(
    conn: sqlite3.Connection,
    ids: dict[str, int | None],
    kind: str,
    transaction_id: str | None,
    entries: dict[str, int],
) -> None:
    posting = conn.execute(
        "INSERT INTO postings (kind, transaction_id, posted_at) VALUES (?, ?, ?)",
        (kind, transaction_id, TIME),
    ).lastrowid
    conn.executemany(
        "INSERT INTO entries VALUES (?, ?, ?)",
        [(posting, ids[name], amount) for name, amount in entries.items()],
    )
    conn.execute("INSERT INTO posting_seals VALUES (?)", (posting,))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    first_version(tmp_path / "bank.db")
    return tmp_path


def test_balances_and_payments_are_kept(data: Path) -> None:
    with Bank(data, clock=Clock()) as bank:
        for account in (ACCOUNT, OTHER):
            spent = sum(a + FEE for owner, a, _ in PAYMENTS.values() if owner == account)
            balance = bank.balance(account)
            assert (balance.available, balance.pending) == (OPENING - spent, 0)
        assert bank.count_payments(ACCOUNT) == 2
        assert bank.count_payments(OTHER) == 1
        for transaction_id, (account, amount, end_to_end_id) in PAYMENTS.items():
            payment = bank.transaction(account, transaction_id)
            assert isinstance(payment, Transaction)
            assert (payment.kind, payment.status, payment.amount) == ("payout", "settled", amount)
            assert (payment.created_at, payment.completed_at) == (TIME, TIME)
            assert bank.by_end_to_end_id(account, end_to_end_id) == payment
        assert len(bank.statement(ACCOUNT, StatementQuery())) == 2
        audit = bank.check_ledger()
        assert audit.violations == ()
        assert (audit.transactions, audit.postings) == (3, 5)


def test_the_accounts_live_on(data: Path) -> None:
    clock = Clock()
    with Bank(data, clock=clock) as bank:
        (key,) = bank.pix_keys(OTHER)
        payout = bank.cash_out(ACCOUNT, order(1000, key=key.key))
        charge = bank.cash_in(OTHER, CashIn(500))
        World(bank).pay(charge.transaction_id)
        clock.advance(seconds=1)
        bank.work()
        assert bank.transaction(ACCOUNT, payout.transaction_id).status == "settled"
        assert bank.balance(ACCOUNT).balance == OPENING - 300_000 - 100 - 100_000 - 3 * FEE
        assert bank.balance(OTHER).balance == OPENING - 50_000 + 100_000 + 50_000 - 3 * FEE
        assert bank.count_payments(ACCOUNT) == 3
        returned = World(bank).give_back("PIXOUT20260430aaaaaaaaaaaaaaaa")
        assert returned.amount == 300_000
        assert bank.check_ledger().violations == ()


def test_a_new_account_opens_beside_the_old_ones(data: Path) -> None:
    with Bank(data, clock=Clock()) as bank:
        assert bank.balance("acc_3").balance == bank.rules.opening_balance
        with bank.database.reading() as conn:
            rows = conn.execute("SELECT account, number FROM customers ORDER BY number")
            numbers = {row["account"]: row["number"] for row in rows}
        assert numbers == {ACCOUNT: 100731, OTHER: 100732, "acc_3": 100733}
        assert bank.check_ledger().violations == ()


def test_nothing_happens_before_what_the_file_holds(data: Path) -> None:
    before = Clock()
    before.advance(days=-30)  # a month before the payments of the file
    with Bank(data, clock=before) as bank:
        assert bank.cash_out(ACCOUNT, order()).created_at == TIME
        World(bank).give_back("PIXOUT20260430aaaaaaaaaaaaaaaa")
        assert bank.check_ledger().violations == ()


def test_the_schema_is_that_of_a_new_file(data: Path, tmp_path: Path) -> None:
    Bank(data, clock=Clock()).close()
    Bank(tmp_path / "new", clock=Clock()).close()
    schemas = []
    for path in (data / "bank.db", tmp_path / "new" / "bank.db"):
        with closing(sqlite3.connect(path)) as conn:
            schemas.append(conn.execute("SELECT type, name, sql FROM sqlite_schema").fetchall())
            assert conn.execute("PRAGMA user_version").fetchone()[0] == len(MIGRATIONS)
            assert conn.execute("PRAGMA foreign_key_check").fetchall() == []
            assert conn.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    assert sorted(map(str, schemas[0])) == sorted(map(str, schemas[1]))


def test_a_damaged_file_is_not_migrated(data: Path) -> None:
    with closing(sqlite3.connect(data / "bank.db", isolation_level=None)) as conn:
        conn.execute("DELETE FROM ledger_accounts WHERE kind = 'income'")
    with pytest.raises(RuntimeError, match="not migrated"):
        Bank(data)
    with closing(sqlite3.connect(data / "bank.db")) as conn:
        assert conn.execute("PRAGMA user_version").fetchone()[0] == 1
        assert (
            conn.execute("SELECT count(*) FROM transactions WHERE type = 'pix'").fetchone()[0] == 3
        )
