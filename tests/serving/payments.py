"""A signed payment through the gate by hand, and what its reservation can have become."""

from typing import Any

from guarita.stores.reservations import State
from tests.serving.by_hand import App, Call, Stage, answers, part, scope_of, start
from tests.serving.worlds import PAY, PAYMENT, World

JSON = (b"content-type", b"application/json")
OK = (start(200, JSON), part(b'{"worked":true}'))
UNKNOWN = b"The outcome of the request with this Idempotency-Key is unknown"


def post(world: World, app: App, key: str | None = "k", **settings: Any) -> Call:
    """A signed payment to `app` behind the gate."""
    scope = scope_of("POST", PAY, world.credentials.headers(PAYMENT, key))
    return Call(world.gate(app, **settings), scope, PAYMENT)


async def is_replayed(world: World, body: bytes = b'{"worked":true}') -> bool:
    never = Stage()
    reply = await post(world, never).answer()
    assert never.calls == 0
    return reply.body == body and reply.all("x-idempotent-replay") == ["true"]


async def is_unknown(world: World) -> bool:
    never = Stage()
    reply = await post(world, never).answer()
    assert never.calls == 0
    return (
        reply.status == 409 and UNKNOWN in reply.body and world.states() == [State.OUTCOME_UNKNOWN]
    )


async def executes_again(world: World) -> bool:
    assert world.states() == []
    reply = await post(world, answers(201)).answer()
    return reply.status == 201 and reply.all("x-idempotent-replay") == []
