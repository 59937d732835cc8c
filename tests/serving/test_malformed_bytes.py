"""Bytes that are no HTTP, on a connection whose earlier request is still running: they never get an
answer in the place of that request's own.
"""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from guarita.decision_log import MemoryLog
from guarita.profiles.minhakonta import MINHA_KONTA
from guarita.serving.uvicorn_http import protocol_for
from tests.serving.client import Raw, raw_request
from tests.serving.servers import uvicorn_thread
from tests.serving.worlds import PAY, PAYMENT, World, is_one_of_the_shapes


class Payments:
    """An application that pays when it is told to, and counts."""

    def __init__(self) -> None:
        self.paid = 0
        self.reached = threading.Event()
        self.go_on = threading.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            raise NotImplementedError("no lifespan")
        self.reached.set()
        await asyncio.get_running_loop().run_in_executor(None, self.go_on.wait, 10)
        self.paid += 1
        headers = [(b"content-type", b"application/json"), (b"content-length", b"2")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"{}"})


class Site:
    def __init__(self, world: World, app: Payments, port: int, log: MemoryLog) -> None:
        self.world = world
        self.app = app
        self.port = port
        self.log = log

    def payment(self, body: bytes = PAYMENT) -> bytes:
        headers = [
            (name.encode(), value.encode())
            for name, value in self.world.credentials.headers(PAYMENT)
        ]
        return raw_request("POST", PAY, headers, body)


@pytest.fixture
def site() -> Iterator[Site]:
    world, app, log = World(), Payments(), MemoryLog()
    gate = world.gate(app, decision_log=log)
    with uvicorn_thread(gate, http=protocol_for(MINHA_KONTA, log)) as port:
        yield Site(world, app, port, log)
        app.go_on.set()


@pytest.mark.parametrize(
    "junk", [b"junk\r\n\r\n", b"\x00\x01\x02", b"GET / HTTP/1.1\r\nbad header\r\n\r\n"]
)
@pytest.mark.parametrize("together", [True, False])
def test_a_payment_followed_by_junk_is_answered_as_what_it_was(
    site: Site, junk: bytes, together: bool
) -> None:
    """Answered 400, its caller would pay again."""
    with Raw(site.port) as raw:
        if together:
            raw.send(site.payment() + junk)
            assert site.app.reached.wait(10)
        else:
            raw.send(site.payment())
            assert site.app.reached.wait(10)
            raw.send(junk)
        site.app.go_on.set()
        reply = raw.reply()
        assert (reply.status, reply.body) == (200, b"{}")
        assert raw.line() == b""  # and then the connection is closed
    assert site.app.paid == 1


def test_a_queued_request_that_breaks_off_never_runs(site: Site) -> None:
    broken = site.payment().replace(b"Content-Length: 60", b"Transfer-Encoding: chunked")
    broken = broken.replace(PAYMENT, b"zz\r\n")
    assert b"chunked" in broken
    with Raw(site.port) as raw:
        raw.send(site.payment())
        assert site.app.reached.wait(10)
        raw.send(broken)
        site.app.go_on.set()
        assert raw.reply().status == 200
        assert raw.line() == b""
    assert site.app.paid == 1


def test_a_running_request_whose_body_breaks_is_not_executed(site: Site) -> None:
    site.app.go_on.set()
    broken = site.payment().replace(b"Content-Length: 60", b"Transfer-Encoding: chunked")
    with Raw(site.port) as raw:
        raw.send(broken.replace(PAYMENT, b"zz\r\n"))
        assert raw.line() == b""
    assert site.app.paid == 0


def test_junk_alone_is_refused_in_the_profile_s_words_and_noted(site: Site) -> None:
    with Raw(site.port) as raw:
        raw.send(b"junk\r\n\r\n")
        reply = raw.reply()
    assert reply.status == 400
    assert is_one_of_the_shapes(400, reply.body)
    assert reply.one("connection") == "close"
    [entry] = site.log.entries
    assert (entry.ray, entry.reason) == (reply.one("ray-id"), "serving.malformed_request")
    assert entry.client == "127.0.0.1"
