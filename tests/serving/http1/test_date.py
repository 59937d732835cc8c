"""Date (RFC 9110, 6.6.1): every final response has exactly one, in the time of the last tick."""

import asyncio

import pytest

from guarita.serving.http1.connections import Connections
from guarita.serving.http1.request import Pairs, Request
from tests.serving.http1.support import Client, Clock, Recorder

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
AT = 784_111_777.0
FIRST, LATER = b"Sun, 06 Nov 1994 08:49:37 GMT", b"Sun, 06 Nov 1994 08:50:07 GMT"


def dates(sent: bytes) -> list[bytes]:
    """The dates of one response."""
    head = sent.partition(b"\r\n\r\n")[0]
    return [line[6:] for line in head.lower().split(b"\r\n") if line.startswith(b"date: ")]


class Dated:
    """Connections with a wall clock that the test moves."""

    def __init__(self, recorder: Recorder | None = None) -> None:
        self.clock = Clock()
        self.clock.now = AT
        self.shared = Connections(recorder or Recorder(), date_clock=self.clock)

    async def get(self, client: Client, raw: bytes = GET) -> list[bytes]:
        before = len(client.wire.sent)
        await client.send(raw)
        return dates(client.wire.sent[before:])


async def test_the_date_moves_with_the_tick() -> None:
    world = Dated()
    client = Client(world.shared)
    assert await world.get(client) == [FIRST.lower()]
    world.clock.now += 30
    assert await world.get(client) == [FIRST.lower()]
    world.shared.tick()
    assert await world.get(client) == [LATER.lower()]


async def test_the_date_is_fresh_after_a_time_without_connections() -> None:
    """Nothing ticks then."""
    world = Dated()
    world.clock.now += 30
    assert await world.get(Client(world.shared)) == [LATER.lower()]


@pytest.mark.parametrize("own", [b"Tue, 15 Nov 1994 08:12:31 GMT", b""])
@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("more", [(), ((b"x-a", b"date: x"),)])
async def test_a_date_that_is_there_stays_alone(own: bytes, streamed: bool, more: Pairs) -> None:
    pairs = (*more, (b"date", own), *more)

    def act(request: Request) -> None:
        if not streamed:
            request.respond(200, pairs, b"abc")
            return
        request.start(200, pairs, 3)
        request.write(b"abc")
        request.finish()

    world = Dated(Recorder(act))
    assert await world.get(Client(world.shared)) == [own.lower()]


@pytest.mark.parametrize("name", [b"x-date", b"dates", b"last-modified"])
async def test_another_field_is_no_date(name: bytes) -> None:
    pairs: Pairs = ((name, b"date: Tue, 15 Nov 1994 08:12:31 GMT"),)
    world = Dated(Recorder(lambda request: request.respond(200, pairs, b"")))
    assert await world.get(Client(world.shared)) == [FIRST.lower()]


async def test_refusals_of_the_front_have_a_date_and_interim_responses_none() -> None:
    world = Dated()
    assert await world.get(Client(world.shared), b"GET / HTTP/1.1\r\n\r\n") == [FIRST.lower()]

    def act(request: Request) -> None:
        request.informational(103, ())
        asyncio.get_running_loop().call_soon(request.respond, 204, (), b"")

    world = Dated(Recorder(act))
    client = Client(world.shared)
    await client.send(GET)
    interim, _, final = client.wire.sent.partition(b"\r\n\r\n")
    assert (dates(interim), dates(final)) == ([], [FIRST.lower()])
