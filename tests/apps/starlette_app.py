"""A small Starlette application: the contract of `test_frameworks`, in Starlette's own way."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.apps.bench import LARGE, Bench, Boom, payment_view
from tests.serving.worlds import PREFIX


def make(bench: Bench) -> Starlette:
    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[dict[str, str]]:
        bench.count("startup")
        yield {"greeting": "from startup"}
        bench.count("shutdown")

    async def pay(request: Request) -> Response:
        body = await request.body()
        bench.count("paid")
        wish = json.loads(body)
        if wish.get("hold"):
            await bench.held()
        if wish.get("break"):
            raise Boom("secret detail")
        if wish.get("refuse"):
            return JSONResponse({"errors": {"amount": ["too_much"]}}, 422)
        return JSONResponse(payment_view(request.scope, body, request.headers.get("content-type")))

    async def balance(request: Request) -> Response:
        identity = request.scope["guarita"]
        return JSONResponse({"account_id": identity.account, "greeting": request.state.greeting})

    async def stream(_request: Request) -> Response:
        async def chunks() -> AsyncIterator[bytes]:
            yield b"first"
            await bench.held()
            yield b"last"

        return StreamingResponse(chunks(), media_type="text/plain")

    async def large(_request: Request) -> Response:
        return Response(b"x" * LARGE, media_type="application/octet-stream")

    async def queries(request: Request) -> Response:
        return JSONResponse(dict(request.query_params))

    async def breaks(_request: Request) -> Response:
        raise Boom("secret detail")

    async def later(_request: Request) -> Response:
        async def task() -> None:
            await bench.held()
            bench.count("background")
            bench.in_background.set()

        return JSONResponse({"worked": True}, background=BackgroundTask(task))

    return Starlette(
        lifespan=lifespan,
        routes=[
            Route(PREFIX + "/pix/cash-out", pay, methods=["POST"]),
            Route(PREFIX + "/balance", balance),
            Route(PREFIX + "/transactions", stream),
            Route(PREFIX + "/statement", large),
            Route(PREFIX + "/pix/keys", queries),
            Route(PREFIX + "/med", breaks),
            Route(PREFIX + "/webhooks", later, methods=["POST"]),
        ],
    )
