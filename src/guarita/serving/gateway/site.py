"""One site at work: its gate, upstream, connections and listeners, and how they change into those
of a new plan while requests go on.
"""

import asyncio
import socket
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from guarita.profile import Profile
from guarita.serving.backend import Backend
from guarita.serving.gateway.gate import Gate, Settings
from guarita.serving.gateway.handshakes import Acceptor
from guarita.serving.gateway.listening import BACKLOG, TLS, Listen, bound, where
from guarita.serving.gateway.published import PublishesList
from guarita.serving.gateway.stages import Stages
from guarita.serving.http1.connections import Connections, Entrance
from guarita.serving.http1.limits import Limits
from guarita.serving.upstream.pool import Upstream
from guarita.serving.upstream.target import Target, Timeouts

if TYPE_CHECKING:
    from guarita.serving.asgi import DecisionLog
    from guarita.serving.http1.request import Handler


class UpstreamPlan(Struct, frozen=True):
    """Where admitted requests go. Two that are equal share their connections over a reload."""

    url: str
    ca_file: str | None = None
    ca_stamp: tuple[int, ...] = ()
    server_name: str | None = None
    timeouts: Timeouts = Timeouts()
    most_connections: int = 256
    reads_bodies: bool = False

    def target(self) -> Target:
        """Raises ValueError or OSError, as `Target.parse`."""
        return Target.parse(self.url, ca_file=self.ca_file, server_name=self.server_name)


class SitePlan(Struct, frozen=True):
    """What one site is to be.

    Attributes:
        name: unique among the sites.
        crl_folder: where the revocation list to publish is; None publishes none.
        share_port: other processes may listen on its addresses.
    """

    name: str
    listen: tuple[Listen, ...]
    profile: Profile
    upstream: UpstreamPlan
    settings: Settings = Settings()
    limits: Limits = Limits()
    tls: TLS | None = None
    crl_folder: Path | None = None
    share_port: bool = False


class Site:
    """A site that is served.

    Attributes:
        plan: what it is now.
        connections: those of all its listeners.
        upstream: where its next request goes. One that is under way may still go to a former one.
    """

    def __init__(
        self,
        plan: SitePlan,
        backend_of: Callable[[str], Backend],
        decision_log: "DecisionLog | None",
        stages: Stages | None = None,
    ) -> None:
        self._backend_of = backend_of
        self._decision_log = decision_log
        self._stages = Stages() if stages is None else stages
        self.plan = plan
        self.upstream = self._new_upstream(plan)
        self.connections = Connections(self._handler(plan), plan.limits, exempt=self._trusts)

    def _trusts(self, peer: str) -> bool:
        return self.plan.settings.trusted_proxies.believes(peer)

    def become(self, plan: SitePlan) -> None:
        """Serve by `plan` from the next request on. Requests in flight end as they began."""
        if plan.upstream != self.plan.upstream:
            former, self.upstream = self.upstream, self._new_upstream(plan)
            former.retire()
        connections = self.connections
        connections.handler = self._handler(plan)
        connections.limits = plan.limits
        self.plan = plan

    @staticmethod
    def _new_upstream(plan: SitePlan) -> Upstream:
        spec = plan.upstream
        return Upstream(
            spec.target(),
            spec.timeouts,
            most_connections=spec.most_connections,
            reads_bodies=spec.reads_bodies,
        )

    def _handler(self, plan: SitePlan) -> "Handler":
        gate = Gate(
            plan.profile,
            self._backend_of(plan.profile.name),
            self.upstream,
            plan.settings,
            decision_log=self._decision_log,
            stages=self._stages,
        )
        return gate if plan.crl_folder is None else PublishesList(gate, plan.crl_folder)


class Listener:
    """A socket that stays while its address is listened on, whichever site answers.

    Attributes:
        listen: the address as planned.
        at: the address as it is.
    """

    def __init__(self, listen: Listen, *, share: bool) -> None:
        self.listen = listen
        self._socket = bound(listen, share=share)
        self.at = where(listen, self._socket)
        self._server: asyncio.AbstractServer | Acceptor | None = None
        self._serves: tuple[Site, TLS | None] | None = None
        self._entrance = Entrance()

    async def serve(self, site: Site, grace_s: float) -> None:
        """Hand new connections to `site`. Those that wait to be accepted are not lost. Former ones
        stay, unless they are another site's or came without TLS where it is asked for now: those
        end after the response they are at, within `grace_s` seconds.
        """
        serves = (site, site.plan.tls)
        if self._serves is not None and self._serves[0] is site and self._serves[1] == serves[1]:
            return
        former, entrance = self._server, self._entrance
        if not self._stays(site):
            entrance = Entrance()
        # A server closes the socket it was given; the listener keeps its own.
        own = self._socket.dup()
        own.setblocking(False)
        try:
            self._server = await self._new_server(own, site, entrance)
        except BaseException:
            own.close()
            raise
        if former is not None:
            former.close()
        if entrance is not self._entrance:
            self._end_former(grace_s)
        self._serves, self._entrance = serves, entrance

    async def _new_server(
        self, own: socket.socket, site: Site, entrance: Entrance
    ) -> asyncio.AbstractServer | Acceptor:
        connections, tls = site.connections, site.plan.tls
        if tls is not None:
            return Acceptor(own, connections, entrance, tls.context(), tls.handshake_s)
        loop = asyncio.get_running_loop()
        options: dict[str, Any] = {}
        make: Any = loop.create_server
        if self.listen.unix:
            make = loop.create_unix_server
            if sys.version_info >= (3, 13) and isinstance(loop, asyncio.BaseEventLoop):
                options["cleanup_socket"] = False  # the listener outlives its servers
        server: asyncio.AbstractServer = await make(
            partial(connections.front, entrance), sock=own, backlog=BACKLOG, **options
        )
        return server

    def _stays(self, site: Site) -> bool:
        """Whether the connections there are may go on when `site` is served as it is now."""
        if self._serves is None:
            return True
        its, tls = self._serves
        return its is site and (tls is not None or site.plan.tls is None)

    def _end_former(self, grace_s: float) -> None:
        if self._serves is not None:
            self._serves[0].connections.end(self._entrance, grace_s)

    def close(self, grace_s: float = 0.0) -> None:
        """Accept no more connections; end those there are, within `grace_s` seconds."""
        self._end_former(grace_s)
        if self._server is not None:
            self._server.close()
            self._server = None
        self._socket.close()
        if self.listen.unix:
            with suppress(FileNotFoundError):
                Path(self.listen.unix).unlink()


def by_address(plans: tuple[SitePlan, ...]) -> Mapping[tuple[Listen, int], SitePlan]:
    """Every address to listen on, with its site. The number tells addresses of port 0 apart."""
    found: dict[tuple[Listen, int], SitePlan] = {}
    for plan in plans:
        for listen in plan.listen:
            number = 0
            while (listen, number) in found:
                number += 1
            found[listen, number] = plan
    return found
