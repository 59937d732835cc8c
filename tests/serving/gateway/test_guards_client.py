"""A bug in what a client brings about: by its body, by reading slowly, by going. As in
`test_guards`, nobody is left waiting and nothing reaches the event loop.
"""

import asyncio
from typing import Any

import pytest

from guarita.asks import ReadBody
from guarita.serving.gateway import asking
from guarita.serving.gateway.answering import Answering
from guarita.serving.http1.request import Request
from guarita.serving.upstream.call import Call
from guarita.stores.reservations import State
from tests.serving.gateway.injected import (
    BUG,
    CHUNKED,
    LOAD,
    OPEN,
    broken,
    bugs,
    is_dropped,
    once,
)
from tests.serving.gateway.support import answer, executes_again, is_the_gates, site
from tests.serving.upstream.support import Peer, answering, until
from tests.serving.worlds import BALANCE, World

MIB = 1_048_576

pytestmark = pytest.mark.usefixtures("loop_hears_nothing")


async def test_a_client_that_goes_while_the_upstream_works(
    world: World, monkeypatch: Any, caplog: Any
) -> None:
    async def play(peer: Peer) -> None:
        await peer.request()
        await peer.gone()

    async with site(world, play) as one:
        client = await one.client()
        client.send(one.request(key="k"))
        await until(lambda: one.executed)
        monkeypatch.setattr(Answering, "holds", broken)
        client.leave()
        await is_dropped(one)
        assert world.states() == [State.OUTCOME_UNKNOWN]
    assert bugs(caplog) == ["answered"]


async def test_a_call_that_cannot_be_given_up(world: World, monkeypatch: Any, caplog: Any) -> None:
    """It goes on to its answer, for nobody."""
    go = asyncio.Event()

    async def play(peer: Peer) -> None:
        await peer.request()
        await go.wait()
        await peer.say(answer())
        await peer.gone()

    async with site(world, play) as one:
        monkeypatch.setattr(Call, "cancel", broken)
        client = await one.client()
        client.send(one.request("GET", BALANCE, None))
        await until(lambda: one.executed)
        client.leave()
        await until(lambda: "given up" in caplog.text)
        go.set()
        await until(lambda: not one.pool.calls)
        assert one.pool.connections == 1
    assert bugs(caplog) == ["answered", "given up"]


class Refusing:
    """A future that cannot be done."""

    set_result = set_exception = broken


@pytest.mark.parametrize("goes", [False, True])
async def test_a_body_that_is_waited_for(
    world: World, goes: bool, monkeypatch: Any, caplog: Any
) -> None:
    real = asking.OWN_ANSWERS[ReadBody]

    def read(self: Any, ask: ReadBody) -> Any:
        answered = real(self, ask)
        if self._waiting is not None:
            self._waiting = Refusing()
        return answered

    async with site(world, answering(answer())) as one:
        client = await one.client()
        raw = one.request(key="k")
        with monkeypatch.context() as patch:
            patch.setitem(asking.OWN_ANSWERS, ReadBody, read)
            client.send(raw[:-5])
            await until(lambda: "VerifyCredential" in world.asked_kinds())
            if goes:
                client.leave()
                await until(lambda: BUG in caplog.text)
            else:
                client.send(raw[-5:])
                assert is_the_gates(await client.reply(), 500)
        assert (one.executed, world.states()) == (0, [])
        assert await executes_again(one)
    assert bugs(caplog) == ["answered"]


@pytest.mark.parametrize("begun", [False, True])
async def test_a_streamed_body_that_breaks(
    world: World, begun: bool, monkeypatch: Any, caplog: Any
) -> None:
    async def play(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n3\r\nabc\r\n")
        if begun:
            await peer.say(CHUNKED)
        await peer.gone()

    async with site(world, play, settings=OPEN) as one:
        if begun:
            monkeypatch.setattr(Request, "break_off", once(Request.break_off))
        else:
            monkeypatch.setattr(Answering, "settle", once(Answering.settle))
        client = await one.client()
        client.send(LOAD, b"3\r\nabc\r\n")
        if begun:
            assert (await client.head()).status == 200
            await client.reader.readexactly(13)
        else:
            await until(lambda: one.upstream.accepted)
        client.send(b"no chunk\r\n")
        if begun:
            assert await client.rest() == b""
        else:
            assert is_the_gates(await client.reply(), 500)
        await is_dropped(one)
    assert bugs(caplog) == ["answered"]


async def test_a_streamed_body_that_may_go_on(world: World, monkeypatch: Any, caplog: Any) -> None:
    async with site(world, answering(answer()), settings=OPEN) as one:
        monkeypatch.setattr(Request, "resume_body", broken)
        client = await one.client()
        client.send(LOAD, b"3\r\nabc\r\n")
        assert is_the_gates(await client.reply(), 500)
        await is_dropped(one)
    assert bugs(caplog) == ["answered"]


async def test_a_slow_reader_that_reads_on(world: World, monkeypatch: Any, caplog: Any) -> None:
    size = 24 * MIB

    async def play(peer: Peer) -> None:
        await peer.request()
        await peer.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        for _ in range(size // MIB):
            peer.writer.write(b"x" * MIB)
            await peer.writer.drain()
        await peer.gone()

    async with site(world, play) as one:
        client = await one.client()
        client.send(one.request("GET", BALANCE, None))
        await client.head()
        await until(lambda: any(front.write_paused for front in one.connections._open))
        with monkeypatch.context() as patch:
            patch.setattr(Call, "resume", broken)
            assert len(await client.rest()) < size
        await is_dropped(one)
    assert bugs(caplog) == ["answered"]
