"""A gateway with real sockets on both sides, all on the test's own loop: raw clients before it,
an upstream that behaves as a test says behind it (`tests.serving.upstream.support`).
"""

import asyncio
import math
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from guarita.profiles.minhakonta import MINHA_KONTA
from guarita.serving.backend import Backend
from guarita.serving.gateway.gate import Gate, Settings
from guarita.serving.http1.connections import Connections
from guarita.serving.http1.limits import Limits
from guarita.serving.upstream.pool import Upstream
from tests.serving.upstream.support import WAIT_S, Play, Scripted, scripted, until
from tests.serving.worlds import BALANCE, PAY, PAYMENT, Headers, World

PAID = b'{"data":{"id":"1"}}'
JSON = b"Content-Type: application/json\r\n"


def answer(status: int = 200, body: bytes = PAID, fields: bytes = JSON) -> bytes:
    """An upstream's whole answer."""
    return b"HTTP/1.1 %d Said\r\n%bContent-Length: %d\r\n\r\n%b" % (
        status,
        fields,
        len(body),
        body,
    )


def request_bytes(
    world: World,
    method: str = "POST",
    path: str = PAY,
    body: bytes | None = PAYMENT,
    key: str | None = None,
    more: Headers | None = None,
) -> bytes:
    """A good request; `body` None: without one."""
    headers = world.credentials.headers(body, key) + (more or [])
    lines = [f"{method} {path} HTTP/1.1", "Host: api.test"]
    lines += [f"{name}: {value}" for name, value in headers]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (body or b"")


@dataclass
class Reply:
    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes

    def get(self, name: str) -> bytes | None:
        found = [value for one, value in self.headers if one == name.encode()]
        assert len(found) < 2, name
        return found[0] if found else None


class Client:
    """One connection to the gateway."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, *parts: bytes) -> None:
        for part in parts:
            self.writer.write(part)

    async def head(self) -> Reply:
        """Status and headers of the next response."""
        async with asyncio.timeout(WAIT_S):
            head = (await self.reader.readuntil(b"\r\n\r\n"))[:-4]
        line, *fields = head.split(b"\r\n")
        pairs = [(name, value) for name, _, value in (one.partition(b": ") for one in fields)]
        return Reply(int(line.split(b" ")[1]), pairs, b"")

    async def reply(self, *, bodiless: bool = False) -> Reply:
        """The next response, whole."""
        reply = await self.head()
        async with asyncio.timeout(WAIT_S):
            length = reply.get("content-length")
            if bodiless or reply.status in (204, 304):
                pass
            elif length is not None:
                reply.body = await self.reader.readexactly(int(length))
            elif reply.get("transfer-encoding") == b"chunked":
                while size := int(await self.reader.readline(), 16):
                    reply.body += await self.reader.readexactly(size)
                    await self.reader.readline()
                await self.reader.readline()
        return reply

    async def rest(self) -> bytes:
        """What comes until the connection ends."""
        async with asyncio.timeout(WAIT_S):
            return await self.reader.read()

    def leave(self) -> None:
        """Go away at once."""
        own = self.writer.get_extra_info("socket")
        own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


class Site:
    """A gateway at work.

    Attributes:
        world: whose stores and credentials hold.
        upstream: the scripted one.
        gate, connections: what is between.
        pool: the gateway's client.
    """

    def __init__(
        self,
        world: World,
        upstream: Scripted,
        gate: Gate,
        connections: Connections,
        port: int,
        unix: str | None = None,
    ) -> None:
        self.world = world
        self.upstream = upstream
        self.gate = gate
        self.connections = connections
        self.pool = gate.upstream
        self.port = port
        self.unix = unix
        self.clients: list[Client] = []

    async def client(self) -> Client:
        if self.unix is None:
            streams = await asyncio.open_connection("127.0.0.1", self.port)
        else:
            streams = await asyncio.open_unix_connection(self.unix)
        client = Client(*streams)
        self.clients.append(client)
        return client

    def request(self, *args: Any, **more: Any) -> bytes:
        """A good request; see `request_bytes`."""
        return request_bytes(self.world, *args, **more)

    async def ask(self, raw: bytes) -> Reply:
        """One request over a connection of its own."""
        client = await self.client()
        client.send(raw)
        return await client.reply(bodiless=raw.startswith(b"HEAD "))

    async def post(self, key: str | None = None, **other: Any) -> Reply:
        return await self.ask(self.request(key=key, **other))

    async def get(self, path: str = BALANCE, **other: Any) -> Reply:
        return await self.ask(self.request("GET", path, None, **other))

    def too_late(self) -> None:
        """The upstream's time is over."""
        for connection in tuple(self.pool._open):
            connection.expire(math.inf)

    def too_slow(self) -> None:
        """The clients' time is over."""
        for front in tuple(self.connections._open):
            front.expire()

    @property
    def executed(self) -> int:
        return len(self.upstream.seen)


@asynccontextmanager
async def site(
    world: World,
    *plays: Play,
    limits: Limits | None = None,
    profile: Any = MINHA_KONTA,
    backend: Backend | None = None,
    settings: Settings | None = None,
    unix: str | None = None,
    reads_bodies: bool = False,
) -> AsyncIterator[Site]:
    """The gateway between a listener and the upstream that plays `plays`. It listens on a port, or
    on the socket `unix`.
    """
    async with scripted(*plays) as behind:
        pool = Upstream(behind.target, reads_bodies=reads_bodies)
        gate = Gate(profile, backend or world.backend, pool, settings or Settings())
        connections = Connections(gate, limits or Limits())
        loop = asyncio.get_running_loop()
        server: asyncio.AbstractServer
        port = 0
        if unix is not None:
            server = await loop.create_unix_server(connections.front, unix)
        else:
            listening = socket.create_server(("127.0.0.1", 0))
            server = await loop.create_server(connections.front, sock=listening)
            port = listening.getsockname()[1]
        made = Site(world, behind, gate, connections, port, unix)
        try:
            yield made
        finally:
            server.close()
            for client in made.clients:
                client.writer.transport.abort()
            await until(lambda: not len(connections))
            await connections.close(0)
            pool.close()
            for connection in tuple(pool._open):
                connection.drop()
            await until(lambda: not pool.connections)


async def is_replayed(one: Site, body: bytes = PAID) -> bool:
    before = one.executed
    reply = await one.post("k")
    return (
        one.executed == before
        and reply.get("x-idempotent-replay") == b"true"
        and reply.body == body
    )


async def is_unknown(one: Site) -> bool:
    before = one.executed
    reply = await one.post("k")
    return one.executed == before and reply.status == 409


async def executes_again(one: Site) -> bool:
    before = one.executed
    reply = await one.post("k")
    return one.executed == before + 1 and reply.get("x-idempotent-replay") is None


def is_the_gates(reply: Reply, status: int) -> bool:
    return reply.status == status and reply.get("ray-id") is not None and PAID not in reply.body
