"""The business error family: `{"errors":{atom: detail}}` (seed L354-394), and what each failure
becomes in it.

What belongs here: statuses, atoms and wording of refusals. What does not: when they arise.
"""

from collections.abc import Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from guarita.sandbox.ledger import InsufficientBalance
from guarita.sandbox.payments import TransactionNotFound
from guarita.sandbox.pix_keys import InvalidPixKey

ATOMS = {
    400: "bad_request",
    401: "unauthorized",
    404: "not_found",
    405: "method_not_allowed",
    413: "request_entity_too_large",
    422: "unprocessable_entity",
    500: "internal_server_error",
}


class BadRequest(Exception):
    """A body the bank cannot read. `fields` names what is wrong with which member: `{"amount": ["is
    required"]}`.
    """

    def __init__(self, fields: Mapping[str, list[str]]) -> None:
        super().__init__(str(dict(fields)))
        self.fields = dict(fields)


class BodyTooLarge(Exception):
    """A body longer than the bank reads."""


class Unidentified(Exception):
    """A request that comes with no account."""


# Literals: seed L376-394. The seed does not word the balance; the sibling's older page does (§6.2).
WORDING: dict[type[Exception], tuple[int, str]] = {
    Unidentified: (401, "invalid credentials"),
    TransactionNotFound: (404, "Transaction not found"),
    BodyTooLarge: (413, "Request body is too large"),
    InvalidPixKey: (422, "Invalid PIX key format"),
    InsufficientBalance: (422, "Insufficient balance"),
    Exception: (500, "Internal server error"),
}

_ROUTING = {404: "Route not found", 405: "Method not allowed"}


def error(status: int, detail: Any, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """A response of the business family."""
    return JSONResponse({"errors": {ATOMS[status]: detail}}, status, headers)


def _refused(_request: Request, failure: Exception) -> Response:
    kind = next(kind for kind in type(failure).__mro__ if kind in WORDING)
    return error(*WORDING[kind])


def _bad_request(_request: Request, failure: Exception) -> Response:
    assert isinstance(failure, BadRequest)  # noqa: S101 - registered for this type only
    return error(400, failure.fields)


def _not_routed(_request: Request, failure: Exception) -> Response:
    assert isinstance(failure, HTTPException)  # noqa: S101 - registered for this type only
    return error(failure.status_code, _ROUTING[failure.status_code], failure.headers)


# Starlette answers a handler of Exception and then raises it again, so that the server logs it.
HANDLERS = dict.fromkeys(WORDING, _refused) | {
    BadRequest: _bad_request,
    HTTPException: _not_routed,
}
