"""Deliveries given up, and sent again."""

import pytest

from guarita.sandbox.refusals import Missing, Refused
from guarita.sandbox.webhooks import dead_letters, subscriptions
from tests.sandbox.webhooks.couriers import FAIL, courier, letters, until_dead
from tests.sandbox.webhooks.support import (
    ACCOUNT,
    OK,
    SECRET,
    Books,
    answer,
    endpoint,
)


async def test_dead_letters(books: Books, caplog: pytest.LogCaptureFixture) -> None:
    async with endpoint(*[answer(503)] * 10, OK) as server:
        webhook = books.webhook(server.url("/h?token=abc"))
        sent = [books.emit("tx_1"), books.emit("tx_1")]
        carrier = courier(books)
        assert await until_dead(books, carrier) == 10
        dead = letters(books)
        assert [letter.event_id for letter in dead] == sent
        assert letters(books, ACCOUNT) == dead
        assert letters(books, "acc_2") == []
        assert (dead[0].webhook, dead[0].subject) == (webhook.id, "tx_1")
        assert (dead[0].attempts, dead[0].last_status) == (5, 503)
        assert dead[0].last_error == "answered 503"
        assert f"event {sent[0]} is dead" in caplog.text
        assert SECRET not in caplog.text
        assert "token" not in caplog.text
        with books.database.writing() as conn:
            assert dead_letters.redeliver_all(conn, ACCOUNT, at=books.clock()) == 2
        assert books.statuses() == ["pending", "waiting"]
        assert await carrier.deliver_due() == 2
    assert server.event_ids[-2:] == sent
    assert letters(books) == []


async def test_redelivery_in_turn(books: Books) -> None:
    """A dead letter sent again waits for an event of its subject that is being tried."""
    async with endpoint(*[FAIL] * 6, OK) as server:
        books.webhook(server.url())
        first, second = books.emit("tx_1"), books.emit("tx_1")
        carrier = courier(books)
        while books.statuses()[0] != "dead":
            await carrier.deliver_due()
            books.clock.advance(hours=3)
        assert books.statuses() == ["dead", "pending"]
        third = books.emit("tx_1")
        with books.database.writing() as conn:
            dead_letters.redeliver(conn, letters(books)[0].number, at=books.clock())
        assert books.statuses() == ["waiting", "pending", "waiting"]
        await carrier.deliver_due()
    assert server.event_ids[-4:] == [second, second, first, third]


async def test_what_is_not_redelivered(books: Books) -> None:
    async with endpoint(*[FAIL] * 5, OK) as server:
        webhook = books.webhook(server.url())
        books.emit("tx_1"), books.emit("tx_1")
        await until_dead(books, courier(books))
        dead, delivered = (row["number"] for row in books.deliveries())
        with books.database.writing() as conn:
            with pytest.raises(Missing, match="no delivery 999"):
                dead_letters.redeliver(conn, 999, at=books.clock())
            with pytest.raises(Refused, match="is delivered, not dead"):
                dead_letters.redeliver(conn, delivered, at=books.clock())
            subscriptions.delete(conn, ACCOUNT, webhook.id, at=books.clock())
            with pytest.raises(Refused, match="was deleted"):
                dead_letters.redeliver(conn, dead, at=books.clock())
    assert letters(books) == []
