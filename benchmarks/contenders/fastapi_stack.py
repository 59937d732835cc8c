"""A child process, a contender: the same checks as they are usually built into a FastAPI
application: dependencies, slowapi for the rate, a dictionary for idempotency. It answers itself, so
it has no upstream to wait for.

Written with care, but not around the framework: coroutines throughout (nothing goes to a thread),
keys in a dictionary, no access log.

Argument: {"core", "limit"}; speaks as `benchmarks.server`. Where slowapi is
not installed, a limiter written by hand takes its place, and the tables say so.
"""

import base64
import functools
import hashlib
import hmac
import importlib.util
import json
import sys
import time
import uuid
from collections.abc import Awaitable, Callable
from ipaddress import ip_address, ip_network
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Header, HTTPException, Request, Response
from fastapi.responses import JSONResponse

from benchmarks.children import bind
from benchmarks.contenders.material import ALLOWED, KNOWN
from benchmarks.contenders.serving import serve_asgi
from benchmarks.wire import ANSWER, PATH

KEEP_S = 86_400
PERMISSION = "transfer:write"


HAS_SLOWAPI = importlib.util.find_spec("slowapi") is not None


class Merchant:
    """A key as such an application keeps it."""

    def __init__(self, key: Any) -> None:
        self.client_id = key.client_id
        self.account_id = key.account_id
        self.secret_hash = hashlib.sha256(key.secret.encode()).hexdigest()
        self.active = key.active
        self.permissions = set(key.permissions)
        self.networks = [ip_network(one) for one in ALLOWED]


MERCHANTS = {key.client_id: Merchant(key) for key in KNOWN}
REPLAYS: dict[tuple[str, str, str, str], tuple[float, bytes | None]] = {}


TOO_MANY = JSONResponse(
    {"error": {"status": 429, "message": "Too many requests. Please try again later."}},
    429,
    {"Retry-After": "60"},
)


class Counting:
    """How often a payment was executed."""

    calls = 0


async def content_type(request: Request) -> None:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in ("application/json", "multipart/form-data"):
        raise HTTPException(415, "Unsupported Media Type. Expected Content-Type: application/json")


async def credentials(
    request: Request, authorization: Annotated[str | None, Header()] = None
) -> tuple[Merchant, str]:
    scheme, _, pair = (authorization or "").partition(" ")
    scheme = scheme.lower()
    if scheme == "basic":
        try:
            pair = base64.b64decode(pair, validate=True).decode()
        except ValueError:
            pair = ""
    client_id, colon, secret = pair.partition(":")
    if scheme not in ("apikey", "basic") or not colon:
        raise HTTPException(401, "Missing API key credentials")
    merchant = MERCHANTS.get(client_id)
    digest = hashlib.sha256(secret.encode()).hexdigest()
    if not hmac.compare_digest(digest, merchant.secret_hash if merchant else "0" * 64):
        raise HTTPException(401, "Invalid API key credentials")
    if merchant is None or not merchant.active:
        raise HTTPException(401, "API key is inactive")
    return merchant, secret


Credentials = Annotated[tuple[Merchant, str], Depends(credentials)]


async def allowed_address(request: Request, caller: Credentials) -> None:
    address = ip_address(request.client.host if request.client else "::")
    if not any(address in network for network in caller[0].networks):
        raise HTTPException(403, "Request IP not in API key whitelist")


def no_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member is given twice")
    return members


async def signed_body(
    request: Request,
    caller: Credentials,
    given: Annotated[str | None, Header(alias="hmac")] = None,
) -> dict[str, Any]:
    if given is None:
        raise HTTPException(401, "Missing HMAC header")
    body = await request.body()
    if not body:
        raise HTTPException(400, "Request body is required for HMAC validation")
    try:
        document = json.loads(body, object_pairs_hook=no_repeats)
    except ValueError:
        raise HTTPException(400, "Request body must be valid JSON for HMAC validation") from None
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    expected = hmac.new(caller[1].encode(), text.encode(), hashlib.sha512).hexdigest()
    if not hmac.compare_digest(expected.encode(), given.lower().encode()):
        raise HTTPException(401, "Invalid HMAC signature")
    return document  # type: ignore[no-any-return]


