"""What the upstream alone can do to a request: be away, end without a whole answer, be too late.
Who asks learns of it, and the reservation says whether anything can have been executed.
"""

import asyncio
import math
import socket

import pytest

from guarita.serving.gateway.gate import Settings
from guarita.serving.upstream.target import Target
from guarita.stores.reservations import State
from tests.serving.gateway.support import (
    answer,
    executes_again,
    is_the_gates,
    is_unknown,
    site,
)
from tests.serving.upstream.support import Peer, answering, until
from tests.serving.worlds import World


async def test_an_upstream_that_cannot_be_reached(world: World) -> None:
    """502, and released: provably nothing was executed."""
    async with site(world, answering(answer())) as one:
        real = one.pool.target
        with socket.create_server(("127.0.0.1", 0)) as taken:
            one.pool.target = Target("127.0.0.1", taken.getsockname()[1])
        assert is_the_gates(await one.post("k"), 502)
        assert world.states() == []
        one.pool.target = real
        assert await executes_again(one)


async def test_no_connection_is_free(world: World) -> None:
    """As one that cannot be reached: the request was never sent."""
    async with site(world, answering()) as one:
        one.pool._most = 1
        first = asyncio.create_task(one.get())
        await until(lambda: one.executed)
        second = asyncio.create_task(one.post("k"))
        await until(lambda: one.pool._waiting)
        one.pool._waiting[0].since = -math.inf  # `connect_s` has passed
        one.pool.tick()
        assert is_the_gates(await second, 502)
        assert (world.states(), one.executed) == ([], 1)
        one.too_late()
        assert is_the_gates(await first, 504)


ENDS: dict[str, tuple[bytes, ...]] = {
    "nothing": (),
    "half a head": (b"HTTP/1.1 200 OK\r\nConte",),
    "an interim response": (b"HTTP/1.1 103 Early Hints\r\n\r\n",),
    "half a body": (answer()[:-3],),
    "half a body in chunks": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"2\r\nok\r\n",
    ),
    "more than announced": (answer() + b"more",),
    "no HTTP": (b"220 mail.example ESMTP\r\n",),
    "two lengths": (answer(fields=b"Content-Length: 1\r\n"),),
}


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("name", ENDS)
async def test_an_upstream_that_ends_without_a_whole_answer(
    world: World, name: str, reset: bool
) -> None:
    """502, outcome unknown; the upstream sees the request once."""

    async def play(peer: Peer) -> None:
        await peer.request()
        await peer.say(*ENDS[name])
        if reset:
            await asyncio.sleep(0.01)
            peer.reset()
        else:
            peer.close()

    async with site(world, play, answering(answer())) as one:
        client = await one.client()
        client.send(one.request(key="k"))
        reply = await client.reply()
        if reply.status == 103:
            reply = await client.reply()
        assert is_the_gates(reply, 502)
        assert world.states() == [State.OUTCOME_UNKNOWN]
        assert one.executed == 1
        assert await is_unknown(one)


@pytest.mark.parametrize("said", [b"", answer()[:-3]], ids=["nothing", "half"])
async def test_an_upstream_that_is_too_late(world: World, said: bytes) -> None:
    """504, outcome unknown."""
    async with site(world, answering(said)) as one:
        asked = asyncio.create_task(one.post("k"))
        await until(lambda: one.executed)
        one.too_late()
        assert is_the_gates(await asked, 504)
        assert (world.states(), one.executed) == ([State.OUTCOME_UNKNOWN], 1)
        assert await is_unknown(one)


async def test_without_a_key_nothing_is_reserved(world: World) -> None:
    async with site(world, answering()) as one:
        asked = asyncio.create_task(one.post())
        await until(lambda: one.executed)
        one.too_late()
        assert is_the_gates(await asked, 504)
        assert world.states() == []


async def test_broken_off_while_it_is_passed_on(world: World) -> None:
    """The caller sees a broken transfer, never a truncated success."""
    for raw in (
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nsome",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nsome\r\n",
    ):
        async with site(world, answering(raw, close=True)) as one:
            client = await one.client()
            client.send(one.request("GET", "/api/external/balance", None))
            head = await client.head()
            rest = await client.rest()
            assert head.status == 200
            if head.get("content-length"):
                assert (head.get("content-length"), rest) == (b"9", b"some")
            else:
                assert rest == b"4\r\nsome\r\n"  # no last chunk


async def test_broken_off_inside_an_answer_too_long_to_be_recorded(world: World) -> None:
    raw = answer(200, b"x" * 3000)[:-500]
    async with site(
        world, answering(raw, close=True), settings=Settings(max_recorded_body=1000)
    ) as one:
        client = await one.client()
        client.send(one.request(key="k"))
        assert (await client.head()).status == 200
        assert len(await client.rest()) == 2500
        assert await is_unknown(one)


@pytest.mark.parametrize("status", [404, 422, 500, 503])
@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("end", ["closes", "resets", "says more", "is too late"])
async def test_an_error_answer_that_is_not_whole_releases(
    world: World, status: int, chunked: bool, end: str
) -> None:
    """It counts by its status from its beginning; the caller sees a broken transfer."""
    go = asyncio.Event()
    head, _, body = answer(status, b"what was wrong").partition(b"\r\n\r\n")
    begun = [head + b"\r\n\r\n" + body[:4], body[4:] + b" and more"]
    if chunked:
        head = b"HTTP/1.1 %d Said\r\nTransfer-Encoding: chunked\r\n\r\n" % status
        begun = [head + b"4\r\n%b\r\n" % body[:4], b"no size\r\n"]

    async def play(peer: Peer) -> None:
        await peer.request()
        await peer.say(begun[0])
        await go.wait()
        if end == "says more":
            await peer.say(begun[1])
        elif end == "resets":
            peer.reset()
        elif end == "closes":
            peer.close()
        await peer.gone()

    async with site(world, play, answering(answer())) as one:
        client = await one.client()
        client.send(one.request(key="k"))
        reply = await client.head()
        assert (reply.status, reply.get("idempotency-key")) == (status, b"k")
        go.set()
        if end == "is too late":
            one.too_late()
        rest = await client.rest()
        assert body[:4] in rest
        assert not rest.endswith((body[4:], b"0\r\n\r\n")), "it looks whole"
        assert world.states() == []
        assert await executes_again(one)


async def test_an_error_answer_to_be_converted_that_is_not_whole(world: World) -> None:
    """It is held, as a 2xx is, so nothing has begun: 502 and unknown."""
    async with site(world, answering(answer(422, b'{"a_b":1}')[:-3], close=True)) as one:
        reply = await one.post("k", more=[("X-Key-Case", "camelCase")])
        assert is_the_gates(reply, 502)
        assert world.states() == [State.OUTCOME_UNKNOWN]
