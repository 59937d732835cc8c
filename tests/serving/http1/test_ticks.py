"""What begins just before the clock ticks has all of its time."""

import pytest

from guarita.serving.http1.limits import Limits
from tests.serving.http1.support import Client
from tests.serving.http1.test_time import POST, World


class BetweenTicks(World):
    """What comes, comes just before the tick."""

    def __init__(self, limits: Limits) -> None:
        super().__init__(limits=limits)
        self.keeper = Client(self.shared)
        self.clock.now += 0.99

    def spent(self, client: Client) -> float:
        """How long it takes until something happens to the client, in steps of the tick."""
        began, sent = self.clock.now, len(client.wire.sent)
        self.clock.now += 0.01
        for _ in range(10):
            self.shared.tick()
            if client.wire.closed or len(client.wire.sent) > sent:
                break
            self.clock.now += 1.0
        return self.clock.now - began


@pytest.mark.parametrize(
    ("limits", "data"),
    [
        (Limits(head_s=1.0), b"G"),
        (Limits(body_s=1.0), POST + b"a"),
        (Limits(total_s=1.0), POST),
        (Limits(idle_s=1.0), b""),
    ],
)
async def test_no_time_is_cut_short_by_the_tick(limits: Limits, data: bytes) -> None:
    world = BetweenTicks(limits)
    client = world.client()
    if data:
        await client.send(data)
    assert 1.0 <= world.spent(client) <= 3.0


async def test_time_to_write_is_not_cut_short_by_the_tick() -> None:
    world = BetweenTicks(Limits(write_s=1.0))
    client = world.client()
    client.wire.unsent = 10
    client.front.pause_writing()
    assert 1.0 <= world.spent(client) <= 3.0
