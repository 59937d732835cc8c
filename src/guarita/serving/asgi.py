"""The gate as ASGI 3 middleware, for any server and any application: `Guarita(app, profile=…,
backend=…)`.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, Protocol
from urllib.parse import quote, unquote

from guarita.asks import Scope
from guarita.decision import WEBSOCKET, Decision, Known, Refuse
from guarita.facts import Facts, Headers
from guarita.profile import Profile, RouteClass
from guarita.serving.admitted import HSTS_HEADER, without_posing
from guarita.serving.arrival import Unguarded, facts_of
from guarita.serving.backend import Backend
from guarita.serving.certificates import CertificateHeader
from guarita.serving.edge import NO_PROXIES, TrustedProxies
from guarita.serving.exchange import Exchange
from guarita.serving.ray import RAY_HEADER

ASGIScope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[ASGIScope, Receive, Send], Awaitable[None]]

log = logging.getLogger("guarita.serving")


class DecisionLog(Protocol):
    """Takes note of every decision, off the request path."""

    def add(
        self,
        profile: Profile,
        route_class: RouteClass,
        facts: Facts,
        decision: Decision,
        status: int,
    ) -> None: ...

    def flush(self) -> None: ...


class Guarita:
    """ASGI middleware that admits, refuses or replays every HTTP request before `app` sees it.

    Admitted requests reach `app` with `scope["guarita"]`, an `Identity`. Paths outside of the
    profile's prefix are refused like unknown routes inside it. Lifespan passes through; WebSockets
    are refused.

    Args:
        app: the application to protect.
        profile: the policy.
        backend: answers the policy's asks.
        trusted_proxies: whose `X-Forwarded-For` and `Ray-ID` are believed.
        certificate_header: the one header a trusted edge passes client certificates in; only with
            `trusted_proxies`. Every other certificate header is dropped.
        decision_log: takes note of every decision.
        recall_outcome: asked for the outcome of an idempotency scope whose record says "outcome
            unknown": returns the response the application kept in its own database transaction, or
            None. May be a coroutine function.
        max_recorded_body: longest response body kept for replays, in bytes; the outcome of a longer
            one counts as unknown.
        hsts_max_age_s: `Strict-Transport-Security` on responses over TLS, in seconds; 0 sends none.
        unsafe_unguarded_paths: raw paths that reach `app` without any check ("/health"); one that
            ends in "/" covers what is below it.
        unsafe_allow_websockets: let WebSocket connections reach `app` unchecked.
        clock: Unix time in seconds.
        sleep: waits so many seconds.
    """

    def __init__(
        self,
        app: ASGIApp,
        profile: Profile,
        backend: Backend,
        *,
        trusted_proxies: TrustedProxies = NO_PROXIES,
        certificate_header: CertificateHeader | None = None,
        decision_log: DecisionLog | None = None,
        recall_outcome: Callable[[Scope], Any] | None = None,
        max_recorded_body: int = 1_048_576,
        hsts_max_age_s: int = 31_536_000,
        unsafe_unguarded_paths: Iterable[str] = (),
        unsafe_allow_websockets: bool = False,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self.app = app
        self.profile = profile
        self.backend = backend
        if not isinstance(trusted_proxies, TrustedProxies):
            raise TypeError("trusted_proxies is a TrustedProxies, made from a list of networks")
        if certificate_header is not None and trusted_proxies is NO_PROXIES:
            raise ValueError("certificate_header takes trusted_proxies: whose header is believed?")
        self.trusted_proxies = trusted_proxies
        self.certificate_header = certificate_header
        self.decision_log = decision_log
        self.recall_outcome = recall_outcome
        self.max_recorded_body = max_recorded_body
        self.clock = clock
        self.sleep = sleep
        self.hsts = (
            ((b"strict-transport-security", b"max-age=%d" % hsts_max_age_s),)
            if hsts_max_age_s
            else ()
        )
        self._websockets = unsafe_allow_websockets
        self._unguarded = Unguarded(unsafe_unguarded_paths)
        if unsafe_allow_websockets:
            log.warning("unsafe_allow_websockets: WebSockets reach the application unchecked")

    async def __call__(self, scope: ASGIScope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind == "http":
            facts = self._facts(scope)
            if self._unguarded.any and self._unguarded.covers(facts.path):
                inner = without_posing(scope, facts.headers, self.believed_header(facts.peer))
                await self.app(inner, receive, self._marked(facts, send))
                return
            await Exchange(self, facts, scope, receive, send).run()
        elif kind == "websocket":
            facts = self._facts(scope)
            if self._websockets:
                inner = without_posing(scope, facts.headers, self.believed_header(facts.peer))
                await self.app(inner, receive, send)
            else:
                await self._refuse_websocket(facts, scope, receive, send)
        else:
            await self.app(scope, receive, send)
            if kind == "lifespan" and self.decision_log is not None:
                self.decision_log.flush()

    def _facts(self, scope: ASGIScope) -> Facts:
        peer = scope.get("client")
        return facts_of(
            scope.get("method", "GET"),
            raw_path_of(scope),
            scope["query_string"],
            Headers(scope["headers"]),
            peer[0] if peer else None,
            self.clock(),
            scope.get("scheme") in ("https", "wss"),
            scope.get("guarita.certificate"),
            self.trusted_proxies,
            self.certificate_header,
        )

    def believed_header(self, peer: str | None) -> CertificateHeader | None:
        """The certificate header, where `peer` is a proxy it is believed from."""
        return self.certificate_header if self.trusted_proxies.believes(peer) else None

    def _marked(self, facts: Facts, send: Send) -> Send:
        """`send` for an unguarded path: every response carries a Ray ID, and HSTS over TLS."""

        async def marking(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [*message.get("headers", ()), (RAY_HEADER, facts.ray.encode())]
                if facts.secure and self.hsts:
                    headers = [one for one in headers if one[0].lower() != HSTS_HEADER]
                    headers += self.hsts
                message = {**message, "headers": headers}
            await send(message)

        return marking

    async def _refuse_websocket(
        self, facts: Facts, scope: ASGIScope, receive: Receive, send: Send
    ) -> None:
        await receive()
        refusal = Refuse(WEBSOCKET)
        response = self.profile.respond(refusal)
        if self.decision_log is not None:
            route_class = self.profile.route_class(facts.method, facts.path)
            decision = Decision(refusal, Known(), [], [])
            self.decision_log.add(self.profile, route_class, facts, decision, response.status)
        if "websocket.http.response" not in (scope.get("extensions") or {}):
            await send({"type": "websocket.close", "code": 1008, "reason": ""})
            return
        headers = [*response.headers, (RAY_HEADER, facts.ray.encode())]
        if facts.secure:
            headers += self.hsts
        start = {
            "type": "websocket.http.response.start",
            "status": response.status,
            "headers": headers,
        }
        await send(start)
        await send({"type": "websocket.http.response.body", "body": response.body})


def raw_path_of(scope: ASGIScope) -> str:
    """The request's path with its percent-encoding.

    The application routes by the decoded `scope["path"]`. Where the server's `raw_path` is missing
    or is not the same path (another middleware has rewritten one of them), what the application
    will see is what must be decided on.
    """
    path: str = scope["path"]
    raw: bytes | None = scope.get("raw_path")
    if raw is not None:
        text = raw.decode("latin-1")
        if text == path or ("%" in text and unquote(text) == path):
            return text
    return quote(path, safe="/:@!$&'()*+,;=~")
