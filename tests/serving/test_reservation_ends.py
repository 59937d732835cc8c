"""Every way an admitted POST can end, and what becomes of its reservation (DESIGN section 3, rows
"what ends a reservation" and "crash, cancellation, exception after the response started").
"""

import asyncio
from typing import Any

import pytest

from guarita.asks import Outage, Record, Release, Reserve
from guarita.stores.reservations import State
from tests.serving.by_hand import Call, Stage, answers, part, scope_of, start
from tests.serving.payments import JSON, OK, executes_again, is_replayed, is_unknown, post
from tests.serving.worlds import PAY, PAYMENT, World


@pytest.fixture
def world() -> World:
    return World()


# --- the client goes away


async def test_disconnect_before_the_body_is_complete(world: World) -> None:
    never = Stage()
    scope = scope_of("POST", PAY, world.credentials.headers(PAYMENT, "k"))
    call = Call(world.gate(never), scope)
    call.says(PAYMENT[:10], more=True)
    call.disconnects()
    await call.end()
    assert (never.calls, call.sent, world.states()) == (0, [], [])
    assert "Reserve" not in world.asked_kinds()


async def test_disconnect_while_the_application_runs(world: World) -> None:
    app = Stage(*OK)
    call = post(world, app)
    await app.is_entered()
    call.disconnects()
    app.let_go.set()
    await call.end()
    assert await is_replayed(world)


async def test_an_application_that_listens_for_disconnects_runs_on_too(world: World) -> None:
    """Django's handler and Starlette's streaming responses give up as soon as they hear of one."""
    committed = asyncio.Event()

    async def listening(scope: Any, receive: Any, send: Any) -> None:
        await receive()

        async def work() -> None:
            await committed.wait()
            for message in OK:
                await send(message)

        tasks = [asyncio.create_task(work()), asyncio.create_task(receive())]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    call = post(world, listening)
    call.disconnects()
    for _ in range(20):
        await asyncio.sleep(0)
    committed.set()
    await call.end()
    assert await is_replayed(world)


async def test_without_a_reservation_the_application_hears_of_a_disconnect(world: World) -> None:
    heard: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        heard.append((await receive())["type"])

    call = post(world, app, key=None)
    call.disconnects()
    await call.end()
    assert heard == ["http.disconnect"]


async def test_a_server_that_cannot_send_loses_nothing(world: World) -> None:
    """ASGI 2.4: `send` raises OSError once the client has gone."""
    call = post(world, answers())

    async def gone(message: Any) -> None:
        raise OSError("client gone")

    call._send = gone  # type: ignore[method-assign]
    with pytest.raises(OSError, match="client gone"):
        await call.end()
    assert await is_replayed(world)


# --- the application breaks


async def test_exception_before_the_response_starts_releases(world: World) -> None:
    app = Stage(RuntimeError("secret detail"))
    app.let_go.set()
    call = post(world, app)
    with pytest.raises(RuntimeError):
        await call.end()
    reply = call.reply()
    assert reply.status == 500
    assert reply.body == b'{"errors":{"internal_server_error":"Internal server error"}}'
    assert int(reply.one("content-length")) == len(reply.body)
    assert await executes_again(world)


@pytest.mark.parametrize(
    "steps",
    [
        (start(200, JSON), RuntimeError("late")),
        (start(200, JSON), part(b"{", more=True), RuntimeError("late")),
        (start(302), RuntimeError("late")),
        (start(200, JSON), part("not", more=True), part("bytes")),  # type: ignore[arg-type]
        (start(200, JSON), start(200, JSON)),
    ],
    ids=[
        "after start",
        "in the body",
        "after a redirect",
        "unjoinable body",
        "second start",
    ],
)
async def test_exception_after_the_response_started_is_unknown(world: World, steps: Any) -> None:
    app = Stage(*steps)
    app.let_go.set()
    call = post(world, app)
    with pytest.raises((RuntimeError, TypeError)):
        await call.end()
    assert call.reply().status in (500, 302)
    assert await is_unknown(world)


async def test_an_exception_after_the_whole_response_changes_nothing(world: World) -> None:
    app = Stage(*OK, RuntimeError("in a background task"))
    app.let_go.set()
    call = post(world, app)
    with pytest.raises(RuntimeError):
        await call.end()
    assert call.reply().status == 200
    assert await is_replayed(world)


@pytest.mark.parametrize(
    "steps", [(), (start(200, JSON),), (start(200, JSON), part(b"{", more=True))]
)
async def test_no_complete_response_is_unknown(world: World, steps: Any) -> None:
    app = Stage(*steps)
    app.let_go.set()
    reply = await post(world, app).answer()
    assert (reply.status, reply.all("ray-id") != []) == (500, True)
    assert await is_unknown(world)


# --- cancellation


async def test_cancelled_while_the_application_runs_is_unknown(world: World) -> None:
    app = Stage(*OK)
    call = post(world, app)
    await app.is_entered()
    await call.cancel()
    assert await is_unknown(world)


async def test_an_application_that_cancels_itself_is_unknown(world: World) -> None:
    app = Stage(asyncio.CancelledError())
    app.let_go.set()
    call = post(world, app)
    with pytest.raises(asyncio.CancelledError):
        await call.end()
    assert await is_unknown(world)


async def test_cancelled_while_waiting_for_a_twin(world: World) -> None:
    first = Stage(*OK)
    call = post(world, first)
    await first.is_entered()
    never, waiting = Stage(), asyncio.Event()

    async def sleep(_seconds: float) -> None:
        waiting.set()
        await asyncio.Event().wait()

    twin = post(world, never, sleep=sleep)
    await waiting.wait()
    await twin.cancel()
    assert world.states() == [State.IN_FLIGHT]
    first.let_go.set()
    assert (await call.answer()).status == 200
    assert never.calls == 0
    assert await is_replayed(world)


@pytest.mark.parametrize("reserves_first", [True, False])
async def test_cancelled_while_reserving_leaves_nothing(world: World, reserves_first: bool) -> None:
    """Whether the store had reserved already or not: the token tells, and it is given back."""
    asking = asyncio.Event()

    async def slowly(ask: Reserve) -> Any:
        if reserves_first:
            world.plainly(ask)
        asking.set()
        await asyncio.Event().wait()

    world.intercept = lambda ask: slowly(ask) if isinstance(ask, Reserve) else None
    never = Stage()
    call = post(world, never)
    await asking.wait()
    await call.cancel()
    assert (never.calls, world.states()) == (0, [])
    world.intercept = lambda ask: None
    assert await executes_again(world)


async def test_cancelled_while_the_store_breaks_is_still_cancelled(world: World) -> None:
    asking = asyncio.Event()

    async def slowly(ask: Any) -> Any:
        asking.set()
        await asyncio.Event().wait()

    def intercept(ask: Any) -> Any:
        if isinstance(ask, Release):
            raise Outage("out of reach")
        return slowly(ask) if isinstance(ask, Reserve) else None

    world.intercept = intercept
    call = post(world, Stage())
    await asking.wait()
    await call.cancel()


async def test_cancelled_while_recording_is_never_in_flight_for_ever(world: World) -> None:
    """If the store has recorded all the same, the record stands; else the outcome is unknown."""
    recording = asyncio.Event()

    async def slowly() -> None:
        recording.set()
        await asyncio.Event().wait()

    world.intercept = lambda ask: slowly() if isinstance(ask, Record) else None
    call = post(world, answers())
    await recording.wait()
    await call.cancel()
    world.intercept = lambda ask: None
    assert await is_unknown(world)
