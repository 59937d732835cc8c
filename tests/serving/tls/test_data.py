"""Application data over TLS: bodies in both directions, many requests on a connection, many
connections, and how a connection ends.
"""

import asyncio
import contextlib
import hashlib
import http.client
import json
import socket
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from tests.serving.tls.program import patterned
from tests.serving.tls.support import (
    Served,
    ask_scope,
    chain_of,
    get,
    read_to_end,
    read_until,
)

MEGABYTE = 1_048_576
RECORD = 16_384
SIZES = [0, 1, RECORD - 1, RECORD, RECORD + 1, 65_535, 65_536, 65_537, 5 * MEGABYTE + 3]


def _large(connection: http.client.HTTPConnection, size: int) -> bytes:
    connection.request("GET", f"/large?{size}")
    return connection.getresponse().read()


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_bodies_to_the_client(served: Served, version: str) -> None:
    connection = served.http(version=version)
    for size in SIZES:
        assert _large(connection, size) == patterned(size)
    connection.close()


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_bodies_from_the_client(served: Served, version: str) -> None:
    connection = served.http(version=version)
    for size in SIZES:
        body = patterned(size)
        connection.request("POST", "/digest", body)
        seen = json.loads(connection.getresponse().read())
        assert seen == {"length": size, "sha256": hashlib.sha256(body).hexdigest()}
    connection.close()


@pytest.mark.parametrize("piece", [1, 100, RECORD, 40_000])
def test_chunked_bodies_from_the_client(served: Served, piece: int) -> None:
    body = patterned(min(MEGABYTE, piece * 500))
    parts = (body[begin : begin + piece] for begin in range(0, len(body), piece))
    connection = served.http()
    connection.request("POST", "/digest", parts, encode_chunked=True)
    assert json.loads(connection.getresponse().read())["sha256"] == hashlib.sha256(body).hexdigest()
    connection.close()


def test_curl_both_ways(served: Served) -> None:
    body = patterned(4 * MEGABYTE)
    file = served.world.folder / "body"
    file.write_bytes(body)
    done = served.curl("/echo", "--data-binary", f"@{file}")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == body


async def test_both_directions_at_once(served: Served) -> None:
    """The echo sends while the client still sends, and the client reads late and little: either
    side has to hold back."""
    body = patterned(8 * MEGABYTE)
    head = f"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    reader, writer = await asyncio.open_connection(
        "localhost", served.port, ssl=served.world.client_context(), limit=4_096
    )

    async def send() -> None:
        writer.write(head.encode())
        for begin in range(0, len(body), 100_000):
            writer.write(body[begin : begin + 100_000])
            await writer.drain()

    async def receive() -> bytes:
        await reader.readuntil(b"\r\n\r\n")
        received = b""
        while (length := int(await reader.readline(), 16)) > 0:
            received += await reader.readexactly(length)
            await reader.readline()
        return received

    async with asyncio.timeout(30):
        _, received = await asyncio.gather(send(), receive())
    assert received == body
    writer.close()
    await writer.wait_closed()


def test_many_requests_on_one_connection(served: Served) -> None:
    client = served.world.intermediate.leaf("busy")
    connection = served.http(client)
    seen = {json.dumps(ask_scope(connection)["certificate"]) for _ in range(500)}
    connection.close()
    assert len(seen) == 1
    assert chain_of({"certificate": json.loads(seen.pop())}) == client.der_chain


@pytest.mark.parametrize("split", [False, True], ids=["one record", "a record each"])
def test_pipelined_requests(served: Served, split: bool) -> None:
    requests = [get(f"/large?{number}") for number in range(1, 30)] + [get("/large?3", close=True)]
    with served.tls() as connection:
        for part in requests if split else [b"".join(requests)]:
            connection.sendall(part)
        received = read_to_end(connection)
    bodies = [answer.partition(b"\r\n\r\n")[2] for answer in received.split(b"HTTP/1.1 200 OK")[1:]]
    assert bodies == [patterned(number) for number in [*range(1, 30), 3]]


def test_a_request_byte_by_byte(served: Served) -> None:
    """Each byte is a record of its own."""
    with served.tls() as connection:
        for byte in get("/large?9"):
            connection.sendall(bytes([byte]))
        assert read_until(connection, patterned(9)).startswith(b"HTTP/1.1 200 OK")


def test_the_server_says_goodbye(served: Served) -> None:
    """Without close_notify a client could not tell the end of a body from a cut."""
    context = served.world.client_context()
    with context.wrap_socket(
        served.tcp(), server_hostname="localhost", suppress_ragged_eofs=False
    ) as connection:
        connection.sendall(get("/large?5", close=True))
        received = b""
        while data := connection.recv(65_536):  # a cut would raise SSLEOFError
            received += data
    assert received.endswith(patterned(5))


def test_the_client_says_goodbye(served: Served) -> None:
    with served.tls() as connection:
        connection.sendall(get("/large?5"))
        read_until(connection, patterned(5))
        # Sends close_notify and waits for the server's; then the server closes.
        with connection.unwrap() as plain:
            assert plain.recv(1) == b""


@pytest.mark.parametrize("when", ["before a request", "in the head", "in the body", "after"])
@pytest.mark.parametrize("how", ["cut", "reset", "half"])
def test_clients_that_leave_without_a_word(served: Served, when: str, how: str) -> None:
    post = b"POST /digest HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n"
    sent = {
        "before a request": b"",
        "in the head": post[:20],
        "in the body": post + b"x" * 50_000,
        "after": get("/large?5"),
    }[when]
    with served.tls() as connection:
        if sent:
            connection.sendall(sent)
        if when == "after":
            read_until(connection, patterned(5))
        raw = socket.socket(fileno=connection.detach())
    if how == "reset":
        linger = (1).to_bytes(4, "little") + (0).to_bytes(4, "little")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    elif how == "half":
        raw.settimeout(15)
        raw.shutdown(socket.SHUT_WR)
        read_to_end(raw)  # ends: the server closes too
    raw.close()
    assert served.scope()["scheme"] == "https"


def test_fifty_connections_at_once(served: Served) -> None:
    clients = [served.world.intermediate.leaf(f"client {number}") for number in range(5)]
    files = [served.world.files(client) for client in clients]

    def run(number: int) -> None:
        client = clients[number % 5]
        connection = http.client.HTTPSConnection(
            "localhost",
            served.port,
            timeout=30,
            context=served.world.client_context(files[number % 5]),
        )
        connection.connect()
        everyone.wait(30)
        for _ in range(5):
            assert chain_of(ask_scope(connection)) == client.der_chain
            assert _large(connection, 100_000 + number) == patterned(100_000 + number)
        connection.close()

    everyone = Barrier(50)
    with ThreadPoolExecutor(50) as pool:
        for done in [pool.submit(run, number) for number in range(50)]:
            done.result(60)


def test_a_client_that_does_not_read_is_held_back(served: Served) -> None:
    """What the echo cannot send is not kept in memory without end: the server stops reading."""
    head = b"POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunk = b"10000\r\n" + bytes(65_536) + b"\r\n"
    sent = 0
    with served.tls() as connection:
        connection.sendall(head)
        connection.settimeout(0.5)
        with contextlib.suppress(TimeoutError):
            while sent < 100 * MEGABYTE:
                connection.sendall(chunk)
                sent += len(chunk)
        raw = socket.socket(fileno=connection.detach())
    raw.close()
    assert sent < 40 * MEGABYTE
