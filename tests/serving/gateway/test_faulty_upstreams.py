"""`guarita serve` in front of an upstream that is away, slow, resetting, or lying about lengths;
what the upstream was asked is counted by itself.

The rows are those of docs/gateway.md, "What the upstream gets".
"""

import http.client
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from threading import Event

import pytest

from tests.cli.serve.gateways import DEADLINE_S, Gateway, Merchant, guarita, serving
from tests.serving.client import Reply
from tests.serving.gateway.faulty import (
    GOOD,
    Connection,
    Faulty,
    Play,
    answer,
    resets,
    says,
    stalls,
)
from tests.serving.gateway.killing import Payer, configure, held_port, is_unknown, payment
from tests.serving.worlds import BALANCE

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="guarita serve needs a Unix"),
]

READ_S = 0.6
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
SHORT = HEAD + b"Content-Length: 100\r\n\r\n" + GOOD
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
CHUNK = b"%x\r\n%b\r\n" % (len(GOOD), GOOD)


class Place:
    """The gateway, the upstream behind it, and a merchant before it."""

    def __init__(self, gateway: Gateway, upstream: Faulty, merchant: Merchant) -> None:
        self.gateway = gateway
        self.upstream = upstream
        self.merchant = merchant

    def pay(self, key: str) -> Reply:
        with closing(Payer(self.gateway.port(), self.merchant)) as payer:
            return payer.pay(key, payment(key))

    def get(self) -> Reply:
        """A request whose answer is streamed."""
        made = http.client.HTTPConnection("127.0.0.1", self.gateway.port(), timeout=DEADLINE_S)
        with closing(made) as connection:
            connection.request("GET", BALANCE, headers=self.merchant.headers)
            response = connection.getresponse()
            return Reply(response.status, response.getheaders(), response.read())

    def state(self, key: str) -> list[str]:
        """What `guarita idempotency list` says of a key."""
        rows = guarita("idempotency", "list", config=self.gateway.config)
        return [row["state"] for row in rows if row["key"] == key]

    def is_well(self, key: str) -> None:
        """The next payment is taken as if nothing had been."""
        self.upstream.begin()
        reply = self.pay(key)
        assert (reply.status, reply.body, len(self.upstream.seen)) == (200, GOOD, 1)
        self.upstream.rest()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder: Path = tmp_path_factory.mktemp("faulty")
    with ExitStack() as stack:
        upstream = Faulty(stack.enter_context(held_port()))
        url = f"http://127.0.0.1:{upstream.port}"
        config = configure(folder / "guarita.toml", url, 0, upstream=f"read_s = {READ_S}")
        merchant = Merchant(config, "minhakonta", "--all-permissions")
        stack.callback(upstream.leave)
        yield Place(stack.enter_context(serving(config)), upstream, merchant)


@pytest.fixture(autouse=True)
def good_again(place: Place) -> None:
    place.upstream.begin()
    place.upstream.listen()


def test_away(place: Place) -> None:
    """502, nothing is kept of it, and a retry executes when the upstream is back."""
    place.upstream.leave()
    for _ in range(2):
        reply = place.pay("away")
        assert reply.status == 502
        assert reply.one("ray-id")
    assert place.get().status == 502
    assert place.state("away") == []
    assert place.upstream.connections == 0
    place.upstream.listen()
    reply = place.pay("away")
    assert (reply.status, reply.body) == (200, GOOD)
    assert not reply.all("x-idempotent-replay")
    assert place.pay("away").one("x-idempotent-replay") == "true"
    assert len(place.upstream.seen) == 1


