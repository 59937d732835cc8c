"""What a handler may do with a request, and what the client gets of it."""

from functools import partial
from typing import Any

import pytest

from guarita.serving.http1.connections import Connections
from guarita.serving.http1.request import Request
from tests.serving.http1.support import Client, Recorder

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
GET_1_0 = b"GET / HTTP/1.0\r\n\r\n"
HEAD = b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"
TYPE = (b"content-type", b"text/plain")
AT, DATE = 784_111_777.0, b"date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"


async def answered(sent: bytes, act: Any) -> Client:
    client = Client(Connections(Recorder(act), date_clock=lambda: AT))
    await client.send(sent)
    return client


def dated(rest: bytes) -> bytes:
    """What follows a status line, with the Date that every response has as its last field."""
    fields, _, body = (b"\r\n" + rest).partition(b"\r\n\r\n")
    return (fields + b"\r\n" + DATE + b"\r\n" + body)[2:]


@pytest.mark.parametrize(
    ("sent", "status", "pairs", "body", "expected"),
    [
        (GET, 200, (TYPE,), b"abc", b"content-type: text/plain\r\ncontent-length: 3\r\n\r\nabc"),
        (GET, 200, (), b"", b"content-length: 0\r\n\r\n"),
        (
            GET,
            200,
            ((b"content-length", b"9"), TYPE),
            b"abc",
            b"content-type: text/plain\r\ncontent-length: 3\r\n\r\nabc",
        ),
        (
            GET,
            200,
            ((b"transfer-encoding", b"chunked"), (b"connection", b"x")),
            b"abc",
            b"content-length: 3\r\n\r\nabc",
        ),
        (GET, 200, (), b"a" * 5000, b"content-length: 5000\r\n\r\n" + b"a" * 5000),
        (GET, 200, (), b"a" * 70_000, b"content-length: 70000\r\n\r\n" + b"a" * 70_000),
        (GET, 204, ((b"content-length", b"3"),), b"abc", b"\r\n"),
        (GET, 304, ((b"content-length", b"3"),), b"", b"content-length: 3\r\n\r\n"),
        (GET, 304, (), b"", b"\r\n"),
        (HEAD, 200, (), b"abc", b"content-length: 3\r\n\r\n"),
        (HEAD, 200, ((b"content-length", b"9"),), b"", b"content-length: 9\r\n\r\n"),
        (HEAD, 204, (), b"", b"\r\n"),
        (GET_1_0, 200, (), b"abc", b"content-length: 3\r\nconnection: close\r\n\r\nabc"),
        (
            GET_1_0.replace(b"\r\n\r\n", b"\r\nConnection: keep-alive\r\n\r\n"),
            200,
            (),
            b"",
            b"content-length: 0\r\nconnection: keep-alive\r\n\r\n",
        ),
    ],
)
async def test_whole_responses(
    sent: bytes, status: int, pairs: Any, body: bytes, expected: bytes
) -> None:
    """RFC 9110, 8.6 and 15.3.5, 15.4.5; RFC 9112, 6.3 and 9.3."""
    client = await answered(sent, lambda request: request.respond(status, pairs, body))
    line, _, rest = client.wire.sent.partition(b"\r\n")
    assert line.startswith(b"HTTP/1.1 %d " % status)
    assert rest == dated(expected)
    assert client.wire.writes == 1


async def test_a_status_without_a_phrase() -> None:
    client = await answered(GET, lambda request: request.respond(299, (), b""))
    assert client.wire.sent == b"HTTP/1.1 299 \r\n" + dated(b"content-length: 0\r\n\r\n")


@pytest.mark.parametrize(
    "pair", [(b"a", b"b\r\nc: d"), (b"a", b"b\nc"), (b"a\r\nb", b"c"), (b"a", b"b\r")]
)
async def test_a_header_cannot_become_two(pair: tuple[bytes, bytes]) -> None:
    raised = []

    def act(request: Request) -> None:
        for call in (
            partial(request.respond, 200, (pair,), b""),
            partial(request.start, 200, (pair,), None),
        ):
            with pytest.raises(ValueError, match="line break") as caught:
                call()
            raised.append(str(caught.value))

    client = await answered(GET, act)
    assert len(raised) == 2
    assert client.wire.sent == b""


