"""A body that no layer has read is no way past the gate. The upstream here does what RFC 9112
forbids and some programs do: it answers without reading the body, and takes what lies there for its
next request, unless it was asked to end the connection.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from guarita.serving.gateway.gate import Settings
from tests.serving.gateway.support import Site, site
from tests.serving.upstream.support import Peer, until
from tests.serving.worlds import BALANCE, PAY, World

OPEN = Settings(unsafe_unguarded_paths=("/up/",))
FORGED = b"POST %b HTTP/1.1\r\nHost: a\r\nGuarita-Account: another\r\nContent-Length: 0\r\n\r\n" % (
    PAY.encode()
)
CHUNKED = b"%x\r\n%b\r\n0\r\n\r\n" % (len(FORGED), FORGED)


class Careless:
    """An upstream that takes everything for heads of requests, as long as nobody says "close"."""

    def __init__(self) -> None:
        self.heads: list[bytes] = []

    async def __call__(self, peer: Peer) -> None:
        ends = False
        while not ends:
            head = await peer.reader.readuntil(b"\r\n\r\n")
            self.heads.append(head)
            ends = b"\r\nconnection: close\r\n" in head.lower()
            await peer.say(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        peer.close()


@asynccontextmanager
async def careless(
    world: World, *, reads_bodies: bool = False
) -> AsyncIterator[tuple[Site, Careless]]:
    upstream = Careless()
    async with site(world, upstream, settings=OPEN, reads_bodies=reads_bodies) as one:
        yield one, upstream


def framed(method: str, path: str, fields: bytes, *, chunked: bool) -> tuple[bytes, bytes]:
    """Head and body of a request that hides another one."""
    how = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % len(FORGED)
    head = b"%b %b HTTP/1.1\r\nHost: a\r\n%b%b\r\n\r\n" % (
        method.encode(),
        path.encode(),
        fields,
        how,
    )
    return head, CHUNKED if chunked else FORGED


@pytest.mark.parametrize("split", [False, True])
@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize(
    ("method", "guarded"),
    [("GET", True), ("GET", False), ("HEAD", False), ("DELETE", False), ("POST", False)],
)
async def test_what_hides_in_an_unread_body_is_never_reached(
    world: World, method: str, guarded: bool, chunked: bool, split: bool
) -> None:
    signed = world.credentials.headers(None, None) if guarded else []
    fields = b"".join(f"{name}: {value}\r\n".encode() for name, value in signed)
    path = BALANCE if guarded else "/up/load"
    head, body = framed(method, path, fields, chunked=chunked)
    async with careless(world) as (one, upstream):
        for number in range(1, 4):
            client = await one.client()
            if split:
                client.send(head)
                await until(lambda: len(upstream.heads) == number)  # noqa: B023
                client.send(body)
            else:
                client.send(head + body)
            assert (await client.reply(bodiless=method == "HEAD")).status == 200
            assert len(upstream.heads) == one.upstream.accepted == number
        assert not any(b"another" in head for head in upstream.heads)


async def test_a_signed_body_leaves_the_connection_open(world: World) -> None:
    """Its bytes were looked at: no JSON text begins with a request line."""

    async def play(peer: Peer) -> None:
        while True:
            assert b"connection:" not in (await peer.request()).lower()
            await peer.say(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    async with site(world, play) as one:
        for key in ("a", "b"):
            assert (await one.post(key)).status == 200
        assert one.upstream.accepted == 1


async def test_an_upstream_that_reads_bodies_keeps_its_connection(world: World) -> None:
    async def play(peer: Peer) -> None:
        while True:
            raw = await peer.request()
            assert b"connection:" not in raw.lower()
            await peer.say(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    async with site(world, play, settings=OPEN, reads_bodies=True) as one:
        for chunked in (False, True):
            head, body = framed("POST", "/up/load", b"", chunked=chunked)
            assert (await one.ask(head + body)).body == b"ok"
        assert one.upstream.accepted == 1
