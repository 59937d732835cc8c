"""The demo's server: the sandbox bank behind the gate on uvicorn, until the last response."""

import gc
import logging
import signal
import socket
from collections.abc import Callable
from types import FrameType

import uvicorn

from guarita.data_folder import DataFolder
from guarita.decision_log import DecisionLog
from guarita.profiles.minhakonta import MINHA_KONTA
from guarita.sandbox import create_app
from guarita.serving.asgi import Guarita
from guarita.serving.backend import Backend
from guarita.serving.uvicorn_http import protocol_for

GRACE_S = 30
"""How long requests in flight may take to finish once the demo is told to stop, in seconds."""


class _Server(uvicorn.Server):
    """Says when it is ready, and ends with exit status 0 on a signal."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        # What lives now lives on: without it, each full collection would walk through all of it.
        gc.collect()
        gc.freeze()
        if not self.should_exit:
            self._on_ready()

    def stop(self, _signal: int, _frame: FrameType | None) -> None:
        self.should_exit = True


def serve(
    folder: DataFolder, sockets: list[socket.socket], *, on_ready: Callable[[], None]
) -> None:
    """Serve the bank in `folder` behind the gate on listening `sockets` until SIGTERM or SIGINT.

    `on_ready` is called once, when requests are answered.
    """
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    bank = create_app(folder.path)
    decision_log = DecisionLog(folder.decisions_path)
    backend = Backend.embedded(folder)
    config = uvicorn.Config(
        Guarita(bank, profile=MINHA_KONTA, backend=backend, decision_log=decision_log),
        http=protocol_for(MINHA_KONTA, decision_log),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        # Whose X-Forwarded-For is believed is the gate's decision alone.
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE_S,
    )
    server = _Server(config, on_ready)
    # uvicorn puts handlers of its own in while it serves and afterwards raises the signal again.
    former = {name: signal.signal(name, server.stop) for name in (signal.SIGTERM, signal.SIGINT)}
    try:
        server.run(sockets)
    finally:
        for name, handler in former.items():
            signal.signal(name, handler)
        backend.close()
        decision_log.close()
