"""Couriers of a test's bank file, and its dead letters."""

from typing import Any

from guarita.sandbox.webhooks import dead_letters
from guarita.sandbox.webhooks.dead_letters import DeadLetter
from guarita.sandbox.webhooks.delivery import Courier
from tests.sandbox.webhooks.support import (
    Books,
    answer,
)

FAIL = answer(500)


def courier(books: Books, **settings: Any) -> Courier:
    defaults = {"clock": books.clock, "unsafe_loopback": True, "random": lambda: 0.5}
    return Courier(books.database, **{**defaults, "timeout_s": 5.0, **settings})


def letters(books: Books, account: str | None = None) -> list[DeadLetter]:
    with books.database.reading() as conn:
        return dead_letters.of(conn, account)


async def until_dead(books: Books, carrier: Courier) -> int:
    """Let all attempts happen, each when it is due; how many there were."""
    count = 0
    while any(status == "pending" for status in books.statuses()):
        count += await carrier.deliver_due()
        books.clock.advance(hours=3)
    return count
