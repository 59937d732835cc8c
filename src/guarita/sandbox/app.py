"""The bank over HTTP: routes, and the shape of every success.

What belongs here: one short function per route, one per response shape. Refusals are in `errors`,
bodies in `bodies`.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from guarita.sandbox import bodies
from guarita.sandbox.bank import DEFAULT_FEE, DEFAULT_OPENING_BALANCE, Bank, utc_now
from guarita.sandbox.errors import HANDLERS
from guarita.sandbox.identity import IdentitySource
from guarita.sandbox.payments import Payment

PREFIX = "/api/external"

Endpoint = Callable[[Request, Bank, str], Awaitable[Response]]


def create_app(
    data: Path,
    *,
    account: str | None = None,
    trust_identity_headers: bool = False,
    opening_balance: int = DEFAULT_OPENING_BALANCE,
    fee: int = DEFAULT_FEE,
    clock: Callable[[], datetime] = utc_now,
) -> Starlette:
    """The bank as an ASGI application over `data/bank.db` (created if missing).

    A request acts for `scope["guarita"].account` if that is there, else for the `Guarita-Account`
    header (`trust_identity_headers=True`, only behind a gateway that sets it) or for `account`;
    with none of them it gets 401. `opening_balance` and `fee` are base units (1/10,000 BRL);
    `clock` gives aware times.

    The `Bank` is at `app.state.bank`; the end of the lifespan closes it. Raises `ValueError` for
    wrong settings.
    """
    source = IdentitySource(account, trust_identity_headers)
    bank = Bank(data, opening_balance=opening_balance, fee=fee, clock=clock)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await run_in_threadpool(bank.close)

    app = Starlette(
        routes=[_route(method, path, endpoint, bank, source) for method, path, endpoint in ROUTES],
        exception_handlers=HANDLERS,
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False  # one spelling of a path, no other leads anywhere
    app.state.bank = bank
    return app


async def get_balance(_request: Request, bank: Bank, account: str) -> Response:
    """GET /balance (§6.11)."""
    balance = await run_in_threadpool(bank.balance, account)
    return JSONResponse(
        {
            "worked": True,
            "balance": balance.balance,
            "available": balance.available,
            "pending": balance.pending,
            "currency": "BRL",
        }
    )


async def post_cash_out(request: Request, bank: Bank, account: str) -> Response:
    """POST /pix/cash-out by key (§6.2)."""
    order = bodies.read_cash_out(await bodies.read_object(request))
    payment = await run_in_threadpool(bank.cash_out, account, order)
    return JSONResponse(
        {
            "worked": True,
            "transaction_id": payment.transaction_id,
            "end_to_end_id": payment.end_to_end_id,
            "external_id": payment.external_id,
            "amount": payment.amount,
            "fee_amount": payment.fee_amount,
            "net_amount": payment.net_amount,
            "status": "processing",  # the literal of a payment taken in, see `payments`
            "detail": "PIX enviado para processamento",
        }
    )


async def get_transaction(request: Request, bank: Bank, account: str) -> Response:
    """GET /transactions/:id (§6.5)."""
    transaction_id = request.path_params["transaction_id"]
    payment = await run_in_threadpool(bank.transaction, account, transaction_id)
    return JSONResponse({"worked": True, "data": settled(payment)})


def settled(payment: Payment) -> dict[str, Any]:
    """The shape of a settled transaction (§6.5)."""
    return {
        "id": payment.uuid,
        "transaction_id": payment.transaction_id,
        "end_to_end_id": payment.end_to_end_id,
        "external_id": payment.external_id,
        "type": payment.type,
        "direction": payment.direction,
        "status": payment.status,
        "amount": payment.amount,
        "fee_amount": payment.fee_amount,
        "net_amount": payment.net_amount,
        "description": payment.description,
        "counterparty_name": payment.counterparty_name,
        "recipient_key": payment.pix_key,
        "created_at": payment.created_at,
        "completed_at": payment.completed_at,
    }


ROUTES: tuple[tuple[str, str, Endpoint], ...] = (
    ("GET", "/balance", get_balance),
    ("POST", "/pix/cash-out", post_cash_out),
    ("GET", "/transactions/{transaction_id}", get_transaction),
)


def _route(method: str, path: str, endpoint: Endpoint, bank: Bank, source: IdentitySource) -> Route:
    async def serve(request: Request) -> Response:
        return await endpoint(request, bank, source.account_of(request.scope))

    return Route(PREFIX + path, serve, methods=[method])
