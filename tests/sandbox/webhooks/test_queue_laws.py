"""Laws of the deliveries' states, under any course of events."""

import random
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from guarita.sandbox.webhooks import dead_letters, queue, subscriptions
from guarita.sandbox.webhooks.client import Answer
from tests.sandbox.webhooks.support import ACCOUNT, Books

STEPS = st.lists(
    st.sampled_from(["emit", "emit", "claim", "claim", "ok", "fail", "give back", "later"])
    | st.sampled_from(["redeliver", "delete", "register"]),
    max_size=60,
)

GROUPS = """
    SELECT webhook, subject,
        sum(status = 'pending') AS pending, sum(status = 'waiting') AS waiting
    FROM deliveries GROUP BY webhook, subject
"""


@settings(max_examples=25, deadline=None)
@given(steps=STEPS, seed=st.integers(0, 2**32))
def test_whoever_waits_waits_for_one_that_is_pending(steps: list[str], seed: int) -> None:
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        books = Books(Path(folder))
        books.webhook("https://example.com/1")
        claimed: list[queue.Job] = []
        for step in steps:
            take(step, books, claimed, chance)
            for group in books.rows(GROUPS):
                assert group["pending"] <= 1
                assert group["pending"] == 1 or group["waiting"] == 0
        finish_all(books)
        assert {"pending", "waiting"}.isdisjoint(books.statuses())
        assert books.rows("SELECT count(*) AS n FROM deliveries WHERE lease IS NOT NULL") == [
            {"n": 0}
        ]
        books.database.close()


def take(step: str, books: Books, claimed: list[queue.Job], chance: random.Random) -> None:
    at = books.clock()
    now_ms = round(1000 * at.timestamp())
    if step == "emit":
        books.emit(f"tx_{chance.randrange(3)}")
        return
    with books.database.writing() as conn:
        webhooks = subscriptions.of_account(conn, ACCOUNT)
        dead = dead_letters.of(conn)
        if step == "later":
            books.clock.advance(seconds=chance.choice([1, 60, 7200]))
        elif step == "claim":
            numbers = queue.due(conn, now_ms=now_ms, limit=2, busy={}, per_webhook=2)
            jobs = [queue.claim(conn, n, now_ms=now_ms, until_ms=now_ms + 30_000) for n in numbers]
            claimed += [job for job in jobs if job is not None]
        elif step == "redeliver" and dead:
            dead_letters.redeliver(conn, chance.choice(dead).number, at=at)
        elif step == "delete" and webhooks:
            subscriptions.delete(conn, ACCOUNT, chance.choice(webhooks).id, at=at)
        elif step == "give back" and claimed:
            queue.give_back(conn, claimed.pop(0), now_ms=now_ms)
        elif step in ("ok", "fail") and claimed:
            answer = Answer(204, None) if step == "ok" else Answer(500, "answered 500")
            job = claimed.pop(chance.randrange(len(claimed)))
            queue.finish(conn, job, answer, now_ms=now_ms, jitter=1)
    if step == "register" and len(webhooks) < 5:
        books.webhook("https://example.com/2")


def finish_all(books: Books) -> None:
    """All that is left succeeds, each in its turn, in bounded time."""
    for _ in range(len(books.deliveries()) + 1):
        with books.database.writing() as conn:
            now_ms = queue.next_due(conn)
            if now_ms is None:
                return
            (number,) = queue.due(conn, now_ms=now_ms, limit=1, busy={}, per_webhook=1)
            job = queue.claim(conn, number, now_ms=now_ms, until_ms=now_ms + 1)
            assert job is not None
            queue.finish(conn, job, Answer(200, None), now_ms=now_ms, jitter=1)
