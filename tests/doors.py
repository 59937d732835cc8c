"""The doors a case of `tests/vectors/minhakonta` goes through: the bare core, the ASGI
middleware, and the gateway.

A door takes a `World` (made from a case's `given`), sends one `Wire` after the other at given
times, and returns what came back. No door knows a rule.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from guarita import crypto
from guarita.addresses import AddressSet
from guarita.asks import (
    Ask,
    BodyProblem,
    CountHit,
    LoseOutcome,
    Outage,
    Pause,
    ReadBody,
    RecallOutcome,
    Record,
    Release,
    Reserve,
    VerifyCredential,
)
from guarita.decision import Admit, Decision, End, Outcome, Pairs, Refuse, Replay, Response
from guarita.drivers import run
from guarita.facts import Facts, Headers
from guarita.keyring.verifier import Verifier
from guarita.layers.idempotency import OnMismatch, scope_of
from guarita.layers.signature import Form, SignedBody
from guarita.outage import OnOutage
from guarita.pipeline import Layer, decide, settle
from guarita.profile import Profile, RouteClass
from guarita.profiles.minhakonta import MINHA_KONTA, WRITE
from guarita.records import Account, AccountStatus, ApiKey, KeyStatus, SecretHash
from guarita.serving.admitted import own_headers_dropped, with_length
from guarita.serving.asgi import Guarita
from guarita.serving.backend import Backend
from guarita.serving.edge import NO_PROXIES, TrustedProxies
from guarita.serving.gateway.gate import Gate, Settings
from guarita.serving.upstream.pool import Upstream
from guarita.stores.memory import MemoryStore
from guarita.stores.memory_keyring import MemoryKeyring
from tests import doors_gateway
from tests import vectors_minhakonta as v
from tests.vectors_minhakonta_world import NOW, PRINCIPALS, Principal

PEPPER = b"a pepper for tests, 32 bytes lng"


@dataclass
class Reply:
    """What came back from a door."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes
    decision: str
    reason: str | None

    def all(self, name: str) -> list[bytes]:
        return [value for header, value in self.headers if header.lower() == name.lower().encode()]


