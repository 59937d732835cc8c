"""Connections of a TLS listener are limited from the moment they are accepted: thousands that began
no handshake took every descriptor, as they were counted only once it was over.
"""

import asyncio
import errno
import socket
from itertools import pairwise
from typing import Any

import pytest
from msgspec.structs import replace

from guarita.serving.gateway.handshakes import PAUSE_S, Acceptor
from guarita.serving.http1.connections import Entrance
from guarita.serving.http1.limits import Limits
from tests.serving.gateway.listeners.support import Caller, Served, hello, served, tls
from tests.serving.tls.support import World
from tests.serving.upstream.support import WAIT_S, until

HOME = "127.0.0.1"
SOME = 3
contexts = pytest.mark.parametrize("asks", [True, False], ids=["asks", "plain"])


@contexts
async def test_silent_connections_of_an_address_are_limited(
    certificates: World, asks: bool
) -> None:
    async with served(certificates, Limits(per_address=SOME), asks=asks) as one:
        silent = await one.wait(*[HOME] * SOME)
        assert await one.is_turned_away()
        assert one.count == SOME
        await one.call("127.0.0.2")  # another address is not concerned
        silent[0].leave()
        await until(lambda: one.count == SOME)
        await one.call()
        assert await one.is_turned_away()
        # One that was silent has its place until the end of its handshake, and beyond.
        await silent[1].shake_hands(certificates.client_context())
        assert await silent[1].get() == 200
        assert one.count == SOME + 1


async def test_connections_are_limited_in_all(certificates: World) -> None:
    async with served(certificates, Limits(connections=SOME)) as one:
        silent = await one.wait("127.0.0.2", "127.0.0.3", "127.0.0.4")
        assert await one.is_turned_away("127.0.0.5")
        silent[1].leave()
        await until(lambda: one.count == SOME - 1)
        await one.call("127.0.0.5")
        assert await one.is_turned_away("127.0.0.6")


async def test_a_trusted_proxy_may_have_any_number(certificates: World) -> None:
    async with served(certificates, Limits(per_address=1), trusted=("127.0.0.9",)) as one:
        await one.wait(*["127.0.0.9"] * SOME)
        await one.call("127.0.0.9")
        await one.wait(HOME)
        assert await one.is_turned_away()


def garbage(caller: Caller) -> None:
    caller.writer.write(b"\x16\x03\x01\x00\x04none")


def plain_http(caller: Caller) -> None:
    caller.writer.write(b"GET / HTTP/1.1\r\n\r\n")


def reset_in_the_middle(caller: Caller) -> None:
    caller.writer.write(hello()[:50])
    caller.reset()


def end_in_the_middle(caller: Caller) -> None:
    caller.writer.write(hello()[:50])
    caller.writer.close()


def reset_at_once(caller: Caller) -> None:
    caller.reset()


@contexts
@pytest.mark.parametrize(
    "fail", [garbage, plain_http, reset_in_the_middle, end_in_the_middle, reset_at_once]
)
async def test_a_handshake_that_fails_gives_its_place_back(
    certificates: World, asks: bool, fail: Any
) -> None:
    async with served(certificates, Limits(per_address=1), asks=asks) as one:
        for _ in range(2):
            [caller] = await one.wait(HOME)
            fail(caller)
            if fail in (garbage, plain_http):
                # What was wrong is said first; the client's next word, or its end, is the end.
                async with asyncio.timeout(WAIT_S):
                    await caller.reader.read(1)
                caller.leave()
            await until(lambda: not one.count)
            assert not one.connections._of_address
        await one.call()


@contexts
async def test_a_handshake_that_takes_too_long_gives_its_place_back(
    certificates: World, asks: bool
) -> None:
    limits = Limits(per_address=1)
    async with served(certificates, limits, asks=asks, handshake_s=0.05) as one:
        [silent] = await one.wait(HOME)
        assert await silent.rest() == b""
        await until(lambda: not one.count)
        [slow] = await one.wait(HOME)
        slow.writer.write(hello()[:50])
        assert await slow.rest() == b""
        await until(lambda: not one.count)
        assert not one.connections._of_address