async def permission(caller: Credentials) -> None:
    if PERMISSION not in caller[0].permissions:
        raise HTTPException(403, f"API key lacks permission: {PERMISSION}")


async def idempotency_key(
    idempotency_key: Annotated[str | None, Header()] = None,
) -> str | None:
    if idempotency_key and len(idempotency_key) > 256:
        raise HTTPException(400, "Idempotency-Key must be at most 256 characters")
    return idempotency_key or None


def application(limit: int, counting: Counting) -> FastAPI:
    """The application, `limit` requests a minute from one address."""
    app = FastAPI(openapi_url=None)

    async def cash_out(
        request: Request,
        caller: Credentials,
        document: Annotated[dict[str, Any], Depends(signed_body)],
        key: Annotated[str | None, Depends(idempotency_key)],
        permitted: Annotated[None, Depends(permission)],
    ) -> Response:
        headers = {"ray-id": uuid.uuid4().hex}
        scope = (caller[0].account_id, request.method, request.url.path, key or "")
        if key is not None:
            headers["idempotency-key"] = key
            kept = REPLAYS.get(scope)
            if kept is not None and kept[0] > time.time():
                if kept[1] is None:
                    raise HTTPException(409, "still being processed")
                headers["x-idempotent-replay"] = "true"
                return Response(kept[1], 200, headers, "application/json")
            REPLAYS[scope] = (time.time() + KEEP_S, None)
        counting.calls += 1
        if key is not None:
            REPLAYS[scope] = (time.time() + KEEP_S, ANSWER)
        return Response(ANSWER, 200, headers, "application/json")

    limited = by_slowapi(app, limit) if HAS_SLOWAPI else by_hand(limit)
    # The order is the seed's, as far as dependencies can say it.
    first = [Depends(content_type), Depends(credentials), Depends(allowed_address)]
    app.post(PATH, dependencies=first)(limited(cash_out))
    return app


Endpoint = Callable[..., Awaitable[Response]]


def by_slowapi(app: FastAPI, limit: int) -> Callable[[Endpoint], Endpoint]:
    """Its limiter as its documentation shows it, with its headers."""
    slowapi = importlib.import_module("slowapi")
    errors = importlib.import_module("slowapi.errors")
    util = importlib.import_module("slowapi.util")
    limiter = slowapi.Limiter(key_func=util.get_remote_address, headers_enabled=True)
    app.state.limiter = limiter

    @app.exception_handler(errors.RateLimitExceeded)
    async def too_many(request: Request, error: Exception) -> Response:
        return TOO_MANY

    limited: Callable[[Endpoint], Endpoint] = limiter.limit(f"{limit}/minute")
    return limited


def by_hand(limit: int) -> Callable[[Endpoint], Endpoint]:
    """What stands in for slowapi where that is not installed: a dictionary of counters."""
    hits: dict[tuple[str, int], int] = {}

    def limited(endpoint: Endpoint) -> Endpoint:
        @functools.wraps(endpoint)
        async def counted(*arguments: Any, **named: Any) -> Response:
            request: Request = named["request"]
            window = (request.client.host if request.client else "", int(time.time() // 60))
            hits[window] = count = hits.get(window, 0) + 1
            if count > limit:
                return TOO_MANY
            response = await endpoint(*arguments, **named)
            response.headers["x-ratelimit-remaining"] = str(limit - count)
            return response

        return counted

    return limited


def main(options: dict[str, Any]) -> None:
    bind(options["core"])
    counting = Counting()
    serve_asgi(application(options["limit"], counting), counting)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
