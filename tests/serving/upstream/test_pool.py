"""The pool: reuse, the limit, deadlines, the end, and that nothing stays open."""

import asyncio
import os
import socket
import ssl
from pathlib import Path

import pytest

from guarita.serving.upstream import pool
from guarita.serving.upstream.call import Problem
from guarita.serving.upstream.pool import Upstream
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


class Clock:
    """Stands in for `time.monotonic`."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(pool, "monotonic", made)
    return made


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0


async def test_a_connection_is_used_again() -> None:
    async with scripted(answering(OK, times=20)) as server, upstream(server.target) as client:
        for _ in range(20):
            assert (await ask(client, POST, b"abc")).body == b"ok"
        assert (server.accepted, client.connections, client.calls) == (1, 1, 0)
        assert server.seen == [POST + b"abc"] * 20


async def test_over_a_unix_socket(tmp_path: Path) -> None:
    async with (
        scripted(answering(OK, times=2), path=str(tmp_path / "s")) as server,
        upstream(server.target) as client,
    ):
        for _ in range(2):
            assert (await ask(client)).body == b"ok"
        assert server.accepted == 1


async def test_concurrent_calls_have_a_connection_each() -> None:
    async with scripted(answering(OK)) as server, upstream(server.target) as client:
        await asyncio.gather(*(ask(client) for _ in range(10)))
        assert len(server.seen) == 10
        assert server.accepted == client.connections == 10


async def test_calls_beyond_the_limit_wait() -> None:
    most, running = 0, 0

    async def play(peer: Peer) -> None:
        nonlocal most, running
        while True:
            await peer.request()
            running += 1
            most = max(most, running)
            await asyncio.sleep(0)
            running -= 1
            await peer.say(OK)

    async with (
        scripted(play) as server,
        upstream(server.target, most_connections=3) as client,
    ):
        heard = await asyncio.gather(*(ask(client) for _ in range(30)))
        assert all(one.body == b"ok" for one in heard)
        assert (server.accepted, len(server.seen)) == (3, 30)
        assert most <= 3


async def test_a_waiting_call_gives_up_after_connect_s(clock: Clock) -> None:
    held = answering()  # reads a request, answers nothing
    async with (
        scripted(held) as server,
        upstream(server.target, Timeouts(connect_s=5), most_connections=1) as client,
    ):
        first, second = Heard(), Heard()
        call = client.send("GET", GET, b"", first)
        await until(lambda: server.seen)
        client.send("GET", GET, b"", second)
        clock.now += 5
        client.tick()
        assert second.events == []
        clock.now += 0.5
        client.tick()
        assert second.events == [("failed", Problem.NOT_SENT)]
        assert (first.events, len(server.seen)) == ([], 1)
        call.cancel()


async def test_idle_connections_end_after_idle_s(clock: Clock) -> None:
    async with (
        scripted(answering(OK, times=2)) as server,
        upstream(server.target, Timeouts(idle_s=4)) as client,
    ):
        await ask(client)
        clock.now += 3.9
        client.tick()
        assert client.connections == 1
        await ask(client)
        assert server.accepted == 1
        clock.now += 4
        client.tick()
        await until(lambda: not client.connections)
        await ask(client)
        assert server.accepted == 2


async def test_nothing_heard_for_read_s(clock: Clock) -> None:
    async with (
        scripted(answering(), answering(OK)) as server,
        upstream(server.target, Timeouts(read_s=30)) as client,
    ):
        heard = Heard()
        client.send("GET", GET, b"", heard)
        await until(lambda: server.seen)
        clock.now += 30
        client.tick()
        assert heard.events == []
        clock.now += 0.5
        client.tick()
        assert heard.events == [("failed", Problem.TIMEOUT)]
        assert server.seen == [GET]
        assert (await ask(client)).body == b"ok"
        assert server.accepted == 2


async def test_every_byte_gives_time(clock: Clock) -> None:
    go = asyncio.Event()

    async def play(peer: Peer) -> None:
        await peer.request()
        for part in (b"HTTP/1.1 200 OK\r\n", b"Content-Length: 2\r\n\r\n", b"o"):
            await peer.say(part)
            await go.wait()
            go.clear()
        await peer.gone()

    async with (
        scripted(play) as server,
        upstream(server.target, Timeouts(read_s=30)) as client,
    ):
        heard = Heard()
        call = client.send("GET", GET, b"", heard)
        await until(lambda: server.seen)
        connection = next(iter(client._open))
        for _ in range(3):
            clock.now += 25
            await until(lambda: connection._rest or connection._head or heard.body)
            client.tick()
            before = call.since
            go.set()
            await asyncio.sleep(0.01)
            assert heard.problem is None if heard.events else before >= 0
        clock.now += 31
        client.tick()
        assert heard.problem is Problem.TIMEOUT


async def test_no_time_passes_while_the_caller_takes_nothing(clock: Clock) -> None:
    async with (
        scripted(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nok")) as server,
        upstream(server.target) as client,
    ):
        heard = Heard()
        call = client.send("GET", GET, b"", heard)
        await heard.first.wait()
        call.pause()
        clock.now += 1000
        client.tick()
        assert heard.names == ["started"]
        call.resume()
        clock.now += 31
        client.tick()
        assert heard.problem is Problem.TIMEOUT


async def test_a_call_given_up_while_it_waits_is_not_sent() -> None:
    async with scripted(answering(OK)) as server, upstream(server.target) as client:
        heard = Heard()
        client.send("GET", GET, b"", heard).cancel()
        assert (await ask(client)).body == b"ok"
        assert (heard.events, len(server.seen)) == ([], 1)


async def test_a_call_given_up_under_way_ends_its_connection() -> None:
    async with (
        scripted(answering(), answering(OK)) as server,
        upstream(server.target) as client,
    ):
        heard = Heard()
        call = client.send("GET", GET, b"", heard)
        await until(lambda: server.seen)
        call.cancel()
        await until(lambda: not client.connections)
        assert (await ask(client)).body == b"ok"
        assert heard.events == []


async def test_after_close() -> None:
    go = asyncio.Event()

    async def play(peer: Peer) -> None:
        await peer.request()
        await go.wait()
        await peer.say(OK)
        await peer.gone()

    async with scripted(answering(OK), play) as server, upstream(server.target) as client:
        first, second = Heard(), Heard()
        client.send("GET", GET, b"", first)
        await first.end()
        client.send("GET", GET, b"", Heard()).cancel()
        await until(lambda: not client.connections)
        client.send("GET", GET, b"", second)
        await until(lambda: len(server.seen) > 1 and server.accepted > 1)
        client.close()
        third = Heard()
        client.send("GET", GET, b"", third)
        assert third.events == []  # a receiver hears nothing before `send` has returned
        await third.end()
        assert third.problem is Problem.NOT_SENT
        go.set()
        await second.end()
        assert second.body == b"ok"
        await until(lambda: not client.connections)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ConnectionRefusedError(111, "Connect call failed ('127.0.0.1', 1)"), "Connection refused"),
        (FileNotFoundError(2, "No such file or directory"), "No such file or directory"),
        (TimeoutError(), "no connection within connect_s"),
        (socket.gaierror(-2, "Name or service not known"), "Name or service not known"),
        (OSError("Multiple exceptions: a, b"), "Multiple exceptions: a, b"),
        (ssl.SSLError(1, "wrong version number"), "wrong version number"),
        (ssl.SSLCertVerificationError(1, "not its name"), "not its name"),
        (ValueError(), "ValueError"),
    ],
)
async def test_why_it_cannot_be_reached_is_told_in_words(
    caplog: pytest.LogCaptureFixture, error: Exception, said: str
) -> None:
    """It was a Python repr."""
    Upstream(Target.parse("http://127.0.0.1:9"))._unreachable(error)
    (record,) = caplog.records
    assert record.getMessage() == f"upstream 127.0.0.1:9 cannot be reached: {said}"


async def test_no_descriptor_is_left() -> None:
    async with scripted(answering(OK, times=10_000)) as server:
        before = descriptors()
        async with upstream(server.target) as client:
            for round_ in range(20):
                await asyncio.gather(*(ask(client) for _ in range(10)))
                if round_ % 5 == 4:
                    call = client.send("GET", GET, b"", Heard())
                    call.cancel()
            assert client.connections <= 10
        for peer in server.peers:
            peer.writer.transport.abort()
        await until(lambda: descriptors() <= before)
        assert len(server.seen) >= 200


def test_a_limit_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="1 or more"):
        Upstream(Target("127.0.0.1", 80), most_connections=0)
