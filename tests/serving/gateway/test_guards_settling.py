"""Bugs while a settlement waits for its store, and settlements that raise: the caller is answered
once or cut off, and the upstream's connection is not kept for an answer that nobody gets.
"""

import asyncio
from typing import Any

import pytest

from guarita.asks import LoseOutcome, Record
from guarita.serving.gateway import settling
from guarita.serving.gateway.answering import Answering
from guarita.serving.upstream.call import Call
from guarita.stores.reservations import State
from tests.serving.gateway.injected import (
    CHUNKED,
    SHORT,
    broken,
    bugs,
    is_dropped,
    once,
)
from tests.serving.gateway.support import is_the_gates, is_unknown, site
from tests.serving.upstream.support import answering, until
from tests.serving.worlds import World

ENDS = (Record, LoseOutcome)

pytestmark = pytest.mark.usefixtures("loop_hears_nothing")


def held_back(world: World, *, raises: bool = False) -> asyncio.Event:
    """What ends a reservation waits for the event; then it may raise."""
    go = asyncio.Event()

    async def recorded(ask: Any) -> Any:
        await go.wait()
        return broken() if raises else world.plainly(ask)

    world.intercept = lambda ask: recorded(ask) if isinstance(ask, ENDS) else None
    return go


@pytest.mark.parametrize("raises", [False, True])
async def test_a_bug_while_a_settlement_waits(
    world: World, raises: bool, monkeypatch: Any, caplog: Any
) -> None:
    """It is answered at once. What the settlement brings is for nobody then, and no second bug."""
    go = held_back(world, raises=raises)
    async with site(world, answering(CHUNKED), settings=SHORT) as one:
        with monkeypatch.context() as patch:
            patch.setattr(Call, "pause", broken)
            client = await one.client()
            client.send(one.request(key="k"))
            assert is_the_gates(await client.reply(), 500)
        await is_dropped(one)
        go.set()
        await until(lambda: world.states() != [State.IN_FLIGHT] or len(caplog.records) > 1)
        # The connection goes on, and nothing of the answer that was given up is on it.
        client.send(b"GET /none HTTP/1.1\r\nHost: api.test\r\n\r\n")
        assert is_the_gates(await client.reply(), 401)
        if not raises:
            assert await is_unknown(one)
    assert bugs(caplog) == (["answered", "settled"] if raises else ["answered"])


async def test_a_bug_that_cannot_be_answered_while_a_settlement_waits(
    world: World, monkeypatch: Any, caplog: Any
) -> None:
    go = held_back(world)
    async with site(world, answering(CHUNKED), settings=SHORT) as one:
        with monkeypatch.context() as patch:
            patch.setattr(Call, "pause", broken)
            patch.setattr(Answering, "marked", broken)
            client = await one.client()
            client.send(one.request(key="k"))
            with pytest.raises(ConnectionResetError):
                await client.rest()
            await is_dropped(one)
            patch.undo()
        go.set()
        await until(lambda: world.states() == [State.OUTCOME_UNKNOWN])
    assert bugs(caplog) == ["answered", "answered"]


@pytest.mark.parametrize("twice", [False, True])
async def test_a_settlement_that_raises_after_a_wait(
    world: World, twice: bool, monkeypatch: Any, caplog: Any
) -> None:
    """The call that stood still meanwhile does not keep the upstream's connection for ever."""
    go = held_back(world, raises=True)
    if twice:
        monkeypatch.setattr(Answering, "tell", once(Answering.tell))
    async with site(world, answering(CHUNKED), settings=SHORT) as one:
        asked = asyncio.create_task(one.post("k"))
        await until(lambda: "LoseOutcome" in world.asked_kinds())
        go.set()
        reply = await asked
        assert is_the_gates(reply, 500)
        await is_dropped(one)
    assert bugs(caplog) == (["settled", "answered"] if twice else ["settled"])


@pytest.mark.parametrize("store", [False, True])
async def test_a_settlement_that_raises_at_once(
    world: World, store: bool, monkeypatch: Any, caplog: Any
) -> None:
    """What more comes of the answer is not collected."""
    if store:
        world.intercept = lambda ask: broken() if isinstance(ask, ENDS) else None
    else:
        monkeypatch.setattr(settling, "settled", broken)
    async with site(world, answering(CHUNKED), settings=SHORT) as one:
        assert is_the_gates(await one.post("k"), 500)
        await is_dropped(one)
    assert bugs(caplog) == ["settled"]


async def test_a_client_that_goes_while_a_settlement_waits(world: World) -> None:
    """Nothing more of the answer is collected meanwhile, and all of it is taken afterwards."""
    go = held_back(world)
    async with site(world, answering(CHUNKED), settings=SHORT) as one:
        client = await one.client()
        client.send(one.request(key="k"))
        await until(lambda: "LoseOutcome" in world.asked_kinds())
        client.leave()
        await until(lambda: not len(one.connections))
        [connection] = one.pool._open
        call = connection.call
        assert call is not None
        assert call.paused
        go.set()
        await until(lambda: world.states() == [State.OUTCOME_UNKNOWN])
        await until(lambda: not call.paused)


async def test_a_client_that_goes_while_its_answer_is_passed_on(
    world: World, monkeypatch: Any, caplog: Any
) -> None:
    async with site(world, answering(CHUNKED), settings=SHORT) as one:
        client = await one.client()
        client.send(one.request(key="k"))
        assert (await client.head()).status == 200
        monkeypatch.setattr(Call, "resume", broken)
        client.leave()
        await is_dropped(one)
    assert bugs(caplog) == ["answered"]
