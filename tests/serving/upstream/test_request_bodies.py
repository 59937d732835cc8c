"""Bodies on their way to the upstream: whole, streamed, with backpressure, answered early, broken
off.
"""

import asyncio

import pytest

from guarita.serving.upstream.call import Call, Problem
from tests.serving.upstream.support import (
    GET,
    OK,
    POST,
    Heard,
    Peer,
    answering,
    ask,
    scripted,
    until,
    upstream,
)

CHUNKED = b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
MIB = 1_048_576


def long(length: int) -> bytes:
    return b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % length


@pytest.mark.parametrize("size", [1, 65_536, 65_537, 3 * MIB])
async def test_whole(size: int) -> None:
    async with scripted(answering(OK, times=2)) as server, upstream(server.target) as client:
        body = b"x" * size
        for _ in range(2):
            assert (await ask(client, long(size), body)).body == b"ok"
        assert server.seen == [long(size) + body] * 2
        assert server.accepted == 1


@pytest.mark.parametrize("before", [True, False])
async def test_streamed_in_chunks(before: bool) -> None:
    """`before`: parts that come while there is no connection yet."""
    async with scripted(answering(OK, times=2)) as server, upstream(server.target) as client:
        if not before:
            await ask(client)
        heard = Heard()
        call = client.send("POST", CHUNKED, None, heard, chunked=True)
        for part in (b"one", b"", b"and two"):
            call.data(part)
        assert not call.sent
        call.end()
        await heard.end()
        assert server.seen[-1] == CHUNKED + b"3\r\none\r\n7\r\nand two\r\n0\r\n\r\n"
        assert (heard.body, len(client._idle)) == (b"ok", 1)


async def test_streamed_with_a_length() -> None:
    async with scripted(answering(OK)) as server, upstream(server.target) as client:
        heard = Heard()
        call = client.send("POST", long(10), None, heard)
        call.data(b"01234")
        await until(lambda: call.connection)
        call.data(b"56789")
        call.end()
        await heard.end()
        assert server.seen == [long(10) + b"0123456789"]


class Pump:
    """A client's body of any length, given as fast as the call takes it."""

    def __init__(self, call: Call, size: int) -> None:
        self.call, self.left, self.held = call, size, True
        self.given = 0
        call.on_full, call.on_drained = self.pause, self.resume

    def pause(self) -> None:
        self.held = True

    def resume(self) -> None:
        self.held = False
        while self.left and not self.held:
            part = min(self.left, 16_384)
            self.left -= part
            self.given += part
            self.call.data(b"x" * part)
        if not self.left:
            self.held = True
            self.call.end()


async def test_backpressure() -> None:
    """An upstream that does not read gets no more than fits into the sockets; nothing piles up."""
    go = asyncio.Event()

    async def play(peer: Peer) -> None:
        await go.wait()
        await peer.request()
        await peer.say(OK)

    size = 32 * MIB
    async with scripted(play) as server, upstream(server.target) as client:
        heard = Heard()
        call = client.send("POST", long(size), None, heard)
        pump = Pump(call, size)
        await until(lambda: call.full)
        assert call.connection is not None
        assert call.connection.transport.get_write_buffer_size() < 2 * 65_536 + 16_384
        assert pump.left > 16 * MIB
        go.set()
        await heard.end()
        assert (heard.body, len(server.seen[0])) == (b"ok", len(long(size)) + size)


async def test_an_upstream_that_takes_nothing_is_too_late() -> None:
    go = asyncio.Event()

    async def play(peer: Peer) -> None:
        await go.wait()

    async with scripted(play) as server, upstream(server.target) as client:
        heard = Heard()
        call = client.send("POST", long(32 * MIB), None, heard)
        Pump(call, 32 * MIB)
        await until(lambda: call.full)
        assert call.connection is not None
        call.connection.expire(client.now + 1)
        assert heard.problem is Problem.TIMEOUT
        go.set()


async def test_a_client_that_sends_slowly_costs_the_upstream_no_time() -> None:
    async with scripted(answering(OK)) as server, upstream(server.target) as client:
        heard = Heard()
        call = client.send("POST", long(2), None, heard)
        await until(lambda: call.connection)
        assert call.connection is not None
        call.data(b"a")
        call.connection.expire(client.now + 1000)
        assert heard.events == []
        call.data(b"b")
        call.end()
        await heard.end()
        assert heard.body == b"ok"


