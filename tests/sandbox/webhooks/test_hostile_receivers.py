"""One attempt against receivers that are broken or hostile: how long, how much, what is told."""

import asyncio
import socket
import struct
from collections.abc import Sequence
from typing import Any

import httpcore
import pytest

from guarita.sandbox.webhooks import client
from guarita.sandbox.webhooks.client import Answer
from tests.sandbox.webhooks.sending import Names, Wires, post, raw_server
from tests.sandbox.webhooks.support import OK, Request, answer, endpoint


async def test_no_server() -> None:
    async with endpoint(OK) as server:
        url = server.url()
    assert await post(url) == Answer(None, "could not connect")


async def _reset(_request: Request, writer: asyncio.StreamWriter) -> None:
    raw = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _reset_half_way(request: Request, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Le")
    await writer.drain()
    await _reset(request, writer)


@pytest.mark.parametrize(
    "reply",
    [_reset, _reset_half_way, b"", b"HTTP/1.1 200", b"SSH-2.0-x\r\n\r\n", b"\0" * 100, b"\n" * 9],
)
async def test_a_broken_answer(reply: Any) -> None:
    async with endpoint(reply) as server:
        outcome = await post(server.url())
    assert outcome.status is None
    assert outcome.error in (
        "the connection broke off",
        "the answer was not HTTP, or none came",
    )


async def test_a_body_broken_off_after_the_status() -> None:
    async with endpoint(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort") as server:
        assert await post(server.url()) == Answer(200, None)


async def _flood(chunk: bytes, sent: list[int], writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(chunk)
        await writer.drain()
        sent.append(len(chunk))


BODY_FLOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n"
CHUNK_FLOOD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("start", "chunk", "expected"),
    [
        (BODY_FLOOD, b"x" * 4096, Answer(200, None)),
        (CHUNK_FLOOD, b"1\r\nx\r\n" * 700, Answer(200, None)),
        (b"HTTP/1.1 500 No\r\nContent-Length: 99999999999\r\n\r\n", b"x" * 4096, "answered 500"),
        (b"HTTP/1.1 200 OK\r\nX: ", b"x" * 4096, "head is longer"),
        (b"HTTP/1.1 200 OK\r\n", b"X-Y: z\r\n" * 500, "head is longer"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 200, "head is longer"),
    ],
)
async def test_a_flood_is_cut_off(start: bytes, chunk: bytes, expected: Answer | str) -> None:
    sent: list[int] = []

    async def flood(_request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(start)
        await _flood(chunk, sent, writer)

    async with endpoint(flood) as server:
        outcome = await post(server.url())
    if isinstance(expected, Answer):
        assert outcome == expected
    else:
        assert expected in str(outcome.error)
    # What was read is bounded; what was written also filled the buffers of the kernel.
    assert sum(sent) < 20_000_000


def _drip(start: bytes, drop: bytes) -> Any:
    async def drip(_request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(start)
        while True:
            writer.write(drop)
            await writer.drain()
            await asyncio.sleep(0.01)

    return drip


@pytest.mark.parametrize(
    ("handler", "expected"),
    [
        (_drip(b"HTTP/1.1 204 No", b" "), Answer(None, "no answer within 0.2 s")),
        (_drip(b"HTTP/1.1 204 No\r\nX: ", b"x"), Answer(None, "no answer within 0.2 s")),
        (_drip(b"", b""), Answer(None, "no answer within 0.2 s")),
        (_drip(BODY_FLOOD, b"x"), Answer(200, None)),
    ],
)
async def test_a_slow_answer_is_cut_off(handler: Any, expected: Answer) -> None:
    timeout_s = 0.2 if expected.status is None else 1.0
    async with endpoint(handler) as server, asyncio.timeout(30):
        assert await post(server.url(), timeout_s=timeout_s) == expected


async def test_time_is_counted_over_all_redirects() -> None:
    slow = _drip(b"HTTP/1.1 307 X\r\nLocation: /b\r\nContent-Length: 9999\r\n\r\n", b"x")
    async with endpoint(slow) as server, asyncio.timeout(30):
        outcome = await post(server.url(), timeout_s=1.0)
    assert outcome.status == 307
    assert not outcome.delivered


async def test_a_handshake_that_never_ends() -> None:
    async with raw_server(b"") as port, asyncio.timeout(30):
        outcome = await post(f"https://127.0.0.1:{port}/", timeout_s=0.2)
    assert outcome == Answer(None, "no answer within 0.2 s")


async def test_a_resolver_that_never_answers() -> None:
    async def never(_host: str, _port: int) -> Sequence[str]:
        await asyncio.Event().wait()
        raise AssertionError

    async with asyncio.timeout(30):
        outcome = await post("http://hooks.example/", resolver=never, timeout_s=0.1)
    assert outcome == Answer(None, "no answer within 0.1 s")


async def test_addresses_that_are_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    class Silent(Wires):
        async def connect_tcp(self, host: str, *rest: Any, **more: Any) -> Any:
            self.dialled.append(host)
            raise httpcore.ConnectTimeout

    wires = Silent()
    names = Names(["8.8.8.8", "8.8.4.4", "1.1.1.1", "1.0.0.1", "9.9.9.9"])
    outcome = await post("http://hooks.example/", resolver=names, backend=wires)
    assert outcome == Answer(None, "could not connect in time")
    assert len(wires.dialled) == 4


async def test_errors_hold_nothing_of_the_url_or_the_answer() -> None:
    token = "t0ken"
    reply = f"NOT-HTTP {token}\r\nX-{token}: {token}\r\n\r\n".encode()
    async with endpoint(reply, answer(400, body=token.encode())) as server:
        outcomes = [await post(server.url(f"/{token}?{token}")) for _ in range(2)]
    outcomes.append(await post(f"http://10.0.0.1/{token}"))
    outcomes.append(await post(f"http://hooks.example/{token}", resolver=Names([])))
    assert all(outcome.error and token not in outcome.error for outcome in outcomes)
    assert all(len(str(outcome.error)) <= client.MAX_ERROR for outcome in outcomes)


async def test_long_errors_are_cut() -> None:
    host = ".".join(["a" * 60] * 4)
    outcome = await post(f"http://{host}/", resolver=Names(["10.0.0.1"]))
    assert len(str(outcome.error)) == client.MAX_ERROR
