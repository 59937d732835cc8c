"""A bug before a request is handed on, or in what is made of the upstream's answer: the caller gets
a 500 or sees its transfer broken off, what was reserved ends, the upstream's connection is given
back or dropped, the log names the request, and the event loop hears of nothing.
"""

import asyncio
from typing import Any

import pytest

from guarita.asks import Reserve
from guarita.serving.arrival import Unguarded
from guarita.serving.gateway.answering import Answering
from guarita.serving.gateway.failures import Failures
from guarita.serving.http1.request import Request
from guarita.stores.reservations import State
from tests.serving.gateway.injected import (
    CHUNKED,
    OPEN,
    SHORT,
    broken,
    bugs,
    is_dropped,
    once,
)
from tests.serving.gateway.support import answer, executes_again, is_the_gates, is_unknown, site
from tests.serving.upstream.support import Peer, answering, until
from tests.serving.worlds import World

pytestmark = pytest.mark.usefixtures("loop_hears_nothing")


# --- before anything is handed on


async def test_a_request_that_cannot_begin(world: World, monkeypatch: Any, caplog: Any) -> None:
    async with site(world, answering(answer()), settings=OPEN) as one:
        with monkeypatch.context() as patch:
            patch.setattr(Unguarded, "covers", broken)
            assert is_the_gates(await one.post("k"), 500)
        assert await executes_again(one)
    assert bugs(caplog) == ["answered"]


@pytest.mark.parametrize("name", ["note", "tell"])
async def test_a_bug_of_a_layer_and_another(
    world: World, name: str, monkeypatch: Any, caplog: Any
) -> None:
    async def raises() -> None:
        await asyncio.sleep(0)
        broken()

    async with site(world, answering(answer())) as one:
        world.intercept = lambda ask: raises() if isinstance(ask, Reserve) else None
        monkeypatch.setattr(Answering, name, once(getattr(Answering, name)))
        assert is_the_gates(await one.post("k"), 500)
        world.intercept = lambda ask: None
        assert await executes_again(one)
    assert bugs(caplog) == ["decided", "answered"]


# --- while the upstream answers


async def test_an_interim_response(world: World, monkeypatch: Any, caplog: Any) -> None:
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    async with site(world, answering(hints, answer())) as one:
        with monkeypatch.context() as patch:
            patch.setattr(Request, "informational", broken)
            reply = await one.post("k")
        assert is_the_gates(reply, 500)
        assert (reply.get("ray-id") or b"").decode() in caplog.text
        await is_dropped(one)
        assert world.states() == [State.OUTCOME_UNKNOWN]
        assert await is_unknown(one)
    assert bugs(caplog) == ["answered"]


@pytest.mark.parametrize(
    ("owner", "name"), [(Request, "write"), (Answering, "keep_pace"), (Request, "finish")]
)
@pytest.mark.parametrize("key", ["k", None])
async def test_a_response_that_is_passed_on(
    world: World, owner: Any, name: str, key: str | None, monkeypatch: Any, caplog: Any
) -> None:
    play = answering(CHUNKED, b"3\r\nmor\r\n", b"1\r\ne\r\n0\r\n\r\n")
    async with site(world, play, settings=SHORT) as one:
        monkeypatch.setattr(owner, name, once(getattr(owner, name)))
        client = await one.client()
        client.send(one.request(key=key))
        assert (await client.head()).status == 200
        assert not (await client.rest()).endswith(b"0\r\n\r\n")
        await until(lambda: not one.pool.calls)
        if key:
            assert await is_unknown(one)
    assert bugs(caplog) == ["answered"]


async def test_a_whole_response(world: World, monkeypatch: Any, caplog: Any) -> None:
    async with site(world, answering(answer())) as one:
        monkeypatch.setattr(Answering, "without_own", broken)
        assert is_the_gates(await one.post("k"), 500)
        assert world.states() == [State.OUTCOME_UNKNOWN]
        assert (one.pool.calls, one.pool.connections) == (0, 1)
    assert bugs(caplog) == ["answered"]


async def test_a_response_that_is_held(world: World, monkeypatch: Any, caplog: Any) -> None:
    async with site(world, answering(answer()[:-4], answer()[-4:])) as one:
        monkeypatch.setattr(Answering, "too_long", once(Answering.too_long))
        assert is_the_gates(await one.post("k"), 500)
        await is_dropped(one)
        assert world.states() == [State.OUTCOME_UNKNOWN]
    assert bugs(caplog) == ["answered"]


# --- where it does not


async def test_no_answer(world: World, monkeypatch: Any, caplog: Any) -> None:
    async def play(peer: Peer) -> None:
        await peer.request()
        peer.reset()

    async with site(world, play) as one:
        monkeypatch.setattr(Failures, "add", broken)
        assert is_the_gates(await one.post("k"), 500)
        await is_dropped(one)
        assert world.states() == [State.OUTCOME_UNKNOWN]
    assert bugs(caplog) == ["answered"]


@pytest.mark.parametrize(("owner", "name"), [(Failures, "add"), (Request, "break_off")])
async def test_an_answer_that_breaks_off(
    world: World, owner: Any, name: str, monkeypatch: Any, caplog: Any
) -> None:
    async with site(world, answering(CHUNKED, close=True), settings=SHORT) as one:
        monkeypatch.setattr(owner, name, once(getattr(owner, name)))
        client = await one.client()
        client.send(one.request(key="k"))
        assert (await client.head()).status == 200
        assert not (await client.rest()).endswith(b"0\r\n\r\n")
        await is_dropped(one)
        monkeypatch.undo()
        assert await is_unknown(one)
    assert bugs(caplog) == ["answered"]


async def test_a_connection_that_cannot_be_broken_off(
    world: World, monkeypatch: Any, caplog: Any
) -> None:
    """Nothing is left to be tried, but the loop and the upstream's client go on."""
    async with site(world, answering(CHUNKED, close=True), settings=SHORT) as one:
        monkeypatch.setattr(Request, "break_off", broken)
        client = await one.client()
        client.send(one.request(key="k"))
        await client.head()
        await is_dropped(one)
        client.leave()
        monkeypatch.undo()
        assert await is_unknown(one)
    assert bugs(caplog) == ["answered", "broken off"]
