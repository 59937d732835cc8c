"""The business error family: `{"errors":{atom: detail}}` (seed L354-394), and what each failure
becomes in it.

What belongs here: statuses, atoms and wording of refusals. What does not: when they arise.
"""

from collections.abc import Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from guarita.sandbox.books.ledger import InsufficientBalance
from guarita.sandbox.books.transactions import TransactionNotFound
from guarita.sandbox.pix.scenarios import UnknownScenario
from guarita.sandbox.refusals import Missing, Refused
from guarita.sandbox.text.brcode import InvalidBrCode
from guarita.sandbox.text.pix_keys import InvalidPixKey

ATOMS = {
    400: "bad_request",
    401: "unauthorized",
    404: "not_found",
    405: "method_not_allowed",
    413: "request_entity_too_large",
    422: "unprocessable_entity",
    500: "internal_server_error",
    503: "service_unavailable",
}


class Malformed(Exception):
    """A request the bank cannot read. `fields` names what is wrong with which member: `{"amount":
    ["is required"]}`. `in_family` is false where the fields stand without an atom (§6.17).
    """

    def __init__(self, fields: Mapping[str, list[str]], *, in_family: bool = True) -> None:
        super().__init__(str(dict(fields)))
        self.fields = dict(fields)
        self.in_family = in_family


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


def _malformed(_request: Request, failure: Exception) -> Response:
    assert isinstance(failure, Malformed)  # noqa: S101 - registered for this type only
    if failure.in_family:
        return error(400, failure.fields)
    return JSONResponse({"errors": failure.fields}, 400)


def _unknown_scenario(_request: Request, failure: Exception) -> Response:
    assert isinstance(failure, UnknownScenario)  # noqa: S101 - registered for this type only
    return error(400, {failure.where: [str(failure)]})


def _impossible(_request: Request, failure: Exception) -> Response:
    assert isinstance(failure, Refused)  # noqa: S101 - registered for this type only
    return error(422, failure.text)


def _missing(_request: Request, failure: Exception) -> Response:
    assert isinstance(failure, Missing)  # noqa: S101 - registered for this type only
    return error(404, failure.text)


def _invalid_br_code(_request: Request, failure: Exception) -> Response:
    return error(422, str(failure))


def _not_routed(_request: Request, failure: Exception) -> Response:
    assert isinstance(failure, HTTPException)  # noqa: S101 - registered for this type only
    return error(failure.status_code, _ROUTING[failure.status_code], failure.headers)


# Starlette answers a handler of Exception and then raises it again, so that the server logs it.
HANDLERS = dict.fromkeys(WORDING, _refused) | {
    Malformed: _malformed,
    UnknownScenario: _unknown_scenario,
    Refused: _impossible,
    Missing: _missing,
    InvalidBrCode: _invalid_br_code,
    HTTPException: _not_routed,
}
