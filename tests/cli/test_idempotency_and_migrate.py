"""`guarita idempotency list | resolve` and `guarita migrate`."""

import hashlib
import sqlite3
import time
from pathlib import Path

import pytest

from guarita.asks import LoseOutcome, Record, Reserve, Scope, Stored
from guarita.data_folder import DataFolder
from guarita.decision import Response
from tests.cli.conftest import Runner

ANSWER = Response(200, ((b"content-type", b"application/json"),), b'{"worked":true}')


def scope(key: bytes) -> Scope:
    digest = hashlib.sha256(key).digest()
    return Scope(digest, "acc_1", "POST", "/api/external/pix/cash-out", key)


def reserve(key: bytes) -> Reserve:
    return Reserve(scope(key), "token-" + key.decode(), b"f" * 32, time.time(), 86_400)


@pytest.fixture
def folder(tmp_path: Path, run: Runner) -> DataFolder:
    """A data folder with one record that is stored and one whose outcome is unknown."""
    folder = DataFolder(tmp_path / "data")
    for key in (b"stored", b"unknown"):
        folder.store.answer(reserve(key))
    folder.store.answer(Record(scope(b"stored"), "token-stored", ANSWER))
    folder.store.answer(LoseOutcome(scope(b"unknown"), "token-unknown"))
    return folder


def digits(key: bytes) -> str:
    return scope(key).digest.hex()


def test_records_are_listed(run: Runner, folder: DataFolder) -> None:
    listed = run("idempotency", "list", "--json").json
    assert [(row["key"], row["state"], row["status"]) for row in listed] == [
        ("stored", "stored", 200),
        ("unknown", "outcome_unknown", None),
    ]
    assert listed[0]["digest"] == digits(b"stored")
    assert (listed[0]["method"], listed[0]["path"]) == ("POST", "/api/external/pix/cash-out")
    unknown = run("idempotency", "list", "--state", "outcome_unknown", "--json").json
    assert [row["key"] for row in unknown] == ["unknown"]
    assert run("idempotency", "list", "--account", "acc_2", "--json").json == []
    text = run("idempotency", "list").out
    assert digits(b"unknown")[:16] in text
    assert "outcome_unknown" in text


def test_control_characters_of_a_caller_do_not_reach_the_terminal(
    run: Runner, folder: DataFolder
) -> None:
    folder.store.answer(reserve(b"\x1b[2Jevil"))
    text = run("idempotency", "list").out
    assert "\x1b" not in text
    assert "evil" in text


def test_a_released_record_lets_a_retry_execute(run: Runner, folder: DataFolder) -> None:
    result = run("idempotency", "resolve", digits(b"unknown")[:8], "--release", "--json")
    assert (result.status, result.json["resolution"]) == (0, "released")
    assert run("idempotency", "list", "--state", "outcome_unknown", "--json").json == []
    assert not isinstance(folder.store.answer(reserve(b"unknown")), Stored)


def test_a_stored_answer_is_what_a_retry_gets(run: Runner, folder: DataFolder) -> None:
    body = '{"worked":true,"detail":"à mão"}'
    words = ["idempotency", "resolve", digits(b"unknown")]
    result = run(*words, "--response-status", "201", "--response-body", body)
    assert result.status == 0
    stored = folder.store.answer(reserve(b"unknown"))
    assert isinstance(stored, Stored)
    assert (stored.response.status, stored.response.body) == (201, body.encode())
    assert stored.response.headers == ((b"content-type", b"application/json"),)


@pytest.mark.parametrize(
    ("words", "status", "hint"),
    [
        ([], 2, "--release"),
        (["--release", "--response-status", "200"], 2, "choose one"),
        (["--response-status", "200"], 2, "--response-body"),
        (["--response-status", "500", "--response-body", ""], 2, "200 to 299"),
        (["--response-status", "ok", "--response-body", ""], 2, "--response-status"),
    ],
)
def test_a_resolution_must_be_said_clearly(
    run: Runner, folder: DataFolder, words: list[str], status: int, hint: str
) -> None:
    result = run("idempotency", "resolve", digits(b"unknown"), *words)
    assert (result.status, result.out) == (status, "")
    assert hint in result.err
    assert len(run("idempotency", "list", "--state", "outcome_unknown", "--json").json) == 1


@pytest.mark.parametrize(
    ("record", "status", "hint"),
    [
        (digits(b"stored"), 1, "only an unknown outcome"),
        ("0" * 64, 1, "no record"),
        ("ab", 2, "at least 4"),
        ("cashout-1", 2, "hexadecimal"),
    ],
)
def test_only_an_unknown_outcome_can_be_resolved(
    run: Runner, folder: DataFolder, record: str, status: int, hint: str
) -> None:
    result = run("idempotency", "resolve", record, "--release")
    assert (result.status, result.out) == (status, "")
    assert hint in result.err


def test_migrate_creates_and_then_has_nothing_to_do(run: Runner, tmp_path: Path) -> None:
    first = run("migrate", "--json").json
    assert first["applied"][0] == "0001_keyring"
    assert first["data"] == str((tmp_path / "data").resolve())
    assert run("migrate", "--json").json["applied"] == []
    assert "up to date" in run("migrate").out


def test_a_database_of_a_newer_guarita_is_refused(run: Runner, tmp_path: Path) -> None:
    run("migrate")
    with sqlite3.connect(tmp_path / "data" / "guarita.db") as conn:
        conn.execute("INSERT INTO schema_migration VALUES (9999, '9999_later', 0)")
    conn.close()
    for words in (["migrate"], ["account", "list"]):
        result = run(*words)
        assert (result.status, result.out) == (1, "")
        assert "9999" in result.err


def test_explain_without_a_log(run: Runner) -> None:
    result = run("explain", "01a20084b43d566ec55868bd772b")
    assert (result.status, result.out) == (1, "")
    assert "no decision log" in result.err
