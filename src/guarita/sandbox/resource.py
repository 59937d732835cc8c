"""The smallest upstream for a gate without documented operations: `GET /v1/resource` answers with
the identity the gate passed on, so that an integrator sees what the application would.
"""

from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

IDENTITY_HEADERS = (
    "guarita-account",
    "guarita-key",
    "guarita-permissions",
    "guarita-address",
    "guarita-ray",
)
"""What a gateway sends of the admitted caller (DESIGN rule 10)."""


def create_resource_app(*, trust_identity_headers: bool = False) -> Starlette:
    """The application. Identity comes from the ASGI scope, or (`trust_identity_headers`) from the
    gateway's headers; without one the answer is 401.
    """
    read = from_headers if trust_identity_headers else from_scope

    async def resource(request: Request) -> Response:
        return answer(request, read)

    return Starlette(routes=[Route("/v1/resource", resource, methods=["GET"])])


def answer(request: Request, read: Callable[[Request], dict[str, Any] | None]) -> Response:
    """The identity, or 401."""
    identity = read(request)
    if identity is None:
        return JSONResponse({"message": "no identity"}, 401)
    return JSONResponse({"resource": "ok", "identity": identity})


def from_scope(request: Request) -> dict[str, Any] | None:
    """The identity a middleware left in the ASGI scope."""
    found = request.scope.get("guarita")
    if found is None:
        return None
    certificate = getattr(found, "certificate", None)
    return {
        "account": found.account,
        "key": found.key,
        "address": found.address,
        "ray": found.ray,
        "certificate": None
        if certificate is None
        else {
            "subject": certificate.subject,
            "serial": certificate.serial,
            "sha256": certificate.sha256,
        },
    }


def from_headers(request: Request) -> dict[str, Any] | None:
    """The identity a gateway sent in headers."""
    found = {name.removeprefix("guarita-"): request.headers.get(name) for name in IDENTITY_HEADERS}
    return found if found["account"] else None
