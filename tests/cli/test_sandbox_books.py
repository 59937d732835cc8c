"""`guarita sandbox check-ledger|scenarios|openapi|keys|key-add|qr`, and banks that cannot be
opened."""

import json
import sqlite3
from pathlib import Path

import pytest

from guarita.sandbox.api.endpoints import ENDPOINTS
from guarita.sandbox.pix.scenarios import SCENARIOS
from guarita.sandbox.text import brcode
from tests.cli.conftest import Merchant, Runner
from tests.cli.sandbox import ACCOUNT, KEY, Books, books

NEED_A_BANK = [
    *(["pay", KEY], ["settle", "T"], ["reject", "T"], ["hold", "T"], ["return", "T"]),
    *(["expire", "T"], ["infraction", "T"], ["resolve", "M", "agreed"], ["keys", ACCOUNT]),
    *(["key-add", ACCOUNT, KEY], ["qr", KEY], ["events"], ["dead-letters"], ["redeliver", "E"]),
    *(["webhook-test", "W"], ["check-ledger"]),
]


@pytest.fixture
def made(run: Runner, tmp_path: Path) -> Books:
    return books(tmp_path / "data")


@pytest.mark.parametrize("words", NEED_A_BANK, ids=" ".join)
def test_a_bank_that_is_not_there(run: Runner, tmp_path: Path, words: list[str]) -> None:
    result = run("sandbox", *words, "--json")
    assert (result.status, result.out) == (1, "")
    assert f"there is no bank at {tmp_path / 'data'}" in result.err
    assert "--data DIR" in result.err
    assert not (tmp_path / "data").exists()


def test_a_file_that_is_no_bank(run: Runner, tmp_path: Path) -> None:
    (tmp_path / "bank.db").write_text("this is no SQLite file, and long enough to tell it apart\n")
    result = run("sandbox", "check-ledger", "--data", str(tmp_path))
    assert result.status == 1
    assert "not a database" in result.err


def test_a_bank_of_a_newer_version(run: Runner, made: Books) -> None:
    with sqlite3.connect(made.data / "bank.db") as conn:
        conn.execute("PRAGMA user_version = 99")
    conn.close()
    for words in (["check-ledger"], ["serve", "--account", ACCOUNT, "--port", "0"]):
        result = run("sandbox", *words)
        assert result.status == 1
        assert "newer guarita" in result.err


def test_books_that_are_right(run: Runner, made: Books) -> None:
    result = run("sandbox", "check-ledger", "--json")
    assert result.status == 0
    assert result.json["ok"] is True
    assert result.json["violations"] == []
    assert result.json["postings"] == 2  # the opening balance, the payout's hold
    assert run("sandbox", "check-ledger").out.startswith("books       right\n")


def test_books_that_are_wrong(run: Runner, made: Books) -> None:
    with sqlite3.connect(made.data / "bank.db") as conn:
        conn.execute("UPDATE ledger_accounts SET balance = balance + 1 WHERE kind = 'customer'")
    conn.close()
    result = run("sandbox", "check-ledger", "--json")
    assert result.status == 1
    assert result.json["ok"] is False
    assert f"customer:{ACCOUNT}" in result.json["violations"][0]
    assert "the books are wrong" in result.err


def test_scenarios(run: Runner) -> None:
    listed = run("sandbox", "scenarios", "--json").json
    assert [one["name"] for one in listed] == list(SCENARIOS)
    rejected = next(one for one in listed if one["name"] == "rejected-ac03")
    assert rejected["reason"] == "AC03"
    assert rejected["statuses"] == ["processing", "failed"]
    assert "drop-after" in run("sandbox", "scenarios").out


def test_openapi(run: Runner) -> None:
    document = run("sandbox", "openapi", "--json").json
    operations = [method for path in document["paths"].values() for method in path]
    assert document["openapi"].startswith("3.1")
    assert len([one for one in operations if one in ("get", "post", "delete")]) == len(ENDPOINTS)
    assert json.loads(run("sandbox", "openapi").out) == document


def test_keys(run: Runner, made: Books) -> None:
    first, second = run("sandbox", "keys", ACCOUNT, "--json").json
    assert first["key_type"] == "evp"
    assert (second["key"], second["key_type"], second["status"]) == (KEY, "email", "active")
    added = run("sandbox", "key-add", ACCOUNT, "+5511987654321", "--json").json
    assert (added["key"], added["account"]) == ("+5511987654321", ACCOUNT)
    assert "+5511987654321" in run("sandbox", "keys", ACCOUNT).out
    taken = run("sandbox", "key-add", ACCOUNT, KEY)
    assert taken.status == 1
    assert "leads to an account" in taken.err
    wrong = run("sandbox", "key-add", ACCOUNT, "not a key")
    assert wrong.status == 2
    assert "shape of a PIX key" in wrong.err


@pytest.mark.parametrize("words", [["keys"], ["key-add"]], ids=" ".join)
def test_a_mistyped_account_is_not_opened(run: Runner, made: Books, words: list[str]) -> None:
    key = ["a@exemplo.test"] if words == ["key-add"] else []
    result = run("sandbox", *words, "acc_ann", *key)
    assert result.status == 1
    assert "no account acc_ann" in result.err
    with made.bank() as bank, bank.database.reading() as conn:
        assert conn.execute("SELECT account FROM customers").fetchall()[-1][0] == ACCOUNT


def test_an_account_of_the_gate_opens(run: Runner, made: Books, merchant: Merchant) -> None:
    added = run("sandbox", "key-add", merchant.account_id, "nova@exemplo.test", "--json").json
    assert added["account"] == merchant.account_id
    assert len(run("sandbox", "keys", merchant.account_id, "--json").json) == 2


def test_qr(run: Runner, made: Books, tmp_path: Path) -> None:
    shown = run("sandbox", "qr", KEY, "--amount", "1250", "--out", "qr.png", "--json").json
    code = brcode.parse(shown["qr_code"])
    assert code.pix_key is not None
    assert (code.pix_key.value, code.amount_centavos) == (KEY, 1250)
    assert code.merchant_name.startswith("Lojista")
    assert shown["png"] == str(tmp_path / "qr.png")
    assert (tmp_path / "qr.png").read_bytes().startswith(b"\x89PNG\r\n")
    again = run("sandbox", "qr", KEY, "--out", "qr.png")
    assert again.status == 1
    assert "there already; --force overwrites" in again.err
    before = (tmp_path / "qr.png").read_bytes()
    assert run("sandbox", "qr", KEY, "--out", "qr.png", "--force").status == 0
    assert (tmp_path / "qr.png").read_bytes() != before
    paid = run("sandbox", "pay", shown["qr_code"], "--json").json
    assert (paid["amount"], paid["pix_key"]) == (125_000, KEY)


def test_qr_of_a_key_of_another_bank(run: Runner, made: Books) -> None:
    result = run("sandbox", "qr", "52998224725")
    code = brcode.parse(result.out.strip())
    assert code.pix_key is not None
    assert (code.pix_key.value, code.amount_centavos) == ("52998224725", None)
