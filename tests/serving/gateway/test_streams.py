"""Bodies that pass through the gateway without being held: both ways, with backpressure, and with
either side going away.
"""

import asyncio

import pytest

from guarita.serving.gateway.gate import Settings
from tests.serving.gateway.support import PAID, answer, site
from tests.serving.upstream.support import Peer, answering, until
from tests.serving.worlds import BALANCE, World

MIB = 1_048_576
OPEN = Settings(unsafe_unguarded_paths=("/up/",))
"""Below "/up/" nothing is decided, so nothing needs a body whole."""

HEAD = b"POST /up/load HTTP/1.1\r\nHost: api.test\r\n"


async def test_a_long_answer_keeps_the_pace_of_its_reader(world: World) -> None:
    size = 24 * MIB
    written = 0

    async def play(peer: Peer) -> None:
        nonlocal written
        await peer.request()
        await peer.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        while written < size:
            peer.writer.write(b"x" * 65_536)
            await peer.writer.drain()
            written += 65_536
        await peer.gone()

    async with site(world, play) as one:
        client = await one.client()
        client.send(one.request("GET", BALANCE, None))
        await client.head()
        before = -1
        while before != written:
            before = written
            await asyncio.sleep(0.05)
        assert written < 16 * MIB  # the sockets' buffers, and no more than a piece of our own
        assert len(await client.reader.readexactly(size)) == size


async def test_the_client_goes_inside_a_long_answer(world: World) -> None:
    """Without a reservation the upstream's work is given up."""
    ended = asyncio.Event()

    async def play(peer: Peer) -> None:
        await peer.request()
        try:
            await peer.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (99 * MIB))
            while True:
                peer.writer.write(b"x" * 65_536)
                await peer.writer.drain()
        finally:
            ended.set()

    async with site(world, play) as one:
        client = await one.client()
        client.send(one.request("GET", BALANCE, None))
        await client.head()
        client.leave()
        await asyncio.wait_for(ended.wait(), 5)
        await until(lambda: not one.pool.connections)


async def test_the_client_goes_inside_an_answer_too_long_to_be_recorded(world: World) -> None:
    """With one the upstream works on to its end."""
    ended: list[bool] = []
    size = 20 * MIB

    async def play(peer: Peer) -> None:
        await peer.request()
        await peer.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        for _ in range(size // 65_536):
            peer.writer.write(b"x" * 65_536)
            await peer.writer.drain()
        ended.append(True)
        await peer.gone()

    async with site(world, play, settings=Settings(max_recorded_body=1000)) as one:
        client = await one.client()
        client.send(one.request(key="k"))
        await client.head()
        client.leave()
        await until(lambda: ended)


@pytest.mark.parametrize("chunked", [True, False])
async def test_a_long_body_keeps_the_pace_of_the_upstream(world: World, chunked: bool) -> None:
    size = 24 * MIB
    go = asyncio.Event()

    async def play(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        await go.wait()
        left = size
        while left:
            if chunked:
                length = int(await peer.reader.readline(), 16)
                await peer.reader.readexactly(length + 2)
            else:
                length = len(await peer.reader.read(min(left, 65_536)))
            left -= length
        if chunked:
            assert await peer.reader.readexactly(5) == b"0\r\n\r\n"
        await peer.say(answer())
        await peer.gone()

    async with site(world, play, settings=OPEN) as one:
        client = await one.client()
        field = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % size
        client.send(HEAD + field + b"\r\n\r\n")
        piece = b"x" * 65_536
        sent = 0

        async def send() -> None:
            nonlocal sent
            for _ in range(size // 65_536):
                client.send(b"10000\r\n%b\r\n" % piece if chunked else piece)
                await client.writer.drain()
                sent += 65_536
            if chunked:
                client.send(b"0\r\n\r\n")

        task = asyncio.create_task(send())
        before = -1
        while before != sent:
            before = sent
            await asyncio.sleep(0.05)
        assert sent < 16 * MIB
        go.set()
        assert (await client.reply()).body == PAID
        await task


async def test_continue_is_said_when_the_body_is_asked_for(world: World) -> None:
    async with site(world, answering(answer()), settings=OPEN) as one:
        client = await one.client()
        client.send(HEAD + b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\n")
        assert (await client.head()).status == 100
        client.send(b"abc")
        assert (await client.reply()).status == 200
        assert b"expect" not in one.upstream.seen[0].lower()


async def test_continue_is_not_said_to_a_refused_request(world: World) -> None:
    async with site(world, answering(answer())) as one:
        client = await one.client()
        raw = one.request(more=[("Expect", "100-continue"), ("hmac", "again")])
        head, _, _ = raw.partition(b"\r\n\r\n")
        client.send(head.replace(b"ApiKey", b"Bearer") + b"\r\n\r\n")
        assert (await client.reply()).status == 401
        assert one.executed == 0


@pytest.mark.parametrize("way", ["leaves", "is too slow", "sends no chunks"])
async def test_a_body_that_breaks_off(world: World, way: str) -> None:
    """The upstream never takes the part for the whole."""
    broken = asyncio.Event()

    async def play(peer: Peer) -> None:
        head = await peer.reader.readuntil(b"\r\n\r\n")
        assert b"transfer-encoding: chunked" in head
        begun.set()
        try:
            rest = await peer.reader.read()
        except ConnectionResetError:
            rest = b""
        assert b"0\r\n\r\n" not in rest
        broken.set()

    begun = asyncio.Event()
    async with site(world, play, settings=OPEN) as one:
        client = await one.client()
        client.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        await asyncio.wait_for(begun.wait(), 5)
        if way == "leaves":
            client.leave()
        elif way == "is too slow":
            one.too_slow()
        else:
            client.send(b"and now something else\r\n")
        if way != "leaves":
            reply = await client.reply()
            assert reply.status in (400, 408)
            assert reply.get("ray-id") is not None
            assert await client.rest() == b""
        await asyncio.wait_for(broken.wait(), 5)
        assert one.upstream.seen == []


async def test_an_upstream_that_answers_early(world: World) -> None:
    async def play(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        await peer.say(answer(413, b"too long"))
        await peer.gone()

    async with site(world, play, settings=OPEN) as one:
        client = await one.client()
        client.send(HEAD + b"Content-Length: %d\r\n\r\n" % (9 * MIB) + b"x" * 1000)
        reply = await client.reply()
        assert (reply.status, reply.body) == (413, b"too long")
        assert reply.get("connection") == b"close"


async def test_an_upstream_that_goes_inside_a_streamed_body(world: World) -> None:
    async def play(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        peer.reset()

    async with site(world, play, settings=OPEN) as one:
        client = await one.client()
        client.send(HEAD + b"Content-Length: %d\r\n\r\n" % (9 * MIB) + b"x" * 1000)
        assert (await client.reply()).status == 502


async def test_a_streamed_body_for_an_upstream_that_cannot_be_reached(world: World) -> None:
    async with site(world, answering(answer()), settings=OPEN) as one:
        one.pool.close()
        client = await one.client()
        client.send(HEAD + b"Content-Length: 1000\r\n\r\n" + b"x" * 10)
        assert (await client.reply()).status == 502
