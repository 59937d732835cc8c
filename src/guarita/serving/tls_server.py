"""uvicorn's server with TLS listeners whose handshakes are limited in time.

uvicorn passes a context on to the event loop but no time limit (the loop's own is 60 s), so a
client could hold a connection that long without a word.
"""

import asyncio
import socket
from typing import Any

import uvicorn

from guarita.serving.tls import ClientCertificateContext


class TLSServer(uvicorn.Server):
    """`uvicorn.Server` over a `ClientCertificateContext`; without one it serves plain HTTP.

    The configuration's own TLS settings are not looked at. Its `http` should be
    `uvicorn_http.protocol_for(…)`, which puts the client's certificate into the scope.
    """

    def __init__(
        self, config: uvicorn.Config, context: ClientCertificateContext | None = None
    ) -> None:
        super().__init__(config)
        self.context = context

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the application, then listen on `sockets` or on the configured host and port."""
        await super().startup(sockets=[])
        if self.should_exit:
            return
        self.started = False
        limits: dict[str, Any] = {}
        if self.context is not None:
            limits = {
                "ssl": self.context,
                "ssl_handshake_timeout": self.context.handshake_timeout_s,
                "ssl_shutdown_timeout": self.context.shutdown_timeout_s,
            }
        loop = asyncio.get_running_loop()
        places: list[dict[str, Any]] = [{"sock": listening} for listening in sockets or ()]
        if sockets is None:
            places = [{"host": self.config.host, "port": self.config.port}]
        for listening in sockets or ():
            if listening.family != socket.AF_UNIX:
                # uvicorn writes a head and its body one after the other. asyncio sees to it that
                # the second is not held back for the first's acknowledgement (40 ms), but not for
                # sockets made without naming TCP. Accepted ones inherit the option.
                listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for place in places:
            try:
                server = await loop.create_server(
                    self._protocol, backlog=self.config.backlog, **place, **limits
                )
            except OSError:
                await self.lifespan.shutdown()
                raise
            self.servers.append(server)
        self.started = True

    def _protocol(self) -> asyncio.Protocol:
        protocol: Any = self.config.http_protocol_class
        made: asyncio.Protocol = protocol(
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return made
