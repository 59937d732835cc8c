"""A payment while a store is out of reach or broken: what is refused, and what goes on."""

from typing import Any

import pytest

from guarita.asks import CountHit, LoseOutcome, Outage, Record, Release, Reserve, VerifyCredential
from guarita.serving.backend import Backend
from guarita.stores.reservations import State
from tests.serving.by_hand import Stage, answers
from tests.serving.payments import OK, post
from tests.serving.worlds import World


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.parametrize(
    ("ask", "status", "calls"), [(VerifyCredential, 503, 0), (Reserve, 503, 0), (CountHit, 200, 1)]
)
async def test_stores_out_of_reach(world: World, ask: type, status: int, calls: int) -> None:
    def out(asked: Any) -> Any:
        if isinstance(asked, ask):
            raise Outage("out of reach")

    world.intercept = out
    app = Stage(*OK)
    app.let_go.set()
    reply = await post(world, app).answer()
    assert (reply.status, app.calls) == (status, calls)
    if status == 503:
        assert b"Service temporarily unavailable" in reply.body


async def test_an_outage_that_comes_later_is_logged_too(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """A durable store answers with an awaitable; its outage appears only when that is awaited."""

    async def out() -> None:
        raise Outage("out of reach")

    world.intercept = lambda ask: out() if isinstance(ask, Reserve) else None
    assert (await post(world, Stage()).answer()).status == 503
    assert "out of reach" in caplog.text


async def test_a_broken_store_is_a_500_without_detail(world: World) -> None:
    def broken(asked: Any) -> Any:
        if isinstance(asked, VerifyCredential):
            raise KeyError("secret detail")

    world.intercept = broken
    never = Stage()
    call = post(world, never)
    with pytest.raises(KeyError):
        await call.end()
    assert (call.reply().status, never.calls, b"secret" in call.reply().body) == (500, 0, False)


async def test_nothing_executes_without_a_reservation(world: World) -> None:
    def out(ask: Any) -> Any:
        if isinstance(ask, Reserve | Release):
            raise Outage("out of reach")

    world.intercept = out
    never = Stage()
    reply = await post(world, never).answer()
    assert (reply.status, never.calls) == (503, 0)


STATUS_FOR: dict[Any, int] = {Record: 200, Release: 422, LoseOutcome: 302}


@pytest.mark.parametrize("ask", STATUS_FOR)
async def test_the_answer_goes_out_though_it_cannot_be_settled(world: World, ask: type) -> None:
    def out(asked: Any) -> Any:
        if isinstance(asked, ask):
            raise Outage("out of reach")

    world.intercept = out
    status = STATUS_FOR[ask]
    reply = await post(world, answers(status)).answer()
    assert (reply.status, reply.one("idempotency-key")) == (status, "k")
    assert world.states() == [State.IN_FLIGHT]  # closed: nothing can execute twice


async def test_a_closed_store_answers_nothing(world: World) -> None:
    """Asks after `close` raise `Outage`, also through a backend made before."""
    world.backend = Backend(world.verifier, world.store, world.store)
    world.store.close()
    never = Stage()
    assert (await post(world, never).answer()).status == 503
    assert never.calls == 0