FAULTS: dict[str, tuple[Play, int]] = {
    "slow": (stalls(), 504),
    "slow in the head": (stalls(HEAD), 504),
    "slow in the body": (stalls(SHORT), 504),
    "slow in the chunks": (stalls(CHUNKED + CHUNK), 504),
    "ends without an answer": (says(b""), 502),
    "resets": (resets(), 502),
    "resets in the head": (resets(HEAD), 502),
    "resets in the body": (resets(SHORT), 502),
    "shorter than its length": (says(SHORT), 502),
    "chunks without an end": (says(CHUNKED + CHUNK), 502),
    "a chunk shorter than its size": (says(CHUNKED + b"ff\r\n" + GOOD), 502),
    "a chunk longer than its size": (says(CHUNKED + b"2\r\n" + GOOD + b"\r\n0\r\n\r\n"), 502),
    "two lengths": (says(HEAD + b"Content-Length: 2\r\n" + SHORT[len(HEAD) :]), 502),
    "a length and chunks": (
        says(HEAD + b"Content-Length: 15\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNK), 502),
    "longer than its length": (says(answer(GOOD) + b"\r\n"), 502),
    "a second answer": (says(answer(GOOD, keep=True) * 2, keep=True), 502),
    "a length that is no number": (says(HEAD + b"Content-Length: +15\r\n\r\n" + GOOD), 502),
    "not HTTP": (says(b"220 mail.example.test ESMTP\r\n"), 502),
}  # fmt: skip
"""Name → what becomes of a payment in the upstream, and what its caller is told."""


@pytest.mark.parametrize("name", FAULTS)
def test_recorded(place: Place, name: str) -> None:
    """The request was sent, once; a retry is told that nobody knows what became of it."""
    play, status = FAULTS[name]
    place.upstream.begin(play)
    reply = place.pay(name)
    assert reply.status == status
    assert GOOD not in reply.body
    assert reply.one("ray-id")
    assert len(place.upstream.seen) == 1
    for _ in range(2):
        assert is_unknown(place.pay(name))
    assert len(place.upstream.seen) == 1
    place.upstream.rest()
    place.is_well(f"after {name}")
    assert place.state(name) == ["outcome_unknown"]


STREAMED: dict[str, tuple[Play, int | None]] = {
    "slow": (stalls(), 504),
    "slow in the head": (stalls(HEAD), 504),
    "slow in the body": (stalls(SHORT), None),
    "ends without an answer": (says(b""), 502),
    "resets": (resets(), 502),
    "resets in the body": (resets(SHORT), None),
    "shorter than its length": (says(SHORT), None),
    "chunks without an end": (says(CHUNKED + CHUNK), None),
    "a chunk shorter than its size": (says(CHUNKED + b"ff\r\n" + GOOD), None),
    "reset without a length": (resets(HEAD + b"\r\n" + GOOD), None),
    "longer than its length": (FAULTS["longer than its length"][0], 502),
    "a second answer": (FAULTS["a second answer"][0], 502),
    "two lengths": (FAULTS["two lengths"][0], 502),
    "a length and chunks": (FAULTS["a length and chunks"][0], 502),
    "not HTTP": (FAULTS["not HTTP"][0], 502),
}
"""The same of a request whose answer is streamed; None: a broken transfer."""


@pytest.mark.parametrize("name", STREAMED)
def test_streamed(place: Place, name: str) -> None:
    """An answer that has begun is broken off: never a shorter success."""
    play, status = STREAMED[name]
    place.upstream.begin(play)
    if status is None:
        with pytest.raises((http.client.HTTPException, ConnectionError)):
            place.get()
    else:
        assert place.get().status == status
    assert len(place.upstream.seen) == 1
    place.upstream.rest()
    place.is_well(f"after streamed {name}")


@pytest.mark.parametrize("count", range(5))
def test_an_answer_that_nobody_asked_for(place: Place, count: int) -> None:
    """It is not taken for the answer to the next payment, however soon that comes."""
    answered, said = Event(), Event()

    def play(connection: Connection) -> bool:
        connection.sock.sendall(answer(GOOD, keep=True))
        assert answered.wait(DEADLINE_S)
        connection.sock.sendall(answer(b'{"forged":true}', keep=True))
        said.set()
        connection.gone()
        return False

    place.upstream.begin(play)
    assert place.pay(f"first-{count}").body == GOOD
    place.upstream.play = says(answer(GOOD))
    answered.set()
    assert said.wait(DEADLINE_S)
    assert place.pay(f"second-{count}").body == GOOD
    assert (len(place.upstream.seen), place.upstream.connections) == (2, 2)
    place.upstream.rest()


def test_a_kept_connection_that_is_reset(place: Place) -> None:
    """The second request on it may have been executed: it is not sent again on another."""
    place.upstream.begin(says(answer(GOOD, keep=True), keep=True))
    for count in range(3):
        assert place.pay(f"kept-{count}").status == 200
    assert (len(place.upstream.seen), place.upstream.connections) == (3, 1)
    place.upstream.play = resets()
    assert place.pay("kept").status == 502
    assert (len(place.upstream.seen), place.upstream.connections) == (4, 1)
    assert is_unknown(place.pay("kept"))
    assert len(place.upstream.seen) == 4
    place.is_well("after kept")
