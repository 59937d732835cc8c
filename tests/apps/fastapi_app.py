"""A small FastAPI application: the contract of `test_frameworks`, in FastAPI's own way."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import BackgroundTasks, Body, Depends, FastAPI, HTTPException, Request, Response
from fastapi.responses import StreamingResponse

from guarita.identity import Identity
from tests.apps.bench import LARGE, Bench, Boom, payment_view
from tests.serving.worlds import PREFIX


def caller(request: Request) -> Identity:
    identity: Identity = request.scope["guarita"]
    return identity


Caller = Annotated[Identity, Depends(caller)]


def make(bench: Bench) -> FastAPI:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[dict[str, str]]:
        bench.count("startup")
        yield {"greeting": "from startup"}
        bench.count("shutdown")

    app = FastAPI(lifespan=lifespan, openapi_url=None)

    @app.post(PREFIX + "/pix/cash-out")
    async def pay(request: Request, wish: Annotated[dict[str, Any], Body()]) -> dict[str, Any]:
        bench.count("paid")
        if wish.get("hold"):
            await bench.held()
        if wish.get("break"):
            raise Boom("secret detail")
        if wish.get("refuse"):
            raise HTTPException(422, {"amount": ["too_much"]})
        body = await request.body()
        return payment_view(request.scope, body, request.headers.get("content-type"))

    @app.get(PREFIX + "/balance")
    async def balance(request: Request, identity: Caller) -> dict[str, str]:
        return {"account_id": identity.account, "greeting": request.state.greeting}

    @app.get(PREFIX + "/transactions")
    async def stream() -> StreamingResponse:
        async def chunks() -> AsyncIterator[bytes]:
            yield b"first"
            await bench.held()
            yield b"last"

        return StreamingResponse(chunks(), media_type="text/plain")

    @app.get(PREFIX + "/statement")
    def large() -> Response:
        return Response(b"x" * LARGE, media_type="application/octet-stream")

    @app.get(PREFIX + "/pix/keys")
    async def queries(request: Request) -> dict[str, str]:
        return dict(request.query_params)

    @app.get(PREFIX + "/med")
    async def breaks() -> None:
        raise Boom("secret detail")

    @app.post(PREFIX + "/webhooks")
    async def later(background: BackgroundTasks) -> dict[str, bool]:
        async def task() -> None:
            await bench.held()
            bench.count("background")
            bench.in_background.set()

        background.add_task(task)
        return {"worked": True}

    return app
