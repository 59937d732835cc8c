"""`TLSServer`, and a server process that must stay as large as it was."""

import asyncio
import os
import socket
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import uvicorn

from guarita.serving.tls import ClientCertificateContext, client_certificate_context
from guarita.serving.tls_server import TLSServer
from tests.certificates import self_signed
from tests.serving.servers import Process, listener
from tests.serving.tls.program import server
from tests.serving.tls.support import LOOPS, World, get

MEGABYTE = 1_048_576


class Told(TLSServer):
    """Says when it listens."""

    def __init__(self, config: uvicorn.Config, context: ClientCertificateContext) -> None:
        super().__init__(config, context)
        self.listens = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        assert self.started
        self.listens.set()


async def test_it_listens_on_the_configured_address(world: World) -> None:
    context = client_certificate_context(world.server.chain_file, world.server.key_file)
    running = Told(server(context, "asyncio").config, context)
    running.config.host, running.config.port = "127.0.0.1", 0
    task = asyncio.create_task(running.serve())
    await asyncio.wait_for(running.listens.wait(), 15)
    port = running.servers[0].sockets[0].getsockname()[1]
    reader, writer = await asyncio.open_connection(
        "localhost", port, ssl=ssl.create_default_context(cafile=str(world.ca_file))
    )
    writer.write(get(close=True))
    assert (await reader.read()).startswith(b"HTTP/1.1 200 OK")
    writer.close()
    running.should_exit = True
    await task


async def test_an_address_in_use_is_an_error(world: World) -> None:
    context = client_certificate_context(world.server.chain_file, world.server.key_file)
    with listener() as taken:
        running = server(context, "asyncio")
        running.config.host, running.config.port = taken.getsockname()
        with pytest.raises(OSError, match="in use"):
            await running.serve()
    assert not running.started


class Measured(Process):
    """A server process whose size can be read."""

    def resident(self) -> int:
        """Memory in use, in bytes."""
        pages = Path(f"/proc/{self._process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self._process.pid}/fd"))


@pytest.fixture(params=LOOPS)
def process(request: pytest.FixtureRequest, world: World) -> Iterator[Measured]:
    files = map(str, (world.server.chain_file, world.server.key_file))
    with listener() as listening:
        running = Measured(listening, "tests.serving.tls.program", *files, request.param)
        with running:
            yield running


@pytest.mark.slow
def test_two_thousand_handshakes_leave_nothing_behind(world: World, process: Measured) -> None:
    """Of clients with a chain, without, with a bad one, and of failed handshakes."""
    clients = [world.intermediate.leaf("steady"), None, self_signed("steady")]
    contexts = [
        world.client_context(client, version) for client in clients for version in ("1.2", "1.3")
    ]

    def call(number: int) -> None:
        with socket.create_connection(("127.0.0.1", process.port), 30) as raw:
            if number % 10 == 9:
                raw.sendall(b"\x16\x03\x01\x00\x05hello")
                assert raw.recv(7)[:1] == b"\x15"
                return
            context = contexts[number % len(contexts)]
            with context.wrap_socket(raw, server_hostname="localhost") as connection:
                connection.sendall(get(close=number % 2 == 0))
                assert connection.recv(15) == b"HTTP/1.1 200 OK"

    def run(calls: int) -> tuple[int, int]:
        with ThreadPoolExecutor(4) as pool:
            for done in pool.map(call, range(calls), chunksize=1):
                assert done is None
        # One more, so that the loop has seen the others' ends.
        call(0)
        return process.resident(), process.descriptors()

    memory, descriptors = run(600)
    later_memory, later_descriptors = run(2_000)
    assert later_memory - memory < 4 * MEGABYTE
    assert later_descriptors - descriptors <= 4
