"""A site's listener over TLS with real sockets, and clients that get as far as a test says."""

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from guarita.profiles.minhakonta import MINHA_KONTA
from guarita.serving.edge import TrustedProxies
from guarita.serving.gateway.gate import Settings
from guarita.serving.gateway.listening import TLS, Listen
from guarita.serving.gateway.site import Listener, Site, SitePlan, UpstreamPlan
from guarita.serving.http1.limits import Limits
from tests.serving.http1.support import Recorder
from tests.serving.tls.support import World
from tests.serving.upstream.support import WAIT_S, until
from tests.serving.worlds import World as Stores

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


class Caller:
    """A TCP connection to the listener."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def shake_hands(self, context: ssl.SSLContext) -> None:
        async with asyncio.timeout(WAIT_S):
            await self.writer.start_tls(context)

    async def get(self) -> int:
        """The status of a request's answer."""
        self.writer.write(GET)
        async with asyncio.timeout(WAIT_S):
            head = await self.reader.readuntil(b"\r\n\r\n")
            await self.reader.readexactly(len(b"seen"))
        return int(head.split(b" ")[1])

    async def rest(self) -> bytes:
        """What comes until the connection ends, which it must."""
        got = b""
        async with asyncio.timeout(WAIT_S):
            with suppress(ConnectionError):
                while piece := await self.reader.read(65_536):
                    got += piece
        return got

    def leave(self) -> None:
        self.writer.transport.abort()

    def reset(self) -> None:
        own = self.writer.get_extra_info("socket")
        own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.leave()


class Served:
    """A site over TLS whose requests go to a recorder.

    Attributes:
        listeners: its listeners; `port` is the first one's.
    """

    def __init__(self, world: World, plan: SitePlan) -> None:
        self.world = world
        self.recorder = Recorder()
        self.site = Site(plan, lambda name: Stores().backend, None)
        self.connections = self.site.connections
        self.connections.handler = self.recorder
        self.listeners = [Listener(one, share=False) for one in plan.listen]
        self.callers: list[Caller] = []

    @property
    def port(self) -> int:
        return self.listeners[0].at.port

    @property
    def count(self) -> int:
        return len(self.connections)

    async def connect(self, address: str = "127.0.0.1", listener: int = 0) -> Caller:
        """A connection from an address, which sends nothing yet; no word on whether it counts."""
        port = self.listeners[listener].at.port
        made = await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0))
        self.callers.append(Caller(*made))
        return self.callers[-1]

    async def wait(self, *addresses: str) -> list[Caller]:
        """Connections that were accepted, whose handshakes do not begin."""
        before = self.count
        made = [await self.connect(one) for one in addresses]
        await until(lambda: self.count == before + len(made))
        return made

    async def call(self, address: str = "127.0.0.1", client: Any = None) -> Caller:
        """A connection that has got an answer."""
        made = await self.connect(address)
        await made.shake_hands(self.world.client_context(client))
        assert await made.get() == 200
        return made

    async def is_turned_away(self, address: str = "127.0.0.1") -> bool:
        """Whether a client that begins its handshake is closed without a byte of an answer."""
        before = self.connections.turned_away
        made = await self.connect(address)
        made.writer.write(hello())
        said = await made.rest()
        return (said, self.connections.turned_away) == (b"", before + 1)


def tls(world: World, *, asks: bool = True, handshake_s: float = 30.0) -> TLS:
    server = world.server
    return TLS(server.chain_file, server.key_file, None, "TLSv1.2", asks, handshake_s)


@asynccontextmanager
async def served(
    world: World,
    limits: Limits | None = None,
    *,
    trusted: tuple[str, ...] = (),
    listeners: int = 1,
    **how: Any,
) -> AsyncIterator[Served]:
    """`how` is the TLS side's."""
    plan = SitePlan(
        "pay",
        (Listen("127.0.0.1", 0),) * listeners,
        MINHA_KONTA,
        UpstreamPlan("http://127.0.0.1:9"),
        Settings(trusted_proxies=TrustedProxies(trusted)),
        limits or Limits(),
        tls(world, **how),
    )
    made = Served(world, plan)
    for listener in made.listeners:
        await listener.serve(made.site, 30.0)
    try:
        yield made
    finally:
        for listener in made.listeners:
            listener.close()
        for caller in made.callers:
            caller.leave()
        await until(lambda: not made.count)
        await made.connections.close(0.0)
        assert not made.connections._of_address


def hello() -> bytes:
    """The first bytes of a client's handshake."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    out = ssl.MemoryBIO()
    client = context.wrap_bio(ssl.MemoryBIO(), out)
    with suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return out.read()
