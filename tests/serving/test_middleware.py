"""The middleware by hand: identity, headers, bodies, streaming, Ray IDs."""

import asyncio
from typing import Any

import pytest

from guarita.asks import Reserve
from guarita.identity import Identity
from guarita.profiles.minhakonta import MINHA_KONTA
from guarita.serving.edge import TrustedProxies
from tests.serving.by_hand import App, Call, Stage, answers, part, scope_of, start
from tests.serving.worlds import BALANCE, PAY, PAYMENT, PREFIX, Headers, World

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

# --- the identity


async def test_the_identity_is_in_the_scope(world: World) -> None:
    app = released(*OK)
    reply = await post(world, app, more=[("idempotency-key", "k")]).answer()
    identity = app.scopes[0]["guarita"]
    assert isinstance(identity, Identity)
    assert identity.account == world.credentials.account
    assert identity.key == world.credentials.client_id
    assert identity.permissions == MINHA_KONTA.table.permissions
    assert (identity.address, identity.ray) == ("127.0.0.1", reply.one("ray-id"))
    assert identity.reservation is not None
    assert identity.reservation.scope.key == b"k"
    assert world.credentials.secret not in repr(identity)


async def test_the_servers_own_scope_is_not_changed(world: World) -> None:
    scope = scope_of("GET", BALANCE, [*world.credentials.headers(), ("guarita-account", "x")])
    before = {**scope, "headers": list(scope["headers"])}
    await Call(world.gate(released(*OK)), scope, b"").answer()
    assert scope == before


@pytest.mark.parametrize(
    "name",
    [
        "guarita-account",
        "guarita_account",
        "Guarita-Account",
        "guarita-permissions",
        "guarita-anything",
        "x-http-method-override",
        "X-HTTP-Method-Override",
        "x_http_method_override",
        "x-http-method",
        "x-method-override",
        "x-original-url",
        "X-Original-URL",
        "X-ORIGINAL-Url",
        "x_original_url",
        "X-Original_URL",
        "x-rewrite-url",
        "X-Rewrite-URL",
        "x_rewrite_url",
        "x-rewrite_url",
    ],
)
async def test_headers_that_pose_never_reach_the_application(world: World, name: str) -> None:
    app = released(*OK)
    await get(world, app, more=[(name, "DELETE"), ("x-kept", "1")]).answer()
    names = [header for header, _ in app.scopes[0]["headers"]]
    assert names == [b"authorization", b"x-kept"]


async def test_headers_that_pose_never_reach_an_unguarded_path_either(world: World) -> None:
    app = released(*OK)
    call = get(
        world, app, "/health", [("guarita-account", "acc_1")], unsafe_unguarded_paths=["/health"]
    )
    await call.end()
    assert b"guarita-account" not in dict(app.scopes[0]["headers"])


@pytest.mark.parametrize("name", ["Authorization", "AUTHORIZATION"])
async def test_header_names_in_any_case(world: World, name: str) -> None:
    """ASGI does not promise lower case; hypercorn's `h11_pass_raw_headers` keeps what was sent."""
    scope = scope_of("GET", BALANCE, [(name, world.credentials.authorization())])
    assert (await Call(world.gate(released(*OK)), scope, b"").answer()).status == 200


async def test_an_idempotency_key_in_any_case_reserves(world: World) -> None:
    await post(world, released(*OK), more=[("Idempotency-Key", "k")]).answer()
    assert "Reserve" in world.asked_kinds()


async def test_a_converted_body_has_its_length_whatever_the_names_case(world: World) -> None:
    app = released(*OK)
    body = b'{"pixKey":"1"}'
    more = [("x-key-case", "camelCase"), ("Content-Length", str(len(body)))]
    await post(world, app, body, more).answer()
    assert app.body == b'{"pix_key":"1"}'
    lengths = [
        value for name, value in app.scopes[0]["headers"] if name.lower() == b"content-length"
    ]
    assert lengths == [b"15"]


async def test_a_scope_without_client_is_refused_not_broken(world: World) -> None:
    """ASGI: `client` is optional. Without an address nothing is allowed."""
    scope = scope_of("GET", BALANCE, world.credentials.headers(), client=None)
    reply = await Call(world.gate(Stage()), scope, b"").answer()
    assert reply.status == 403


# --- bodies


async def test_the_body_is_handed_on_in_one_piece(world: World) -> None:
    app = released(*OK)
    scope = scope_of("POST", PAY, world.credentials.headers(PAYMENT))
    await Call(world.gate(app), scope, PAYMENT[:1], PAYMENT[1:30], b"", PAYMENT[30:]).answer()
    assert app.body == PAYMENT


async def test_413_by_content_length_reads_nothing(world: World) -> None:
    call = post(world, Stage(), more=[("content-length", str(LIMIT + 1))])
    reply = await call.answer()
    assert (reply.status, call.received) == (413, 0)
    assert (
        reply.body
        == b'{"error":{"status":413,"message":"Request body must be at most 1048576 bytes"}}'
    )


async def test_413_by_an_absurd_content_length(world: World) -> None:
    """More digits than Python turns into a number (4300)."""
    call = post(world, Stage(), more=[("content-length", "9" * 5000)])
    assert ((await call.answer()).status, call.received) == (413, 0)