@pytest.mark.parametrize("status", [0, 99, 1000, -1])
async def test_no_such_status(status: int) -> None:
    def act(request: Request) -> None:
        with pytest.raises(ValueError, match="no HTTP status"):
            request.respond(status, (), b"")
        request.respond(200, (), b"")

    assert (await answered(GET, act)).statuses == [200]


async def test_streamed_with_a_length() -> None:
    def act(request: Request) -> None:
        request.start(200, (TYPE,), 5)
        request.write(b"abc")
        request.write(b"")
        with pytest.raises(ValueError, match="longer"):
            request.write(b"defg")
        request.write(b"de")
        request.finish()

    client = await answered(GET + GET, act)
    one = dated(b"content-type: text/plain\r\ncontent-length: 5\r\n\r\nabcde")
    assert client.wire.sent == (b"HTTP/1.1 200 OK\r\n" + one) * 2


async def test_streamed_in_chunks() -> None:
    def act(request: Request) -> None:
        request.start(200, (), None)
        request.write(b"abc")
        request.write(b"")
        request.write(b"x" * 16)
        request.finish()

    client = await answered(GET + GET, act)
    one = dated(b"transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n10\r\n")
    one = b"HTTP/1.1 200 OK\r\n" + one
    assert client.wire.sent == (one + b"x" * 16 + b"\r\n0\r\n\r\n") * 2


async def test_streamed_to_http_1_0_until_the_connection_closes() -> None:
    def act(request: Request) -> None:
        request.start(200, (), None)
        request.write(b"abc")
        request.finish()

    client = await answered(
        GET_1_0.replace(b"\r\n\r\n", b"\r\nConnection: keep-alive\r\n\r\n"), act
    )
    assert client.wire.sent == b"HTTP/1.1 200 OK\r\n" + dated(b"connection: close\r\n\r\nabc")
    assert client.lost
    assert not client.wire.aborted


@pytest.mark.parametrize(("sent", "status"), [(HEAD, 200), (GET, 204), (GET, 304)])
async def test_streamed_without_a_body(sent: bytes, status: int) -> None:
    def act(request: Request) -> None:
        request.start(status, ((b"content-length", b"3"),), None)
        request.write(b"abc")
        request.finish()

    client = await answered(sent, act)
    length = b"" if status == 204 else b"content-length: 3\r\n"
    assert client.wire.sent.partition(b"\r\n")[2] == dated(length + b"\r\n")
    assert not client.lost


@pytest.mark.parametrize("ending", ["finish", "break_off"])
async def test_a_short_response_never_looks_whole(ending: str) -> None:
    def act(request: Request) -> None:
        request.start(200, (), 5)
        request.write(b"abc")
        getattr(request, ending)()

    client = await answered(GET, act)
    assert client.lost
    assert client.wire.sent.endswith(b"content-length: 5\r\n" + DATE + b"\r\nabc")


async def test_broken_off_chunks_lack_the_last_one_and_http_1_0_is_reset() -> None:
    def act(request: Request) -> None:
        request.start(200, (), None)
        request.write(b"abc")
        request.break_off()

    client = await answered(GET, act)
    assert client.lost
    assert client.wire.sent.endswith(b"3\r\nabc\r\n")
    assert (await answered(GET_1_0, act)).wire.aborted


async def test_one_response_only() -> None:
    failed = []

    def act(request: Request) -> None:
        request.respond(200, (), b"")
        for call in (
            partial(request.respond, 200, (), b""),
            partial(request.start, 200, (), None),
            partial(request.write, b"a"),
            request.finish,
        ):
            with pytest.raises(RuntimeError, match="twice"):
                call()
            failed.append(1)

    client = await answered(GET, act)
    assert (client.statuses, len(failed)) == ([200], 4)


async def test_informational() -> None:
    def act(request: Request) -> None:
        request.informational(103, ((b"link", b"x"),))
        request.informational(100, ())
        with pytest.raises(ValueError, match="101"):
            request.informational(101, ())
        request.respond(200, (), b"")

    client = await answered(GET, act)
    assert client.wire.sent.startswith(b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200")
    assert (await answered(GET_1_0, act)).wire.sent.startswith(b"HTTP/1.1 200")