async def test_a_finished_connection_gives_its_place_back_once(certificates: World) -> None:
    async with served(certificates, Limits(per_address=2)) as one:
        stays = await one.call()
        for end in (Caller.leave, Caller.reset, lambda caller: caller.writer.close()):
            goes = await one.call()
            assert await one.is_turned_away()
            end(goes)
            await until(lambda: one.count == 1)
            assert list(one.connections._of_address.values()) == [1]
        assert await stays.get() == 200


async def test_the_clients_certificate_arrives(certificates: World) -> None:
    async with served(certificates) as one:
        client = certificates.intermediate.leaf("ana")
        await one.call(client=client)
        [request] = one.recorder.begun
        assert (request.peer, request.secure) == (HOME, True)
        assert request.certificate is not None
        assert request.certificate.chain == client.der_chain
        [front] = one.connections._open
        own = front.transport.get_extra_info("socket")
        assert own.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


async def test_the_end_of_a_listener_ends_its_handshakes(certificates: World) -> None:
    async with served(certificates, listeners=2) as one:
        [silent] = await one.wait(HOME)
        [begun] = await one.wait(HOME)
        begun.writer.write(hello()[:50])
        others = await one.connect(listener=1)
        await until(lambda: one.count == 3)
        one.listeners[0].close(30.0)
        assert [await silent.rest(), await begun.rest()] == [b"", b""]
        await until(lambda: one.count == 1)
        await others.shake_hands(certificates.client_context())
        assert await others.get() == 200


async def test_draining_does_not_wait_for_handshakes(certificates: World) -> None:
    async with served(certificates) as one:
        [silent] = await one.wait(HOME)
        async with asyncio.timeout(WAIT_S):
            await one.connections.close(3600.0)
        assert await silent.rest() == b""


async def test_one_that_is_accepted_while_its_listener_ends(certificates: World) -> None:
    """Its handshake's task is cancelled before it has begun."""
    async with served(certificates) as one:
        with socket.create_connection((HOME, one.port), timeout=WAIT_S) as silent:
            accept_now(one)
            assert one.count == 1
            one.listeners[0].close(30.0)
            await until(lambda: not one.count)
            assert silent.recv(1) == b""


async def test_a_change_of_certificate_lets_handshakes_go_on(certificates: World) -> None:
    async with served(certificates, Limits(per_address=2)) as one:
        [silent] = await one.wait(HOME)
        one.site.become(replace(one.site.plan, tls=tls(certificates, asks=False)))
        one.connections.handler = one.recorder
        await one.listeners[0].serve(one.site, 30.0)
        await one.call()
        assert await one.is_turned_away()
        await silent.shake_hands(certificates.client_context())
        assert await silent.get() == 200


async def test_nothing_is_accepted_for_a_while_where_there_is_no_room(
    certificates: World, caplog: pytest.LogCaptureFixture
) -> None:
    """A loop that is told again and again of a connection it cannot take would do nothing else."""
    tried: list[float] = []
    loop = asyncio.get_running_loop()

    class Full(socket.socket):
        def accept(self) -> Any:
            tried.append(loop.time())
            if len(tried) < 3:
                raise OSError(errno.EMFILE, "Too many open files")
            return super().accept()

    async with served(certificates) as one:
        full = Full(fileno=socket.create_server((HOME, 0)).detach())
        full.setblocking(False)
        context = tls(certificates).context()
        acceptor = Acceptor(full, one.connections, Entrance(), context, 30.0)
        reader, writer = await asyncio.open_connection(*full.getsockname())
        caller = Caller(reader, writer)
        one.callers.append(caller)
        await caller.shake_hands(certificates.client_context())
        assert await caller.get() == 200
        acceptor.close()
        assert [later - sooner >= PAUSE_S / 2 for sooner, later in pairwise(tried[:3])] == [
            True
        ] * 2
    assert caplog.text.count("connections have to wait until there is room") == 1


def accept_now(one: Served) -> None:
    """What the loop does once it is told that somebody waits."""
    acceptor = one.listeners[0]._server
    assert isinstance(acceptor, Acceptor)
    acceptor._accept()
