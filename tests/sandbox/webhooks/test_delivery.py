"""Deliveries: the schedule, the order, what ends them. The clock stands still unless moved."""

import asyncio
import json

import pytest

from guarita.sandbox.webhooks import receiver, subscriptions
from guarita.sandbox.webhooks.delivery import JITTER
from tests.sandbox.webhooks.couriers import FAIL, courier, until_dead
from tests.sandbox.webhooks.support import (
    ACCOUNT,
    CONFIRMED,
    OK,
    PAID,
    SECRET,
    Books,
    Request,
    endpoint,
    vectors,
)

SCHEDULE_S = vectors()["schedule_s"]["value"]


async def test_delivered(books: Books) -> None:
    async with endpoint(OK) as server:
        books.webhook(server.url("/h?a=b"))
        event_id = books.emit(name="Conceição")
        assert await courier(books).deliver_due() == 1
        assert await courier(books).deliver_due() == 0
    (request,) = server.requests
    now = books.clock().timestamp()
    received = receiver.verify(SECRET, request.headers, request.body, now=now, tolerance_s=1)
    assert received.event_id == event_id
    assert received.content["name"] == "Conceição"
    assert request.headers["content-type"] == "application/json"
    (row,) = books.deliveries()
    assert (row["status"], row["attempts"], row["last_status"]) == ("delivered", 1, 204)
    assert row["last_error"] is None
    assert row["finished_at"] == "2026-05-01T12:00:30Z"
    assert SECRET not in json.dumps(row)


async def test_the_prefix_is_a_setting(books: Books) -> None:
    async with endpoint(OK) as server:
        books.webhook(server.url())
        books.emit()
        await courier(books, header_prefix="X-Owem-").deliver_due()
    (request,) = server.requests
    names = [name for name in request.headers if name.startswith("x-")]
    assert names == [
        "x-owem-signature",
        "x-owem-timestamp",
        "x-owem-event-id",
        "x-owem-event-type",
    ]
    with pytest.raises(ValueError, match="prefix"):
        courier(books, header_prefix="X-Minha Konta-")


async def test_the_schedule(books: Books) -> None:
    """Each attempt happens at its time and not a moment earlier, and has a timestamp of its own."""
    async with endpoint(FAIL) as server:
        books.webhook(server.url())
        books.emit()
        carrier = courier(books)
        for attempt, wait_s in enumerate(SCHEDULE_S):
            if wait_s:
                books.clock.advance(seconds=wait_s - 0.001)
                assert await carrier.deliver_due() == 0
                books.clock.advance(seconds=0.001)
            assert await carrier.deliver_due() == 1
            (row,) = books.deliveries()
            assert row["attempts"] == attempt + 1
            assert (row["last_status"], row["last_error"]) == (500, "answered 500")
            stamp = int(server.requests[-1].headers["x-minhakonta-timestamp"])
            assert stamp == int(books.clock().timestamp())
        assert books.statuses() == ["dead"]
        books.clock.advance(days=30)
        assert await carrier.deliver_due() == 0
    assert len(server.requests) == len(SCHEDULE_S) == 5
    assert len(set(server.event_ids)) == 1


@pytest.mark.parametrize(("number", "factor"), [(0.0, 1 - JITTER), (1.0, 1 + JITTER), (0.5, 1)])
async def test_the_jitter(books: Books, number: float, factor: float) -> None:
    async with endpoint(FAIL) as server:
        books.webhook(server.url())
        books.emit()
        carrier = courier(books, random=lambda: number)
        for wait_s in SCHEDULE_S[1:]:
            await carrier.deliver_due()
            (row,) = books.deliveries()
            waits_ms = row["due_ms"] - round(1000 * books.clock().timestamp())
            assert waits_ms == round(1000 * wait_s * factor)
            books.clock.advance(milliseconds=waits_ms)


async def test_a_second_attempt_succeeds(books: Books) -> None:
    async with endpoint(FAIL, OK) as server:
        books.webhook(server.url())
        books.emit()
        carrier = courier(books)
        await carrier.deliver_due()
        books.clock.advance(seconds=60)
        await carrier.deliver_due()
    assert books.statuses() == ["delivered"]
    assert len(set(server.event_ids)) == 1
    signatures = {request.headers["x-minhakonta-signature"] for request in server.requests}
    assert len(signatures) == 2


async def test_order_within_a_subject(books: Books) -> None:
    """A later event waits while an earlier one is tried again; other subjects do not."""
    async with endpoint(FAIL, OK) as server:
        books.webhook(server.url())
        first = [books.emit("tx_1", n=n) for n in range(3)]
        carrier = courier(books)
        assert await carrier.deliver_due() == 1
        other = books.emit("tx_2")
        assert await carrier.deliver_due() == 1
        assert books.statuses() == ["pending", "waiting", "waiting", "delivered"]
        books.clock.advance(seconds=60)
        assert await carrier.deliver_due() == 3
    assert server.event_ids == [first[0], other, *first]


async def test_order_is_kept_per_webhook(books: Books) -> None:
    async with endpoint(FAIL) as broken, endpoint(OK) as sound:
        books.webhook(broken.url())
        books.webhook(sound.url())
        sent = [books.emit("tx_1") for _ in range(3)]
        assert await courier(books).deliver_due() == 4
    assert broken.event_ids == sent[:1]
    assert sound.event_ids == sent


async def test_order_after_a_dead_event(books: Books) -> None:
    async with endpoint(*[FAIL] * 5, OK) as server:
        books.webhook(server.url())
        dead, later = books.emit("tx_1"), books.emit("tx_1")
        assert await until_dead(books, courier(books)) == 6
    assert books.statuses() == ["dead", "delivered"]
    assert server.event_ids == [dead] * 5 + [later]


async def test_a_deleted_webhook_is_told_nothing_more(books: Books) -> None:
    """Not even the outcome of the attempt under way is recorded."""
    taken, go = asyncio.Event(), asyncio.Event()

    async def hang(_request: Request, writer: asyncio.StreamWriter) -> None:
        taken.set()
        await go.wait()
        writer.write(OK)

    async with endpoint(hang) as server:
        webhook = books.webhook(server.url())
        books.emit("tx_1"), books.emit("tx_1"), books.emit("tx_2")
        delivering = asyncio.create_task(courier(books, per_webhook=1).deliver_due())
        await taken.wait()
        with books.database.writing() as conn:
            subscriptions.delete(conn, ACCOUNT, webhook.id, at=books.clock())
        go.set()
        await delivering
        books.emit("tx_3")
        assert await courier(books).deliver_due() == 0
    assert len(server.requests) == 1
    assert books.statuses() == ["cancelled"] * 3


async def test_forbidden_targets_are_failures(books: Books) -> None:
    async with endpoint(OK) as server:
        books.webhook(server.url())
        books.emit()
        await courier(books, unsafe_loopback=False).deliver_due()
    (row,) = books.deliveries()
    assert row["status"] == "pending"
    assert "loopback" in row["last_error"]
    assert server.connections == 0


async def test_the_event_type_is_told(books: Books) -> None:
    async with endpoint(OK) as server:
        books.webhook(server.url(), PAID, CONFIRMED)
        books.emit("tx_1")
        books.emit("tx_1", CONFIRMED)
        await courier(books).deliver_due()
    types = [request.headers["x-minhakonta-event-type"] for request in server.requests]
    assert types == [PAID, CONFIRMED]
