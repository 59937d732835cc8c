"""uvicorn, for the contenders that are ASGI applications: as the other benchmarks run it, on a port
of its own choice.
"""

import logging
import socket
from dataclasses import dataclass
from typing import Any

import uvicorn

from benchmarks.server import FirstOnly, ReportingServer
from guarita.decision_log import DecisionLog


@dataclass
class _Served:
    """See `benchmarks.server.Served`."""

    app: Any
    log: DecisionLog | None = None


def serve_asgi(asgi: Any, counting: Any) -> None:
    """Serve `asgi` until standard input ends; `counting.calls` says how often it executed."""
    logging.getLogger("uvicorn.error").addFilter(FirstOnly())
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", 0))
        listening.listen(1024)
        config = uvicorn.Config(
            asgi,
            loop="uvloop",
            http="httptools",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=75,
        )
        ReportingServer(config, _Served(counting), listening.getsockname()[1]).run([listening])
