"""Events are written with the money they tell of, for whoever subscribed."""

import json
import sqlite3
from typing import Any

import pytest

from guarita.sandbox.webhooks import outbox, subscriptions
from guarita.sandbox.webhooks.event_types import EVENT_TYPES
from tests.sandbox.webhooks.support import ACCOUNT, CONFIRMED, PAID, Books, vectors

EVENTS = vectors()["events"]["cases"]
BODY = {"event_type": PAID, "status": "paid"}


def test_the_table() -> None:
    table = {
        name: {"event": name, "statuses": list(row.statuses)}
        | ({} if row.sent else {"sent": False})
        for name, row in EVENT_TYPES.items()
    }
    assert table == {case["event"]: case for case in EVENTS}


@pytest.mark.parametrize("case", EVENTS, ids=lambda case: case["event"])
def test_every_event_is_written_with_its_statuses_only(books: Books, case: dict[str, Any]) -> None:
    name = case["event"]
    with books.database.writing() as conn:
        for status in [*case["statuses"], "other"]:
            body = {"event_type": name, "status": status}
            if status == "other" or case.get("sent") is False:
                with pytest.raises(ValueError, match=name):
                    outbox.emit(conn, ACCOUNT, name, body, subject="s", at=books.clock())
            else:
                outbox.emit(conn, ACCOUNT, name, body, subject="s", at=books.clock())
    written = [row["status"] for row in books.rows("SELECT status FROM events")]
    assert written == (case["statuses"] if case.get("sent", True) else [])


def test_an_event_nobody_subscribed_to_is_written(books: Books) -> None:
    event_id = books.emit(amount=1250000, name="Conceição")
    (event,) = books.rows("SELECT * FROM events")
    assert (event["id"], event["account"], event["subject"]) == (event_id, ACCOUNT, "tx_1")
    text = '{"event_type":"pix.charge.paid","status":"paid","amount":1250000,"name":"Conceição"}'
    assert event["body"] == text.encode()
    assert event["created_at"] == "2026-05-01T12:00:30Z"
    assert books.deliveries() == []


def test_one_delivery_per_webhook_that_subscribed(books: Books) -> None:
    first = books.webhook("https://a.example", PAID, CONFIRMED)
    books.webhook("https://b.example", CONFIRMED)
    books.webhook("https://c.example", PAID, account="acc_2")
    last = books.webhook("https://d.example", PAID)
    gone = books.webhook("https://e.example", PAID)
    with books.database.writing() as conn:
        subscriptions.delete(conn, ACCOUNT, gone.id, at=books.clock())
    books.emit()
    assert [row["webhook"] for row in books.deliveries()] == [first.id, last.id]


def test_later_events_of_a_subject_wait(books: Books) -> None:
    books.webhook("https://a.example", PAID)
    for subject in ("tx_1", "tx_1", "tx_2", "tx_1"):
        books.emit(subject)
    assert books.statuses() == ["pending", "waiting", "pending", "waiting"]


def test_no_event_without_the_money(books: Books) -> None:
    books.webhook("https://a.example", PAID)

    def interrupted() -> None:
        with books.database.writing() as conn:
            outbox.emit(conn, ACCOUNT, PAID, BODY, subject="s", at=books.clock())
            raise RuntimeError("rolled back")

    with pytest.raises(RuntimeError):
        interrupted()
    assert books.rows("SELECT * FROM events") == books.deliveries() == []


def test_no_event_outside_a_transaction(books: Books) -> None:
    conn = sqlite3.connect(books.database.path, isolation_level=None)
    with pytest.raises(ValueError, match="write transaction"):
        outbox.emit(conn, ACCOUNT, PAID, BODY, subject="s", at=books.clock())
    conn.close()


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("pix.payout.rejected", {"event_type": "pix.payout.rejected", "status": "rejected"}),
        (PAID, {"event_type": CONFIRMED, "status": "paid"}),
        (PAID, {"status": "paid"}),
        (PAID, {"event_type": PAID}),
    ],
)
def test_events_that_are_none(books: Books, name: str, body: dict[str, str]) -> None:
    with books.database.writing() as conn, pytest.raises(ValueError, match=r"pix\."):
        outbox.emit(conn, ACCOUNT, name, body, subject="s", at=books.clock())


def test_events_are_kept(books: Books) -> None:
    books.emit()
    with books.database.writing() as conn:
        for sql in ("UPDATE events SET status = 'x'", "DELETE FROM events"):
            with pytest.raises(sqlite3.IntegrityError, match="never"):
                conn.execute(sql)


def test_not_a_number_is_not_json() -> None:
    with pytest.raises(ValueError, match="JSON"):
        outbox.encode({"amount": float("nan")})
    assert json.loads(outbox.encode({"a": [1, "é"]})) == {"a": [1, "é"]}
