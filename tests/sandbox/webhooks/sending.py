"""One attempt made by a test: what it sends, what names lead to, where connections go."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpcore

from guarita.sandbox.webhooks.client import Answer, Client

BODY = b'{"a":1}'
PUBLIC = "8.8.8.8"


async def post(url: str, *, insecure: bool = True, **settings: Any) -> Answer:
    sender = Client(**{"unsafe_loopback": True, "timeout_s": 5.0, **settings})
    return await sender.post(url, headers={"X-A": "b"}, body=BODY, allow_insecure=insecure)


class Names:
    """A resolver that gives its answers in turn, and counts."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.asked: list[str] = []
        self._answers = list(answers)

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        found = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if not found:
            raise socket.gaierror("not known")
        return found


class Wires(httpcore.AsyncNetworkBackend):
    """Connects to 127.0.0.1 whatever address is asked for, and tells which were; those in `dead`
    cannot be reached.
    """

    def __init__(self, *dead: str) -> None:
        self.dialled: list[str] = []
        self._dead = dead
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the interface of httpcore
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        self.dialled.append(host)
        if host in self._dead:
            raise httpcore.ConnectError("unreachable")
        return await self._inner.connect_tcp("127.0.0.1", port, timeout)


@asynccontextmanager
async def raw_server(first: bytes) -> AsyncIterator[int]:
    """The port of a server that says `first`, whoever connects, and then nothing."""
    writers: list[asyncio.StreamWriter] = []

    async def on_connect(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        writer.write(first)

    server = await asyncio.start_server(on_connect, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    for writer in writers:
        writer.close()
    await server.wait_closed()
