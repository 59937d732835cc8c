"""Request bodies that do not come with their head: collected, streamed, refused, ignored."""

from typing import Any

import pytest

from guarita.asks import BodyProblem
from guarita.serving.http1.connections import Connections
from guarita.serving.http1.limits import Limits
from guarita.serving.http1.request import Request
from tests.serving.http1.support import Client, Recorder

GET = b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


def post(length: int, more: bytes = b"") -> bytes:
    return b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n%b\r\n" % (length, more)


class Sink:
    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.events: list[str] = []

    def data(self, chunk: bytes) -> None:
        self.parts.append(chunk)

    def end(self) -> None:
        self.events.append("end")

    def broken(self) -> None:
        self.events.append("broken")


def idle(request: Request) -> None:
    """Decides later."""


async def begun(sent: bytes, limits: Limits | None = None) -> tuple[Client, Request, Recorder]:
    handler = Recorder(idle)
    client = Client(Connections(handler, limits or Limits()))
    await client.send(sent)
    return client, handler.begun[0], handler


async def test_nothing_is_read_before_it_is_asked_for() -> None:
    client, request, _ = await begun(CHUNKED)
    await client.send(b"3\r\nabc\r\nnonsense")
    assert client.wire.sent == b""  # it was not even looked at
    got: list[Any] = []
    request.read_body(100, got.append)
    assert (got, client.statuses, request.gone) == ([], [400], True)


async def test_collected_in_pieces() -> None:
    client, request, _ = await begun(post(6) + b"ab")
    assert request.whole is None
    got: list[Any] = []
    request.read_body(6, got.append)
    await client.send(b"cd")
    assert got == []
    await client.send(b"ef" + GET)
    assert got == [b"abcdef"]
    request.respond(200, (), b"")
    assert client.statuses == [200]


@pytest.mark.parametrize(
    "sent",
    [
        post(7),
        post(7) + b"abcdefg",
        CHUNKED + b"7\r\nabcdefg\r\n0\r\n\r\n",
        CHUNKED + b"7\r\nabcdefg",
    ],
)
async def test_too_large(sent: bytes) -> None:
    client, request, _ = await begun(sent)
    got: list[Any] = []
    request.read_body(6, got.append)
    assert got == [BodyProblem.TOO_LARGE]
    request.respond(413, (), b"")
    assert client.statuses == [413]


async def test_the_listener_s_own_limit_holds_as_well() -> None:
    client, request, _ = await begun(post(7) + b"abcdefg", Limits(body_bytes=6))
    assert request.whole is None
    got: list[Any] = []
    request.read_body(100, got.append)
    assert got == [BodyProblem.TOO_LARGE]
    client, request, _ = await begun(CHUNKED + b"7\r\nabcdefg\r\n0\r\n\r\n", Limits(body_bytes=6))
    request.read_body(100, got.append)
    assert got == [BodyProblem.TOO_LARGE] * 2
    assert client.wire.sent == b""


async def test_a_small_rest_is_drained_and_the_connection_kept() -> None:
    client, request, handler = await begun(post(6) + b"ab")
    request.respond(200, (), b"")
    assert b"connection" not in client.wire.sent
    await client.send(b"cde", b"f" + GET)
    assert [one.head.target for one in handler.begun] == [b"/", b"/next"]


@pytest.mark.parametrize(
    "sent",
    [post(100_000), CHUNKED, post(6, b"Expect: 100-continue\r\n")],
    ids=["large", "chunked", "invited"],
)
async def test_otherwise_an_unread_body_closes_the_connection(sent: bytes) -> None:
    """Of a client that was not told to continue nobody knows whether the body follows: taking it,
    or what looks like it, for the next request would let requests be smuggled."""
    client, request, handler = await begun(sent)
    request.respond(200, (), b"")
    assert b"\r\nconnection: close\r\n" in client.wire.sent
    await client.send(GET)
    assert len(handler.begun) == 1
    assert client.wire.ended
    assert not client.wire.closed  # what the client still sends must not take the answer back
    await client.end()
    assert client.lost


