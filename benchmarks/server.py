"""A child process: one `World` under uvicorn as the demo runs it. Used by `benchmarks.children`,
not by hand.

Argument: {"setup", "decision_log", "records", "core"}. Says {"port"} when ready. Each line on its
standard input is answered with {"cpu_ns", "calls"}: CPU time of this process so far (all threads,
user and system; what the decision log still has to write is written first), and how many requests
the application has answered.
"""

import asyncio
import gc
import json
import logging
import os
import socket
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import uvicorn

from benchmarks.children import bind
from benchmarks.world import Setup, TrivialApp, World, fill
from guarita.decision_log import DecisionLog


class Served(Protocol):
    """What a child serves: see `World`."""

    app: TrivialApp
    log: DecisionLog | None


class ReportingServer(uvicorn.Server):
    """Says when it is ready, answers the lines on its standard input, ends with it."""

    def __init__(self, config: uvicorn.Config, world: Served, port: int) -> None:
        super().__init__(config)
        self._world = world
        self._port = port
        self._heard = b""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        asyncio.get_running_loop().add_reader(sys.stdin.fileno(), self._hear)
        gc.collect()
        gc.freeze()
        _say({"port": self._port})

    def _hear(self) -> None:
        heard = os.read(sys.stdin.fileno(), 65_536)
        if not heard:
            asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
            self.should_exit = self.force_exit = True
        for _ in range(heard.count(b"\n")):
            if self._world.log is not None:
                self._world.log.flush()
            _say({"cpu_ns": time.process_time_ns(), **self.counters()})

    def counters(self) -> dict[str, int]:
        """What has been done so far."""
        return {"calls": self._world.app.calls}


class FirstOnly(logging.Filter):
    """One trace says what is wrong; a round of them only hides it."""

    def __init__(self) -> None:
        super().__init__()
        self._said = False

    def filter(self, record: logging.LogRecord) -> bool:
        said, self._said = self._said, True
        return not said


def _say(document: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


def main(options: dict[str, Any]) -> None:
    bind(options["core"])
    logging.getLogger("uvicorn.error").addFilter(FirstOnly())
    with TemporaryDirectory(prefix="guarita-bench-") as folder, socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(256)
        world = World(
            Setup(options["setup"]), Path(folder), decision_log=options.get("decision_log", False)
        )
        if world.memory is not None:
            fill(world.memory, options.get("records", 0))
        config = uvicorn.Config(
            world.asgi,
            loop="uvloop",
            http="httptools",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            # Connections are opened once and must outlive the other servers' rounds.
            timeout_keep_alive=3600,
        )
        try:
            ReportingServer(config, world, listening.getsockname()[1]).run([listening])
        finally:
            world.close()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
