"""Serving an ASGI application on loopback for a command, until SIGTERM, Ctrl-C or its own end."""

import asyncio
import logging
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

GRACE_S = 10
"""How long requests in flight may take to finish once it is told to stop, in seconds."""


class _Server(uvicorn.Server):
    """Says when it is ready, and leaves signals to `serve`: uvicorn would raise them again at its
    end."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_ready()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Stop:
    """Ends `serve` from within the application: call `now` in its event loop."""

    def __init__(self) -> None:
        self._server: uvicorn.Server | None = None

    def watch(self, server: uvicorn.Server) -> None:
        """What `now` is to stop."""
        self._server = server

    def now(self) -> None:
        """Let requests in flight finish, then end."""
        if self._server is not None:
            self._server.should_exit = True


def log_no_drops() -> None:
    """Keep the tracebacks of connections that a scenario asked to have dropped out of the log."""
    from guarita.sandbox.api.faults import Dropped

    def wanted(record: logging.LogRecord) -> bool:
        return not (record.exc_info and isinstance(record.exc_info[1], Dropped))

    logging.getLogger("uvicorn.error").addFilter(wanted)


def serve(
    app: Any,
    sockets: list[socket.socket],
    *,
    on_ready: Callable[[], None],
    stop: Stop | None = None,
) -> None:
    """Serve `app` (its lifespan included) on sockets that listen already. `on_ready` is called
    once, when requests are answered."""
    log_no_drops()
    config = uvicorn.Config(
        app,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE_S,
    )
    server = _Server(config, on_ready)
    stopping = stop or Stop()
    stopping.watch(server)
    asyncio.run(_run(server, sockets, stopping))


async def _run(server: uvicorn.Server, sockets: list[socket.socket], stop: Stop) -> None:
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.now)
    await server.serve(sockets)
