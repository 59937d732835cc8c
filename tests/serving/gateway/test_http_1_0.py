"""Callers of HTTP/1.0 and answers whose length nobody announced: they get the whole one with its
length, or learn that there is none. A Unix socket knows no reset: there a caller took what was
broken off for a success.
"""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from guarita.serving.edge import TrustedProxies
from guarita.serving.gateway.gate import Settings
from guarita.stores.reservations import State
from tests.serving.gateway.support import (
    PAID,
    Client,
    Reply,
    Site,
    answer,
    is_the_gates,
    site,
)
from tests.serving.upstream.support import Peer, answering, until
from tests.serving.worlds import BALANCE, World

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
CLOSES = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
UP = Settings(
    trusted_proxies=TrustedProxies(unix_peer_is_trusted=True),
    unsafe_unguarded_paths=("/up/",),
    max_recorded_body=1000,
)
FROM = [("X-Forwarded-For", "127.0.0.1")]
GETS = b"GET /up/a HTTP/1.0\r\nHost: api.test\r\nConnection: keep-alive\r\n\r\n"


@pytest.fixture(params=["port", "unix"])
def unix(request: pytest.FixtureRequest) -> Iterator[str | None]:
    """Where the gateway listens: a short path, as sockets demand, or None for a port."""
    if request.param == "port":
        yield None
        return
    with TemporaryDirectory() as folder:
        yield str(Path(folder, "gate"))


def payment(one: Site) -> bytes:
    return one.request(key="k", more=FROM)


def reading(one: Site) -> bytes:
    return one.request("GET", BALANCE, None, more=FROM)


def old(raw: bytes) -> bytes:
    return raw.replace(b" HTTP/1.1\r\n", b" HTTP/1.0\r\n", 1)


async def is_recorded_as(one: Site, status: int) -> bool:
    """Whether the same payment is answered so, and not executed."""
    before = one.executed
    reply, _, _ = await asked(one, payment(one))
    return (reply.status, one.executed) == (status, before)


async def asked(one: Site, raw: bytes) -> tuple[Reply, bytes, Client]:
    """The reply, and what came after it where the connection ended with it."""
    client = await one.client()
    client.send(old(raw))
    reply = await client.reply()
    kept = reply.get("connection") == b"keep-alive"
    return reply, b"" if kept else await client.rest(), client


@pytest.mark.parametrize("way", ["chunks", "end of the connection"])
async def test_a_whole_answer_has_its_length(world: World, unix: str | None, way: str) -> None:
    parts: tuple[bytes, ...] = (CLOSES, PAID[:5], PAID[5:])
    if way == "chunks":
        parts = (CHUNKED, b"5\r\n%b\r\n" % PAID[:5], b"%x\r\n%b\r\n" % (len(PAID) - 5, PAID[5:]))
        parts += (b"0\r\n\r\n",)
    async with site(
        world, answering(*parts, close=True), answering(*parts, close=True), settings=UP, unix=unix
    ) as one:
        for raw in (GETS, GETS.replace(b"Connection: keep-alive\r\n", b"")):
            reply, rest, _ = await asked(one, raw)
            assert (reply.status, reply.body, rest) == (200, PAID, b"")
            assert reply.get("content-length") == b"%d" % len(PAID)
            assert reply.get("connection") == (b"keep-alive" if raw is GETS else b"close")
        assert (await asked(one, reading(one)))[0].body == PAID
        assert b"\r\nvia: 1.0 guarita\r\n" in one.upstream.seen[-1]


async def test_a_recorded_one_is_replayed(world: World, unix: str | None) -> None:
    parts = (CHUNKED, b"%x\r\n%b\r\n0\r\n\r\n" % (len(PAID), PAID))
    async with site(world, answering(*parts), settings=UP, unix=unix) as one:
        reply, _, _ = await asked(one, payment(one))
        assert (reply.status, reply.body) == (200, PAID)
        assert await is_recorded_as(one, 200)


BREAKS = {
    "chunks, end": ((CHUNKED, b"4\r\nsome\r\n"), False),
    "chunks, reset": ((CHUNKED, b"4\r\nsome\r\n"), True),
    "until the end, reset": ((CLOSES, b"some"), True),
}


@pytest.mark.parametrize("name", BREAKS)
async def test_what_breaks_off_is_never_a_success(
    world: World, unix: str | None, name: str
) -> None:
    said, reset = BREAKS[name]
    first = asyncio.Event()

    async def play(peer: Peer) -> None:
        await peer.request()
        await peer.say(*said)
        await asyncio.sleep(0.01)
        if reset:
            peer.reset()
        else:
            peer.close()
        first.set()

    async with site(world, play, settings=UP, unix=unix) as one:
        for raw in (GETS, reading(one)):
            reply, rest, _ = await asked(one, raw)
            assert is_the_gates(reply, 502)
            assert b"some" not in reply.body + rest
        reply, rest, _ = await asked(one, payment(one))
        assert is_the_gates(reply, 502)
        assert b"some" not in reply.body + rest
        assert world.states() == [State.OUTCOME_UNKNOWN]
        assert await is_recorded_as(one, 409)
        assert one.executed == 3


