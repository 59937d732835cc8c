"""What is sent is sent once: connections that end, that answer unasked, that cannot be made."""

import asyncio
import os
import socket
from pathlib import Path

import pytest

from guarita.serving.upstream.call import Problem
from guarita.serving.upstream.target import Target, Timeouts
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

FORGED = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"


@pytest.mark.parametrize("end", ["close", "reset"])
async def test_a_connection_the_upstream_ended_is_not_used(end: str) -> None:
    async def play(peer: Peer) -> None:
        await peer.request()
        await peer.say(OK)
        await go.wait()
        peer.close() if end == "close" else peer.reset()

    go = asyncio.Event()
    async with scripted(play) as server, upstream(server.target) as client:
        await ask(client, POST, b"abc")
        go.set()
        await until(lambda: not client.connections)
        assert (await ask(client, POST, b"abc")).body == b"ok"
        assert (server.accepted, len(server.seen)) == (2, 2)


@pytest.mark.parametrize("end", ["close", "reset", "half a head", "interim"])
async def test_a_request_that_went_out_is_never_sent_again(end: str) -> None:
    async def play(peer: Peer) -> None:
        await peer.request()
        if end == "half a head":
            await peer.say(b"HTTP/1.1 200 OK\r\nConte")
        if end == "interim":
            await peer.say(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        peer.reset() if end == "reset" else peer.close()

    async with scripted(play) as server, upstream(server.target) as client:
        heard = await ask(client, POST, b"abc")
        assert heard.problem is Problem.NO_ANSWER
        assert (server.accepted, server.seen) == (1, [POST + b"abc"])


async def test_a_kept_connection_that_ends_with_the_next_request_on_it() -> None:
    """The upstream had closed it, or reads and then closes: which of the two nobody can tell."""

    async def play(peer: Peer) -> None:
        await peer.request()
        await peer.say(OK)
        await peer.request()
        peer.reset()

    async with scripted(play) as server, upstream(server.target) as client:
        await ask(client, POST, b"abc")
        assert (await ask(client, POST, b"abc")).problem is Problem.NO_ANSWER
        assert (server.accepted, len(server.seen)) == (1, 2)


async def test_an_answer_nobody_asked_for_reaches_nobody() -> None:
    async def play(peer: Peer) -> None:
        await peer.request()
        await peer.say(OK)
        await go.wait()
        await peer.say(FORGED)
        await peer.gone()

    go = asyncio.Event()
    async with scripted(play, answering(OK)) as server, upstream(server.target) as client:
        assert (await ask(client)).body == b"ok"
        go.set()
        await until(lambda: not client.connections)
        assert (await ask(client)).body == b"ok"
        assert server.accepted == 2


@pytest.mark.parametrize("what", [FORGED, b""], ids=["an answer", "the end"])
async def test_what_was_there_before_the_request(what: bytes) -> None:
    """It waits in the system when the next request would be handed to the connection, on the same
    turn of the loop.
    """
    go = asyncio.Event()

    async def play(peer: Peer) -> None:
        await peer.request()
        await go.wait()
        await peer.say(OK)
        await peer.gone()

    closing = OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    async with scripted(play, play, answering(OK)) as server, upstream(server.target) as client:
        heard = [Heard(), Heard()]
        calls = [client.send("GET", GET, b"", one) for one in heard]
        await until(lambda: len(server.seen) == 2)
        one, other = [call.connection for call in calls]
        assert one is not None
        assert other is not None
        of_one = [
            peer
            for peer in server.peers
            if peer.writer.get_extra_info("peername") == one.transport.get_extra_info("sockname")
        ]
        of_other = [peer for peer in server.peers if peer not in of_one]
        third = Heard()

        def next_call(name: str) -> None:
            client.send("GET", GET, b"", third)

        # `other` has its answer and waits for the next request.
        os.write(of_other[0].writer.get_extra_info("socket").fileno(), OK)
        await heard[1].end()
        assert list(client._idle) == [other]
        for _ in range(5):
            await asyncio.sleep(0.001)  # the system forgets that `other` had something to read
        # Now both have something to read, `one` first: its answer leads to the next request.
        heard[0].on_event = next_call
        os.write(of_one[0].writer.get_extra_info("socket").fileno(), closing)
        there = of_other[0].writer.get_extra_info("socket").fileno()
        if what:
            os.write(there, what)
        else:
            with socket.socket(fileno=os.dup(there)) as own:
                own.shutdown(socket.SHUT_WR)
        await third.end()
        assert (heard[0].body, heard[1].body, third.body) == (b"ok", b"ok", b"ok")
        assert (server.accepted, len(server.seen)) == (3, 3)


async def test_refused_connections() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    async with upstream(Target("127.0.0.1", port)) as client:
        heard = await asyncio.gather(*(ask(client, POST, b"abc") for _ in range(5)))
        assert [one.problem for one in heard] == [Problem.NOT_SENT] * 5


async def test_refused_connections_beyond_the_limit() -> None:
    """No call waits for the deadline because another's attempt has failed."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    async with upstream(Target("127.0.0.1", port), most_connections=2) as client:
        heard = await asyncio.gather(*(ask(client) for _ in range(20)))
        assert [one.problem for one in heard] == [Problem.NOT_SENT] * 20


async def test_accepted_and_ended_at_once() -> None:
    """Before anything was sent: so nothing was executed."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        target = Target("127.0.0.1", listening.getsockname()[1])
        async with upstream(target) as client:
            heard = Heard()
            client.send("POST", POST, b"abc", heard)
            await asyncio.sleep(0)
            listening.accept()[0].close()
            await heard.end()
            assert heard.problem in (Problem.NOT_SENT, Problem.NO_ANSWER)


async def test_no_unix_socket(tmp_path: Path) -> None:
    async with upstream(Target(unix=str(tmp_path / "none"))) as client:
        assert (await ask(client)).problem is Problem.NOT_SENT


async def test_a_connect_that_hangs() -> None:
    """A full backlog: the handshake is not answered."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fillers = []
        for _ in range(3):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
            fillers.append(filler)
        target = Target("127.0.0.1", full.getsockname()[1])
        async with upstream(target, Timeouts(connect_s=0.05)) as client:
            assert (await ask(client)).problem is Problem.NOT_SENT
        for filler in fillers:
            filler.close()
