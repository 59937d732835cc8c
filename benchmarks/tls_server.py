"""A child process: one `TLSWorld` under uvicorn, over TLS or not. Used by `benchmarks.mtls`, not by
hand.

Argument: {"core", "folder", "listener", "gate", "source", "forgetful"}. "listener": "guarita" (its
own TLS listener), "python" (uvicorn's, by Python's `ssl`, a client certificate demanded) or "plain"
(HTTP without TLS). Says {"port"} when ready; each line on its standard input is answered as by
`benchmarks.server`, with "verifications" besides: how many chains were verified so far.
"""

import json
import logging
import socket
import ssl
import sys
from pathlib import Path
from typing import Any

import uvicorn

from benchmarks.children import bind
from benchmarks.server import FirstOnly, ReportingServer
from benchmarks.tls_world import TLSWorld
from guarita.profiles.delfinance import PRODUCTION
from guarita.serving.tls import ClientCertificateContext, client_certificate_context
from guarita.serving.tls_server import TLSServer
from guarita.serving.uvicorn_http import protocol_for


class _PlainServer(ReportingServer):
    def __init__(self, config: uvicorn.Config, world: TLSWorld, port: int) -> None:
        super().__init__(config, world, port)
        self._verifier = world.verifier

    def counters(self) -> dict[str, int]:
        verifications = self._verifier.verifications if self._verifier else 0
        return {**super().counters(), "verifications": verifications}


class _TLSServer(_PlainServer, TLSServer):
    def __init__(
        self,
        config: uvicorn.Config,
        world: TLSWorld,
        port: int,
        context: ClientCertificateContext,
    ) -> None:
        super().__init__(config, world, port)
        self.context = context


def main(options: dict[str, Any]) -> None:
    bind(options["core"])
    logging.getLogger("uvicorn.error").addFilter(FirstOnly())
    folder, listener = Path(options["folder"]), options["listener"]
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(256)
        port: int = listening.getsockname()[1]
        world = TLSWorld(
            folder,
            gate=options["gate"],
            source=options["source"],
            forgetful=options.get("forgetful", False),
        )
        config = _config(world, folder, listener)
        pem = folder / "server.pem"
        try:
            if listener == "guarita":
                context = client_certificate_context(pem, pem)
                server: uvicorn.Server = _TLSServer(config, world, port, context)
            else:
                server = _PlainServer(config, world, port)
            server.run([listening])
        finally:
            world.close()


def _config(world: TLSWorld, folder: Path, listener: str) -> uvicorn.Config:
    """As the demo's; "python" is what one would write for uvicorn alone."""
    own: dict[str, Any] = {"http": protocol_for(PRODUCTION)}
    if listener == "python":
        own = {
            "http": "httptools",
            "ssl_certfile": folder / "server.pem",
            "ssl_ca_certs": str(folder / "ca.pem"),
            "ssl_cert_reqs": ssl.CERT_REQUIRED,
        }
    config = uvicorn.Config(
        world.asgi,
        loop="uvloop",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        # Connections of the keep-alive rounds must outlive the other servers' rounds.
        timeout_keep_alive=3600,
        **own,
    )
    config.load()
    if config.ssl is not None:
        config.ssl.options |= ssl.OP_NO_TICKET
        config.ssl.num_tickets = 0
    return config


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