async def test_a_late_one_is_told_so(world: World, unix: str | None) -> None:
    async with site(world, answering(CHUNKED, b"4\r\nsome\r\n"), settings=UP, unix=unix) as one:
        waits = asyncio.create_task(asked(one, GETS))
        await until(lambda: one.executed)
        await asyncio.sleep(0.05)
        one.too_late()
        reply, rest, _ = await waits
        assert is_the_gates(reply, 504)
        assert rest == b""


@pytest.mark.parametrize("kind", ["unguarded", "read", "reserved"])
async def test_one_that_is_too_long(world: World, unix: str | None, kind: str) -> None:
    """502 before anything of it was sent; the upstream is left, what it did is unknown."""
    left = asyncio.Event()

    async def play(peer: Peer) -> None:
        await peer.request()
        try:
            await peer.say(CHUNKED)
            for _ in range(50):
                await peer.say(b"64\r\n%b\r\n" % (b"x" * 100))
            await peer.gone()
        finally:
            left.set()

    async with site(world, play, settings=UP, unix=unix) as one:
        raw = payment(one) if kind == "reserved" else GETS
        if kind == "read":
            raw = reading(one)
        reply, rest, client = await asked(one, raw)
        assert is_the_gates(reply, 502)
        assert b"xx" not in reply.body + rest
        await asyncio.wait_for(left.wait(), 5)
        await until(lambda: not one.pool.calls)
        if kind == "reserved":
            assert await is_recorded_as(one, 409)
        if reply.get("connection") == b"keep-alive":
            client.send(GETS)  # the connection is still good
            assert (await client.reply()).status == 502


async def test_the_client_goes_while_it_is_held(world: World) -> None:
    """Without a reservation the call is given up; with one its outcome is kept."""
    ended: list[bool] = []
    go = asyncio.Event()

    async def play(peer: Peer) -> None:
        await peer.request()
        await peer.say(CHUNKED, b"%x\r\n%b\r\n" % (len(PAID), PAID))
        if len(one.upstream.seen) == 1:
            ended.append(await peer.gone())
        else:
            await go.wait()
            await peer.say(b"0\r\n\r\n")
            await peer.gone()

    async with site(world, play, settings=UP) as one:
        for count, raw in enumerate((GETS, payment(one)), 1):
            client = await one.client()
            client.send(old(raw))
            await until(lambda count=count: one.executed == count)  # type: ignore[misc]
            client.leave()
            await until(lambda: not len(one.connections))
        go.set()
        await until(lambda: world.states() == [State.STORED] and ended)
        assert await is_recorded_as(one, 200)


async def test_an_announced_length_is_streamed(world: World, unix: str | None) -> None:
    """Where the client can tell, nothing is held: not by its limit, not for a broken transfer."""
    length = 5000
    whole = answer(200, b"x" * length)
    async with site(
        world,
        answering(whole[:-4000], whole[-4000:]),
        answering(whole[:-500], close=True),
        settings=UP,
        unix=unix,
    ) as one:
        client = await one.client()
        client.send(GETS.replace(b"keep-alive", b"close"))
        reply = await client.head()
        assert reply.get("content-length") == b"%d" % length
        assert len(await client.rest()) == length
        for peer in one.upstream.peers:
            peer.close()
        await until(lambda: not one.pool.connections)
        client = await one.client()
        client.send(GETS)
        assert (await client.head()).get("content-length") == b"%d" % length
        assert len(await client.rest()) == length - 500


async def test_callers_of_http_1_1_have_it_streamed(world: World, unix: str | None) -> None:
    more = asyncio.Event()

    async def play(peer: Peer) -> None:
        await peer.request()
        await peer.say(CHUNKED, b"4\r\nsome\r\n")
        await more.wait()
        await peer.say(b"4\r\nrest\r\n", b"0\r\n\r\n")
        await peer.gone()

    async with site(world, play, settings=UP, unix=unix) as one:
        client = await one.client()
        client.send(GETS.replace(b"HTTP/1.0", b"HTTP/1.1"))
        assert (await client.head()).get("transfer-encoding") == b"chunked"
        assert await client.reader.readexactly(9) == b"4\r\nsome\r\n"
        more.set()
        assert await client.reader.readexactly(14) == b"4\r\nrest\r\n0\r\n\r\n"
