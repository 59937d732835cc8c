"""A front with a handler that records what it saw whole: in the test's own thread over a transport
of memory, or on uvloop behind a real socket.
"""

import asyncio
import json
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvloop

from guarita.asks import BodyProblem
from guarita.serving.http1.connections import Connections
from guarita.serving.http1.front import Front
from guarita.serving.http1.head import BadHead
from guarita.serving.http1.limits import Limits
from guarita.serving.http1.request import Request

TIMEOUT_S = 15.0
Seen = tuple[str, bytes, bytes]
VECTORS = Path(__file__).parents[2] / "vectors" / "http1_requests.json"


def unfold(text: Any) -> bytes:
    """Bytes of the vector file: a text, or a list of texts and [text, times]."""
    if isinstance(text, str):
        return text.encode("latin-1")
    return b"".join(
        unfold(one) if isinstance(one, str) else unfold(one[0]) * one[1] for one in text
    )


def cases() -> list[dict[str, Any]]:
    """The cases of the vector file, with bytes as bytes."""
    read = json.loads(VECTORS.read_text())["cases"]
    for case in read:
        case["bytes"] = unfold(case["bytes"])
        case["requests"] = [
            (method, unfold(target), unfold(body)) for method, target, body in case["requests"]
        ]
    return list(read)


class Recorder:
    """Collects every body, notes the requests whose body was whole, and answers 200 at once, unless
    a test puts another way of answering into `act`.
    """

    def __init__(self, act: Callable[[Request], None] | None = None) -> None:
        self.seen: list[Seen] = []
        self.begun: list[Request] = []
        self.malformed_as: list[BadHead] = []
        self.gone = 0
        self.act = act or self.collect

    def begin(self, request: Request) -> None:
        self.begun.append(request)
        request.on_gone = self.note_gone
        self.act(request)

    def note_gone(self) -> None:
        self.gone += 1

    def collect(self, request: Request) -> None:
        def done(body: bytes | BodyProblem) -> None:
            if isinstance(body, BodyProblem):
                request.respond(413, (), b"")
            else:
                self.seen.append((request.head.method, request.head.target, body))
                request.respond(200, ((b"x-seen", b"%d" % len(self.seen)),), b"seen")

        request.read_body(1_048_576, done)

    def malformed(
        self, peer: str | None, secure: bool, bad: BadHead
    ) -> tuple[int, Sequence[tuple[bytes, bytes]], bytes]:
        self.malformed_as.append(bad)
        return bad.status, ((b"ray-id", b"r"),), b"bad"


class Wire(asyncio.Transport):
    """A transport of memory; `sent` is what the client would have got. Closing is told to the
    protocol by `Client`, never inside of `close`, as by an event loop.
    """

    def __init__(self) -> None:
        super().__init__()
        self.sent = b""
        self.closed = self.aborted = self.ended = self.paused = False
        self.unsent = 0
        self.writes = 0

    def write(self, data: Any) -> None:
        assert not self.closed, "written after closing"
        assert not self.ended, "written after the end"
        self.sent += bytes(data)
        self.writes += 1

    def writelines(self, list_of_data: Any) -> None:
        self.write(b"".join(list_of_data))

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = self.aborted = True

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.ended = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        assert not self.paused
        self.paused = True

    def resume_reading(self) -> None:
        assert self.paused
        self.paused = False

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("192.0.2.1", 1) if name == "peername" else default


class Client:
    """One connection to a front, without a loop's sockets. Needs a running loop."""

    def __init__(
        self, shared: Connections, wire: Wire | None = None, front: Front | None = None
    ) -> None:
        self.shared = shared
        self.wire = wire or Wire()
        self.front = front or shared.front()
        self.front.connection_made(self.wire)
        self.lost = False

    async def send(self, *pieces: bytes) -> None:
        """Deliver each piece as one read, if the front still reads."""
        for piece in pieces:
            for _ in range(100_000):
                if not self.wire.paused or self.wire.closed:
                    break
                await asyncio.sleep(0)
            if self.wire.closed:
                break
            self.front.data_received(piece)
        await self.settle()

    async def settle(self) -> None:
        """Let the loop run what was scheduled, and tell the front if it has closed."""
        for _ in range(3):
            await asyncio.sleep(0)
        if self.wire.closed:
            self.lose()

    async def end(self) -> None:
        """The client sends no more."""
        if not self.wire.closed and not self.front.eof_received():
            self.wire.closed = True
        await self.settle()

    def lose(self) -> None:
        """The connection is lost."""
        if not self.lost:
            self.lost = self.wire.closed = True
            self.front.connection_lost(None)

    @property
    def statuses(self) -> list[int]:
        return statuses(self.wire.sent)


def statuses(sent: bytes) -> list[int]:
    """The final statuses of whole responses on end, each with a Content-Length."""
    found = []
    while sent:
        head, end, rest = sent.partition(b"\r\n\r\n")
        assert end, sent
        lines = head.split(b"\r\n")
        status = int(lines[0].split(b" ")[1])
        if status < 200:
            sent = rest
            continue
        found.append(status)
        [length] = [int(line[16:]) for line in lines if line.startswith(b"content-length: ")]
        assert len(rest) >= length
        sent = rest[length:]
    return found


class Clock:
    """Time that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@contextmanager
def listening(
    handler: Recorder, limits: Limits | None = None, **more: Any
) -> Iterator[tuple[int, Connections]]:
    """A front on uvloop in a thread of its own: its port, and its connections. `more` goes to
    `create_server`.
    """
    started = threading.Event()
    where: list[Any] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        shared = Connections(handler, limits or Limits())
        server = await loop.create_server(shared.front, "127.0.0.1", 0, **more)
        where.extend((server.sockets[0].getsockname()[1], shared, loop, stop))
        started.set()
        await stop.wait()
        server.close()
        await shared.close(0.0)

    thread = threading.Thread(target=uvloop.run, args=(main(),))
    thread.start()
    assert started.wait(TIMEOUT_S)
    port, shared, loop, stop = where
    try:
        yield port, shared
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(TIMEOUT_S)
        assert not thread.is_alive()


def call(port: int, data: bytes) -> bytes:
    """Send `data` over a socket, end sending, and return all that comes back."""
    with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S) as raw:
        raw.sendall(data)
        raw.shutdown(socket.SHUT_WR)
        parts = []
        while part := raw.recv(65_536):
            parts.append(part)
        return b"".join(parts)
