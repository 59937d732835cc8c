"""What becomes of a payment's answer: released, recorded, replayed, recalled.

DESIGN section 3, rows "what ends a reservation", "idempotency header" and "crash …".
"""

import asyncio
import gzip
from typing import Any

import pytest

from guarita.asks import IN_FLIGHT, Reserve, Scope
from guarita.decision import Response
from guarita.stores.reservations import State
from tests.serving.by_hand import Stage, answers, part, start
from tests.serving.payments import JSON, OK, UNKNOWN, executes_again, is_replayed, is_unknown, post
from tests.serving.worlds import World


@pytest.fixture
def world() -> World:
    return World()


# --- answers


@pytest.mark.parametrize("status", [400, 404, 409, 422, 500, 503])
async def test_an_error_answer_streams_and_releases(world: World, status: int) -> None:
    rest = asyncio.Event()
    app = Stage(start(status, JSON), part(b"one", more=True), rest, part(b"two"))
    app.let_go.set()
    call = post(world, app)
    await call.said(2)
    assert (call.reply().body, world.states()) == (b"one", [])
    rest.set()
    reply = await call.answer()
    assert (reply.status, reply.body, reply.all("idempotency-key")) == (status, b"onetwo", ["k"])
    assert await executes_again(world)


@pytest.mark.parametrize("status", [301, 302, 303, 304, 307, 308])
async def test_a_3xx_is_unknown(world: World, status: int) -> None:
    """Neither a success to replay nor an error after which the payment may be tried again."""
    reply = await post(world, answers(status, b"", (b"location", b"/1"))).answer()
    assert (reply.status, reply.one("location")) == (status, "/1")
    assert await is_unknown(world)


async def test_a_body_in_many_chunks_is_recorded_whole(world: World) -> None:
    chunks = [part(b"%d," % number, more=True) for number in range(100)]
    app = Stage(start(201, (b"location", b"/1"), (b"x-other", b"o")), *chunks, part(b""))
    app.let_go.set()
    first = await post(world, app).answer()
    again = await post(world, Stage()).answer()
    assert first.body == again.body == b"".join(b"%d," % number for number in range(100))
    assert (again.status, again.one("location"), again.all("x-other")) == (201, "/1", [])
    assert int(again.one("content-length")) == len(again.body)


async def test_headers_may_be_any_iterable(world: World) -> None:
    """ASGI: headers are an iterable of pairs, so perhaps one that can be gone through once."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({**start(200), "headers": iter([JSON, (b"x-own", b"1")])})
        await send(part(b"{}"))

    reply = await post(world, app).answer()
    assert (reply.all("content-type"), reply.all("x-own")) == (["application/json"], ["1"])
    assert await is_replayed(world, b"{}")


async def test_an_encoded_body_is_replayed_readable(world: World) -> None:
    """An application that compresses its answer: the replay must not lose what says so."""
    packed = gzip.compress(b'{"worked":true}')
    app = answers(200, packed, JSON, (b"content-encoding", b"gzip"))
    assert (await post(world, app).answer()).body == packed
    reply = await post(world, Stage()).answer()
    readable = (
        gzip.decompress(reply.body) if reply.all("content-encoding") == ["gzip"] else reply.body
    )
    assert readable == b'{"worked":true}'


async def test_a_204_is_replayed_without_a_length(world: World) -> None:
    """RFC 9110 section 8.6: no Content-Length in a 204."""
    app = answers(204, b"", (b"x-own", b"1"))
    assert (await post(world, app).answer()).status == 204
    reply = await post(world, Stage()).answer()
    assert (reply.status, reply.body, reply.all("content-length")) == (204, b"", [])


async def test_a_record_that_is_too_large_is_unknown(world: World) -> None:
    app = answers(200, b"x" * 101)
    reply = await post(world, app, max_recorded_body=100).answer()
    assert (reply.status, reply.body) == (200, b"x" * 101)
    assert await is_unknown(world)


async def test_a_record_of_just_the_limit_is_kept(world: World) -> None:
    await post(world, answers(200, b"x" * 100), max_recorded_body=100).answer()
    assert await is_replayed(world, b"x" * 100)


async def test_a_body_beyond_the_limit_is_not_held_any_longer(world: World) -> None:
    """What cannot be recorded needs no memory: it streams as soon as that is clear."""
    rest = asyncio.Event()
    app = Stage(
        start(200, JSON), part(b"x" * 60, more=True), part(b"x" * 60, more=True), rest, part(b"y")
    )
    app.let_go.set()
    call = post(world, app, max_recorded_body=100)
    for _ in range(20):
        await asyncio.sleep(0)
    held = not call.sent
    rest.set()
    reply = await call.answer()
    assert reply.body == b"x" * 120 + b"y"
    assert not held
    assert await is_unknown(world)


# --- waiting


async def test_in_flight_for_too_long_is_409(world: World) -> None:
    """A driven clock: ten seconds pass in pauses (DESIGN section 3)."""
    now = [1_760_000_000.0]

    async def sleep(seconds: float) -> None:
        now[0] += seconds

    world.intercept = lambda ask: IN_FLIGHT if isinstance(ask, Reserve) else None
    reply = await post(world, Stage(), sleep=sleep, clock=lambda: now[0]).answer()
    assert (reply.status, b"still being processed" in reply.body) == (409, True)
    assert 10 <= now[0] - 1_760_000_000 < 10.5


# --- the application remembers


async def is_lost(world: World) -> None:
    """A payment is cancelled, and its outcome unknown."""
    app = Stage(*OK)
    call = post(world, app)
    await app.is_entered()
    await call.cancel()
    assert world.states() == [State.OUTCOME_UNKNOWN]


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_an_unknown_outcome_is_recalled(world: World, asynchronous: bool) -> None:
    await is_lost(world)
    asked: list[Scope] = []
    kept = Response(201, (JSON,), b'{"from":"the application"}')

    def recall(scope: Scope) -> Response:
        asked.append(scope)
        return kept

    async def recall_later(scope: Scope) -> Response:
        return recall(scope)

    never = Stage()
    reply = await post(
        world, never, recall_outcome=recall_later if asynchronous else recall
    ).answer()
    assert (reply.status, reply.body) == (201, kept.body)
    assert reply.one("x-idempotent-replay") == "true"
    assert (asked[0].account, asked[0].key) == (world.credentials.account, b"k")
    assert never.calls == 0


async def test_what_nobody_recalls_stays_unknown(world: World) -> None:
    await is_lost(world)
    reply = await post(world, Stage(), recall_outcome=lambda scope: None).answer()
    assert (reply.status, UNKNOWN in reply.body) == (409, True)
