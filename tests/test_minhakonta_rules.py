"""Every rule of the Minha Konta page, as data, through every door (DESIGN section 6)."""

import json
from collections.abc import Iterator

import pytest

from tests import vectors_minhakonta as v
from tests.doors import DOORS, Reply, runs
from tests.vectors_minhakonta_order import order_cases
from tests.worlds_minhakonta import World

SHAPES: dict[int, set[str]] = {  # members of a refusal's body, seed L206-209
    1: {"error"},
    2: {"error", "message"},
    3: {"worked", "detail"},
    4: {"errors"},
}


def all_cases() -> Iterator[v.Case]:
    for name in v.FILES:
        yield from v.load(name)
    yield from order_cases()


CASES = {case.id: case for case in all_cases()}
RUNS = runs(CASES.values())


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
        wire = step.request.wire(case.given.key.secret if step.request.by == "first" else None)
        calls, counted = world.calls, world.counted()
        reply = DOORS[door](world, wire)
        check_reply(reply, step.want, where)
        if step.want.decision != "admit":
            assert world.calls == calls, f"{where}: the application was called"
        if step.app_calls is not None:
            assert world.calls == step.app_calls, where
        if step.want.counts is not None:
            assert world.counted() - counted == step.want.counts, f"{where}: hits counted"
        if step.app_sees is not None:
            check_seen(world, step.app_sees, where)


def check_reply(reply: Reply, want: v.Want, where: str) -> None:
    got = (reply.decision, reply.reason, reply.status)
    reason = f"{want.layer}.{want.reason}" if want.layer else None
    assert got == (want.decision, reason, want.status), f"{where}: {reply.body[:200]!r}"
    if want.body is not None:
        assert reply.body == v.octets(want.body), where
    if want.shape is not None:
        body = json.loads(reply.body)
        assert set(body) == SHAPES[want.shape], f"{where}: {body}"
        if want.shape == 1:
            assert body["error"]["status"] == reply.status, where
        assert reply.all("content-type") == [b"application/json"], where
    for name, value in want.headers:
        assert reply.all(name) == [v.octets(value)], f"{where}: {name}"
    for name in want.absent_headers:
        assert reply.all(name) == [], f"{where}: {name}"


def check_seen(world: World, seen: v.Seen, where: str) -> None:
    if seen.body is not None:
        assert world.seen["body"] == v.octets(seen.body), where
    if seen.query is not None:
        assert world.seen["query"] == seen.query.encode(), where
    for name, value in seen.headers:
        if world.seen["headers"] is not None:
            sent = [found for header, found in world.seen["headers"] if header == name.encode()]
            assert sent == [v.octets(value)], f"{where}: {name}"
