"""Responses of the application that the middleware may not pass on as they are: too long to be
converted, or with a Strict-Transport-Security of their own.
"""

from typing import Any

import pytest

from tests.serving.by_hand import Call, Stage, part, scope_of, start
from tests.serving.payments import JSON, is_unknown
from tests.serving.worlds import BALANCE, PAY, PAYMENT, World

LONG = b'{"pix_key":"%b"}' % (b"x" * 2000)


@pytest.mark.parametrize(
    "parts",
    [
        (part(LONG),),
        (part(LONG[:900], more=True), part(LONG[900:1800], more=True), part(LONG[1800:])),
    ],
)
async def test_too_long_to_be_converted(parts: Any) -> None:
    world = World()
    headers = [*world.credentials.headers(PAYMENT, "k"), ("x-key-case", "camelCase")]
    app = Stage(start(200, JSON), *parts)
    app.let_go.set()
    gate = world.gate(app, max_recorded_body=1000)
    call = Call(gate, scope_of("POST", PAY, headers), PAYMENT)
    with pytest.raises(RuntimeError, match="max_recorded_body"):
        await call.end()
    reply = call.reply()
    assert (reply.status, b"xxx" in reply.body) == (500, False)
    assert await is_unknown(world)


@pytest.mark.parametrize(("scheme", "own"), [("https", "max-age=31536000"), ("http", "max-age=0")])
@pytest.mark.parametrize("path", [BALANCE, "/up"])
async def test_only_one_hsts(scheme: str, own: str, path: str) -> None:
    world = World()

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send(start(200, (b"Strict-Transport-Security", b"max-age=0")))
        await send(part(b""))

    gate = world.gate(app, unsafe_unguarded_paths=["/up"])
    scope = scope_of("GET", path, world.credentials.headers(), scheme=scheme)
    reply = await Call(gate, scope).answer()
    assert reply.status == 200
    assert reply.all("strict-transport-security") == [own]
