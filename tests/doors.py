"""The doors a case of `tests/vectors/minhakonta` or `delfinance` goes through: the bare core, the
ASGI middleware, and the gateway.

A door takes a `World` (made from a case's `given`), sends one `Wire` after the other at given
times, and returns what came back. No door knows a rule.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import unquote

import pytest

from guarita.asks import Ask
from guarita.decision import Admit, Decision, End, Outcome, Refuse, Replay
from guarita.drivers import run
from guarita.facts import Facts
from guarita.pipeline import decide, settle
from guarita.profile import Profile, RouteClass
from guarita.serving.admitted import own_headers_dropped, with_length
from guarita.serving.asgi import Guarita
from guarita.serving.gateway.gate import Gate, Settings
from guarita.serving.upstream.pool import Upstream
from tests import doors_gateway
from tests.vectors_common import Case, Wire
from tests.worlds_common import HeaderPairs, World


@dataclass
class Reply:
    """What came back from a door."""

    status: int
    headers: HeaderPairs
    body: bytes
    decision: str
    reason: str | None

    def all(self, name: str) -> list[bytes]:
        return [value for header, value in self.headers if header.lower() == name.lower().encode()]


def _reply(decision: Decision, status: int, headers: HeaderPairs, body: bytes) -> Reply:
    result = decision.result
    if isinstance(result, Refuse):
        return Reply(status, headers, body, "refuse", str(result.reason))
    named = "replay" if isinstance(result, Replay) else "admit"
    return Reply(status, headers, body, named, None)


def through_core(world: World, wire: Wire) -> Reply:
    """The pipeline itself under the synchronous driver, with the application's answer put in by
    hand.
    """
    facts = world.facts(wire)
    profile = world.profile
    layers = profile.route_class(facts.method, facts.path).layers

    def answer(ask: Ask) -> Any:
        return world.answer_core(ask, wire)

    decision = run(decide(layers, facts), answer)
    result = decision.result
    if isinstance(result, Admit):
        status, headers, body = _admitted(world, decision, facts, wire)
        outcome = Outcome(End.ANSWERED, status, headers, body)
    else:
        response = profile.respond(result) if isinstance(result, Refuse) else result.response
        status, headers, body = response.status, list(response.headers), response.body
        reason = result.reason if isinstance(result, Refuse) else None
        outcome = Outcome(End.ANSWERED, status, response.headers, body, reason)
    added = run(settle(decision.settles, outcome), answer)
    return _reply(decision, status, [*headers, *added], body)


def _admitted(
    world: World, decision: Decision, facts: Facts, wire: Wire
) -> tuple[int, HeaderPairs, bytes]:
    query, sent = facts.query, wire.body
    if decision.converted is not None:
        query = decision.converted.query
        sent = sent if decision.converted.body is None else decision.converted.body
    status, pairs, body = world.run(query, None, sent)
    headers = own_headers_dropped(pairs)
    if decision.conversion is not None and decision.conversion.wants_body(headers):
        body = decision.conversion.response(body)
        headers = with_length(headers, len(body))
    return status, headers, body


class _Noted:
    """A decision log that only remembers, so that a door can tell the reason."""

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


def through_asgi(world: World, wire: Wire) -> Reply:
    """The middleware, called as a server would call it."""

    async def application(scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        status, headers, content = world.run(scope["query_string"], scope["headers"], body)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    gate = Guarita(
        application,
        world.profile,
        world.backend(),
        trusted_proxies=world.proxies,
        certificate_header=world.certificate_header(wire),
        decision_log=_Noted(world),
        clock=lambda: world.at,
        sleep=world.sleep,
    )
    return asyncio.run(_call(gate, world, wire))


async def _call(gate: Guarita, world: World, wire: Wire) -> Reply:
    sent: list[Any] = []
    half = len(wire.body) // 2
    parts = [wire.body[:half], wire.body[half:]]

    async def receive() -> dict[str, Any]:
        if parts:
            return {"type": "http.request", "body": parts.pop(0), "more_body": bool(parts)}
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    length = [(b"content-length", b"%d" % len(wire.body))] if wire.body else []
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": wire.method,
        "scheme": "https" if world.secure else "http",
        "path": unquote(wire.path.decode("latin-1")),
        "raw_path": wire.path,
        "query_string": wire.query,
        "root_path": "",
        "headers": [(b"host", b"api.test"), *wire.headers, *length],
        "client": (wire.peer, 50_000),
        "server": ("127.0.0.1", 8443 if world.secure else 8000),
    }
    presented = world.presented(wire)
    if presented is not None:
        scope["guarita.certificate"] = presented
    await gate(scope, receive, send)
    start, *bodies = sent
    body = b"".join(message.get("body", b"") for message in bodies)
    return _reply(world.noted[-1], start["status"], list(start["headers"]), body)


def through_gateway(world: World, wire: Wire) -> Reply:
    """The gateway, between a client's socket and an upstream's; where the world is secure, as if
    its listener had ended the case's TLS connection.
    """

    def gate(upstream: Upstream) -> Gate:
        return Gate(
            world.profile,
            world.backend(),
            upstream,
            Settings(
                trusted_proxies=world.proxies, certificate_header=world.certificate_header(wire)
            ),
            decision_log=_Noted(world),
            clock=lambda: world.at,
            sleep=world.sleep,
        )

    status, headers, body = doors_gateway.through_gateway(
        gate, world.run, wire, secure=world.secure, certificate=world.presented(wire)
    )
    return _reply(world.noted[-1], status, headers, body)


DOORS: dict[str, Callable[[World, Wire], Reply]] = {
    "core": through_core,
    "asgi": through_asgi,
    "gateway": through_gateway,
}

AnyCase = TypeVar("AnyCase", bound=Case)


def runs(
    cases: Iterable[AnyCase], carries: Callable[[str, AnyCase], bool] = lambda door, case: True
) -> list[Any]:
    """Every case with each door able to carry it, as parameters of a test."""
    return [
        pytest.param(case, door, id=f"{case.id}-{door}")
        for case in cases
        for door in DOORS
        if (case.carried_by is None or door in case.carried_by) and carries(door, case)
    ]
