"""A child process: the TLS client. Used by `benchmarks.mtls`, not by hand.

Argument: {"core", "folder", "requests"}: requests by name, as text. Each line on its standard input
is an order, answered with {"seconds"} or {"error"}:

- {"do": "connect", "port", "version", "count", "guarded"}: connections with a full
  handshake and one request each, `AT_ONCE` at a time, showing the clients' certificates but the
  first in turn.
- {"do": "request", "port", "version", "count", "guarded", "connections", "name"}: requests over
  connections that stay open, one in flight on each. "version" null: without TLS.
- {"do": "probe", "port", "version", "certificate"}: one request, answered with {"said"}: the whole
  response, or "" where the server ended the connection.

Every response is looked at: status 200, the whole expected body, the gate's Ray ID exactly where
the gate is expected; every handshake: the version asked for, the server's certificate, no session
resumed.
"""

import gc
import json
import re
import socket
import ssl
import sys
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.children import bind
from benchmarks.tls_world import ANSWER, CLIENTS, OTHER, STRANGER

AT_ONCE = 4
"""Connections opened at a time: enough that a server seldom waits for this process."""

_TIMEOUT_S = 20
_OK = b"HTTP/1.1 200 "
_END = b"\r\n\r\n" + ANSWER
_RAY = b"\r\nray-id: "
_VERSIONS = {"TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}


class Wrong(Exception):
    """A server answered otherwise than it should; the text tells how."""


class Client:
    """Opens connections, sends requests, looks at what comes back."""

    def __init__(self, folder: Path, requests: dict[str, str]) -> None:
        self._requests = {name: text.encode() for name, text in requests.items()}
        self._contexts = {
            (version, name): _context(folder, version, name)
            for version in _VERSIONS
            for name in (*CLIENTS, OTHER, STRANGER, None)
        }
        self._turns: dict[int, Iterator[str]] = {}
        self._open: dict[tuple[int, str | None], list[socket.socket]] = {}

    def connect(self, port: int, version: str, count: int, guarded: bool) -> dict[str, Any]:
        turn = self._turns.setdefault(port, cycle(CLIENTS[1:]))

        def one(_: int) -> None:
            connection = self._connection(port, version, next(turn))
            connection.sendall(self._requests["direct"])
            _check(_response(connection), guarded)
            _close(connection)

        begun = perf_counter()
        with ThreadPoolExecutor(AT_ONCE) as threads:
            for _ in threads.map(one, range(count)):
                pass
        return {"seconds": perf_counter() - begun}

    def request(
        self,
        port: int,
        version: str | None,
        count: int,
        guarded: bool,
        connections: int,
        name: str,
    ) -> dict[str, Any]:
        request = self._requests[name]
        opened = self._open.setdefault((port, version), [])
        while len(opened) < connections:
            opened.append(self._connection(port, version, CLIENTS[0]))
        turns = deque(opened[:connections])
        begun = perf_counter()
        for connection in turns:
            connection.sendall(request)
        for _ in range(count - connections):
            _check(_response(turns[0]), guarded)
            turns[0].sendall(request)
            turns.rotate(-1)
        for connection in turns:
            _check(_response(connection), guarded)
        return {"seconds": perf_counter() - begun}

    def probe(self, port: int, version: str | None, certificate: str | None) -> dict[str, Any]:
        try:
            connection = self._connection(port, version, certificate)
            connection.sendall(self._requests["direct"])
            said = b""
            while not _is_whole(said) and (part := connection.recv(65_536)):
                said += part
            connection.close()
        except (ssl.SSLError, ConnectionError):
            said = b""
        return {"said": said.decode("latin-1")}

    def _connection(self, port: int, version: str | None, name: str | None) -> socket.socket:
        plain = socket.create_connection(("127.0.0.1", port), _TIMEOUT_S)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if version is None:
            return plain
        connection = self._contexts[version, name].wrap_socket(plain, server_hostname="127.0.0.1")
        if connection.version() != version or connection.session_reused:
            raise Wrong(f"not a full {version} handshake: {connection.version()}")
        return connection


def _context(folder: Path, version: str, name: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=folder / "ca.pem")
    context.minimum_version = context.maximum_version = _VERSIONS[version]
    context.set_ecdh_curve("prime256v1")
    context.set_ciphers("ECDHE-ECDSA-AES256-GCM-SHA384")
    if name is not None:
        context.load_cert_chain(folder / name)
    return context


def _response(connection: socket.socket) -> bytes:
    response = b""
    while not response.endswith(_END):
        part = connection.recv(16_384)
        if not part:
            raise Wrong(f"the server closed the connection after {response[:400]!r}")
        response += part
        if len(response) >= len(_OK) and not response.startswith(_OK):
            raise Wrong(f"not every answer was 200: {response[:400]!r}")
        if not response.endswith(_END) and _is_whole(response):
            raise Wrong(f"another body than expected: {response[:400]!r}")
    return response


def _is_whole(response: bytes) -> bool:
    head, end, body = response.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length: *([0-9]+)", head)
    return bool(end) and length is not None and len(body) >= int(length[1])


def _check(response: bytes, guarded: bool) -> None:
    if not response.startswith(_OK):
        raise Wrong(f"not every answer was 200: {response[:400]!r}")
    if (_RAY in response) is not guarded:
        raise Wrong("the gate's Ray ID is missing, or a gate stands where none should")


def _close(connection: socket.socket) -> None:
    """Say goodbye, as curl does, without waiting for the server's."""
    connection.setblocking(False)
    try:
        assert isinstance(connection, ssl.SSLSocket)
        connection.unwrap()
    except (OSError, ValueError):
        pass  # most often: the server's goodbye has not come yet
    connection.close()


def main(options: dict[str, Any]) -> None:
    bind(options["core"])
    client = Client(Path(options["folder"]), options["requests"])
    gc.freeze()
    for line in sys.stdin:
        order = json.loads(line)
        do: dict[str, Callable[..., dict[str, Any]]] = {
            "connect": client.connect,
            "request": client.request,
            "probe": client.probe,
        }
        try:
            answer = do[order.pop("do")](**order)
        except (OSError, Wrong) as error:
            answer = {"error": str(error) or type(error).__name__}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
