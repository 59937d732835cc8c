"""Requests and answers on their way through: order, HEAD, key case, the headers of either side,
what is not guarded.
"""

import asyncio

import pytest

from guarita.serving.gateway.gate import Settings
from tests.serving.gateway.support import PAID, Site, answer, site
from tests.serving.upstream.support import Peer, answering
from tests.serving.worlds import BALANCE, PAY, World

OPEN = Settings(unsafe_unguarded_paths=("/up/",))
"""Below "/up/" nothing is decided."""


async def test_requests_of_one_connection_are_answered_in_order(world: World) -> None:
    async def play(peer: Peer) -> None:
        while True:
            raw = await peer.request()
            await peer.say(answer(200, raw.split(b" ")[1]))

    async with site(world, play) as one:
        client = await one.client()
        paths = [f"{BALANCE}?n={number}" for number in range(40)]
        client.send(b"".join(one.request("GET", path, None) for path in paths))
        for path in paths:
            assert (await client.reply()).body == path.encode()
        assert one.upstream.accepted == 1


@pytest.mark.parametrize(
    ("sent", "arrives"),
    [("?", ""), ("", ""), ("??", "??"), ("?a", "?a"), ("?a=%3f&b=c%20d+", "?a=%3f&b=c%20d+")],
)
@pytest.mark.parametrize("path", [BALANCE, "/up/a"])
async def test_queries_arrive_as_sent_but_an_empty_one(
    world: World, path: str, sent: str, arrives: str
) -> None:
    """A path with "?" arrives without it, as docs/gateway.md says."""
    async with site(world, answering(answer()), settings=OPEN) as one:
        assert (await one.get(path + sent)).status == 200
        assert one.upstream.seen[0].split(b" ")[1] == (path + arrives).encode()


@pytest.mark.parametrize("parts", [1, 3])
async def test_head(world: World, parts: int) -> None:
    raw = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 999\r\n\r\n"
    cut = -(-len(raw) // parts)
    play = answering(*(raw[at : at + cut] for at in range(0, len(raw), cut)), times=3)
    async with site(world, play, settings=OPEN) as one:
        client = await one.client()
        for more in (b"", b"X-Key-Case: camelCase\r\n"):
            client.send(b"HEAD /up/date HTTP/1.1\r\nHost: a\r\n%b\r\n" % more)
            reply = await client.reply(bodiless=True)
            assert (reply.status, reply.get("content-length")) == (200, b"999")
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        await client.reply()
        assert await client.rest() == b""


async def test_key_case_both_ways(world: World) -> None:
    said = b'{"data":{"pix_key":"1"}}'
    for raw in (answer(200, said), answer(200, said, b"Content-Type: text/plain\r\n")):
        async with site(world, answering(raw[:-3], raw[-3:])) as one:
            body = b'{"pixKey":"1","pixKeyType":"cpf","amount":1}'
            more = [("X-Key-Case", "camelCase")]
            reply = await one.ask(one.request(path=f"{PAY}?aB=1", body=body, more=more))
            converted = b"text/plain" not in raw
            assert reply.body == (b'{"data":{"pixKey":"1"}}' if converted else said)
            seen = one.upstream.seen[0]
            assert seen.startswith(b"POST /api/external/pix/cash-out?a_b=1 HTTP/1.1\r\n")
            assert seen.endswith(b'\r\n\r\n{"pix_key":"1","pix_key_type":"cpf","amount":1}')
            assert b"\r\ncontent-length: 47\r\n" in seen


async def test_unguarded_paths_carry_no_identity(world: World) -> None:
    raw = answer(200, b"up", b"Ray-ID: forged\r\nX-RateLimit-Remaining: 3\r\n")
    async with site(world, answering(raw), settings=OPEN) as one:
        client = await one.client()
        client.send(b"GET /up/ HTTP/1.1\r\nHost: a\r\nGuarita-Account: acc_1\r\n\r\n")
        reply = await client.reply()
        assert reply.body == b"up"
        ray = reply.get("ray-id")
        assert ray is not None
        assert ray != b"forged"
        assert reply.get("x-ratelimit-remaining") == b"3"
        assert b"guarita-" not in one.upstream.seen[0].lower()
        assert world.asked == []


async def test_headers_only_the_gate_may_set(world: World) -> None:
    fields = b"Ray-ID: forged\r\nX-RateLimit-Remaining: 3\r\nIdempotency-Key: x\r\n"
    fields += b"X-Idempotent-Replay: true\r\n"
    async with site(world, answering(answer(200, PAID, fields))) as one:
        reply = await one.post("k")
        assert reply.get("ray-id") != b"forged"
        assert reply.get("x-ratelimit-remaining") == b"89999"
        assert reply.get("idempotency-key") == b"k"
        assert reply.get("x-idempotent-replay") is None


async def test_interim_responses_reach_the_client(world: World) -> None:
    async with site(world, answering(b"HTTP/1.1 103 E\r\nLink: </a>\r\n\r\n" + answer())) as one:
        client = await one.client()
        client.send(one.request())
        hint = await client.head()
        assert (hint.status, hint.get("link")) == (103, b"</a>")
        assert (await client.reply()).status == 200


async def test_bytes_that_are_no_request(world: World) -> None:
    async with site(world, answering(answer())) as one:
        reply = await one.ask(b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
        assert reply.status == 400
        assert reply.get("ray-id") is not None
        assert one.executed == 0


async def test_nothing_is_left_open(world: World) -> None:
    async def refused(one: Site) -> None:
        assert (await one.post(body=b"not json")).status == 400

    async with site(world, answering(answer(), times=1000)) as one:
        for _ in range(10):
            await asyncio.gather(
                *(one.post() for _ in range(10)), *(refused(one) for _ in range(5))
            )
        assert one.pool.connections <= 10
        assert one.pool.calls == 0


async def test_over_sockets(world: World) -> None:
    async with site(world, answering(answer())) as one:
        more = [("Guarita-Account", "acc_other"), ("guarita_key", "x"), ("Connection", "X-Hop")]
        reply = await one.post(more=[*more, ("X-Hop", "1"), ("X-Kept", "2")])
        assert reply.body == PAID
        seen = one.upstream.seen[0]
        assert seen.count(b"\r\nGuarita-Account: %b\r\n" % world.credentials.account.encode()) == 1
        assert seen.lower().count(b"guarita-") == seen.count(b"\r\nGuarita-") == 5
        assert b"guarita_" not in seen.lower()
        assert seen.count(b"\r\nvia: 1.1 guarita\r\n") == 1
        for gone in (b"authorization", b"hmac", b"x-hop", world.credentials.secret.encode()):
            assert gone not in seen
        assert b"\r\nx-kept: 2\r\n" in seen
        assert b"\r\nhost: api.test\r\n" in seen
