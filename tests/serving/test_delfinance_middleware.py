"""The Delfinance profile in the middleware, beyond its rules: what the application gets to know,
headers of the connection, and requests that are none of HTTP's.
"""

import json
from typing import Any, cast

import pytest

from guarita.facts import PresentedCertificate
from guarita.identity import Identity
from guarita.serving.asgi import Guarita
from guarita.serving.backend import Backend
from guarita.serving.edge import TrustedProxies
from tests import vectors_delfinance as v
from tests.serving.by_hand import Call, answers, part, scope_of, start
from tests.vectors_delfinance_world import ADDRESS, PRINCIPALS
from tests.worlds_delfinance import World

FIRST = PRINCIPALS["first"]
HEADERS = [("x-delbank-api-key", FIRST.api_key), ("x-delfinance-account-id", FIRST.account)]


def gate(world: World, app: Any, **settings: Any) -> Guarita:
    backend = Backend(world, world, world, blocker=world, certificates=world)
    return Guarita(app, world.profile, backend, clock=lambda: world.at, **settings)


def scope(world: World, **changes: Any) -> dict[str, Any]:
    members = {"client": (ADDRESS, 50_000), "scheme": "https"}
    presented = world.presented(v.Request().wire())
    members["guarita.certificate"] = cast(Any, presented)
    return scope_of("GET", "/v1/resource", HEADERS, **{**members, **changes})


async def test_the_application_learns_who_was_admitted() -> None:
    world, seen = World(v.Given()), list[Any]()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["guarita"])
        await send(start())
        await send(part(b"{}"))

    reply = await Call(gate(world, app), scope(world), b"").answer()
    assert reply.status == 200
    (identity,) = seen
    assert isinstance(identity, Identity)
    assert (identity.account, identity.key) == (FIRST.account, FIRST.key_id)
    assert (identity.address, identity.permissions) == (ADDRESS, frozenset())


async def test_certificate_and_time_reach_the_verification_as_the_server_gave_them() -> None:
    world = World(v.Given())
    presented = PresentedCertificate((json.dumps({}).encode(), b"an intermediate"), 1.5, "tls-9")
    changed = scope(world, **{"guarita.certificate": presented})
    assert (await Call(gate(world, answers()), changed, b"").answer()).status == 200
    (asked,) = [ask.certificate for ask in world.asked if hasattr(ask, "certificate")]
    assert asked is presented


@pytest.mark.parametrize("name", ["guarita.certificate", "guarita-certificate", "client-cert"])
async def test_no_header_poses_as_a_certificate(name: str) -> None:
    world = World(v.Given())
    without = scope(world, **{"guarita.certificate": None})
    without["headers"] += [(name.encode(), b"{}")]
    reply = await Call(gate(world, answers()), without, b"").answer()
    assert json.loads(reply.body) == {"message": "Valid client certificate required (mTLS)"}


@pytest.mark.parametrize("mode", ["valid", "strict"])
async def test_a_trusted_proxys_own_certificate_is_not_the_callers(mode: Any) -> None:
    """An edge that speaks mutual TLS to the gate shows its own certificate on the connection."""
    world = World(v.Given(key=v.KeyState(mode=mode)))
    proxies = TrustedProxies(["192.0.2.10"])
    through = scope(world, client=("192.0.2.10", 50_000))
    through["headers"] += [(b"x-forwarded-for", ADDRESS.encode())]
    call = Call(gate(world, answers(), trusted_proxies=proxies), through, b"")
    reply = await call.answer()
    assert (reply.status, json.loads(reply.body)) == (
        403,
        {"message": "Valid client certificate required (mTLS)"},
    )


@pytest.mark.parametrize("twin", [b"x_delfinance_account_id", b"X_Delbank_Api_Key"])
async def test_twins_of_what_was_checked_never_reach_the_application(twin: bytes) -> None:
    """CGI and WSGI take both spellings for one name, and could read the one nobody checked."""
    world, seen = World(v.Given()), list[Any]()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.extend(name for name, _ in scope["headers"])
        await send(start())
        await send(part(b"{}"))

    with_twin = scope(world)
    with_twin["headers"] += [(twin, b"acc_2")]
    assert (await Call(gate(world, app), with_twin, b"").answer()).status == 200
    assert twin.lower() not in {name.lower() for name in seen}
    assert b"x-delfinance-account-id" in seen


async def test_validation_expired_closes_the_connection_and_carries_ray_and_hsts() -> None:
    world = World(v.Given())
    lapsed = world.presented(v.Request(certificate=v.Certificate(lapsed=True)).wire())
    call = Call(gate(world, answers()), scope(world, **{"guarita.certificate": lapsed}), b"")
    reply = await call.answer()
    assert (reply.status, reply.all("connection")) == (401, ["close"])
    assert len(reply.all("strict-transport-security")) == 1
    assert reply.all("ray-id")


async def test_a_failing_application_is_answered_in_the_profiles_shape_and_counts_nothing() -> None:
    world = World(v.Given())

    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise RuntimeError("broken")

    call = Call(gate(world, app), scope(world), b"")
    with pytest.raises(RuntimeError, match="broken"):
        await call.end()
    assert (call.reply().status, json.loads(call.reply().body)) == (
        500,
        {"message": "Internal server error"},
    )
    assert world.counted() == 0


async def test_no_byte_of_the_body_is_read_before_a_refusal() -> None:
    world = World(v.Given())
    changed = scope(world, client=("198.51.100.7", 1))
    call = Call(gate(world, answers()), changed, b"a body")
    assert (await call.answer()).status == 403
    assert call.received == 0


@pytest.mark.parametrize("environment", ["production", "homologation"])
@pytest.mark.parametrize("extensions", [{}, {"websocket.http.response": {}}])
async def test_websockets_are_refused(environment: Any, extensions: dict[str, Any]) -> None:
    world, sent = World(v.Given(environment=environment)), list[Any]()

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError("the application was reached")

    socket = scope(world, type="websocket", scheme="wss", extensions=extensions)
    await gate(world, app)(socket, receive, send)
    if not extensions:
        assert [message["type"] for message in sent] == ["websocket.close"]
        return
    if sent[0]["type"] != "websocket.close":
        assert sent[0]["status"] >= 400
        assert list(json.loads(sent[1]["body"])) == ["message"]
