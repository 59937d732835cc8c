"""An upstream in this process that goes wrong as a test says, on real sockets, and counts what it
was asked.
"""

import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from threading import Condition, Thread
from typing import BinaryIO

DEADLINE_S = 30.0


class Connection:
    """One accepted connection after a request has been read from it."""

    def __init__(self, sock: socket.socket) -> None:
        sock.settimeout(DEADLINE_S)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = sock
        self.stream: BinaryIO = sock.makefile("rb")

    def request(self) -> bytes:
        """The next request, head and body; b"" where there is none."""
        raw = b""
        length = 0
        while line := self.stream.readline():
            raw += line
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
            if line == b"\r\n":
                return raw + self.stream.read(length)
        return b""

    def gone(self) -> None:
        """Until the gateway has ended the connection."""
        with suppress(ConnectionError):
            assert self.stream.read() == b""

    def reset(self) -> None:
        """RST, when it is closed."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def close(self) -> None:
        self.stream.close()
        self.sock.close()


Play = Callable[[Connection], bool]
"""What becomes of one request; returns whether the connection takes another."""


def says(raw: bytes, *, keep: bool = False) -> Play:
    """Sends these bytes, then ends the connection unless it is kept."""

    def play(connection: Connection) -> bool:
        connection.sock.sendall(raw)
        return keep

    return play


def stalls(raw: bytes = b"") -> Play:
    """Sends these bytes and nothing more, until the gateway has had enough."""

    def play(connection: Connection) -> bool:
        connection.sock.sendall(raw)
        connection.gone()
        return False

    return play


def resets(raw: bytes = b"") -> Play:
    """Sends these bytes, then a RST."""

    def play(connection: Connection) -> bool:
        connection.sock.sendall(raw)
        connection.reset()
        return False

    return play


def answer(body: bytes, *, keep: bool = False) -> bytes:
    """A good answer."""
    return (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n%bContent-Length: %d\r\n\r\n%b"
        % (
            b"" if keep else b"Connection: close\r\n",
            len(body),
            body,
        )
    )


GOOD = b'{"worked":true}'


class Faulty:
    """Listens on a port from `listen()` to `leave()`.

    Attributes:
        seen: every request that was read whole.
        connections: how many were accepted.
        play: what becomes of the next requests.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.play: Play = says(answer(GOOD))
        self.seen: list[bytes] = []
        self.connections = 0
        self.failures: list[BaseException] = []
        self._open = 0
        self._changed = Condition()
        self._listening: socket.socket | None = None
        self._thread: Thread | None = None

    def begin(self, play: Play | None = None) -> None:
        """Forget what was, and play this."""
        self.seen.clear()
        self.connections = 0
        self.play = play or says(answer(GOOD))

    def listen(self) -> None:
        """Listen, unless it does."""
        if self._listening is not None:
            return
        self._listening = listening = socket.create_server(("127.0.0.1", self.port), backlog=64)
        self._thread = Thread(target=self._accept, args=(listening,), daemon=True)
        self._thread.start()

    def leave(self) -> None:
        """Listen no more; all connections must have ended."""
        if self._listening is not None and self._thread is not None:
            self._listening.shutdown(socket.SHUT_RDWR)
            self._thread.join(DEADLINE_S)
            self._listening.close()
            self._listening = None
        self.rest()

    def rest(self) -> None:
        """Until no connection is open: what the gateway gives up, it ends."""
        with self._changed:
            assert self._changed.wait_for(lambda: not self._open, DEADLINE_S)
        assert not self.failures, self.failures

    def _accept(self, listening: socket.socket) -> None:
        while True:
            try:
                sock, _ = listening.accept()
            except OSError:
                return
            with self._changed:
                self.connections += 1
                self._open += 1
            Thread(target=self._serve, args=(Connection(sock),), daemon=True).start()

    def _serve(self, connection: Connection) -> None:
        try:
            while raw := connection.request():
                self.seen.append(raw)
                if not self.play(connection):
                    break
        except ConnectionError:
            pass  # the gateway may end a connection at any time
        except Exception as error:
            self.failures.append(error)
        finally:
            connection.close()
            with self._changed:
                self._open -= 1
                self._changed.notify_all()
