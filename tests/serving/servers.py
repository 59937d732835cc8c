"""Real servers on an ephemeral loopback port: uvicorn and hypercorn in a thread, any server program
in a process.

The test makes the listening socket and hands it over, so the port is known at once, a connection
made too early waits in the backlog, and a server that is killed can be followed by another.
"""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

import hypercorn.asyncio
import uvicorn
from hypercorn.config import Config as HypercornConfig

from guarita.serving.asgi import ASGIApp

REPOSITORY = Path(__file__).resolve().parents[2]
DEADLINE_S = 15.0


@contextmanager
def listener() -> Iterator[socket.socket]:
    """A socket that listens on 127.0.0.1, on a port of the kernel's choice."""
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", 0))
        listening.listen(256)
        yield listening


@contextmanager
def uvicorn_thread(app: ASGIApp, **settings: Any) -> Iterator[int]:
    """uvicorn in a thread; gives the port. Lifespan errors and unclean ends fail the test."""
    lifespan = settings.pop("lifespan", "auto")
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan=lifespan,
        proxy_headers=False,
        timeout_graceful_shutdown=5,
        **settings,
    )
    server = uvicorn.Server(config)
    with listener() as listening:
        thread = Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join(DEADLINE_S)
            assert not thread.is_alive(), "uvicorn did not end"


@contextmanager
def hypercorn_thread(app: ASGIApp, **settings: Any) -> Iterator[int]:
    """hypercorn in a thread; gives the port."""
    end, ended = Event(), []
    with listener() as listening:
        config = HypercornConfig()
        config.bind = [f"fd://{os.dup(listening.fileno())}"]
        config.graceful_timeout = 5
        config.errorlog = None
        for name, value in settings.items():
            setattr(config, name, value)

        def serve() -> None:
            async def until_told() -> None:
                await asyncio.to_thread(end.wait)

            async def main() -> None:
                await hypercorn.asyncio.serve(app, config, shutdown_trigger=until_told)  # type: ignore[arg-type]

            asyncio.run(main())
            ended.append(True)

        thread = Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            end.set()
            thread.join(DEADLINE_S)
            assert ended, "hypercorn did not end cleanly"


SERVERS: dict[str, Callable[..., Any]] = {
    "uvicorn": uvicorn_thread,
    "hypercorn": hypercorn_thread,
}


class Process:
    """A server program in a process of its own, `python -m MODULE FD ARGUMENTS…`, over a listening
    socket that outlives it.
    """

    def __init__(self, listening: socket.socket, module: str, *arguments: str) -> None:
        self._listening = listening
        self._command = [sys.executable, "-m", module, str(listening.fileno()), *arguments]
        self.port: int = listening.getsockname()[1]
        self.starts = 0
        self.start()

    def start(self) -> None:
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        }
        self._process = subprocess.Popen(
            self._command,
            cwd=REPOSITORY,
            env=environment,
            pass_fds=[self._listening.fileno()],
            stdout=subprocess.DEVNULL,
        )
        self.starts += 1

    def kill(self) -> None:
        """SIGKILL: no handler, no clean-up."""
        self._process.kill()
        self.wait()

    def wait(self) -> int:
        """Wait until it has ended; returns the exit status."""
        return self._process.wait(DEADLINE_S)

    def stop(self) -> None:
        """SIGTERM; it must end by itself."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            self.wait()
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def __enter__(self) -> "Process":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
