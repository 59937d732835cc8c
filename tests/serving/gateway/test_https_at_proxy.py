"""A site whose proxies end TLS refuses what, by their word, did not come by TLS."""

import msgspec
import pytest

from guarita.serving.edge import TrustedProxies
from guarita.serving.gateway.gate import Gate, Settings
from tests.serving.gateway.support import answer, site
from tests.serving.upstream.support import answering
from tests.serving.worlds import BALANCE, World

BEHIND = Settings(
    trusted_proxies=TrustedProxies(["127.0.0.1"]),
    https_at_proxy=True,
    unsafe_unguarded_paths=("/up",),
)
HTTPS, HTTP = ("X-Forwarded-Proto", "https"), ("X-Forwarded-Proto", "http")
CLIENT = ("X-Forwarded-For", "203.0.113.45")


async def test_plaintext_is_refused_before_any_credential(world: World) -> None:
    async with site(world, answering(answer()), settings=BEHIND) as one:
        for more in ([], [HTTP], [("X-Forwarded-Proto", "https, http")]):
            client = await one.client()
            client.send(one.request("GET", BALANCE, None, more=[CLIENT, *more]))
            reply = await client.reply()
            assert reply.status == 400
            assert reply.get("ray-id") is not None
        assert (world.asked, one.executed) == ([], 0)


async def test_the_proxys_https_is_believed(world: World) -> None:
    async with site(world, answering(answer()), settings=BEHIND) as one:
        await one.get(more=[CLIENT, HTTPS])
        assert world.asked != []  # the layers were passed: credentials are looked at


async def test_unguarded_paths_may_come_without_tls(world: World) -> None:
    async with site(world, answering(answer()), settings=BEHIND) as one:
        assert (await one.ask(b"GET /up HTTP/1.1\r\nHost: a\r\n\r\n")).status == 200


async def test_it_takes_proxies(world: World) -> None:
    settings = msgspec.structs.replace(Settings(), https_at_proxy=True)
    async with site(world, answering(answer())) as one:
        with pytest.raises(ValueError, match="who says so"):
            Gate(one.gate.profile, world.backend, one.pool, settings)
