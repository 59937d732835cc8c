"""A bug in one tick must not end the deadlines of all connections."""

import asyncio
from typing import Any

import pytest

from guarita.serving.http1.connections import Connections
from guarita.serving.http1.front import Front
from guarita.serving.upstream.pool import Upstream
from guarita.serving.upstream.target import Target

TICK_S = 0.001


class Nobody:
    """Hears nothing."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(name)


class Ticks:
    """Stands in for `tick`: raises the first time."""

    def __init__(self) -> None:
        self.count = 0
        self.again = asyncio.Event()

    def __call__(self) -> None:
        self.count += 1
        if self.count == 1:
            raise RuntimeError("in a tick")
        self.again.set()


@pytest.fixture
async def told() -> list[Any]:
    """What the loop's exception handler is told."""
    told: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    return told


async def test_connections_go_on_ticking(told: list[Any], monkeypatch: Any) -> None:
    shared = Connections(None, tick_s=TICK_S)  # type: ignore[arg-type]
    ticks = Ticks()
    monkeypatch.setattr(shared, "tick", ticks)
    front = Front(shared)
    assert shared.enter(front, "127.0.0.1")
    await asyncio.wait_for(ticks.again.wait(), 5)
    shared.leave(front)
    assert [str(one["exception"]) for one in told] == ["in a tick"]


async def test_an_upstream_goes_on_ticking(told: list[Any]) -> None:
    ticks = Ticks()

    class Ticking(Upstream):
        def tick(self) -> None:
            ticks()

    upstream = Ticking(Target("127.0.0.1", 9), most_connections=1, tick_s=TICK_S)
    upstream._open.add(object())  # type: ignore[arg-type]  # the only connection there may be
    upstream.send("GET", b"GET / HTTP/1.1\r\n\r\n", b"", Nobody())  # waits for it
    await asyncio.wait_for(ticks.again.wait(), 5)
    upstream._open.clear()
    upstream._waiting.clear()
    assert [str(one["exception"]) for one in told] == ["in a tick"]
