"""A TLS server in a thread and the clients that call it: curl, openssl s_client, Python's ssl."""

import http.client
import json
import logging
import socket
import ssl
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Any

from guarita.serving.tls import client_certificate_context
from tests.certificates import Certified, Files, Issuer
from tests.serving.servers import listener
from tests.serving.tls.program import server

TIMEOUT_S = 15
LOOPS = ("asyncio", "uvloop")
VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


class Errors(logging.Handler):
    """What the event loop, uvicorn or Guarita logged as an error. One connection's fault must not
    be one."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.found.append(self.format(record))


@dataclass
class World:
    """A root, an intermediate below it and a server certificate, as objects and as files."""

    folder: Path
    root: Issuer = field(init=False)
    intermediate: Issuer = field(init=False)
    server_certified: Certified = field(init=False)
    server: Files = field(init=False)
    ca_file: Path = field(init=False)

    def __post_init__(self) -> None:
        self.root = Issuer.root("Test Root")
        self.intermediate = self.root.intermediate("Test Intermediate")
        self.server_certified = self.root.server()
        self.server = self.server_certified.write(self.folder, "server")
        self.ca_file = self.folder / "ca.pem"
        self.ca_file.write_bytes(self.root.pem())

    def files(self, client: Certified) -> Files:
        return client.write(self.folder)

    def client_context(
        self, client: Certified | Files | None = None, version: str | None = None
    ) -> ssl.SSLContext:
        """A client's context; of a certificate the chain is sent, and nothing besides."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        # It does not know the root: OpenSSL would complete the chain with it. That the server's
        # own certificate is right is seen by curl, and in test_reload.
        context.verify_mode = ssl.CERT_NONE
        # So that a weak certificate can be tried at all.
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        if version is not None:
            context.minimum_version = context.maximum_version = VERSIONS[version]
        if client is not None:
            files = client if isinstance(client, Files) else self.files(client)
            context.load_cert_chain(files.chain_file, files.key_file)
        return context


@dataclass
class Served:
    """A running server."""

    world: World
    port: int
    loop: str

    def tcp(self) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.port), TIMEOUT_S)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def tls(
        self,
        client: Certified | Files | None = None,
        version: str | None = None,
        context: ssl.SSLContext | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLSocket:
        context = context or self.world.client_context(client, version)
        return context.wrap_socket(self.tcp(), server_hostname="localhost", session=session)

    def http(
        self, client: Certified | None = None, version: str | None = None
    ) -> http.client.HTTPSConnection:
        context = self.world.client_context(client, version)
        return http.client.HTTPSConnection(
            "localhost", self.port, timeout=TIMEOUT_S, context=context
        )

    def scope(self, client: Certified | None = None, version: str | None = None) -> Any:
        """What the application's scope said, asked by Python's client."""
        connection = self.http(client, version)
        try:
            return ask_scope(connection)
        finally:
            connection.close()

    def curl(
        self, path: str, *options: str, scheme: str = "https"
    ) -> "subprocess.CompletedProcess[bytes]":
        return subprocess.run(
            [
                *("curl", "--silent", "--show-error", "--noproxy", "*", "--max-time", "10"),
                *("--cacert", str(self.world.ca_file), *options),
                f"{scheme}://localhost:{self.port}{path}",
            ],
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
        )

    def s_client(self, sent: bytes, *options: str) -> "subprocess.CompletedProcess[bytes]":
        """openssl s_client, which reads on until the server closes."""
        return subprocess.run(
            [
                *("openssl", "s_client", "-connect", f"127.0.0.1:{self.port}", "-ign_eof"),
                *("-servername", "localhost", "-CAfile", str(self.world.ca_file), *options),
            ],
            input=sent,
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
        )

    @contextmanager
    def s_client_commands(self, *options: str) -> Iterator["subprocess.Popen[bytes]"]:
        """openssl s_client with its commands: a line "R" renegotiates, "K" renews the keys."""
        command = ["openssl", "s_client", "-connect", f"127.0.0.1:{self.port}", *options]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as process:
            try:
                yield process
            finally:
                process.kill()


def said_by(process: "subprocess.Popen[bytes]", expected: bytes) -> bytes:
    """What it prints until `expected` is among it; its end fails."""
    assert process.stdout is not None
    said = b""
    while expected not in said:
        line = process.stdout.readline()
        assert line, said
        said += line
    return said


def tell(process: "subprocess.Popen[bytes]", line: bytes) -> None:
    assert process.stdin is not None
    process.stdin.write(line)
    process.stdin.flush()


def get(path: str = "/scope", *, close: bool = False) -> bytes:
    """A GET request's bytes."""
    end = "Connection: close\r\n" if close else ""
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{end}\r\n".encode()


def ask_scope(connection: http.client.HTTPConnection) -> Any:
    connection.request("GET", "/scope")
    response = connection.getresponse()
    assert response.status == 200
    return json.loads(response.read())


def chain_of(scope: Any) -> tuple[bytes, ...]:
    """The DER chain a scope told of."""
    certificate = scope["certificate"]
    return () if certificate is None else tuple(bytes.fromhex(one) for one in certificate["chain"])


def read_to_end(connection: socket.socket) -> bytes:
    """All bytes until the server closes, however it does that."""
    received = b""
    try:
        while data := connection.recv(65_536):
            received += data
    except (ConnectionResetError, BrokenPipeError, ssl.SSLError):
        pass
    return received


def read_until(connection: socket.socket, end: bytes) -> bytes:
    received = b""
    while not received.endswith(end):
        data = connection.recv(65_536)
        assert data, received
        received += data
    return received


@contextmanager
def serving(world: World, loop: str, **settings: Any) -> Iterator[Served]:
    """The application of `program` over TLS in a thread; what is logged as an error fails."""
    context = client_certificate_context(world.server.chain_file, world.server.key_file, **settings)
    running = server(context, loop)
    errors = Errors()
    loggers = [logging.getLogger(name) for name in ("asyncio", "uvicorn.error", "guarita")]
    for logger in loggers:
        logger.addHandler(errors)
    try:
        with listener() as listening:
            thread = Thread(target=running.run, args=([listening],), daemon=True)
            thread.start()
            try:
                yield Served(world, listening.getsockname()[1], loop)
            finally:
                running.should_exit = True
                thread.join(TIMEOUT_S)
                assert not thread.is_alive(), "the server did not end"
    finally:
        for logger in loggers:
            logger.removeHandler(errors)
    assert errors.found == []


def pems(certificates: Sequence[bytes]) -> str:
    """DER certificates as one PEM text."""
    return "".join(ssl.DER_cert_to_PEM_cert(one) for one in certificates)
