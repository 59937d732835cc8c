"""`guarita sandbox events|dead-letters|redeliver|webhook-test`: what the outbox holds."""

from pathlib import Path
from typing import Any

import pytest

from guarita.sandbox.webhooks.subscriptions import WebhookOrder
from tests.cli.conftest import Runner
from tests.cli.sandbox import ACCOUNT, KEY, Books, books

EVENT = "pix.charge.paid"


@pytest.fixture
def made(run: Runner, tmp_path: Path) -> Books:
    return books(tmp_path / "data")


@pytest.fixture
def webhook(made: Books) -> str:
    with made.bank() as bank:
        order = WebhookOrder("https://loja.example/hook", (EVENT,))
        return bank.create_webhook(ACCOUNT, order).id


def give_up(made: Books) -> None:
    """As after the fifth attempt of every delivery."""
    with made.bank() as bank, bank.database.writing() as conn:
        conn.execute(
            "UPDATE deliveries SET status = 'dead', attempts = 5, due_ms = NULL, lease = NULL,"
            " last_status = 500, last_error = 'answered 500',"
            " finished_at = '2026-05-01T12:00:00Z'"
        )


def listed(run: Runner, *words: str) -> list[dict[str, Any]]:
    result = run("sandbox", *words, "--json")
    assert result.status == 0, result.err
    found: list[dict[str, Any]] = result.json
    return found


def test_events(run: Runner, made: Books, webhook: str) -> None:
    run("sandbox", "pay", KEY, "--amount", "1000")
    *earlier, last = listed(run, "events")
    assert [one["event_type"] for one in earlier] == ["pix.payout.processing", "pix.charge.created"]
    assert (last["event_type"], last["status"], last["account"]) == (EVENT, "paid", ACCOUNT)
    assert last["body"]["amount"] == 100_000
    assert last["deliveries"] == {
        "delivered": 0,
        "pending": 1,
        "waiting": 0,
        "dead": 0,
        "cancelled": 0,
    }
    assert listed(run, "events", "--latest", "1") == [last]
    assert listed(run, "events", "--latest", "1000000")[-1] == last
    assert "1 pending" in run("sandbox", "events", "--account", ACCOUNT).out


def test_dead_letters_are_sent_again(run: Runner, made: Books, webhook: str) -> None:
    assert listed(run, "dead-letters") == []
    for amount in ("1000", "2000"):
        run("sandbox", "pay", KEY, "--amount", amount)
    give_up(made)
    first, second = listed(run, "dead-letters", "--account", ACCOUNT)
    assert (first["webhook"], first["event_type"], first["attempts"]) == (webhook, EVENT, 5)
    assert (first["last_status"], first["last_error"]) == (500, "answered 500")
    assert "answered 500" in run("sandbox", "dead-letters").out

    assert run("sandbox", "redeliver", first["event_id"], "--json").json == {"redelivered": 1}
    assert listed(run, "dead-letters") == [second]
    assert listed(run, "events")[-2]["deliveries"]["pending"] == 1
    again = run("sandbox", "redeliver", first["event_id"])
    assert again.status == 1
    assert "no dead letter" in again.err

    with made.bank() as bank:
        bank.balance("acc_other")
    assert listed(run, "events", "--account", "acc_other") == []
    assert listed(run, "dead-letters", "--account", "acc_other") == []
    none = run("sandbox", "redeliver", "--all", "--account", "acc_other", "--json")
    assert none.json == {"redelivered": 0}
    assert run("sandbox", "redeliver", "--all", "--json").json == {"redelivered": 1}
    assert listed(run, "dead-letters") == []


@pytest.mark.parametrize(
    "words", [[], ["evt_1", "--all"], ["evt_1", "--account", ACCOUNT]], ids=" ".join
)
def test_what_to_send_again_must_be_said(run: Runner, made: Books, words: list[str]) -> None:
    result = run("sandbox", "redeliver", *words)
    assert (result.status, result.out) == (2, "")
    assert "--all" in result.err


def test_webhook_test(run: Runner, made: Books, webhook: str) -> None:
    event_id = run("sandbox", "webhook-test", webhook, "--json").json["event_id"]
    last = listed(run, "events")[-1]
    assert (last["event_id"], last["event_type"]) == (event_id, "webhook.test")
    assert last["deliveries"]["pending"] == 1
    missing = run("sandbox", "webhook-test", "wh_none")
    assert missing.status == 1
    assert "no webhook 'wh_none': give the id" in missing.err
    with made.bank() as bank:
        bank.delete_webhook(ACCOUNT, webhook)
    assert "no webhook" in run("sandbox", "webhook-test", webhook).err


@pytest.mark.parametrize(
    "words", [["events"], ["dead-letters"], ["redeliver", "--all"]], ids=" ".join
)
def test_a_mistyped_account(run: Runner, made: Books, words: list[str]) -> None:
    result = run("sandbox", *words, "--account", "nobody", "--json")
    assert (result.status, result.out) == (1, "")
    assert "there is no account nobody" in result.err


@pytest.mark.parametrize("count", ["0", "1000001", "99999999999999999999"])
def test_how_many_events_must_make_sense(run: Runner, made: Books, count: str) -> None:
    result = run("sandbox", "events", "--latest", count)
    assert (result.status, result.out) == (2, "")
    assert "--latest" in result.err