async def test_413_by_length_reads_the_limit_and_one_message(world: World) -> None:
    scope = scope_of("POST", PAY, world.credentials.headers(b""))
    call = Call(world.gate(Stage()), scope)
    chunk = b"x" * (LIMIT // 16)
    for _ in range(32):
        call.says(chunk, more=True)
    assert ((await call.answer()).status, call.received) == (413, 17)


async def test_a_body_of_the_limit_is_read(world: World) -> None:
    body = b'{"padding":"%s"}' % (b"x" * (LIMIT - 14))
    assert len(body) == LIMIT
    assert (await post(world, answers(), body).answer()).status == 200


async def test_a_get_streams_its_request_to_the_application(world: World) -> None:
    """Nothing is read for a request that is not signed."""
    app = Stage()
    call = get(world, app)
    await app.is_entered()  # the application's own `receive`
    assert call.received == 1
    assert "ReadBody" not in world.asked_kinds()
    await call.cancel()


# --- responses


async def test_messages_of_a_get_pass_one_by_one(world: World) -> None:
    gates = [asyncio.Event(), asyncio.Event()]
    messages = [
        start(200, (b"content-type", b"application/json")),
        part(b"[1,", more=True),
        part(b"2]"),
    ]
    app = released(messages[0], gates[0], messages[1], gates[1], messages[2])
    call = get(world, app)
    await call.said(1)
    gates[0].set()
    await call.said(2)
    assert call.sent[1] is messages[1]
    gates[1].set()
    await call.end()
    assert call.sent[1:] == messages[1:]


async def test_a_post_without_key_streams(world: World) -> None:
    rest = asyncio.Event()
    call = post(world, released(start(200), part(b"one", more=True), rest, part(b"two")))
    await call.said(2)
    rest.set()
    assert (await call.answer()).body == b"onetwo"


async def test_the_gates_own_headers_are_the_gates(world: World) -> None:
    own = [b"Ray-ID", b"X-RateLimit-Remaining", b"Idempotency-Key", b"x-idempotent-replay"]
    app = released(start(200, *[(name, b"forged") for name in own], (b"x-own", b"1")), part(b""))
    reply = await get(world, app, PREFIX + "/pix/keys").answer()
    assert "forged" not in [value for _, value in reply.headers]
    assert (reply.all("x-own"), reply.one("x-ratelimit-remaining")) == (["1"], "89999")


@pytest.mark.parametrize("target", [BALANCE, PREFIX + "/nowhere", "/"])
async def test_every_response_has_a_ray(world: World, target: str) -> None:
    assert len((await get(world, answers(), target).answer()).one("ray-id")) == 28


@pytest.mark.parametrize(
    ("scheme", "expected"), [("https", ["max-age=31536000"]), ("http", []), (None, [])]
)
@pytest.mark.parametrize("target", [BALANCE, PREFIX + "/nowhere"])
async def test_hsts_on_https_only(
    world: World, scheme: str | None, expected: list[str], target: str
) -> None:
    scope = scope_of("GET", target, world.credentials.headers(), scheme=scheme)
    reply = await Call(world.gate(answers()), scope, b"").answer()
    assert reply.all("strict-transport-security") == expected


async def test_hsts_can_be_set(world: World) -> None:
    async def hsts(seconds: int) -> list[str]:
        scope = scope_of("GET", BALANCE, world.credentials.headers(), scheme="https")
        reply = await Call(world.gate(answers(), hsts_max_age_s=seconds), scope, b"").answer()
        return reply.all("strict-transport-security")

    assert [await hsts(60), await hsts(0)] == [["max-age=60"], []]


async def test_pathsend_is_hidden_where_a_body_must_be_held(world: World) -> None:
    extensions: dict[str, Any] = {"http.response.pathsend": {}, "http.response.trailers": {}}

    async def offered(method: str, target: str, headers: Headers) -> set[str]:
        app = released(*OK)
        scope = scope_of(method, target, headers, extensions=extensions)
        await Call(world.gate(app), scope, PAYMENT).answer()
        return set(app.scopes[0]["extensions"])

    camel = [("x-key-case", "camelCase")]
    keyed = world.credentials.headers(PAYMENT, "k")
    assert await offered("POST", PAY, keyed) == {"http.response.trailers"}
    assert await offered("GET", BALANCE, [*world.credentials.headers(), *camel]) == {
        "http.response.trailers"
    }
    assert await offered("GET", BALANCE, world.credentials.headers()) == set(extensions)


# --- rays


async def ray(world: World, sent: str, **settings: Any) -> bool:
    reply = await get(world, answers(), more=[("ray-id", sent)], **settings).answer()
    return reply.one("ray-id") == sent


async def test_an_inbound_ray_is_believed_from_a_trusted_proxy_only(world: World) -> None:
    assert not await ray(world, "abcdef0123456789")
    assert await ray(world, "abcdef0123456789", trusted_proxies=RAYS)


@pytest.mark.parametrize(
    "sent", ["short", "x" * 65, "with space 1", 'quote"12345', "new\x0bline12", ""]
)
async def test_an_unbelievable_ray_is_replaced(world: World, sent: str) -> None:
    assert not await ray(world, sent, trusted_proxies=RAYS)


async def test_a_proxys_ray_never_names_the_owner_of_a_reservation(world: World) -> None:
    more = [("ray-id", "abcdef0123456789"), ("idempotency-key", "k")]
    await post(world, answers(), more=more, trusted_proxies=RAYS).answer()
    [reserve] = [ask for ask in world.asked if isinstance(ask, Reserve)]
    assert reserve.token != "abcdef0123456789"
