"""The doors a case of `tests/vectors/delfinance` goes through: the bare core, the ASGI
middleware, and the gateway.

A door takes a `World` (made from a case's `given`), sends one `Wire` after the other at given
times, and returns what came back. No door knows a rule.
"""

import asyncio
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from guarita.decision import Decision, Pairs, Refuse
from guarita.facts import Facts, Headers, PresentedCertificate
from guarita.profile import Profile, RouteClass
from guarita.serving.asgi import Guarita
from guarita.serving.backend import Backend
from guarita.serving.certificates import CertificateHeader
from guarita.serving.edge import NO_PROXIES
from guarita.serving.gateway.gate import Gate, Settings
from guarita.serving.upstream.pool import Upstream
from tests import doors_gateway
from tests import vectors_delfinance as v
from tests.doors import Reply
from tests.worlds_delfinance import World, header_pairs


def _reply(
    decision: Decision, status: int, headers: list[tuple[bytes, bytes]], body: bytes
) -> Reply:
    refused = isinstance(decision.result, Refuse)
    reason = str(decision.result.reason) if isinstance(decision.result, Refuse) else None
    return Reply(status, headers, body, "refuse" if refused else "admit", reason)


def through_core(world: World, wire: v.Wire) -> Reply:
    """The pipeline itself under the synchronous driver, with the application's answer put in by
    hand.
    """
    decision, outcome, added = world.decided(wire)
    return _reply(decision, outcome.status, [*outcome.headers, *added], outcome.body or b"")


class _Noted:
    """A decision log that keeps the decisions, so that a door can tell the reason."""

    def __init__(self, world: World) -> None:
        self.world = world

    def add(
        self,
        profile: Profile,
        route_class: RouteClass,
        facts: Facts,
        decision: Decision,
        status: int,
    ) -> None:
        self.world.noted.append(decision)

    def flush(self) -> None:
        pass


class _Edge(CertificateHeader):
    """A trusted edge passes on the case's certificate; how it is written is tested elsewhere."""

    def __init__(self, passed_on: PresentedCertificate | None) -> None:
        super().__init__("rfc9440")
        self.passed_on = passed_on

    def presented(self, headers: Headers, arrival: float) -> PresentedCertificate | None:
        return self.passed_on


def through_asgi(world: World, wire: v.Wire) -> Reply:
    """The middleware, called as a server that terminates TLS would call it."""

    async def application(scope: Any, receive: Any, send: Any) -> None:
        world.calls += 1
        app = world.application
        await send(
            {"type": "http.response.start", "status": app.status, "headers": header_pairs(app)}
        )
        await send({"type": "http.response.body", "body": app.body.encode()})

    gate = Guarita(
        application,
        world.profile,
        Backend(world, world, world, blocker=world, certificates=world),
        trusted_proxies=world.proxies,
        certificate_header=None if world.proxies is NO_PROXIES else _Edge(world.presented(wire)),
        decision_log=_Noted(world),
        clock=lambda: world.at,
    )
    return asyncio.run(_call(gate, world, wire))


async def _call(gate: Guarita, world: World, wire: v.Wire) -> Reply:
    sent: list[Any] = []
    parts = [wire.body]

    async def receive() -> dict[str, Any]:
        if parts:
            return {"type": "http.request", "body": parts.pop(), "more_body": False}
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": wire.method,
        "scheme": "https",
        "path": unquote(wire.path.decode("latin-1")),
        "raw_path": wire.path,
        "query_string": wire.query,
        "root_path": "",
        "headers": [(b"host", b"api.test"), *wire.headers],
        "client": (wire.peer, 50_000),
        "server": ("127.0.0.1", 8443),
    }
    presented = world.presented(wire)
    if presented is not None:
        scope["guarita.certificate"] = presented
    await gate(scope, receive, send)
    start, *bodies = sent
    body = b"".join(message.get("body", b"") for message in bodies)
    return _reply(world.noted[-1], start["status"], list(start["headers"]), body)


def through_gateway(world: World, wire: v.Wire) -> Reply:
    """The gateway, as if its listener had ended the case's TLS connection."""

    def application(
        query: bytes, headers: list[tuple[bytes, bytes]], body: bytes
    ) -> tuple[int, Pairs, bytes]:
        world.calls += 1
        app = world.application
        return app.status, tuple(header_pairs(app)), app.body.encode()

    presented = world.presented(wire)

    def gate(upstream: Upstream) -> Gate:
        return Gate(
            world.profile,
            Backend(world, world, world, blocker=world, certificates=world),
            upstream,
            Settings(
                trusted_proxies=world.proxies,
                certificate_header=None if world.proxies is NO_PROXIES else _Edge(presented),
            ),
            decision_log=_Noted(world),
            clock=lambda: world.at,
        )

    status, headers, body = doors_gateway.through_gateway(
        gate, application, wire, secure=True, certificate=presented
    )
    return _reply(world.noted[-1], status, headers, body)


DOORS: dict[str, Callable[[World, v.Wire], Reply]] = {
    "core": through_core,
    "asgi": through_asgi,
    "gateway": through_gateway,
}


def carries(door: str, case: v.Case) -> bool:
    """Whether a case can be brought to a door: over a socket a line break ends a header, whatever
    it was meant to be (`tests/vectors/http1_requests.json` has what becomes of it).
    """
    sent = [value for step in case.steps for _, value in step.request.headers]
    return door != "gateway" or not any("\n" in value or "\r" in value for value in sent)