async def test_100_is_said_when_the_body_is_asked_for() -> None:
    client, request, _ = await begun(post(3, b"Expect: 100-continue\r\n"))
    assert client.wire.sent == b""
    got: list[Any] = []
    request.read_body(10, got.append)
    assert client.wire.sent == b"HTTP/1.1 100 Continue\r\n\r\n"
    await client.send(b"abc")
    assert got == [b"abc"]
    request.respond(200, (), b"")
    assert b"connection: close" not in client.wire.sent


@pytest.mark.parametrize(
    "sent", [post(30, b"Expect: 100-continue\r\n"), post(3, b"Expect: 100-continue\r\n") + b"a"]
)
async def test_100_is_not_said_where_it_makes_no_sense(sent: bytes) -> None:
    """RFC 9110, 10.1.1: the body is refused at once, or has begun to come."""
    client, request, _ = await begun(sent)
    got: list[Any] = []
    request.read_body(20, got.append)
    assert client.wire.sent == b""


@pytest.mark.parametrize("how", ["length", "chunked", "whole"])
async def test_streamed(how: str) -> None:
    coded = b"6\r\nabcdef\r\n0\r\n\r\n" if how == "chunked" else b"abcdef"
    head = CHUNKED if how == "chunked" else post(6)
    cut = len(coded) if how == "whole" else 4
    client, request, handler = await begun(head + coded[:cut])
    sink = Sink()
    request.stream_body(sink)
    await client.send(*(bytes([byte]) for byte in coded[cut:]), GET)
    assert (b"".join(sink.parts), sink.events) == (b"abcdef", ["end"])
    request.respond(200, (), b"")
    assert len(handler.begun) == 2


@pytest.mark.parametrize("rest", [b"zz\r\n", b"4\r\nabcd\r\n"], ids=["framing", "too long"])
async def test_a_stream_that_breaks_can_still_be_answered_and_is_the_last(rest: bytes) -> None:
    client, request, handler = await begun(CHUNKED + b"3\r\nabc\r\n", Limits(stream_bytes=5))
    sink = Sink()
    request.stream_body(sink)
    await client.send(rest + GET)
    assert (sink.parts, sink.events) == ([b"abc"], ["broken"])
    request.respond(400, (), b"")
    assert b"connection: close" in client.wire.sent
    assert len(handler.begun) == 1


async def test_a_stream_announced_too_long_breaks_at_once() -> None:
    client, request, _ = await begun(post(6, b"Expect: 100-continue\r\n"), Limits(stream_bytes=5))
    sink = Sink()
    request.stream_body(sink)
    assert (sink.events, client.wire.sent) == (["broken"], b"")


async def test_a_client_that_goes_breaks_the_stream() -> None:
    client, request, handler = await begun(post(6) + b"abc")
    sink = Sink()
    request.stream_body(sink)
    await client.end()
    assert (sink.events, request.gone, handler.gone) == (["broken"], True, 1)


async def test_a_paused_stream_stops_the_client() -> None:
    client, request, _ = await begun(post(300_000))
    sink = Sink()
    request.stream_body(sink)
    request.pause_body()
    client.front.data_received(b"a" * 100_000)
    assert (sink.parts, client.wire.paused) == ([], True)
    request.resume_body()
    assert (sum(map(len, sink.parts)), client.wire.paused) == (100_000, False)
    await client.send(b"a" * 200_000)
    assert (sum(map(len, sink.parts)), sink.events) == (300_000, ["end"])


async def test_a_client_far_ahead_is_paused_and_goes_on() -> None:
    client, request, handler = await begun(GET)
    client.front.data_received(GET * 3000)
    assert client.wire.paused
    handler.act = lambda one: one.respond(200, (), b"")
    request.respond(200, (), b"")
    for _ in range(300):
        await client.settle()
    assert (len(handler.begun), client.wire.paused) == (3001, False)


async def test_an_early_response_to_a_stream() -> None:
    client, request, handler = await begun(post(10) + b"abc")
    sink = Sink()
    request.stream_body(sink)
    request.respond(403, (), b"")
    await client.send(b"defghij" + GET)
    assert (b"".join(sink.parts), sink.events) == (b"abc", [])
    assert len(handler.begun) == 2


async def test_the_body_is_taken_once() -> None:
    _, request, _ = await begun(post(10))
    request.stream_body(Sink())
    with pytest.raises(RuntimeError, match="already"):
        request.read_body(10, print)
