"""Bugs of the gate itself on the way of a request through the middleware: whoever asked is
answered, what was reserved ends.
"""

from typing import Any

import pytest

from guarita.asks import Record, Release
from guarita.profile import Profile
from tests.serving.by_hand import Stage, answers
from tests.serving.payments import executes_again, is_unknown, post
from tests.serving.worlds import World


@pytest.fixture
def world() -> World:
    return World()


def broken(*_args: Any, **_more: Any) -> Any:
    raise RuntimeError("secret detail, says the test")


class BrokenLog:
    add = broken


@pytest.mark.parametrize("where", ["log", "identity"])
async def test_a_bug_before_the_application_is_called_releases(
    world: World, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the decision log raised, the reservation stayed open and nobody was answered."""
    never = Stage()
    with monkeypatch.context() as patch:
        if where == "identity":
            patch.setattr("guarita.serving.admitted.identity_of", broken)
        call = post(world, never, decision_log=BrokenLog() if where == "log" else None)
        with pytest.raises(RuntimeError, match="says the test"):
            await call.end()
    reply = call.reply()
    assert (reply.status, never.calls, b"secret" in reply.body) == (500, 0, False)
    assert reply.all("idempotency-key") == ["k"]
    assert await executes_again(world)


async def test_a_refusal_that_cannot_be_worded_releases(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.keyring.deny(world.credentials.client_id, "transfer:write")
    world.verifier.refresh()
    real, calls = Profile.respond, 0

    def first_broken(self: Profile, refuse: Any) -> Any:
        nonlocal calls
        calls += 1
        return broken() if calls == 1 else real(self, refuse)

    monkeypatch.setattr(Profile, "respond", first_broken)
    call = post(world, Stage())
    with pytest.raises(RuntimeError, match="says the test"):
        await call.end()
    assert (call.reply().status, world.states()) == (500, [])


@pytest.mark.parametrize(("kind", "status"), [(Record, 200), (Release, 422)])
async def test_a_bug_in_the_store_at_the_end_is_unknown(
    world: World, kind: type, status: int
) -> None:
    """The answer may not go out as if it had been recorded."""
    world.intercept = lambda ask: broken() if isinstance(ask, kind) else None
    call = post(world, answers(status))
    with pytest.raises(RuntimeError, match="says the test"):
        await call.end()
    assert call.reply().status == 500
    world.intercept = lambda ask: None
    assert await is_unknown(world)
