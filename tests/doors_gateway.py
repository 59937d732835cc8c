"""The gateway as a door: a front, a gate and an upstream client on uvloop in a thread of their own,
with real sockets on both sides. What is around them (clock, stores, application, and who the peer
is) comes from the case's world.
"""

import asyncio
import socket
from collections.abc import Callable
from functools import cache
from threading import Thread
from typing import Any, cast

import uvloop

from guarita.decision import Pairs
from guarita.facts import PresentedCertificate
from guarita.serving.gateway.gate import Gate
from guarita.serving.http1.connections import Connections
from guarita.serving.http1.front import Front
from guarita.serving.upstream.pool import Upstream
from guarita.serving.upstream.target import Target
from tests.vectors_common import Wire

Headers = list[tuple[bytes, bytes]]
Application = Callable[[bytes, Headers, bytes], tuple[int, Pairs, bytes]]
"""Is called with the query, the headers and the body that reached the upstream; gives status,
headers and body of its answer.
"""
DEADLINE_S = 15.0


class _Application(asyncio.Protocol):
    """One connection of a small upstream."""

    def __init__(self, carrier: "_Carrier") -> None:
        self.carrier = carrier
        self.rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self.rest += data
        head, blank, body = self.rest.partition(b"\r\n\r\n")
        if not blank:
            return
        line, *fields = head.split(b"\r\n")
        headers = [(name.lower(), value) for name, _, value in (f.partition(b": ") for f in fields)]
        if len(body) < int(dict(headers).get(b"content-length", b"0")):
            return
        self.rest = b""
        query = line.split(b" ")[1].partition(b"?")[2]
        status, pairs, content = self.carrier.application(query, headers, body)
        lines = [b"HTTP/1.1 %d Said" % status]
        lines += [b"%b: %b" % pair for pair in pairs if pair[0].lower() != b"content-length"]
        if status != 204:
            lines.append(b"Content-Length: %d" % len(content))
        if line.startswith(b"HEAD "):
            content = b""
        self.transport.write(b"\r\n".join(lines) + b"\r\n\r\n" + content)


class _Front(Front):
    """A connection whose peer is the case's."""

    __slots__ = ()
    carrier: "_Carrier"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.peer, self.secure, self.certificate = self.carrier.peer


class _Carrier:
    """The loop, its two listeners, and what the request under way needs."""

    def __init__(self) -> None:
        self.application: Application
        self.peer: tuple[str, bool, PresentedCertificate | None]
        self.connections: Connections
        self.loop = uvloop.new_event_loop()
        _Front.carrier = self
        Thread(target=self.loop.run_forever, name="gateway door", daemon=True).start()
        self.ask(self._listen())

    def ask(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(DEADLINE_S)

    async def _listen(self) -> None:
        behind, before = (socket.create_server(("127.0.0.1", 0)) for _ in range(2))
        await self.loop.create_server(lambda: _Application(self), sock=behind)
        await self.loop.create_server(lambda: _Front(self.connections), sock=before)
        self.upstream = Upstream(Target("127.0.0.1", behind.getsockname()[1]))
        self.port: int = before.getsockname()[1]

    async def carry(self, wire: Wire) -> tuple[int, Headers, bytes]:
        """Send one request over a connection of its own, its body in two pieces."""
        target = wire.path + (b"?" + wire.query if wire.query else b"")
        lines = [b"%b %b HTTP/1.1" % (wire.method.encode(), target), b"Host: api.test"]
        lines += [b"%b: %b" % pair for pair in wire.headers]
        if wire.body:
            lines.append(b"Content-Length: %d" % len(wire.body))
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        half = len(wire.body) // 2
        writer.write(b"\r\n".join(lines) + b"\r\n\r\n" + wire.body[:half])
        if half:
            await asyncio.sleep(0)
        writer.write(wire.body[half:])
        head = (await reader.readuntil(b"\r\n\r\n"))[:-4]
        line, *fields = head.split(b"\r\n")
        pairs = [(name, value) for name, _, value in (f.partition(b": ") for f in fields)]
        status = int(line.split(b" ")[1])
        length = dict(pairs).get(b"content-length")
        assert (length is None) == (status == 204)
        body = await reader.readexactly(0 if wire.method == "HEAD" else int(length or b"0"))
        writer.close()
        return status, pairs, body


@cache
def _carrier() -> _Carrier:
    return _Carrier()


def through_gateway(
    make_gate: Callable[[Upstream], Gate],
    application: Application,
    wire: Wire,
    *,
    secure: bool = False,
    certificate: PresentedCertificate | None = None,
) -> tuple[int, Headers, bytes]:
    """Status, headers and body of the answer to `wire`."""
    carrier = _carrier()
    carrier.application = application
    carrier.peer = wire.peer, secure, certificate
    carrier.connections = Connections(make_gate(carrier.upstream))
    answer: tuple[int, Headers, bytes] = carrier.ask(carrier.carry(wire))
    return answer
