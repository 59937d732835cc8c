"""What only a real socket shows: on uvloop, in plain and over the listener's TLS."""

import asyncio
import socket
import ssl
import threading
from collections.abc import Iterator

import pytest

from guarita.asks import BodyProblem
from guarita.serving.gateway.listening import TLS
from guarita.serving.http1.limits import Limits
from guarita.serving.http1.request import Request
from guarita.serving.tls import client_certificate_context
from tests.certificates import CLIENT
from tests.serving.http1.support import TIMEOUT_S, Recorder, call, listening, statuses
from tests.serving.tls.support import World

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S)


def to_the_end(raw: socket.socket) -> bytes:
    parts = []
    while part := raw.recv(65_536):
        parts.append(part)
    return b"".join(parts)


def nothing_from(raw: socket.socket) -> bool:
    """Whether the connection ends without a word, orderly or not."""
    try:
        return raw.recv(100) == b""
    except ConnectionError:
        return True


def test_a_large_body_both_ways() -> None:
    body = bytes(range(256)) * 3000

    def act(request: Request) -> None:
        def done(read: bytes | BodyProblem) -> None:
            assert isinstance(read, bytes)
            request.respond(200, (), read)

        request.read_body(1_000_000, done)

    with listening(Recorder(act)) as (port, _):
        head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
        answer = call(port, head % len(body) + body)
    assert answer.partition(b"\r\n\r\n")[2] == body


def test_a_refusal_reaches_a_client_that_is_still_sending() -> None:
    """Closed at once, the kernel would answer what is on its way with a reset, and the client would
    never read why."""
    handler = Recorder()
    handler.act = lambda request: request.respond(413, (), b"")
    length = 30_000_000
    with listening(handler) as (port, _), connect(port) as raw:
        raw.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % length)
        for _ in range(length // 1_000_000):
            raw.sendall(bytes(1_000_000))
        assert statuses(to_the_end(raw)) == [413]


def test_a_client_that_ends_its_side_still_gets_its_answers() -> None:
    arrived = threading.Event()
    loops = []

    def act(request: Request) -> None:
        loops.append(asyncio.get_running_loop())
        arrived.set()

    handler = Recorder(act)
    with listening(handler) as (port, _), connect(port) as raw:
        raw.sendall(GET + GET)
        assert arrived.wait(TIMEOUT_S)
        raw.shutdown(socket.SHUT_WR)
        handler.act = lambda request: request.respond(200, (), b"")
        loops[0].call_soon_threadsafe(handler.begun[0].respond, 200, (), b"")
        assert statuses(to_the_end(raw)) == [200, 200]
    assert handler.gone == 0


def test_a_client_that_goes_is_noticed() -> None:
    gone, arrived = threading.Event(), threading.Event()

    def act(request: Request) -> None:
        request.on_gone = gone.set
        arrived.set()

    with listening(Recorder(act)) as (port, _):
        raw = connect(port)
        raw.sendall(GET)
        assert arrived.wait(TIMEOUT_S)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        raw.close()
        assert gone.wait(TIMEOUT_S)


def test_an_incomplete_http_1_0_response_ends_in_a_reset() -> None:
    def act(request: Request) -> None:
        request.start(200, (), None)
        request.write(b"abc")
        request.break_off()

    with listening(Recorder(act)) as (port, _), connect(port) as raw:
        raw.sendall(b"GET / HTTP/1.0\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            to_the_end(raw)


def test_too_many_connections() -> None:
    with listening(Recorder(), Limits(per_address=2)) as (port, shared):
        with connect(port) as one, connect(port) as two:
            for raw in (one, two):
                raw.sendall(GET)
                assert raw.recv(100).startswith(b"HTTP/1.1 200")
            with connect(port) as three:
                three.settimeout(TIMEOUT_S)
                assert nothing_from(three)
        assert shared.turned_away == 1


class Secure:
    def __init__(self, world: World, port: int, handler: Recorder) -> None:
        self.world, self.port, self.handler = world, port, handler

    def connect(self, context: ssl.SSLContext) -> ssl.SSLSocket:
        return context.wrap_socket(connect(self.port), server_hostname="localhost")


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secure]:
    world, handler = World(tmp_path_factory.mktemp("tls")), Recorder()
    context = client_certificate_context(world.server.chain_file, world.server.key_file)
    with listening(handler, ssl=context) as (port, _):
        yield Secure(world, port, handler)


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_over_tls_with_a_client_certificate(secure: Secure, version: str) -> None:
    client = secure.world.root.leaf("client", eku=(CLIENT,))
    with secure.connect(secure.world.client_context(client, version)) as raw:
        raw.sendall(GET + b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n")
        raw.sendall(bytes(200_000))
        raw.sendall(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        assert statuses(to_the_end(raw)) == [200, 200, 200]
    request = secure.handler.begun[-1]
    assert request.secure
    assert request.peer == "127.0.0.1"
    assert request.certificate is not None
    assert len(request.certificate.chain) == 1
    assert len(secure.handler.seen[-2][2]) == 200_000


def test_over_tls_without_one(secure: Secure) -> None:
    with secure.connect(secure.world.client_context()) as raw:
        raw.sendall(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        assert statuses(to_the_end(raw)) == [200]
    request = secure.handler.begun[-1]
    assert (request.secure, request.certificate) == (True, None)


@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize("asks", [True, False], ids=["asks for a certificate", "does not"])
def test_an_incomplete_http_1_0_response_over_tls(secure: Secure, version: str, asks: bool) -> None:
    """A client can tell: it lacks the word by which TLS ends (RFC 8446, 6.1), which only a complete
    response has.
    """

    def act(request: Request) -> None:
        request.start(200, (), None)
        request.write(b"abc")
        end = request.finish if request.head.path == "/whole" else request.break_off
        asyncio.get_running_loop().call_later(0.01, end)  # after the bytes have gone out

    server = secure.world.server
    tls = TLS(server.chain_file, server.key_file, None, "TLSv1.2", asks, TIMEOUT_S)
    client = secure.world.client_context(version=version)
    with listening(Recorder(act), ssl=tls.context()) as (port, _):

        def get(path: bytes) -> bytes:
            raw = connect(port)
            with client.wrap_socket(raw, suppress_ragged_eofs=False) as wrapped:
                wrapped.sendall(b"GET /%b HTTP/1.0\r\n\r\n" % path)
                return to_the_end(wrapped)

        assert get(b"whole").endswith(b"\r\n\r\nabc")
        with pytest.raises((ConnectionResetError, ssl.SSLEOFError)):
            get(b"part")


def test_a_framing_error_over_tls(secure: Secure) -> None:
    begun = len(secure.handler.begun)
    with secure.connect(secure.world.client_context()) as raw:
        raw.sendall(b"GET / HTTP/1.1\r\n\r\n" + GET)
        assert statuses(to_the_end(raw)) == [400]
    assert len(secure.handler.begun) == begun
