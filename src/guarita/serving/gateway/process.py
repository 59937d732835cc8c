"""The gateway's process: starts the sites of a plan, changes over to a new one on SIGHUP, drains
on SIGTERM.

What belongs here: signals, the order of starting and ending. Where plans come from is the caller's
business (`guarita.config`).
"""

import asyncio
import gc
import logging
import signal
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from msgspec import Struct

from guarita.serving.backend import Backend
from guarita.serving.gateway.listening import Listen
from guarita.serving.gateway.site import Listener, Site, SitePlan, by_address
from guarita.serving.gateway.stages import Stages
from guarita.serving.upstream.pool import Upstream

if TYPE_CHECKING:
    from guarita.serving.asgi import DecisionLog

log = logging.getLogger("guarita.gateway")

POLL_S = 0.05


class Plan(Struct, frozen=True):
    """What the process is to serve.

    Attributes:
        grace_s: how long requests in flight may take to finish, in seconds.
        changed: called on the event loop once the plan is in force, to put into force what belongs
            to it and is none of the process's business.
        dropped: called where the plan could not be put into force after all.
    """

    sites: tuple[SitePlan, ...]
    grace_s: float = 30.0
    changed: Callable[[], object] | None = None
    dropped: Callable[[], object] | None = None


class Process:
    """Sites at work on the running event loop.

    Args:
        backend_of: who answers the asks of the profile of that name.
        decision_log: takes note of every decision.
        reload: reads the configuration again; called in a thread. It may raise whatever it likes:
            the plan in force stays, and what was raised is logged.
    """

    def __init__(
        self,
        backend_of: Callable[[str], Backend],
        decision_log: "DecisionLog | None",
        reload: Callable[[], Plan],
    ) -> None:
        self._backend_of = backend_of
        self._decision_log = decision_log
        self._reload = reload
        self._stages = Stages()
        self._sites: dict[str, Site] = {}
        self._listeners: dict[tuple[Listen, int], Listener] = {}
        self._serving: Mapping[tuple[Listen, int], SitePlan] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        # Those of requests that began before a reload as well: they are alive as long as they can
        # be sent to.
        self._upstreams: WeakSet[Upstream] = WeakSet()
        self._reloading = asyncio.Lock()
        self.grace_s = 30.0

    def addresses(self, name: str) -> list[str]:
        """Where a site listens, with the ports that were free."""
        return [
            str(listener.at)
            for key, listener in self._listeners.items()
            if name == self._serving[key].name
        ]

    async def apply(self, plan: Plan) -> None:
        """Serve `plan`. A listener that stays with its site keeps its socket and its
        connections; those of one that goes, or goes over to another site or to TLS, end after the
        response they are at.

        Raises:
            OSError, ValueError: an address cannot be listened on, or files of the plan cannot be
                used; then everything is as it was.
        """
        wanted = by_address(plan.sites)
        new = self._bind({key: one for key, one in wanted.items() if key not in self._listeners})
        try:
            fresh = {
                one.name: Site(one, self._backend_of, self._decision_log, self._stages)
                for one in plan.sites
                if one.name not in self._sites
            }
            for one in plan.sites:
                if one.tls is not None:
                    one.tls.context()
                one.upstream.target()
        except BaseException:
            for listener in new.values():
                listener.close()
            raise
        for one in plan.sites:
            if one.name in self._sites:
                self._sites[one.name].become(one)
        self._sites |= fresh
        self._upstreams.update(site.upstream for site in self._sites.values())
        for key in [key for key in self._listeners if key not in wanted]:
            self._listeners.pop(key).close(plan.grace_s)
        self._listeners |= new
        self._serving = wanted
        for key, one in wanted.items():
            await self._listeners[key].serve(self._sites[one.name], plan.grace_s)
        names = {one.name for one in plan.sites}
        for name in [name for name in self._sites if name not in names]:
            self._retire(self._sites.pop(name), plan.grace_s)
        self.grace_s = plan.grace_s

    @staticmethod
    def _bind(wanted: dict[tuple[Listen, int], SitePlan]) -> dict[tuple[Listen, int], Listener]:
        made: dict[tuple[Listen, int], Listener] = {}
        try:
            for key, one in wanted.items():
                made[key] = Listener(key[0], share=one.share_port)
        except BaseException:
            for listener in made.values():
                listener.close()
            raise
        return made

    def _retire(self, site: Site, grace_s: float) -> None:
        """A site that is served no more: its connections end after the response they are at."""
        site.upstream.retire()
        task = asyncio.get_running_loop().create_task(site.connections.close(grace_s))
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def reload(self) -> None:
        """Read the configuration again and change over to it; on a mistake go on as before."""
        async with self._reloading:
            plan: Plan | None = None
            try:
                plan = await asyncio.to_thread(self._reload)
                await self.apply(plan)
            except Exception as error:
                log.error("the former configuration stays in force:\n%s", error)
                log.debug("reloading failed", exc_info=True)
                if plan is not None and plan.dropped is not None:
                    plan.dropped()
                return
            if plan.changed is not None:
                plan.changed()
            log.warning("the configuration was read again and is in force")

    async def drain(self) -> None:
        """Accept nothing more; let responses in flight finish, for at most the grace."""
        loop = asyncio.get_running_loop()
        ends = loop.time() + self.grace_s
        for listener in self._listeners.values():
            listener.close(self.grace_s)
        self._listeners.clear()
        closing = [site.connections.close(self.grace_s) for site in self._sites.values()]
        await asyncio.gather(*closing, *self._leaving)
        # Where a client went away, its payment may still be running: its outcome is to be kept.
        while self._works() and loop.time() < ends:  # noqa: ASYNC110
            await asyncio.sleep(POLL_S)
        for upstream in tuple(self._upstreams):
            upstream.close()
        own = asyncio.current_task()
        rest = [task for task in asyncio.all_tasks() if task is not own]
        if rest:
            await asyncio.wait(rest, timeout=max(POLL_S, ends - loop.time()))

    def _works(self) -> bool:
        """Whether requests are under way at an upstream, or on their way there or back."""
        return bool(len(self._stages.turn)) or any(one.calls for one in self._upstreams)


async def run(
    process: Process,
    plan: Plan,
    *,
    background: Sequence[Callable[[], Coroutine[Any, Any, None]]] = (),
    on_ready: Callable[[], object],
) -> None:
    """Serve `plan` until SIGTERM or SIGINT; SIGHUP reloads, until then. `background`: what else
    runs meanwhile, cancelled at the end. `on_ready` is called once, when requests are answered.
    """
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    reloads: set[asyncio.Task[None]] = set()

    def reload() -> None:
        if stop.is_set():
            # It would listen anew on what is being closed.
            log.warning("SIGHUP is ignored: the process is ending")
            return
        task = loop.create_task(process.reload())
        reloads.add(task)
        task.add_done_callback(reloads.discard)

    # A signal that arrives while starting must not kill: it is answered when all is up.
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    loop.add_signal_handler(signal.SIGHUP, reload)
    await process.apply(plan)
    running = [loop.create_task(one()) for one in background]
    # What lives now lives on: without it, each full collection would walk through all of it.
    gc.collect()
    gc.freeze()
    on_ready()
    await stop.wait()
    for task in (*running, *reloads):
        task.cancel()
    await asyncio.gather(*running, *reloads, return_exceptions=True)
    await process.drain()
