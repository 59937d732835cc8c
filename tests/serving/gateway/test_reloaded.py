"""A reload to another upstream while a payment is on its way to the former one: its outcome is kept
as if nothing had happened, even where its client goes and the process ends.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from guarita.asks import Reserve
from guarita.profiles.minhakonta import MINHA_KONTA
from guarita.serving.gateway.listening import Listen
from guarita.serving.gateway.process import Plan, Process
from guarita.serving.gateway.site import SitePlan, UpstreamPlan
from guarita.serving.upstream.target import Timeouts
from guarita.stores.reservations import State
from tests.serving.gateway.support import Client, answer, request_bytes
from tests.serving.upstream.support import Peer, Scripted, scripted, until
from tests.serving.worlds import World


class Reloaded:
    """A process whose plan changes the upstream's settings whenever it is read."""

    def __init__(self, world: World, upstream: Scripted) -> None:
        self.world = world
        self.upstream = upstream
        self.reads = 0
        self.process = Process(lambda name: world.backend, None, self.plan)

    def plan(self) -> Plan:
        self.reads += 1
        url = f"http://127.0.0.1:{self.upstream.target.port}"
        to = UpstreamPlan(url, timeouts=Timeouts(read_s=20.0 + self.reads))
        return Plan(
            (SitePlan("pay", (Listen("127.0.0.1", 0),), MINHA_KONTA, to),),
            grace_s=20.0,
        )

    async def drained(self) -> None:
        """The end of the process, which waits for every task of its loop: those are the test's own
        here.
        """
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(asyncio, "all_tasks", lambda: {asyncio.current_task()})
            await self.process.drain()

    async def client(self) -> Client:
        host, _, port = self.process.addresses("pay")[0].rpartition(":")
        return Client(*await asyncio.open_connection(host, int(port)))


class Held:
    """An upstream that answers payments when it is told to."""

    def __init__(self) -> None:
        self.go = asyncio.Event()

    async def __call__(self, peer: Peer) -> None:
        while True:
            await peer.request()
            await self.go.wait()
            await peer.say(answer())


@asynccontextmanager
async def reloaded(world: World, held: Held) -> AsyncIterator[Reloaded]:
    async with scripted(held) as upstream:
        one = Reloaded(world, upstream)
        await one.process.apply(one.plan())
        yield one


@pytest.mark.parametrize("at", ["reserving", "in a stage", "at the upstream"])
async def test_a_payment_under_way_is_waited_for(world: World, at: str, monkeypatch: Any) -> None:
    held, reserved = Held(), asyncio.Event()
    async with reloaded(world, held) as one:
        if at == "reserving":

            async def late(ask: Reserve) -> Any:
                await reserved.wait()
                return world.plainly(ask)

            world.intercept = lambda ask: late(ask) if isinstance(ask, Reserve) else None
        client = await one.client()
        if at == "in a stage":
            stages = one.process._stages
            plan = stages.turn.plan.__func__  # type: ignore[attr-defined]
            reload = asyncio.Event()

            def planned(turn: Any) -> None:
                plan(turn)
                for site in one.process._sites.values():
                    site.become(one.plan().sites[0])
                one.process._upstreams.update(site.upstream for site in one.process._sites.values())
                monkeypatch.undo()
                reload.set()

            monkeypatch.setattr(type(stages.turn), "plan", planned)
            client.send(request_bytes(world, key="k"))
            await reload.wait()
        else:
            client.send(request_bytes(world, key="k"))
            if at == "reserving":
                await until(lambda: "Reserve" in world.asked_kinds())
            else:
                await until(lambda: len(one.upstream.seen) == 1)
            await one.process.reload()
            reserved.set()
        await until(lambda: len(one.upstream.seen) == 1)
        client.leave()
        await until(lambda: not any(len(s.connections) for s in one.process._sites.values()))
        ending = asyncio.create_task(one.drained())
        for _ in range(20):
            await asyncio.sleep(0)
        assert not ending.done()
        held.go.set()
        await ending
        assert world.states() == [State.STORED]
        assert len(one.upstream.seen) == 1


async def test_a_former_upstream_keeps_no_connection(world: World) -> None:
    held = Held()
    held.go.set()
    async with reloaded(world, held) as one:
        client = await one.client()
        for key in ("a", "b"):
            client.send(request_bytes(world, key=key))
            assert (await client.reply()).status == 200
            await one.process.reload()
            await until(lambda: all(up.connections == 0 for up in one.process._upstreams))
        assert one.upstream.accepted == 2
        client.leave()
        await one.drained()
