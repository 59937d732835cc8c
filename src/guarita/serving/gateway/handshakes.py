"""The server of a listener with TLS: connections count from the moment they are accepted, so that
those in their handshake are limited like all others.

An event loop's own TLS server does not do that: the protocol it is given hears of a connection once
its handshake is over, and never of one whose handshake fails.
"""

import asyncio
import errno
import logging
import socket
import ssl
from functools import partial
from typing import Any

from guarita.serving.http1.connections import Connections, Entrance
from guarita.serving.http1.front import Front

log = logging.getLogger("guarita.gateway")

AT_ONCE = 64
"""How many connections are accepted before whatever else the loop has to do gets its turn."""

PAUSE_S = 0.1
"""How long nothing is accepted where the system has no room for a connection."""

SHUTDOWN_S = 5.0
"""How long to wait for a client's goodbye, in seconds."""

_NO_ROOM = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class Acceptor:
    """Accepts the connections of `sock`, which listens and which it closes in the end.

    Args:
        handshake_s: how long a handshake may take.
    """

    def __init__(
        self,
        sock: socket.socket,
        connections: Connections,
        entrance: Entrance,
        context: ssl.SSLContext,
        handshake_s: float,
    ) -> None:
        self._socket = sock
        self._connections = connections
        self._entrance = entrance
        self._options: dict[str, Any] = {
            "ssl": context,
            "ssl_handshake_timeout": handshake_s,
            "ssl_shutdown_timeout": SHUTDOWN_S,
        }
        self._loop = asyncio.get_running_loop()
        self._pause: asyncio.TimerHandle | None = None
        self._short = False  # whether there was no room since the queue was last empty
        self._go_on()

    def close(self) -> None:
        """Accept no more. Handshakes go on: `Connections.end` and `close` end them."""
        if self._pause is not None:
            self._pause.cancel()
        self._loop.remove_reader(self._socket)
        self._socket.close()

    def _go_on(self) -> None:
        self._pause = None
        self._loop.add_reader(self._socket, self._accept)

    def _accept(self) -> None:
        for _ in range(AT_ONCE):
            try:
                sock, address = self._socket.accept()
            except OSError as error:
                # Others say that nobody waits any more, or that one has gone while it waited.
                if error.errno in _NO_ROOM:
                    self._wait_for_room(error)
                else:
                    self._short = False
                return
            self._begin(sock, address)

    def _wait_for_room(self, error: OSError) -> None:
        if not self._short:
            log.error("connections have to wait until there is room for them: %s", error)
        self._short = True
        self._loop.remove_reader(self._socket)
        self._pause = self._loop.call_later(PAUSE_S, self._go_on)

    def _begin(self, sock: socket.socket, address: Any) -> None:
        sock.setblocking(False)
        peer = None
        if isinstance(address, tuple):
            peer = address[0].partition("%")[0]  # a link's name is no part of the address
        front = self._connections.front(self._entrance)
        if self._connections.enter(front, peer):
            Handshake(self._loop, front, sock, self._options)
        else:
            sock.close()


class Handshake(asyncio.Transport):
    """What a front has for a transport until its handshake is over."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        front: Front,
        sock: socket.socket,
        options: dict[str, Any],
    ) -> None:
        super().__init__()
        front.transport = self
        self._task = loop.create_task(loop.connect_accepted_socket(lambda: front, sock, **options))
        # Not at the end of a coroutine of ours: one that is cancelled at once never begins.
        self._task.add_done_callback(partial(self._over, front, sock))

    def close(self) -> None:
        """End the handshake."""
        self._task.cancel()

    abort = close

    def get_write_buffer_size(self) -> int:
        """What the loop has not sent of a handshake is not waited for."""
        return 0

    def _over(self, front: Front, sock: socket.socket, task: asyncio.Task[Any]) -> None:
        failed = None if task.cancelled() else task.exception()
        if failed is not None and not isinstance(failed, OSError):
            log.error("a TLS handshake met a fault", exc_info=failed)
        if front.transport is self:
            # It came to nothing. The loop, where it has taken the socket, is done with it.
            sock.close()
            front.connection_lost(failed if isinstance(failed, Exception) else None)
