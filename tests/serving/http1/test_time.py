"""Deadlines, limits on connections, and the end of a listener; time is moved by hand."""

import asyncio
from typing import Any

import pytest

from guarita.serving.http1.connections import Connections, Entrance, network_of
from guarita.serving.http1.limits import Limits
from tests.serving.http1.support import Client, Clock, Recorder, Wire

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\n"


class World:
    def __init__(self, handler: Recorder | None = None, limits: Limits | None = None) -> None:
        self.clock = Clock()
        self.handler = handler or Recorder()
        self.shared = Connections(self.handler, limits or Limits(), clock=self.clock)

    def client(self) -> Client:
        return Client(self.shared)

    def after(self, seconds: float, client: Client) -> None:
        """Let time pass, second by second."""
        for _ in range(int(seconds)):
            self.clock.now += 1.0
            self.shared.tick()
        if client.wire.closed:
            client.lose()


async def test_a_silent_connection_is_closed_without_a_word() -> None:
    world = World()
    client = world.client()
    world.after(75, client)
    assert not client.lost
    world.after(2, client)
    assert (client.lost, client.wire.sent) == (True, b"")


async def test_an_idle_connection_is_closed_after_its_last_response() -> None:
    world = World()
    client = world.client()
    for _ in range(3):
        world.after(70, client)
        await client.send(GET)
    assert not client.lost
    world.after(77, client)
    assert client.lost
    assert client.statuses == [200, 200, 200]


async def test_a_head_that_drips() -> None:
    """Every byte within a second of the last, and still over after `head_s`."""
    world = World()
    client = world.client()
    for at in range(11):
        await client.send(GET[at : at + 1])
        world.after(1, client)
        if client.wire.ended:
            break
    assert client.statuses == [408]
    assert world.handler.begun == []
    world.after(4, client)
    assert client.lost


async def test_a_body_that_stalls() -> None:
    world = World()
    client = world.client()
    await client.send(POST + b"a")
    world.after(29, client)
    assert client.wire.sent == b""
    world.after(2, client)
    assert client.statuses == [408]
    assert (world.handler.gone, world.handler.seen) == (1, [])


async def test_a_body_that_drips() -> None:
    world = World()
    client = world.client()
    await client.send(POST)
    for _ in range(40):
        world.after(5, client)
        if client.wire.ended:
            break
        await client.send(b"a")
    assert client.statuses == [408]
    assert 1115 <= world.clock.now <= 1130


async def test_a_stream_that_stalls_under_an_early_response_is_the_last() -> None:
    """The response had promised to keep the connection: nobody knows any more what comes next."""
    broken = []

    class Sink:
        def data(self, chunk: bytes) -> None: ...

        def end(self) -> None: ...

        def broken(self) -> None:
            broken.append(1)

    world = World(Recorder(lambda request: request.stream_body(Sink())))
    client = world.client()
    await client.send(POST + b"a")
    request = world.handler.begun[0]
    request.start(200, (), 2)
    assert b"connection: close" not in client.wire.sent
    world.after(31, client)
    assert broken == [1]
    request.write(b"ab")
    request.finish()
    await client.send(b"a" * 49 + GET)
    assert (client.statuses, len(world.handler.begun)) == ([200], 1)
    assert client.wire.ended


async def test_a_handler_may_take_its_time() -> None:
    world = World(Recorder(lambda request: None))
    client = world.client()
    await client.send(GET)
    world.after(1000, client)
    assert not client.wire.closed
    world.handler.begun[0].respond(200, (), b"")
    assert client.statuses == [200]


async def test_a_client_that_takes_nothing_is_cut_off() -> None:
    world = World(Recorder(lambda request: request.start(200, (), None)))
    client = world.client()
    await client.send(GET)
    client.wire.unsent = 100_000
    client.front.pause_writing()
    for taken in range(4):
        world.after(25, client)
        client.wire.unsent -= taken + 1
    assert not client.lost  # slow, but it takes
    world.after(62, client)
    assert (client.wire.aborted, world.handler.gone) == (True, 1)