@pytest.mark.parametrize("chunked", [True, False])
async def test_an_early_answer(chunked: bool) -> None:
    """The receiver has it at once; the rest of the body goes nowhere, and the connection ends."""

    async def play(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        await peer.say(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
        read.append(await peer.reader.read())

    read: list[bytes] = []
    async with scripted(play, answering(OK)) as server, upstream(server.target) as client:
        heard = Heard()
        call = client.send("POST", CHUNKED if chunked else long(100), None, heard, chunked=chunked)
        await heard.end()
        assert (heard.status, heard.body) == (413, b"no")
        call.data(b"more")
        call.end()
        await until(lambda: read or not client.connections)
        assert (await ask(client)).body == b"ok"
        assert server.accepted == 2
        assert b"".join(read) == b""


async def test_an_early_answer_to_a_body_that_is_not_out() -> None:
    """The rest of the request stands before the next one: the connection is not used again."""

    async def play(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        await peer.say(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
        await asyncio.Event().wait()

    async with scripted(play, answering(OK)) as server, upstream(server.target) as client:
        heard = await ask(client, long(32 * MIB), b"x" * 32 * MIB)
        assert (heard.status, heard.body) == (413, b"no")
        assert (await ask(client)).body == b"ok"
        assert server.accepted == 2
        await until(lambda: client.connections == 1)


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("ends", [b"", b"Connection: close\r\n"])
async def test_an_early_answer_to_a_body_of_which_little_is_not_out(
    ends: bytes, last: bool
) -> None:
    """To close would wait for an upstream that reads no more, for ever."""
    go = asyncio.Event()

    async def play(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await go.wait()
        await peer.say(b"HTTP/1.1 413 Too Large\r\n%bContent-Length: 2\r\n\r\nno" % ends)
        await asyncio.Event().wait()

    async with scripted(play, answering(OK)) as server, upstream(server.target) as client:
        heard = Heard()
        call = client.send("POST", long(64 * MIB), None, heard, last=last)
        await until(lambda: call.connection)
        assert call.connection is not None
        transport = call.connection.transport
        while not transport.get_write_buffer_size():
            call.data(b"x" * 20_000)
            await asyncio.sleep(0)
        assert not call.full
        call.end()
        go.set()
        await heard.end()
        await until(lambda: not client.connections)
        assert (await ask(client)).body == b"ok"


@pytest.mark.parametrize("moment", ["connecting", "under way"])
async def test_a_body_that_breaks_off(moment: str) -> None:
    """The upstream may not take what it has for a whole request."""

    async def play(peer: Peer) -> None:
        with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
            await peer.request()
        broken.set()

    broken = asyncio.Event()
    async with scripted(play) as server, upstream(server.target) as client:
        heard = Heard()
        call = client.send("POST", CHUNKED, None, heard, chunked=True)
        call.data(b"a")
        if moment == "under way":
            await until(lambda: call.connection)
        call.broken()
        call.data(b"b")
        call.end()
        if moment == "under way":
            await broken.wait()
        await until(lambda: not client.calls)
        assert (heard.events, server.seen) == ([], [])


async def test_a_long_answer_waits_for_its_reader() -> None:
    size = 16 * MIB

    async def play(peer: Peer) -> None:
        await peer.request()
        await peer.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        for _ in range(size // 65_536):
            peer.writer.write(b"x" * 65_536)
            await peer.writer.drain()
            written.append(65_536)
        await peer.request()
        await peer.say(OK)

    written: list[int] = []
    async with scripted(play) as server, upstream(server.target) as client:
        heard = Heard()
        call = client.send("GET", GET, b"", heard)
        heard.on_event = lambda name: call.pause() if name == "data" else None
        await until(lambda: heard.body)
        for _ in range(200):
            await asyncio.sleep(0)
        assert len(heard.body) < 2 * MIB
        assert sum(written) < size
        heard.on_event = None
        call.resume()
        await heard.end()
        assert len(heard.body) == size
        assert (await ask(client, POST, b"abc")).body == b"ok"
        assert server.accepted == 1


async def test_paused_to_the_end_the_connection_reads_again() -> None:
    async with (
        scripted(answering(OK[:-1], OK[-1:], times=2)) as server,
        upstream(server.target) as client,
    ):
        heard = Heard()
        call = client.send("GET", GET, b"", heard)
        heard.on_event = lambda name: call.pause() if heard.body == b"ok" else None
        await heard.end()
        assert (await ask(client)).body == b"ok"
        assert server.accepted == 1