@dataclass
class World:
    """Everything around the gate: keyring, stores, clock, application. The clock moves only when a
    request or a pause does.
    """

    given: v.Given
    first: v.Request
    at: float = NOW
    application: v.Answer = field(default_factory=v.Answer)
    calls: int = 0
    seen: dict[str, Any] = field(default_factory=dict)
    noted: list[tuple[RouteClass, Facts, Decision, int]] = field(default_factory=list)
    asked: list[Ask] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.repository = MemoryKeyring()
        self.repository.insert_account(
            Account("acc_1", "First", self._account_status(self.given.account))
        )
        self.repository.insert_account(Account("acc_2", "Other"))
        for sender, principal in PRINCIPALS.items():
            state = self.given.key if sender == "first" else v.KeyState()
            self.repository.insert_key(self._key(principal, state))
        self.verifier = Verifier(self.repository, PEPPER, clock=lambda: self.at)
        self.store = MemoryStore()
        self.profile = self._profile(self.given.settings)
        proxies = self.given.settings.trusted_proxies
        self.proxies = TrustedProxies(proxies) if proxies is not None else NO_PROXIES
        self._count_hits()
        if self.given.record is not None:
            self._keep(self.given.record)

    @staticmethod
    def _account_status(state: v.AccountState) -> AccountStatus:
        return AccountStatus(state.status)

    @staticmethod
    def _key(principal: Principal, state: v.KeyState) -> ApiKey:
        secret = (state.secret or principal.client_secret).encode()
        return ApiKey(
            principal.client_id,
            Account(principal.account, ""),
            (SecretHash(crypto.secret_hash(PEPPER, secret)),),
            status=KeyStatus(state.status),
            expires_at=state.expires_at,
            permissions=frozenset(state.permissions),
            allowlist=AddressSet(state.allowlist),
            signs=state.signs,
        )

    @staticmethod
    def _profile(settings: v.Settings) -> Profile:
        layers: dict[str, Layer] = {layer.name: layer for layer in WRITE}
        changed: dict[str, dict[str, Any]] = {}
        if settings.on_mismatch is not None:
            changed["idempotency"] = {"on_mismatch": OnMismatch(settings.on_mismatch)}
        if settings.rate_limit_on_outage is not None:
            changed["rate_limit"] = {"on_outage": OnOutage(settings.rate_limit_on_outage)}
        if settings.signature_form is not None:
            changed.setdefault("signature", {}).update(
                accept_raw=settings.signature_form != "canonical",
                accept_canonical=settings.signature_form != "raw",
            )
        if settings.erlang_floats is not None:
            changed.setdefault("signature", {})["erlang_floats"] = settings.erlang_floats
        replacements = []
        for name, members in changed.items():
            layer: Any = layers[name]
            present = {field: getattr(layer, field) for field in layer.__struct_fields__}
            replacements.append(type(layer)(**{**present, **members}))
        return MINHA_KONTA.with_layers(*replacements)

    def _count_hits(self) -> None:
        if self.given.hits:
            address = self.given.hits_of or self.first.peer
            for _ in range(self.given.hits):
                self.store.answer(CountHit(address, self.at, 60))

    def _keep(self, record: v.Record) -> None:
        """Bring the record into being with the asks a request would have made."""
        wire = v.Request(method=record.method, path=record.path, body=record.body).wire()
        scope = scope_of(self.facts(wire), "acc_1", record.key.encode())
        fingerprint = SignedBody(wire.body, Form.RAW).fingerprint(wire.query)
        self.store.answer(Reserve(scope, "before", fingerprint, record.at, 86_400))
        if record.state == "kept":
            kept = record.answer or v.Answer()
            response = Response(kept.status, _pairs(kept.headers), v.octets(kept.body))
            self.store.answer(Record(scope, "before", response))
        elif record.state == "outcome_unknown":
            self.store.answer(LoseOutcome(scope, "before"))

    def apply(self, change: v.Change | None) -> None:
        """What an operator does between two requests."""
        if change is None:
            return
        if change.key is not None:
            key = self._key(PRINCIPALS["first"], change.key)
            self.repository.update_key(
                key.client_id, lambda old: ApiKey(**{**_members(key), "account": old.account})
            )
        if change.account is not None:
            status = self._account_status(change.account)
            self.repository.update_account("acc_1", lambda old: Account("acc_1", old.name, status))
        self.verifier.refresh()

    def counted(self) -> int:
        """How many requests have reached the counter."""
        return sum(1 for ask in self.asked if isinstance(ask, CountHit))

    # --- answering
    # ------------------------------------------------------------------------------------------

    def _answer(self, ask: Ask, wire: v.Wire) -> Any:
        if isinstance(ask, ReadBody):
            return wire.body if len(wire.body) <= ask.limit else BodyProblem.TOO_LARGE
        if isinstance(ask, Pause):
            self.at += ask.seconds
            return self.at
        if isinstance(ask, RecallOutcome):
            return None
        return self.answer(ask)

    def answer(self, ask: Ask) -> Any:
        self.asked.append(ask)
        layer = {
            VerifyCredential: "api_key",
            CountHit: "rate_limit",
            Reserve: "idempotency",
            Record: "idempotency",
            Release: "idempotency",
            LoseOutcome: "idempotency",
        }[type(ask)]
        if layer in self.given.outage:
            raise Outage("out of reach, says the case")
        return (
            self.verifier.answer(ask)
            if isinstance(ask, VerifyCredential)
            else self.store.answer(ask)
        )

    def facts(self, wire: v.Wire) -> Facts:
        headers = Headers(wire.headers)
        client = self.proxies.client(wire.peer, headers.all(b"x-forwarded-for"))
        token = f"token-{id(wire)}-{self.at}"
        return Facts(
            wire.method,
            wire.path.decode("latin-1"),
            wire.query,
            headers,
            wire.peer,
            client,
            self.at,
            "ray",
            token,
        )


def _members(struct: Any) -> dict[str, Any]:
    return {name: getattr(struct, name) for name in struct.__struct_fields__}


def _pairs(headers: Iterable[tuple[str, v.Text]]) -> Pairs:
    return tuple((name.encode(), v.octets(value)) for name, value in headers)


def _named(decision: Decision) -> tuple[str, str | None]:
    if isinstance(decision.result, Refuse):
        return "refuse", str(decision.result.reason)
    return ("replay", None) if isinstance(decision.result, Replay) else ("admit", None)


