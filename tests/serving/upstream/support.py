"""Upstreams that behave as a test says, on real sockets; and a receiver that notes what it hears.

An upstream is played by coroutines, one for each connection in the order they are accepted, the
last one for all that follow.
"""

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from guarita.serving.upstream.call import Problem
from guarita.serving.upstream.pool import Upstream
from guarita.serving.upstream.response import Pairs
from guarita.serving.upstream.target import Target, Timeouts

GET = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
WAIT_S = 5.0
DEFAULT = Timeouts()


class Peer:
    """One accepted connection, as the upstream's program sees it."""

    def __init__(
        self, server: "Scripted", reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.server = server
        self.reader = reader
        self.writer = writer

    async def request(self) -> bytes:
        """The next request, head and body; noted in `server.seen`."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        lower = head.lower()
        body = b""
        if b"content-length:" in lower:
            length = int(lower.split(b"content-length:")[1].split(b"\r\n")[0])
            body = await self.reader.readexactly(length)
        elif b"transfer-encoding: chunked" in lower:
            while not body.endswith(b"0\r\n\r\n"):
                body += await self.reader.readuntil(b"\r\n")
        self.server.seen.append(head + body)
        return head + body

    async def say(self, *parts: bytes) -> None:
        """Send, each part in a segment of its own."""
        for part in parts:
            self.writer.write(part)
            await self.writer.drain()
            await asyncio.sleep(0)

    def close(self) -> None:
        """An orderly end: FIN."""
        self.writer.close()

    def reset(self) -> None:
        """RST."""
        own = self.writer.get_extra_info("socket")
        own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def gone(self) -> bool:
        """Wait until the other side has ended the connection; whether by then nothing more came."""
        try:
            return await self.reader.read() == b""
        except ConnectionResetError:
            return True


Play = Callable[[Peer], Awaitable[None]]


def answering(*parts: bytes, close: bool = False, times: int = 1) -> Play:
    """Reads a request and says `parts`, so often; then closes or waits for the other side to."""

    async def play(peer: Peer) -> None:
        for _ in range(times):
            await peer.request()
            await peer.say(*parts)
        if close:
            peer.close()
        else:
            await peer.gone()

    return play


class Scripted:
    """Attributes: `seen`: every request, whole; `accepted`: how many connections there were."""

    def __init__(self, plays: tuple[Play, ...]) -> None:
        self.plays = plays
        self.seen: list[bytes] = []
        self.accepted = 0
        self.peers: list[Peer] = []
        self.failures: list[BaseException] = []
        self.target = Target()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        play = self.plays[min(self.accepted, len(self.plays) - 1)]
        self.accepted += 1
        peer = Peer(self, reader, writer)
        self.peers.append(peer)
        try:
            await play(peer)
        except (OSError, asyncio.IncompleteReadError):
            pass  # the gateway may end a connection at any time
        except Exception as error:
            self.failures.append(error)
        finally:
            writer.close()


@asynccontextmanager
async def scripted(
    *plays: Play, path: str | None = None, tls: ssl.SSLContext | None = None, **made: Any
) -> AsyncIterator[Scripted]:
    """An upstream on 127.0.0.1, or on the Unix socket `path`."""
    server = Scripted(plays)
    if path is not None:
        listening = await asyncio.start_unix_server(server.serve, path)
        server.target = Target(unix=path)
    else:
        listening = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=tls)
        port = listening.sockets[0].getsockname()[1]
        server.target = Target("127.0.0.1", port, **made)
    try:
        yield server
    finally:
        listening.close()
        for peer in server.peers:
            peer.writer.transport.abort()
        for _ in range(3):
            await asyncio.sleep(0)
        assert not server.failures


@asynccontextmanager
async def upstream(
    target: Target, timeouts: Timeouts = DEFAULT, **settings: Any
) -> AsyncIterator[Upstream]:
    """The client; at the end every connection of it has to be closed."""
    client = Upstream(target, timeouts, **settings)
    try:
        yield client
    finally:
        client.close()
        for connection in tuple(client._open):
            connection.drop()
        await until(lambda: not client.connections)


async def until(true: Callable[[], object]) -> None:
    """Give the loop turns until something holds."""
    async with asyncio.timeout(WAIT_S):
        while not true():  # noqa: ASYNC110 - what is waited for is not the test's to announce
            await asyncio.sleep(0.001)


class Heard:
    """A receiver.

    Attributes:
        events: (name, arguments…) of everything heard, in order, but for the data.
        body: the response's body so far.
        first: set by the first word of the final response.
    """

    def __init__(self) -> None:
        self.events: list[tuple[Any, ...]] = []
        self.body = b""
        self.over = asyncio.Event()
        self.first = asyncio.Event()
        self.on_event: Callable[[str], None] | None = None

    def _note(self, *event: Any) -> None:
        assert not self.over.is_set(), f"{event} after the end"
        self.events.append(event)
        if event[0] in ("whole", "ended", "failed"):
            self.over.set()
        if event[0] != "informational":
            self.first.set()
        if self.on_event is not None:
            self.on_event(event[0])

    def informational(self, status: int, pairs: Pairs) -> None:
        self._note("informational", status, pairs)

    def whole(self, status: int, pairs: Pairs, body: bytes) -> None:
        self.body = body
        self._note("whole", status, pairs)

    def started(self, status: int, pairs: Pairs, length: int | None) -> None:
        self._note("started", status, pairs, length)

    def data(self, chunk: bytes) -> None:
        assert self.events[-1][0] == "started"
        assert chunk
        self.body += chunk
        self.first.set()
        if self.on_event is not None:
            self.on_event("data")

    def ended(self) -> None:
        self._note("ended")

    def failed(self, problem: Problem) -> None:
        self._note("failed", problem)

    async def end(self) -> "Heard":
        async with asyncio.timeout(WAIT_S):
            await self.over.wait()
        return self

    @property
    def names(self) -> list[str]:
        return [event[0] for event in self.events]

    @property
    def status(self) -> int | None:
        for event in self.events:
            if event[0] in ("whole", "started"):
                return int(event[1])
        return None

    @property
    def problem(self) -> Problem | None:
        last = self.events[-1]
        return last[1] if last[0] == "failed" else None


async def ask(
    client: Upstream, head: bytes = GET, body: bytes | None = b"", method: str = ""
) -> Heard:
    """One call, to its end."""
    heard = Heard()
    client.send(method or head.split(b" ")[0].decode(), head, body, heard)
    return await heard.end()