async def test_a_closed_connection_whose_rest_nobody_takes_is_cut_off() -> None:
    world = World()

    class Slow(Wire):
        def close(self) -> None:
            self.ended = True

    client = Client(world.shared, Slow())
    client.wire.unsent = 10
    await client.send(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    world.after(29, client)
    assert not client.wire.aborted
    world.after(33, client)
    assert client.wire.aborted


async def test_connections_are_limited_in_all_and_by_address() -> None:
    class From(Wire):
        def __init__(self, address: str) -> None:
            super().__init__()
            self.address = address

        def get_extra_info(self, name: str, default: Any = None) -> Any:
            return (self.address, 1) if name == "peername" else default

    limits = Limits(per_address=2, connections=6)
    shared = Connections(Recorder(), limits, exempt=lambda address: address == "192.0.2.9")

    def connect(address: str) -> Client:
        return Client(shared, From(address))

    first = connect("192.0.2.1")
    connect("::ffff:192.0.2.1")
    third = connect("192.0.2.1")
    assert (third.wire.aborted, len(shared), shared.turned_away) == (True, 2, 1)
    third.lose()
    first.lose()
    assert not connect("192.0.2.1").wire.aborted
    connect("2001:db8::1")
    connect("2001:db8::2")
    assert connect("2001:db8::3").wire.aborted
    assert not connect("192.0.2.9").wire.aborted
    assert not connect("192.0.2.9").wire.aborted
    assert len(shared) == 6
    assert connect("198.51.100.1").wire.aborted


@pytest.mark.parametrize(
    ("peer", "same"),
    [
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::ffff"),
        ("fe80::1%x", "fe80::2"),
    ],
)
def test_what_counts_as_one_address(peer: str, same: str) -> None:
    assert network_of(peer) == network_of(same)
    assert network_of(peer) != network_of("192.0.2.2")


async def test_closing_ends_idle_connections_at_once_and_others_after_their_response() -> None:
    handler = Recorder(lambda request: None)
    world = World(handler)
    idle, busy, streaming = world.client(), world.client(), world.client()
    await busy.send(GET + GET)
    await streaming.send(GET)
    handler.begun[1].start(200, (), None)
    closing = asyncio.create_task(world.shared.close(30.0))
    await asyncio.sleep(0)
    assert (idle.wire.closed, busy.wire.closed) == (True, False)
    idle.lose()
    handler.begun[0].respond(200, (), b"")
    assert b"\r\nconnection: close\r\n" in busy.wire.sent
    assert len(handler.begun) == 2  # the pipelined one is the client's to send again
    busy.lose()
    handler.begun[1].finish()
    assert streaming.wire.closed
    assert streaming.wire.sent.endswith(b"0\r\n\r\n")
    assert not closing.done()
    streaming.lose()
    await closing
    assert Client(world.shared).wire.aborted


async def test_the_connections_of_one_entrance_end_and_others_stay() -> None:
    handler = Recorder(lambda request: None)
    world = World(handler)
    entrance = Entrance()
    idle, busy, stuck, late = (
        Client(world.shared, front=world.shared.front(entrance)) for _ in range(4)
    )
    other = world.client()
    for client in (busy, stuck, other):
        await client.send(GET)
    late.lose()
    unborn = world.shared.front(entrance)  # its handshake is not over
    world.shared.end(entrance, 5.0)
    assert [one.wire.closed for one in (idle, busy, stuck, other)] == [True, False, False, False]
    handler.begun[0].respond(200, (), b"")
    assert b"\r\nconnection: close\r\n" in busy.wire.sent
    assert busy.wire.closed
    assert Client(world.shared, front=unborn).wire.aborted
    handler.begun[2].respond(200, (), b"")
    assert b"connection: close" not in other.wire.sent
    world.after(4, stuck)
    assert not stuck.wire.closed
    world.after(2, stuck)
    assert stuck.wire.aborted
    assert not other.wire.closed
    assert not world.client().wire.aborted


async def test_one_that_counts_since_it_was_accepted() -> None:
    """Its handshake ends after that, or never: it counts once, and gives its place back once."""
    world = World(limits=Limits(per_address=1))
    for drained in (False, True):
        front = world.shared.front()
        handshake = Wire()
        front.transport = handshake
        assert world.shared.enter(front, "192.0.2.1")
        assert world.client().wire.aborted
        assert len(world.shared) == 1
        if drained:
            front.drain()
            assert handshake.closed
        client = Client(world.shared, front=front)
        assert (client.wire.aborted, len(world.shared)) == (drained, 1)
        client.lose()
        front.connection_lost(None)
        assert len(world.shared) == 0
        assert not world.shared._of_address


async def test_what_does_not_end_in_the_grace_is_cut_off() -> None:
    world = World(Recorder(lambda request: None))
    client = world.client()
    await client.send(GET)
    closing = asyncio.create_task(world.shared.close(30.0))
    await asyncio.sleep(0)
    world.after(29, client)
    assert not client.wire.closed
    world.after(2, client)
    assert client.wire.aborted
    await closing


@pytest.mark.parametrize(
    "wrong",
    [{"head_s": 0}, {"connections": 0}, {"body_bytes": -1}, {"stream_bytes": -1}, {"idle_s": -1.0}],
)
def test_limits_that_cannot_be(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Limits(**wrong)
