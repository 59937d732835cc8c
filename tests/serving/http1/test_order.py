"""Requests of one connection in their order; handlers and clients that are slow, fail or go."""

import asyncio

import pytest

from guarita.serving.http1.connections import Connections
from guarita.serving.http1.limits import Limits
from guarita.serving.http1.request import Request
from tests.serving.http1.support import Client, Recorder

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


async def test_requests_wait_for_the_response_before_them() -> None:
    handler = Recorder(lambda request: None)
    client = Client(Connections(handler))
    await client.send(GET + GET, GET)
    assert len(handler.begun) == 1
    handler.begun[0].respond(200, (), b"")
    assert len(handler.begun) == 2
    handler.begun[1].respond(200, (), b"")
    handler.begun[2].respond(200, (), b"")
    assert client.statuses == [200, 200, 200]
    assert len(handler.begun) == 3


async def test_a_pipelining_client_gives_others_a_turn() -> None:
    handler = Recorder()
    client = Client(Connections(handler, Limits(pipelined=4)))
    client.front.data_received(GET * 10)
    assert (len(handler.seen), client.wire.paused) == (4, True)
    await asyncio.sleep(0)
    assert len(handler.seen) == 8
    await asyncio.sleep(0)
    assert (len(handler.seen), client.wire.paused) == (10, False)


async def test_a_client_that_does_not_read_is_not_served() -> None:
    handler = Recorder()
    client = Client(Connections(handler))
    client.front.pause_writing()
    await client.send(GET, GET)
    assert handler.begun == []
    client.front.resume_writing()
    assert client.statuses == [200, 200]


async def test_backpressure_reaches_who_streams() -> None:
    heard = []
    handler = Recorder(lambda request: request.start(200, (), None))
    client = Client(Connections(handler))
    await client.send(GET)
    request = handler.begun[0]
    request.on_writable = lambda: heard.append(request.writable)
    assert request.writable
    client.front.pause_writing()
    assert not request.writable
    client.front.resume_writing()
    assert heard == [True]


async def test_gone() -> None:
    handler = Recorder(lambda request: request.start(200, (), None))
    client = Client(Connections(handler))
    await client.send(GET)
    client.lose()
    request = handler.begun[0]
    assert (request.gone, handler.gone) == (True, 1)
    sent = client.wire.sent
    request.write(b"a")
    request.finish()
    request.respond(200, (), b"")
    request.start(200, (), None)
    request.break_off()
    assert client.wire.sent == sent


async def test_a_handler_that_fails_ends_its_connection(caplog: pytest.LogCaptureFixture) -> None:
    def act(request: Request) -> None:
        raise ZeroDivisionError

    handler = Recorder(act)
    client = Client(Connections(handler))
    await client.send(GET + GET)
    assert (client.wire.sent[:13], client.wire.sent.count(b"HTTP"), len(handler.begun)) == (
        b"HTTP/1.1 500 ",
        1,
        1,
    )
    assert "handler" in caplog.text


async def test_a_new_handler_takes_the_next_request() -> None:
    old, new = Recorder(), Recorder()
    shared = Connections(old)
    client = Client(shared)
    await client.send(GET)
    shared.handler = new
    await client.send(GET)
    assert (len(old.seen), len(new.seen)) == (1, 1)


def test_nothing_of_a_request_is_in_its_repr() -> None:
    async def run() -> str:
        handler = Recorder()
        await Client(Connections(handler)).send(
            b"GET /hush HTTP/1.1\r\nHost: a\r\nAuthorization: hush\r\n\r\n"
        )
        request = handler.begun[0]
        return repr(request) + repr(request.head) + repr(request.__rich_repr__())

    assert "hush" not in asyncio.run(run())
