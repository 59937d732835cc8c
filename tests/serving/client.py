"""Clients of a real server: signed requests over `http.client`, and raw bytes over a socket."""

import http.client
import socket
from collections.abc import Iterable
from dataclasses import dataclass

from tests.serving.worlds import Credentials, Headers

TIMEOUT_S = 15.0


@dataclass(frozen=True)
class Reply:
    """A response as it came over the wire."""

    status: int
    headers: Headers
    body: bytes

    def all(self, name: str) -> list[str]:
        return [value for header, value in self.headers if header.lower() == name]

    def one(self, name: str) -> str:
        [value] = self.all(name)
        return value


class Client:
    """Sends requests with one key, each over a connection of its own unless it is given one."""

    def __init__(self, port: int, credentials: Credentials) -> None:
        self.port = port
        self.credentials = credentials

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_S)

    def post(
        self,
        path: str,
        body: bytes,
        *,
        key: str | None = None,
        more: Headers | None = None,
        over: http.client.HTTPConnection | None = None,
    ) -> Reply:
        """A signed POST."""
        headers = [*self.credentials.headers(body, key), *(more or [])]
        return self.send("POST", path, headers, body, over=over)

    def get(self, path: str, *, more: Headers | None = None) -> Reply:
        return self.send("GET", path, [*self.credentials.headers(), *(more or [])])

    def send(
        self,
        method: str,
        path: str,
        headers: Headers,
        body: bytes | Iterable[bytes] | None = None,
        *,
        over: http.client.HTTPConnection | None = None,
    ) -> Reply:
        """One request; a body given in parts goes out chunked."""
        connection = over or self.connect()
        try:
            connection.putrequest(method, path, skip_accept_encoding=True)
            for name, value in headers:
                connection.putheader(name, value)
            if isinstance(body, bytes):
                connection.putheader("content-length", str(len(body)))
            elif body is not None:
                connection.putheader("transfer-encoding", "chunked")
            connection.endheaders(body, encode_chunked=not isinstance(body, bytes))
            response = connection.getresponse()
            return Reply(response.status, response.getheaders(), response.read())
        finally:
            if over is None:
                connection.close()


class Raw:
    """A connection on which every byte is the test's own."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), TIMEOUT_S)
        self._stream = self._socket.makefile("rb")

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def end(self) -> None:
        """Say that nothing more will be sent."""
        self._socket.shutdown(socket.SHUT_WR)

    def line(self) -> bytes:
        return self._stream.readline()

    def head(self) -> tuple[int, Headers]:
        """Status and headers of the next response, interim ones included."""
        status = int(self.line().split(b" ")[1])
        headers: Headers = []
        while (line := self.line()) not in (b"\r\n", b""):
            name, _, value = line.decode("latin-1").partition(":")
            headers.append((name.strip(), value.strip()))
        return status, headers

    def reply(self) -> Reply:
        """The next response: to its Content-Length, its last chunk, or the end of all."""
        status, headers = self.head()
        reply = Reply(status, headers, b"")
        if "chunked" in reply.all("transfer-encoding"):
            body = b""
            while size := int(self.line(), 16):
                body += self._stream.read(size)
                self.line()
            self.line()
        else:
            length = reply.all("content-length")
            body = self._stream.read(int(length[0])) if length else self._stream.read()
        return Reply(status, headers, body)

    def close(self) -> None:
        self._stream.close()
        self._socket.close()

    def __enter__(self) -> "Raw":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def raw_request(
    method: str, path: str, headers: Iterable[tuple[bytes, bytes]], body: bytes = b""
) -> bytes:
    """The bytes of a request, headers as given."""
    lines = [f"{method} {path} HTTP/1.1".encode(), b"Host: api.test"]
    lines += [name + b": " + value for name, value in headers]
    if body:
        lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join([*lines, b"", body])