def through_core(world: World, wire: v.Wire) -> Reply:
    """The pipeline itself under the synchronous driver, with the application's answer put in by
    hand.
    """
    facts = world.facts(wire)
    profile = world.profile
    layers = profile.route_class(facts.method, facts.path).layers

    def answer(ask: Ask) -> Any:
        return world._answer(ask, wire)

    decision = run(decide(layers, facts), answer)
    named = _named(decision)
    refusal = decision.result if isinstance(decision.result, Refuse) else None
    if isinstance(decision.result, Admit):
        query, body = facts.query, wire.body
        if decision.converted is not None:
            query = decision.converted.query
            body = body if decision.converted.body is None else decision.converted.body
        return _answered(world, decision, query, body, answer)
    response = profile.respond(refusal) if refusal else decision.result.response  # type: ignore[union-attr]
    reason = refusal.reason if refusal else None
    outcome = Outcome(End.ANSWERED, response.status, response.headers, response.body, reason)
    added = run(settle(decision.settles, outcome), answer)
    return Reply(response.status, [*response.headers, *added], response.body, *named)


def _answered(
    world: World, decision: Decision, query: bytes, body: bytes, answer: Callable[[Ask], Any]
) -> Reply:
    app = world.application
    world.calls += 1
    world.seen = {"query": query, "body": body, "headers": None}
    headers, content = own_headers_dropped(_pairs(app.headers)), v.octets(app.body)
    if decision.conversion is not None and decision.conversion.wants_body(headers):
        content = decision.conversion.response(content)
        headers = with_length(headers, len(content))
    added = run(
        settle(decision.settles, Outcome(End.ANSWERED, app.status, headers, content)), answer
    )
    return Reply(app.status, [*headers, *added], content, "admit", None)


class _Noted:
    """A decision log that only remembers."""

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
        self.world.noted.append((route_class, facts, decision, status))

    def flush(self) -> None:
        pass


def through_asgi(world: World, wire: v.Wire) -> Reply:
    """The middleware, called as a server would call it."""

    async def application(scope: Any, receive: Any, send: Any) -> None:
        world.calls += 1
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        world.seen = {"query": scope["query_string"], "body": body, "headers": scope["headers"]}
        app = world.application
        headers = [(name.encode(), v.octets(value)) for name, value in app.headers]
        await send({"type": "http.response.start", "status": app.status, "headers": headers})
        await send({"type": "http.response.body", "body": v.octets(app.body)})

    async def sleep(seconds: float) -> None:
        world.at += seconds

    backend = Backend(world, world, world)
    gate = Guarita(
        application,
        world.profile,
        backend,
        trusted_proxies=world.proxies,
        decision_log=_Noted(world),
        clock=lambda: world.at,
        sleep=sleep,
    )
    return asyncio.run(_call(gate, world, wire))


async def _call(gate: Guarita, world: World, wire: v.Wire) -> Reply:
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
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": wire.method,
        "scheme": "http",
        "path": _decoded(wire.path),
        "raw_path": wire.path,
        "query_string": wire.query,
        "root_path": "",
        "headers": [(b"host", b"api.test"), *wire.headers, *length],
        "client": (wire.peer, 50_000),
        "server": ("127.0.0.1", 8000),
    }
    await gate(scope, receive, send)
    start, *bodies = sent
    decision = world.noted[-1][2]
    named = _named(decision)
    headers = list(start["headers"])
    body = b"".join(message.get("body", b"") for message in bodies)
    return Reply(start["status"], headers, body, *named)


def _decoded(path: bytes) -> str:
    return unquote(path.decode("latin-1"))


def through_gateway(world: World, wire: v.Wire) -> Reply:
    """The gateway, between a client's socket and an upstream's."""

    def application(
        query: bytes, headers: list[tuple[bytes, bytes]], body: bytes
    ) -> tuple[int, Pairs, bytes]:
        world.calls += 1
        world.seen = {"query": query, "body": body, "headers": headers}
        app = world.application
        return app.status, _pairs(app.headers), v.octets(app.body)

    async def sleep(seconds: float) -> None:
        world.at += seconds

    def gate(upstream: Upstream) -> Gate:
        return Gate(
            world.profile,
            Backend(world, world, world),
            upstream,
            Settings(trusted_proxies=world.proxies),
            decision_log=_Noted(world),
            clock=lambda: world.at,
            sleep=sleep,
        )

    status, headers, body = doors_gateway.through_gateway(gate, application, wire)
    return Reply(status, headers, body, *_named(world.noted[-1][2]))


DOORS: dict[str, Callable[[World, v.Wire], Reply]] = {
    "core": through_core,
    "asgi": through_asgi,
    "gateway": through_gateway,
}
