"""The middleware by hand: which path is decided on, unguarded paths, lifespan and WebSockets."""

from typing import Any

import pytest

from guarita.serving.asgi import Guarita, raw_path_of
from guarita.serving.edge import TrustedProxies
from tests.serving.by_hand import App, Call, Stage, part, scope_of, start
from tests.serving.client import Reply
from tests.serving.worlds import BALANCE, PAY, PAYMENT, Headers, World

LIMIT = 1_048_576
RAYS = TrustedProxies(["127.0.0.1"])


@pytest.fixture
def world() -> World:
    return World()


def get(
    world: World, app: App, target: str = BALANCE, more: Headers | None = None, **settings: Any
) -> Call:
    scope = scope_of("GET", target, [*world.credentials.headers(), *(more or [])])
    return Call(world.gate(app, **settings), scope, b"")


def post(
    world: World, app: App, body: bytes = PAYMENT, more: Headers | None = None, **settings: Any
) -> Call:
    headers = [*world.credentials.headers(body), *(more or [])]
    return Call(world.gate(app, **settings), scope_of("POST", PAY, headers), body)


def released(*steps: Any) -> Stage:
    app = Stage(*steps)
    app.let_go.set()
    return app


OK = (start(200, (b"content-type", b"application/json")), part(b"{}"))

# --- paths


@pytest.mark.parametrize(
    ("path", "raw", "decided"),
    [
        ("/a/b", b"/a/b", "/a/b"),
        ("/a/b", b"/a%2Fb", "/a%2Fb"),
        ("/a/b", None, "/a/b"),
        ("/a b", None, "/a%20b"),
        ("/a%2Fb", None, "/a%252Fb"),
        ("/a?b", None, "/a%3Fb"),
        ("/á", None, "/%C3%A1"),
        ("/a/b", b"/other", "/a/b"),
        ("/a/b", b"/a%2Fother", "/a/b"),
        ("/mount/a", b"/a", "/mount/a"),
    ],
)
def test_what_the_application_will_see_is_decided_on(
    path: str, raw: bytes | None, decided: str
) -> None:
    scope: dict[str, Any] = {"path": path}
    if raw is not None:
        scope["raw_path"] = raw
    assert raw_path_of(scope) == decided


async def test_a_rewritten_path_is_decided_as_the_application_sees_it(world: World) -> None:
    """Another middleware made a payment of what was a balance: it is decided as a payment."""
    never = Stage()
    scope = scope_of("GET", BALANCE, world.credentials.headers(), path=PAY)
    assert (await Call(world.gate(never), scope, b"").answer()).status == 405
    assert never.calls == 0


TRICKS = [
    "/static/../api/external/balance",
    "/static/..",
    "/static/%2e%2e/api/external/balance",
    "/static/%2E%2E%2fapi/external/balance",
    "/static//api/external/balance",
    "/static/./x",
    "/static/..;/api",
    "/static\\..\\api",
    "/static/\\api",
    "/static",
    "/statics/x",
    "/STATIC/x",
    "//static/x",
    "/health/",
    "/health/x",
    "/healthy",
    "/%68ealth",
    "/HEALTH",
    "/health%00",
    "/health;x",
]


@pytest.mark.parametrize("target", TRICKS)
async def test_nothing_slips_through_unguarded_paths(world: World, target: str) -> None:
    never = Stage()
    gate = world.gate(never, unsafe_unguarded_paths=["/health", "/static/"])
    reply = await Call(gate, scope_of("GET", target), b"").answer()
    assert (reply.status, never.calls) == (401, 0)


@pytest.mark.parametrize("target", ["/health", "/health?x=1", "/static/", "/static/a/b.css"])
async def test_unguarded_paths_reach_the_application(
    world: World, target: str, caplog: pytest.LogCaptureFixture
) -> None:
    app = released(*OK)
    gate = world.gate(app, unsafe_unguarded_paths=["/health", "/static/"])
    await Call(gate, scope_of("GET", target), b"").end()
    assert (app.calls, "guarita" in app.scopes[0]) == (1, False)
    assert world.asked == []
    assert "unsafe_unguarded_paths" in caplog.text


# --- other scopes


async def test_lifespan_passes_through(world: World) -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope)
        assert (await receive())["type"] == "lifespan.startup"
        await send({"type": "lifespan.startup.complete"})
        assert (await receive())["type"] == "lifespan.shutdown"
        await send({"type": "lifespan.shutdown.complete"})

    scope: dict[str, Any] = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
    call = Call(world.gate(app), scope)
    call.to_gate.put_nowait({"type": "lifespan.startup"})
    call.to_gate.put_nowait({"type": "lifespan.shutdown"})
    await call.end()
    assert seen[0] is scope
    assert [message["type"] for message in call.sent] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]


def websocket(gate: Guarita, **changes: Any) -> Call:
    call = Call(gate, {**scope_of("GET", BALANCE), "type": "websocket", "scheme": "ws", **changes})
    call.to_gate.put_nowait({"type": "websocket.connect"})
    return call


async def test_websockets_are_refused(world: World) -> None:
    never = Stage()
    call = websocket(world.gate(never))
    await call.end()
    assert (never.calls, call.received) == (0, 1)
    assert [(message["type"], message["code"]) for message in call.sent] == [
        ("websocket.close", 1008)
    ]


async def test_websockets_are_refused_with_a_response_where_that_is_possible(world: World) -> None:
    never = Stage()
    call = websocket(world.gate(never), extensions={"websocket.http.response": {}})
    await call.end()
    first, second = call.sent
    assert (first["type"], second["type"]) == (
        "websocket.http.response.start",
        "websocket.http.response.body",
    )
    reply = Reply(
        first["status"], [(n.decode(), v.decode()) for n, v in first["headers"]], second["body"]
    )
    assert (reply.status, never.calls) == (404, 0)
    assert len(reply.one("ray-id")) == 28
    assert int(reply.one("content-length")) == len(reply.body)


async def test_websockets_can_be_allowed(world: World, caplog: pytest.LogCaptureFixture) -> None:
    app = released({"type": "websocket.accept"})
    await websocket(world.gate(app, unsafe_allow_websockets=True)).end()
    assert (app.calls, app.scopes[0]["type"]) == (1, "websocket")
    assert "unsafe_allow_websockets" in caplog.text


@pytest.mark.parametrize("paths", ["/health", "/", ["/"], ["health"], [""], ["health/"]])
def test_unguarded_paths_that_cannot_be_meant(world: World, paths: Any) -> None:
    """One text is a list of characters, "/" among them: everything would be open."""
    with pytest.raises((TypeError, ValueError)):
        world.gate(Stage(), unsafe_unguarded_paths=paths)


async def test_unguarded_paths_may_be_any_iterable(world: World) -> None:
    gate = world.gate(released(*OK), unsafe_unguarded_paths=iter(["/health", "/static/"]))
    for target in ("/health", "/static/x"):
        await Call(gate, scope_of("GET", target), b"").end()
    assert world.asked == []
