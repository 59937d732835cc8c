"""The keyring between processes: changes are seen within a second, none is lost, and a database
that goes away or is exchanged is noticed."""

import logging
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest

import guarita
from guarita.asks import Outage
from guarita.keyring import IssuedKey, Keyring, Verifier
from guarita.records import AccountStatus, ApiKey, KeyStatus
from guarita.stores.sqlite.keyring import SqliteKeyring
from tests.keyring.helpers import PEPPER, asks

OTHER_PROCESS = """
import sys, time
from pathlib import Path
from guarita.keyring import Keyring
from guarita.stores.sqlite.keyring import SqliteKeyring
ring = Keyring(SqliteKeyring(Path(sys.argv[1])), bytes(range(32)))
"""
# CLOCK_MONOTONIC is one clock for all processes of a machine.
AND_SAY_WHEN = "\nprint(time.monotonic())"


def start(path: Path, code: str, *arguments: str) -> subprocess.Popen[str]:
    source = Path(guarita.__file__).resolve().parents[1]
    return subprocess.Popen(
        [sys.executable, "-c", OTHER_PROCESS + code, str(path), *arguments],
        stdout=subprocess.PIPE,
        stdin=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(source)},
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "guarita.db"


@pytest.fixture
def repository(path: Path) -> Iterator[SqliteKeyring]:
    store = SqliteKeyring(path)
    yield store
    store.close()


@pytest.fixture
def keyring(repository: SqliteKeyring) -> Keyring:
    return Keyring(repository, PEPPER)


@pytest.fixture
def issued(keyring: Keyring) -> IssuedKey:
    return keyring.create_key(keyring.create_account("Loja").account_id)


class Watched:
    """A watching verifier that tells when it has taken over a change."""

    def __init__(self, repository: SqliteKeyring, monkeypatch: pytest.MonkeyPatch) -> None:
        self.verifier = Verifier(repository, PEPPER)
        self.seen_at = 0.0
        self.seen = Event()
        refresh = self.verifier.refresh

        def noted() -> bool:
            changed = refresh()
            if changed:
                self.seen_at = time.monotonic()
                self.seen.set()
            return changed

        monkeypatch.setattr(self.verifier, "refresh", noted)
        self.verifier.watch()

    def key(self, issued: IssuedKey) -> ApiKey | None:
        key: ApiKey | None = self.verifier.answer(asks(issued)).key
        return key


@pytest.fixture
def watched(
    repository: SqliteKeyring, issued: IssuedKey, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Watched]:
    watched = Watched(repository, monkeypatch)
    yield watched
    watched.verifier.close()


def test_a_revocation_by_another_process_is_in_force_within_a_second(
    path: Path, watched: Watched, issued: IssuedKey
) -> None:
    key = watched.key(issued)
    assert key is not None
    assert key.status is KeyStatus.ACTIVE
    other = start(path, "ring.revoke(sys.argv[2])" + AND_SAY_WHEN, issued.key.client_id)
    out, _ = other.communicate(timeout=30)
    assert other.returncode == 0
    assert watched.seen.wait(timeout=10)
    assert watched.seen_at - float(out) < 1.0
    key = watched.key(issued)
    assert key is not None
    assert key.status is KeyStatus.REVOKED


def test_a_suspension_and_a_new_key_are_seen_as_well(
    path: Path, watched: Watched, issued: IssuedKey
) -> None:
    code = "ring.suspend_account(sys.argv[2])" + AND_SAY_WHEN
    out, _ = start(path, code, issued.key.account.account_id).communicate(timeout=30)
    assert watched.seen.wait(timeout=10)
    assert watched.seen_at - float(out) < 1.0
    key = watched.key(issued)
    assert key is not None
    assert key.account.status is AccountStatus.SUSPENDED
    watched.seen.clear()
    code = "i = ring.create_key(sys.argv[2]); print(i.key.client_id, i.secret.reveal())"
    out, _ = start(path, code, issued.key.account.account_id).communicate(timeout=30)
    assert watched.seen.wait(timeout=10)
    assert len(watched.verifier) == 2


def test_a_change_by_the_same_process_is_seen_too(
    watched: Watched, keyring: Keyring, issued: IssuedKey
) -> None:
    keyring.deactivate(issued.key.client_id)
    assert watched.seen.wait(timeout=10)
    key = watched.key(issued)
    assert key is not None
    assert key.status is KeyStatus.INACTIVE


