"""What only SQLite has: outages, migrations, transactions, and files only their owner can read."""

import sqlite3
import stat
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from guarita.asks import IN_FLIGHT, Outage, Reserved
from guarita.stores.sqlite import database
from guarita.stores.sqlite.database import SchemaTooNew, connect, migrate, transaction
from guarita.stores.sqlite.store import SqliteStore
from tests.stores.harness import hit, record, reserve, together


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "guarita.db"


@pytest.fixture
def conn(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(connect(path, timeout_s=0.05)) as opened:
        yield opened


def test_another_writer_past_the_timeout_is_an_outage_and_passes(path: Path) -> None:
    store = SqliteStore(path, timeout_s=0.05)
    with closing(connect(path)) as other:
        store.answer(reserve("k", "one"))
        other.execute("BEGIN IMMEDIATE")
        for ask in (reserve("k", "two"), record("k", "one"), hit()):
            with pytest.raises(Outage, match="locked"):
                store.answer(ask)
        answers = store.answer_all([hit(), reserve("k2", "one")])
        assert [type(answer) for answer in answers] == [Outage, Outage]
        assert answers[0] is not answers[1]
        assert len(store.reservations()) == 1
        other.execute("ROLLBACK")
    assert store.answer(reserve("k", "two")) is IN_FLIGHT
    assert store.answer(reserve("k2", "one")) == Reserved()
    assert store.answer(hit()) == 1
    store.close()


def test_an_outage_tells_nothing_of_the_request(path: Path) -> None:
    store = SqliteStore(path, timeout_s=0.0)
    with closing(connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Outage) as caught:
            store.answer(reserve("my-secret-key", "my-token"))
        other.execute("ROLLBACK")
    told = f"{caught.value!r} {caught.value.__cause__!r}"
    assert "my-" not in told
    store.close()


@pytest.mark.parametrize("name", ["missing/guarita.db", "file/guarita.db", "folder"])
def test_a_database_that_cannot_be_opened_is_an_outage(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    with pytest.raises(Outage, match="SQLite"):
        SqliteStore(tmp_path / name)


def test_a_file_that_is_no_database_is_an_outage(path: Path) -> None:
    path.write_bytes(b"not a database, but long enough for a header" * 100)
    with pytest.raises(Outage, match="not a database"):
        SqliteStore(path)


def test_an_instances_folder_that_cannot_be_made_is_an_outage(path: Path) -> None:
    path.with_name("guarita.db-instances").write_text("")
    store = SqliteStore(path)
    with pytest.raises(Outage, match="instances"):
        store.answer(reserve("k", "one"))
    assert store.answer(hit()) == 1
    store.close()


def test_a_database_being_created_by_another_process_is_waited_for(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("CREATE TABLE t (x)")
        other.execute("BEGIN IMMEDIATE")
        monkeypatch.setattr(time, "sleep", lambda _: other.execute("COMMIT"))
        connect(path).close()
        assert not other.in_transaction


def test_a_wrong_statement_is_no_outage(conn: sqlite3.Connection) -> None:
    with pytest.raises(sqlite3.OperationalError, match="syntax"), transaction(conn):
        conn.execute("SELEKT")
    with transaction(conn):
        conn.execute("CREATE TABLE t (x)")


def test_files_are_their_owners_only(path: Path) -> None:
    store = SqliteStore(path)
    store.answer(reserve("k", "one"))
    modes = {entry.name: stat.S_IMODE(entry.stat().st_mode) for entry in path.parent.rglob("*")}
    store.close()
    assert modes.pop("guarita.db-instances") == 0o700
    assert len(modes) == 4
    assert set(modes.values()) == {0o600}


def test_connection_is_durable_and_checks_references(conn: sqlite3.Connection) -> None:
    pragmas = ["journal_mode", "synchronous", "foreign_keys"]
    assert [conn.execute(f"PRAGMA {p}").fetchone()[0] for p in pragmas] == ["wal", 2, 1]


def test_only_batches_of_nothing_but_hits_go_unsynced(path: Path) -> None:
    store = SqliteStore(path)
    seen: list[str] = []
    assert store._conn is not None
    store._conn.set_trace_callback(lambda text: seen.append(text))

    def sync() -> list[str]:
        said = [text.rpartition(" ")[2] for text in seen if text.startswith("PRAGMA synchronous")]
        seen.clear()
        return said

    store.answer(reserve("k", "one"))
    assert sync() == []
    store.answer_all([hit(), hit()])
    assert sync() == ["NORMAL"]
    store.answer(hit())
    assert sync() == []
    store.answer_all([hit(), record("k", "one"), hit()])
    assert sync() == ["FULL"]
    store.close()


def test_old_windows_are_purged_a_few_at_a_time(path: Path) -> None:
    store = SqliteStore(path)
    store.answer_all([hit(f"k{number}", at=0) for number in range(300)])
    with closing(connect(path)) as reader:
        largest, left = 0, 300
        for number in range(160):
            store.answer(hit(at=120 + number / 10))
            [(now,)] = reader.execute("SELECT count(*) FROM counter WHERE ends_at = 60")
            largest, left = max(largest, left - now), now
    store.close()
    assert left == 0
    assert 0 < largest <= 64


# Migrations


def test_migrating_is_done_once(conn: sqlite3.Connection) -> None:
    first = migrate(conn)
    assert {"0002_idempotency", "0003_counters"} <= set(first)
    assert first == sorted(first)
    assert migrate(conn) == []


def test_migrating_together_applies_each_once(path: Path) -> None:
    def work(_: int) -> list[str]:
        with closing(connect(path)) as conn:
            return migrate(conn)

    applied = [name for names in together(6, work) for name in names]
    with closing(connect(path)) as conn:
        assert sorted(applied) == [
            name for (name,) in conn.execute("SELECT name FROM schema_migration ORDER BY version")
        ]


def test_a_newer_schema_is_refused(path: Path, conn: sqlite3.Connection) -> None:
    migrate(conn)
    conn.execute("INSERT INTO schema_migration VALUES (9999, '9999_future', 0)")
    with pytest.raises(SchemaTooNew, match="9999"):
        SqliteStore(path)


def test_a_failing_migration_leaves_nothing(
    conn: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripts = {
        1: ("0001_good", "-- a; comment\nCREATE TABLE good (x);\nCREATE INDEX i ON good (x);\n"),
        2: ("0002_bad", "CREATE TABLE half (x);\nCREATE TABLE bad bad;\n"),
    }
    monkeypatch.setattr(database, "_packaged", lambda: scripts)
    with pytest.raises(sqlite3.OperationalError):
        migrate(conn)
    tables = {name for (name,) in conn.execute("SELECT name FROM sqlite_schema")}
    assert tables == {"good", "i", "schema_migration"}
    scripts[2] = ("0002_fixed", "CREATE TABLE fixed (x)")
    assert migrate(conn) == ["0002_fixed"]
    assert conn.execute("SELECT count(*) FROM fixed").fetchone() == (0,)


def test_a_transaction_that_raises_is_rolled_back(conn: sqlite3.Connection) -> None:
    conn.execute("CREATE TABLE t (x)")

    def interrupted() -> None:
        with transaction(conn):
            conn.execute("INSERT INTO t VALUES (1)")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert conn.execute("SELECT count(*) FROM t").fetchone() == (0,)
    assert not conn.in_transaction
