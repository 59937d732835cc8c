"""An outage while a reservation is settled: made up for as soon as the store answers again."""

from typing import Any

import pytest

from guarita.asks import LoseOutcome, Outage, Record, Release
from guarita.layers.idempotency import scope_of
from guarita.serving import unsettled
from guarita.serving.unsettled import Unsettled
from guarita.stores.reservations import State
from tests.core.made import facts
from tests.serving.by_hand import Stage, answers
from tests.serving.payments import executes_again, is_replayed, is_unknown, post
from tests.serving.worlds import World


class Weather:
    """Lets one kind of ask meet an outage while it is bad."""

    def __init__(self, world: World, kind: type, *, awaited: bool) -> None:
        self.bad = True
        self.kind = kind
        self.awaited = awaited
        world.intercept = self.intercept

    def intercept(self, ask: Any) -> Any:
        if not self.bad or not isinstance(ask, self.kind):
            return None
        if self.awaited:
            return self.out()
        raise Outage("out of reach")

    async def out(self) -> None:
        raise Outage("out of reach")


@pytest.mark.parametrize("awaited", [False, True])
@pytest.mark.parametrize(("kind", "status"), [(Record, 200), (Release, 422), (LoseOutcome, 302)])
async def test_a_retry_after_the_outage_finds_what_happened(
    kind: type, status: int, awaited: bool
) -> None:
    world = World()
    weather = Weather(world, kind, awaited=awaited)
    assert (await post(world, answers(status)).answer()).status == status
    assert world.states() == [State.IN_FLIGHT]
    weather.bad = False
    if kind is Record:
        assert await is_replayed(world, b'{"worked":true}')
    elif kind is LoseOutcome:
        assert await is_unknown(world)
    else:
        reply = await post(world, answers(201)).answer()
        assert (reply.status, reply.all("x-idempotent-replay")) == (201, [])


async def test_a_retry_during_the_outage_executes_nothing() -> None:
    world = World()
    Weather(world, Record, awaited=False)
    await post(world, answers(200)).answer()
    never = Stage()
    reply = await post(world, never).answer()
    assert (reply.status, never.calls) == (503, 0)


async def test_other_keys_make_up_for_it_as_well() -> None:
    world = World()
    weather = Weather(world, Release, awaited=False)
    assert (await post(world, answers(422)).answer()).status == 422
    weather.bad = False
    assert (await post(world, answers(422), key="another").answer()).status == 422
    assert world.states() == []
    assert await executes_again(world)


def test_it_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unsettled, "MOST_KEPT", 3)

    class Down:
        def answer(self, ask: Any) -> Any:
            raise Outage("down")

    kept = Unsettled(Down())
    for number in range(5):
        with pytest.raises(Outage):
            kept.answer(Release(scope_of(facts(), "acc_1", b"%d" % number), "token"))
    assert len(kept) == 3
