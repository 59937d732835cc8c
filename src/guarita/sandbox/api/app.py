"""The bank over HTTP: from a request to a `Call`, from the table of operations to routes, and the
work beside the requests.

What belongs here: how requests pass through. Refusals are in `errors`, operations in `operations/`.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import anyio
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from guarita.sandbox.api import faults, openapi
from guarita.sandbox.api.endpoint import Call, Endpoint
from guarita.sandbox.api.endpoints import ENDPOINTS, PREFIX
from guarita.sandbox.api.errors import HANDLERS, Malformed
from guarita.sandbox.api.identity import IdentitySource
from guarita.sandbox.api.reading import read_object
from guarita.sandbox.api.worker import Worker
from guarita.sandbox.bank import Bank, utc_now
from guarita.sandbox.pix import scenarios
from guarita.sandbox.pix.rules import Rules
from guarita.sandbox.webhooks import signing
from guarita.sandbox.webhooks.delivery import Courier

Serve = Callable[[Request], Awaitable[Response]]


def create_app(
    data: Path,
    *,
    account: str | None = None,
    trust_identity_headers: bool = False,
    rules: Rules | None = None,
    clock: Callable[[], datetime] = utc_now,
    unsafe_loopback_webhooks: bool | str = False,
    webhook_header_prefix: str = signing.DEFAULT_PREFIX,
    work: bool = True,
) -> Starlette:
    """The bank as an ASGI application over `data/bank.db` (created if missing).

    A request acts for `scope["guarita"].account` if that is there, else for the `Guarita-Account`
    header (`trust_identity_headers=True`, only behind a gateway that sets it) or for `account`;
    with none of them it gets 401. `clock` gives aware times.

    Between the start and the end of the lifespan it settles what is due and delivers webhooks;
    with `work=False` it does neither, and whoever made it calls `Bank.work` on `app.state.bank`.
    `unsafe_loopback_webhooks` lets webhooks lead to this machine, for development: `True`, or why,
    for the log. The lifespan keeps `rules` (without any: the defaults) in the file for
    commands beside it, and its end closes the bank. Raises `ValueError` for wrong settings.
    """
    source = IdentitySource(account, trust_identity_headers)
    signing.HeaderNames(webhook_header_prefix)  # a wrong prefix is told now
    bank = Bank(
        data,
        rules=Rules() if rules is None else rules,
        clock=clock,
        unsafe_loopback_webhooks=bool(unsafe_loopback_webhooks),
    )

    def courier() -> Courier:
        return Courier(
            bank.database,
            clock=clock,
            header_prefix=webhook_header_prefix,
            unsafe_loopback=unsafe_loopback_webhooks,
        )

    worker = Worker(bank, courier)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        try:
            await run_in_threadpool(bank.keep_rules)
            async with anyio.create_task_group() as tasks:
                if work:
                    tasks.start_soon(worker.run)
                try:
                    yield
                finally:
                    tasks.cancel_scope.cancel()
        finally:
            await run_in_threadpool(bank.close)

    app = Starlette(
        routes=_routes(bank, source, worker), exception_handlers=HANDLERS, lifespan=lifespan
    )
    app.router.redirect_slashes = False  # one spelling of a path, no other leads anywhere
    app.state.bank = bank
    return app


def _routes(bank: Bank, source: IdentitySource, worker: Worker) -> list[Route]:
    """One route per path. Paths without a parameter in a place come before those with one:
    `/transactions/e2e/receipt` asks for an end-to-end id, not for a receipt.
    """
    by_path: dict[str, dict[str, Serve]] = {}
    for endpoint in ENDPOINTS:
        serve = _serve(endpoint, bank, source, worker)
        by_path.setdefault(endpoint.path, {})[endpoint.method] = serve
    paths = sorted(by_path, key=lambda path: ["{" in part for part in path.split("/")])
    document = openapi.document()

    async def described(_request: Request) -> Response:
        return JSONResponse(document)

    return [
        _route("/openapi.json", {"GET": described}),
        *(_route(PREFIX + path, by_path[path]) for path in paths),
    ]


def _route(path: str, methods: dict[str, Serve]) -> Route:
    async def serve(request: Request) -> Response:
        return await methods[request.method](request)

    route = Route(path, serve, methods=list(methods))
    route.methods = set(methods)  # Starlette adds HEAD, which is none of the operations
    return route


def _serve(endpoint: Endpoint, bank: Bank, source: IdentitySource, worker: Worker) -> Serve:
    async def serve(request: Request) -> Response:
        account = source.account_of(request.scope)
        values = await _values(endpoint, request)
        scenario = _scenario(endpoint, request, values)
        of_business = None if scenario in faults.NAMES else scenario
        call = Call(bank, account, _path(request), values, of_business)

        async def execute() -> Response:
            reply = await run_in_threadpool(endpoint.handler, call)
            if endpoint.method != "GET":
                worker.wake()
            return JSONResponse(reply.body, reply.status)

        return await faults.serve(scenario, execute)

    return serve


async def _values(endpoint: Endpoint, request: Request) -> dict[str, Any]:
    """The members of the body or the query. Raises `Malformed` and `BodyTooLarge`."""
    if endpoint.body is not None:
        return endpoint.body.read(await read_object(request))
    if endpoint.query is not None:
        return endpoint.query.read(request.query_params.multi_items())
    return {}


def _scenario(endpoint: Endpoint, request: Request, values: dict[str, Any]) -> str | None:
    """The scenario the request asks for, if any. Raises `Malformed` and `UnknownScenario`."""
    headers = request.headers.getlist(scenarios.HEADER)
    if len(headers) > 1:
        raise Malformed({scenarios.HEADER: ["is given more than once"]})
    member = "defense_text" if endpoint.operation == "defense" else "description"
    return scenarios.choose(
        endpoint.operation,
        header=headers[0] if headers else None,
        text=values.get(member),
        key=values.get("pix_key"),
    )


def _path(request: Request) -> dict[str, str]:
    """The path's parameters. What is no valid Unicode is the id of nothing, and so is "\ufffd"."""
    return {
        name: value.encode("utf-8", "replace").decode("utf-8")
        for name, value in request.path_params.items()
    }