def test_closing_stops_the_thread(watched: Watched) -> None:
    thread = watched.verifier._thread
    assert thread is not None
    assert thread.is_alive()
    assert thread.daemon
    with pytest.raises(RuntimeError, match="watching already"):
        watched.verifier.watch()
    watched.verifier.close()
    assert not thread.is_alive()
    watched.verifier.close()  # twice is no error


def test_an_unexpected_error_does_not_end_the_thread(
    watched: Watched, keyring: Keyring, repository: SqliteKeyring, issued: IssuedKey,
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    failed, real = Event(), repository.touched

    def touched() -> tuple[int, int]:
        if failed.is_set():
            return real()
        failed.set()
        raise KeyError("a bug, with sk_secret in it")

    monkeypatch.setattr(repository, "touched", touched)
    assert failed.wait(timeout=10)
    keyring.revoke(issued.key.client_id)
    assert watched.seen.wait(timeout=10)
    assert "KeyError: unexpected error" in caplog.text
    assert "sk_secret" not in caplog.text


def test_two_processes_changing_one_key_lose_nothing(
    path: Path, keyring: Keyring, issued: IssuedKey
) -> None:
    code = """
print("ready", flush=True)
sys.stdin.readline()
for n in range(15):
    ring.grant(sys.argv[2], f"{sys.argv[3]}{n}:read")
"""
    processes = [start(path, code, issued.key.client_id, name) for name in ("a", "b")]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    for process in processes:
        process.communicate(timeout=60)
        assert process.returncode == 0
    expected = {f"{name}{n}:read" for name in ("a", "b") for n in range(15)}
    assert keyring.key(issued.key.client_id).permissions == expected


def test_a_deleted_database_is_an_outage(
    path: Path, repository: SqliteKeyring, keyring: Keyring, issued: IssuedKey,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    verifier = Verifier(repository, PEPPER)
    kept = path.with_name("kept")
    path.rename(kept)
    with pytest.raises(Outage, match=r"cannot open guarita\.db: No such file"):
        keyring.revoke(issued.key.client_id)
    with pytest.raises(Outage):
        keyring.keys()
    assert not verifier.refresh()
    assert not path.exists()
    assert [r.levelno for r in caplog.records] == [logging.ERROR]
    assert verifier.answer(asks(issued)).key == issued.key
    kept.rename(path)
    keyring.revoke(issued.key.client_id)
    assert verifier.refresh()


def test_an_exchanged_database_is_read_anew(
    tmp_path: Path, path: Path, repository: SqliteKeyring, keyring: Keyring, issued: IssuedKey
) -> None:
    verifier = Verifier(repository, PEPPER)
    # Another database, further on than this one: its revision alone would not show that.
    elsewhere = SqliteKeyring(tmp_path / "other.db")
    ring = Keyring(elsewhere, PEPPER)
    other = ring.create_key(ring.create_account("Outra").account_id)
    for _ in range(5):
        ring.create_account("Mais uma")
    elsewhere.close()
    for suffix in ("-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
    shutil.move(tmp_path / "other.db", path)
    assert verifier.refresh()
    assert verifier.answer(asks(issued)).key is None
    assert verifier.answer(asks(other)).key == other.key
    assert keyring.keys() == [other.key]


def test_a_locked_database_is_an_outage_for_changes_only(
    path: Path, repository: SqliteKeyring, keyring: Keyring, issued: IssuedKey
) -> None:
    verifier = Verifier(repository, PEPPER)
    with repository._writer as conn:
        conn.execute("PRAGMA busy_timeout = 0")
    locking = sqlite3.connect(path, isolation_level=None)
    locking.execute("BEGIN IMMEDIATE")
    try:
        with pytest.raises(Outage):
            keyring.revoke(issued.key.client_id)
        assert keyring.key(issued.key.client_id) == issued.key
        assert not verifier.refresh()
    finally:
        locking.close()
    keyring.revoke(issued.key.client_id)
    assert verifier.refresh()


def test_a_closed_keyring_is_an_outage(repository: SqliteKeyring, keyring: Keyring) -> None:
    repository.close()
    for operation in (keyring.keys, repository.touched):
        with pytest.raises(Outage, match="closed"):
            operation()
    repository.close()  # twice is no error


def test_changes_are_found_by_an_index(repository: SqliteKeyring) -> None:
    with repository._reader as conn:
        plan = conn.execute(
            "EXPLAIN QUERY PLAN SELECT * FROM api_key k WHERE k.revision > 1 AND k.revision <= 2"
        ).fetchall()
    assert "USING INDEX api_key_by_revision" in plan[0][3]
