"""Faults on demand: the scenarios in which the bank itself misbehaves, so that a client's handling
of it can be tested.

What belongs here: what each fault does to a request. Which fault a request asks for is read by
`pix/scenarios`, from the header `Sandbox-Scenario` or from the body.

A dropped connection is an answer begun (200, `Content-Length: 2`, no body) and an exception.
uvicorn sends the head at once and closes the connection when the exception arrives, so a client has
a status and no body: httpx raises `RemoteProtocolError`, curl exits with 18. Behind the gate a POST
with an Idempotency-Key is answered with the gate's own 500, as the gate holds an answer until it is
whole; its outcome is unknown, and a retry gets 409.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.background import BackgroundTask
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

# Literals: seed L376-394; the seed words neither 500 nor 503.
ERRORS: dict[str, tuple[int, dict[str, Any]]] = {
    "error-400": (400, {"bad_request": {"amount": ["is required"]}}),
    "error-401": (401, {"unauthorized": "invalid credentials"}),
    "error-404": (404, {"not_found": "Transaction not found"}),
    "error-422": (422, {"unprocessable_entity": "Invalid PIX key format"}),
    "error-500": (500, {"internal_server_error": "Internal server error"}),
    "error-503": (503, {"service_unavailable": "Service unavailable"}),
}
DELAYS_S: dict[str, float] = {"slow-1s": 1.0, "slow-5s": 5.0, "slow-30s": 30.0}
DROP_BEFORE = "drop-before"
DROP_AFTER = "drop-after"
NAMES = frozenset({*ERRORS, *DELAYS_S, DROP_BEFORE, DROP_AFTER})


class Dropped(Exception):
    """Ends the connection of a request whose scenario asks for it. Not a failure of the bank."""


class DroppedResponse(Response):
    """Begins a successful answer and raises `Dropped` instead of giving its body. What the answer
    it takes the place of would have done in the background is done before.
    """

    def __init__(self, name: str, background: BackgroundTask | None = None) -> None:
        super().__init__(background=background)
        self._name = name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises `Dropped`, always."""
        headers = [(b"content-type", b"application/json"), (b"content-length", b"2")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        if self.background is not None:
            await self.background()
        raise Dropped(f"scenario {self._name}: the connection is dropped as asked")


async def serve(
    name: str | None,
    execute: Callable[[], Awaitable[Response]],
    *,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
) -> Response:
    """The answer to a request that asks for the scenario `name`: that of `execute`, unless `name`
    is a fault.

    `error-NNN` and `drop-before` do not call `execute`; `slow-Ns` calls it after N seconds;
    `drop-after` calls it, and drops the connection whatever it answers (what it raises is raised).
    """
    if name in ERRORS:
        status, detail = ERRORS[name]
        return JSONResponse({"errors": detail}, status)
    if name in DELAYS_S:
        await sleep(DELAYS_S[name])
        return await execute()
    if name == DROP_BEFORE:
        return DroppedResponse(name)
    if name == DROP_AFTER:
        answer = await execute()
        return DroppedResponse(name, answer.background)
    return await execute()
