"""How a request through the gateway ends, and what becomes of its reservation: the table in
docs/architecture.md, "How a request ends", row by row.
"""

import asyncio
from typing import Any

import pytest

from guarita.asks import Outage, Record, Reserve
from guarita.serving.gateway.gate import Settings
from guarita.stores.reservations import State
from tests.serving.gateway.support import (
    PAID,
    answer,
    executes_again,
    is_replayed,
    is_the_gates,
    is_unknown,
    site,
)
from tests.serving.upstream.support import Peer, answering, until
from tests.serving.worlds import PAYMENT, World


@pytest.mark.parametrize("parts", [1, 2, 20])
async def test_2xx_is_recorded(world: World, parts: int) -> None:
    whole = answer(201)
    size = -(-len(whole) // parts)
    play = answering(*(whole[at : at + size] for at in range(0, len(whole), size)))
    async with site(world, play) as one:
        reply = await one.post("k")
        assert (reply.status, reply.body) == (201, PAID)
        assert reply.get("idempotency-key") == b"k"
        assert reply.get("x-ratelimit-remaining") == b"89999"
        assert reply.get("content-type") == b"application/json"
        assert world.states() == [State.STORED]
        assert await is_replayed(one)


async def test_chunked_2xx_is_recorded(world: World) -> None:
    raw = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
    async with site(world, answering(raw)) as one:
        reply = await one.post("k")
        assert (reply.body, reply.get("content-length")) == (b"ok", b"2")
        assert await is_replayed(one, b"ok")


@pytest.mark.parametrize("parts", [1, 2])
async def test_2xx_too_long_to_be_recorded(world: World, parts: int) -> None:
    long = answer(200, b"x" * 2000)
    cut = len(long) - 1000 * (parts - 1)
    settings = Settings(max_recorded_body=1500)
    async with site(world, answering(long[:cut], long[cut:]), settings=settings) as one:
        reply = await one.post("k")
        assert (reply.status, reply.body) == (200, b"x" * 2000)
        assert reply.get("idempotency-key") == b"k"
        assert await is_unknown(one)


async def test_2xx_of_unknown_length_too_long_to_be_recorded(world: World) -> None:
    raw = b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 1000
    play = answering(raw, b"x" * 1000, close=True)
    async with site(world, play, settings=Settings(max_recorded_body=1500)) as one:
        reply = await one.post("k")
        assert reply.body == b"x" * 2000
        assert await is_unknown(one)


@pytest.mark.parametrize("status", [301, 302, 303, 304, 307, 308])
@pytest.mark.parametrize("body", [b"", b"moved"])
async def test_3xx_is_not_recorded(world: World, status: int, body: bytes) -> None:
    async with site(world, answering(answer(status, body if status != 304 else b""))) as one:
        assert (await one.post("k")).status == status
        assert await is_unknown(one)


@pytest.mark.parametrize("status", [400, 422, 500, 503])
@pytest.mark.parametrize("parts", [1, 2])
async def test_an_error_answer_releases(world: World, status: int, parts: int) -> None:
    raw = answer(status, b"why")
    cut = len(raw) - 2 * (parts - 1)

    async def play(peer: Peer) -> None:
        await peer.request()
        await peer.say(raw[:cut], raw[cut:])
        await peer.request()
        await peer.say(answer())

    async with site(world, play) as one:
        reply = await one.post("k")
        assert (reply.status, reply.body) == (status, b"why")
        assert await executes_again(one)


async def test_a_later_refusal_releases(world: World) -> None:
    world.keyring.deny(world.credentials.client_id, "transfer:write")
    world.verifier.refresh()
    async with site(world, answering(answer())) as one:
        assert (await one.post("k")).status == 403
        assert (one.executed, world.states()) == (0, [])


async def test_names_that_collide_release(world: World) -> None:
    body = b'{"pix_key":"1","pixKey":"2"}'
    async with site(world, answering(answer())) as one:
        reply = await one.post("k", body=body, more=[("X-Key-Case", "camelCase")])
        assert (reply.status, one.executed, world.states()) == (400, 0, [])


async def test_the_client_goes_while_the_upstream_works(world: World) -> None:
    go = asyncio.Event()

    async def play(peer: Peer) -> None:
        await peer.request()
        await go.wait()
        await peer.say(answer())
        await peer.gone()

    async with site(world, play) as one:
        client = await one.client()
        client.send(one.request(key="k"))
        await until(lambda: one.executed)
        client.leave()
        await asyncio.sleep(0.02)
        assert world.states() == [State.IN_FLIGHT]
        go.set()
        await until(lambda: world.states() == [State.STORED])
        assert await is_replayed(one)


async def test_the_client_goes_inside_a_held_answer(world: World) -> None:
    go = asyncio.Event()

    async def play(peer: Peer) -> None:
        await peer.request()
        await peer.say(answer()[:-4])
        await go.wait()
        await peer.say(answer()[-4:])
        await peer.gone()

    async with site(world, play) as one:
        client = await one.client()
        client.send(one.request(key="k"))
        await until(lambda: one.executed)
        client.leave()
        await asyncio.sleep(0.02)
        go.set()
        await until(lambda: world.states() == [State.STORED])
        assert await is_replayed(one)


async def test_the_client_goes_before_its_body_is_here(world: World) -> None:
    async with site(world, answering(answer())) as one:
        client = await one.client()
        client.send(one.request(key="k")[:-5])
        await until(lambda: "VerifyCredential" in world.asked_kinds())
        client.leave()
        await asyncio.sleep(0.02)
        assert (one.executed, world.states()) == (0, [])
        assert "Reserve" not in world.asked_kinds()


async def test_a_body_that_comes_in_pieces(world: World) -> None:
    async with site(world, answering(answer())) as one:
        client = await one.client()
        raw = one.request(key="k")
        for at in range(0, len(raw), 60):
            client.send(raw[at : at + 60])
            await asyncio.sleep(0)
        assert (await client.reply()).status == 200
        assert one.upstream.seen[0].endswith(b"\r\n\r\n" + PAYMENT)


async def test_the_store_is_out_of_reach_at_the_end(world: World) -> None:
    def fails(ask: Any) -> None:
        if isinstance(ask, Record):
            raise Outage("out of reach, says the test")

    async with site(world, answering(answer())) as one:
        world.intercept = fails
        reply = await one.post("k")
        assert (reply.status, reply.body) == (200, PAID)
        world.intercept = lambda ask: None
        assert await is_replayed(one)


@pytest.mark.parametrize("kind", [Reserve, Record])
async def test_a_bug_in_a_store(world: World, kind: type, caplog: Any) -> None:
    def fails(ask: Any) -> None:
        if isinstance(ask, kind):
            raise RuntimeError("a bug, says the test")

    async with site(world, answering(answer())) as one:
        world.intercept = fails
        assert is_the_gates(await one.post("k"), 500)
        assert "a bug, says the test" in caplog.text
        world.intercept = lambda ask: None
        assert await (executes_again(one) if kind is Reserve else is_unknown(one))


async def test_a_second_request_waits_for_the_first(world: World) -> None:
    go = asyncio.Event()

    async def play(peer: Peer) -> None:
        await peer.request()
        await go.wait()
        await peer.say(answer())
        await peer.gone()

    async with site(world, play) as one:
        asked = [asyncio.create_task(one.post("k")) for _ in range(5)]
        await until(lambda: world.asked_kinds().count("Reserve") >= 5)
        go.set()
        replies = await asyncio.gather(*asked)
        assert [reply.body for reply in replies] == [PAID] * 5
        assert sum(reply.get("x-idempotent-replay") == b"true" for reply in replies) == 4
        assert one.executed == 1
