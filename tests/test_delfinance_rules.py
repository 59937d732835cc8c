"""Every rule of the Delfinance page, as data, through every door (DESIGN section 6)."""

import json
from collections.abc import Iterator

import pytest

from tests import vectors_delfinance as v
from tests.doors import DOORS, Reply, runs
from tests.vectors_delfinance_order import order_cases
from tests.worlds_delfinance import World


def all_cases() -> Iterator[v.Case]:
    for name in v.FILES:
        yield from v.load(name)
    yield from order_cases()


def carries(door: str, case: v.Case) -> bool:
    """Whether a case can be brought to a door: over a socket a line break ends a header, whatever
    it was meant to be (`tests/vectors/http1_requests.json` has what becomes of it).
    """
    sent = [value for step in case.steps for _, value in step.request.headers]
    return door != "gateway" or not any("\n" in value or "\r" in value for value in sent)


CASES = {case.id: case for case in all_cases()}
RUNS = runs(CASES.values(), carries)


@pytest.mark.parametrize(("case", "door"), RUNS)
def test_rule(case: v.Case, door: str) -> None:
    play(case, door)


def play(case: v.Case, door: str) -> None:
    """Run a case's steps through a door and compare everything the case asserts."""
    world = World(case.given, case.steps[0].request, at=case.steps[0].at)
    for number, step in enumerate(case.steps):
        where = f"{case.id}, step {number + 1} of {len(case.steps)}, {door}"
        world.at = step.at
        world.apply(step.change)
        world.application = step.app
        calls, counted, blocks = world.calls, world.counted(), len(world.blocks)
        for _ in range(step.times):
            check_reply(DOORS[door](world, step.request.wire()), step, where)
        if step.want.decision == "refuse":
            assert world.calls == calls, f"{where}: the application was called"
        if step.app_calls is not None:
            assert world.calls == step.app_calls, where
        if step.want.counts is not None:
            assert world.counted() - counted == step.want.counts, f"{where}: attempts counted"
        assert len(world.blocks) - blocks == step.want.blocks, f"{where}: {world.blocks}"


def check_reply(reply: Reply, step: v.Step, where: str) -> None:
    want = step.want
    got = (reply.decision, reply.reason, reply.status)
    reason = f"{want.layer}.{want.reason}" if want.layer else None
    assert got == (want.decision, reason, want.status), f"{where}: {reply.body[:200]!r}"
    if want.decision == "admit":
        assert reply.body == step.app.body.encode(), where
    else:
        assert list(json.loads(reply.body)) == ["message"], where
        assert reply.all("content-type") == [b"application/json"], where
        assert reply.all("content-length") == [b"%d" % len(reply.body)], where
        # Nothing but "Validation expired" ends the connection.
        closes = [b"close"] if want.reason == "lapsed" else []
        assert reply.all("connection") == closes, where
    if want.body is not None:
        assert reply.body == want.body.encode(), where
    for name, value in want.headers:
        assert reply.all(name) == [value.encode()], f"{where}: {name}"
    for name in want.absent_headers:
        assert reply.all(name) == [], f"{where}: {name}"
