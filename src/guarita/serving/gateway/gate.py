"""One site of the gateway: its policy, and what it needs to carry it out.

What belongs here: the settings of a site and the facts of a request. What happens to a request
is in `exchange`.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from msgspec import Struct

from guarita.decision import INTERNAL_ERROR, MALFORMED_REQUEST, Decision, Known, Pairs, Refuse
from guarita.facts import Facts, Headers
from guarita.profile import Profile
from guarita.serving.arrival import Unguarded, facts_of
from guarita.serving.backend import Backend
from guarita.serving.certificates import CertificateHeader
from guarita.serving.edge import NO_PROXIES, TrustedProxies
from guarita.serving.gateway.answering import Answering
from guarita.serving.gateway.failures import Failures
from guarita.serving.gateway.forward import Forwarding
from guarita.serving.gateway.stages import Stages
from guarita.serving.ray import RAY_HEADER, new_ray

if TYPE_CHECKING:
    from guarita.serving.asgi import DecisionLog
    from guarita.serving.http1.head import BadHead
    from guarita.serving.http1.request import Request
    from guarita.serving.upstream.pool import Upstream


class Settings(Struct, frozen=True):
    """What a site may set beside profile, backend and upstream; as the middleware's arguments."""

    trusted_proxies: TrustedProxies = NO_PROXIES
    certificate_header: CertificateHeader | None = None
    forwarding: Forwarding = Forwarding()
    max_recorded_body: int = 1_048_576
    hsts_max_age_s: int = 31_536_000
    unsafe_unguarded_paths: tuple[str, ...] = ()
    https_at_proxy: bool = False
    """Whether a request that did not come by TLS, by the trusted proxies' word, is refused."""


class Gate:
    """The handler of one site's front: every request begins here (`serving.http1.front.Handler`).

    Args:
        profile: the policy.
        backend: answers the policy's asks.
        upstream: where admitted requests go.
        settings: the rest.
        decision_log: takes note of every decision.
        stages: those of the event loop; a gate that is alone on it makes its own.
        clock: Unix time in seconds.
        sleep: waits so many seconds.
    """

    def __init__(
        self,
        profile: Profile,
        backend: Backend,
        upstream: "Upstream",
        settings: Settings = Settings(),  # noqa: B008 - immutable
        *,
        decision_log: "DecisionLog | None" = None,
        stages: Stages | None = None,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        if settings.certificate_header is not None and settings.trusted_proxies is NO_PROXIES:
            raise ValueError("certificate_header takes trusted_proxies: whose header is believed?")
        if settings.https_at_proxy and settings.trusted_proxies is NO_PROXIES:
            raise ValueError("https_at_proxy takes trusted_proxies: who says so?")
        self.profile = profile
        self.answer = backend.answer
        self.upstream = upstream
        self.failures = Failures(upstream.target.authority)
        self.decision_log = decision_log
        self.stages = Stages() if stages is None else stages
        self.clock = clock
        self.sleep = sleep
        self.forwarding = settings.forwarding
        self.trusted_proxies = settings.trusted_proxies
        self.certificate_header = settings.certificate_header
        self.https_at_proxy = settings.https_at_proxy
        self.max_recorded_body = settings.max_recorded_body
        self.hsts: Pairs = (
            ((b"strict-transport-security", b"max-age=%d" % settings.hsts_max_age_s),)
            if settings.hsts_max_age_s
            else ()
        )
        # `guarita serve` tells them with their lines.
        self.unguarded = Unguarded(settings.unsafe_unguarded_paths, told=True)

    def begin(self, request: "Request") -> None:
        """A request's head has arrived: decide on it, with those that come in the same turn."""
        head = request.head
        facts = facts_of(
            head.method,
            head.path,
            head.query,
            head.headers,
            request.peer,
            self.clock(),
            request.secure,
            request.certificate,
            self.trusted_proxies,
            self.certificate_header,
        )
        answering = Answering(self, request, facts)
        if self.https_at_proxy and not facts.secure and not self.unguarded.covers(facts.path):
            # Before any credential is looked at: it may have crossed a network in the clear.
            answering.decided(Decision(Refuse(MALFORMED_REQUEST), Known(), [], []))
            return
        self.stages.begun.add(answering)

    def malformed(
        self, peer: str | None, secure: bool, bad: "BadHead"
    ) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        """The answer to bytes that are no request: the profile's words under the status the front
        found; or to a request whose handler failed (500).
        """
        at = self.clock()
        ray = new_ray(at)
        refusal = Refuse(INTERNAL_ERROR if bad.status == 500 else MALFORMED_REQUEST)
        response = self.profile.respond(refusal)
        if self.decision_log is not None:
            nothing = Facts("", "", b"", Headers(()), peer, peer, at, ray, ray)
            route_class = self.profile.route_class("", "")
            decision = Decision(refusal, Known(), [], [])
            self.decision_log.add(self.profile, route_class, nothing, decision, bad.status)
        pairs = [*response.headers, (RAY_HEADER, ray.encode())]
        if secure:
            pairs += self.hsts
        return bad.status, pairs, response.body
