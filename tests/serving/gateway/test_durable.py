"""Requests settled by a store that answers later: nothing is sent before it has."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from guarita.asks import LoseOutcome, Outage, Record, Release
from guarita.serving.backend import Backend
from guarita.stores.group_commit import GroupCommit
from guarita.stores.reservations import State
from guarita.stores.sqlite.store import SqliteStore
from tests.serving.gateway.support import (
    PAID,
    answer,
    is_replayed,
    site,
)
from tests.serving.upstream.support import answering
from tests.serving.worlds import World


@pytest.fixture
def durable(tmp_path: Path) -> Iterator[GroupCommit]:
    store = SqliteStore(tmp_path / "guarita.db")
    group = GroupCommit(store)
    yield group
    group.close()
    store.close()


@pytest.mark.parametrize("parts", [1, 2])
async def test_durable(world: World, durable: GroupCommit, parts: int) -> None:
    backend = Backend(world, world, durable)
    raw = answer()
    cut = len(raw) - 5 * (parts - 1)
    async with site(world, answering(raw[:cut], raw[cut:], times=30), backend=backend) as one:
        reply = await one.post("k")
        assert (reply.status, reply.body, reply.get("idempotency-key")) == (200, PAID, b"k")
        assert await is_replayed(one)
        replies = await asyncio.gather(*(one.post(f"k{number}") for number in range(20)))
        assert {reply.status for reply in replies} == {200}
        assert one.executed == 21


@pytest.mark.parametrize("ended", [True, False])
async def test_durable_and_streamed(world: World, durable: GroupCommit, ended: bool) -> None:
    """The start of a streamed answer waits for its settlement; what comes meanwhile is kept."""
    body = b"x" * 300_000
    raw = answer(422, body)
    play = answering(raw[:5000], raw[5000:] if ended else raw[5000:-1], close=True)
    async with site(world, play, backend=Backend(world, world, durable)) as one:
        client = await one.client()
        client.send(one.request(key="k"))
        head = await client.head()
        assert head.status == 422
        rest = await client.reader.read(len(body))
        while len(rest) < len(body) and (more := await client.reader.read(len(body))):
            rest += more
        assert len(rest) == len(body) - (not ended)


async def test_a_durable_store_that_fails(world: World, durable: GroupCommit) -> None:
    backend = Backend(world, world, durable)
    async with site(world, answering(answer()), backend=backend) as one:
        durable.close()
        reply = await one.post("k")
        assert (reply.status, one.executed) == (503, 0)


async def test_a_durable_store_that_fails_at_the_end(world: World) -> None:
    class Failing:
        failing = True

        def __init__(self) -> None:
            self.store = world.store

        def answer_all(self, asks: Any) -> list[Any]:
            return [
                Outage("says the test")
                if self.failing and isinstance(ask, Record | Release | LoseOutcome)
                else self.store.answer(ask)
                for ask in asks
            ]

    store = Failing()
    group = GroupCommit(store)
    async with site(world, answering(answer()), backend=Backend(world, world, group)) as one:
        reply = await one.post("k")
        assert (reply.status, reply.body, world.states()) == (200, PAID, [State.IN_FLIGHT])
        store.failing = False
        assert await is_replayed(one)  # made up for before the next reservation
    group.close()
