"""Registering, listing and deleting webhooks, and the test event."""

import re
from dataclasses import replace
from typing import Any

import pytest

from guarita.sandbox.refusals import Missing, Refused
from guarita.sandbox.webhooks import subscriptions
from guarita.sandbox.webhooks.event_types import EVENT_TYPES
from guarita.sandbox.webhooks.subscriptions import InvalidField, Webhook, WebhookOrder
from tests.sandbox.webhooks.support import ACCOUNT, CONFIRMED, PAID, SECRET, Books

ORDER = WebhookOrder("https://example.com/hooks?token=abc", (PAID, CONFIRMED))


def create(books: Books, account: str = ACCOUNT, **changes: Any) -> Webhook:
    with books.database.writing() as conn:
        return subscriptions.create(conn, account, replace(ORDER, **changes), at=books.clock())


def listed(books: Books, account: str = ACCOUNT) -> list[Webhook]:
    with books.database.reading() as conn:
        return subscriptions.of_account(conn, account)


def delete(books: Books, webhook: str, account: str = ACCOUNT) -> None:
    with books.database.writing() as conn:
        subscriptions.delete(conn, account, webhook, at=books.clock())


def test_registered_and_listed(books: Books) -> None:
    made = create(books, description="Loja", events=(PAID, CONFIRMED, PAID))
    assert made.events == (PAID, CONFIRMED)
    assert re.fullmatch(r"wh_[0-9a-f]{32}", made.id)
    assert made.is_active
    assert made.created_at == "2026-05-01T12:00:30Z"
    second = create(books, events=(CONFIRMED, PAID))
    assert listed(books) == [replace(made, secret=None), replace(second, secret=None)]
    assert listed(books, "acc_2") == []


def test_all_events_can_be_subscribed_to(books: Books) -> None:
    assert create(books, events=tuple(EVENT_TYPES)).events == tuple(EVENT_TYPES)


def test_a_secret_is_made(books: Books) -> None:
    secrets = {create(books).secret for _ in range(3)}
    assert len(secrets) == 3
    assert all(secret and re.fullmatch(r"whsec_[\w-]{43}", secret) for secret in secrets)


@pytest.mark.parametrize("secret", ["a" * 8, "~ !" + "a" * 253, SECRET])
def test_a_secret_is_taken(books: Books, secret: str) -> None:
    assert create(books, secret=secret).secret == secret


@pytest.mark.parametrize("secret", ["", "a" * 7, "a" * 257, "12345678\n", "12345678é", "1234567\0"])
def test_a_secret_is_refused(books: Books, secret: str) -> None:
    with pytest.raises(InvalidField, match=r"^secret: must") as raised:
        create(books, secret=secret)
    assert raised.value.field == "secret"
    assert len(secret) < 8 or secret not in raised.value.text


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"url": "http://example.com"}, "URL must use HTTPS"),
        ({"url": "https://10.0.0.1/"}, "URL must lead to a public address, 10.0.0.1 is private"),
        ({"events": ()}, "events: can't be blank"),
        (
            {"events": (PAID, "pix.payout.rejected", "*", "*")},
            "events: contains invalid events: pix.payout.rejected, *",
        ),
    ],
)
def test_refused(books: Books, changes: dict[str, Any], text: str) -> None:
    with pytest.raises(Refused) as raised:
        create(books, **changes)
    assert raised.value.text == text
    assert listed(books) == []


def test_at_most_five(books: Books) -> None:
    webhooks = [create(books) for _ in range(5)]
    with pytest.raises(Refused, match="At most 5"):
        create(books)
    create(books, account="acc_2")
    delete(books, webhooks[0].id)
    assert create(books).id in [webhook.id for webhook in listed(books)]


def test_deleted(books: Books) -> None:
    webhook = create(books)
    for subject in ("tx_1", "tx_1", "tx_2"):
        books.emit(subject)
    with pytest.raises(Missing, match="Webhook not found"):
        delete(books, webhook.id, account="acc_2")
    delete(books, webhook.id)
    assert listed(books) == []
    assert books.statuses() == ["cancelled"] * 3
    assert books.rows("SELECT secret FROM webhooks") == [{"secret": None}]
    for unknown in (webhook.id, "wh_0", ""):
        with pytest.raises(Missing, match="Webhook not found"):
            delete(books, unknown)


def test_test_event(books: Books) -> None:
    other = create(books, events=("webhook.test",))
    webhook = create(books, events=(PAID,))
    with books.database.writing() as conn:
        event_id = subscriptions.send_test(conn, ACCOUNT, webhook.id, at=books.clock())
        for account, unknown in ((ACCOUNT, "wh_0"), ("acc_2", other.id)):
            with pytest.raises(Missing):
                subscriptions.send_test(conn, account, unknown, at=books.clock())
    (delivery,) = books.deliveries()
    assert (delivery["webhook"], delivery["event_id"]) == (webhook.id, event_id)
    (event,) = books.rows("SELECT status, body FROM events")
    assert event["status"] == "test"
    assert b'"account_id":100731,' in event["body"]


def test_a_deleted_secret_is_not_left_in_the_file(books: Books) -> None:
    secret = "a-secret-to-be-found-in-no-file"
    webhook = create(books, secret=secret)
    delete(books, webhook.id)
    with books.database.reading() as conn:
        assert conn.execute("PRAGMA secure_delete").fetchone()[0] == 1
    books.database.close()  # the last connection writes the log into the file
    files = [each for each in books.database.path.parent.iterdir() if each.is_file()]
    assert books.database.path in files
    assert all(secret.encode() not in each.read_bytes() for each in files)


def test_an_owner_is_of_a_webhook_that_is_there(books: Books) -> None:
    webhook = create(books)
    with books.database.reading() as conn:
        assert subscriptions.owner_of(conn, webhook.id) == ACCOUNT
        assert subscriptions.owner_of(conn, "wh_0") is None
    delete(books, webhook.id)
    with books.database.reading() as conn:
        assert subscriptions.owner_of(conn, webhook.id) is None


def test_nothing_secret_is_shown(books: Books) -> None:
    made = create(books, secret=SECRET)
    for shown in (made, replace(ORDER, secret=SECRET)):
        assert SECRET not in repr(shown)
        assert "token" not in repr(shown)
