"""The external API of Minha Konta: order of its checks, permission table, literal responses
(source: the seed page, cited by line).

What the seed does not word is marked "ours"; the choice of status and shape is in
docs/decisions.md.
"""

from typing import Any

from guarita.decision import (
    BAD_GATEWAY,
    GATEWAY_TIMEOUT,
    INTERNAL_ERROR,
    MALFORMED_REQUEST,
    WEBSOCKET,
    Reason,
)
from guarita.layers import (
    account,
    address,
    api_key,
    idempotency,
    key_case,
    media_type,
    permission,
    rate_limit,
    signature,
    well_formed,
)
from guarita.layers.account import AccountActive
from guarita.layers.address import AddressList
from guarita.layers.api_key import ApiKeyAuth
from guarita.layers.idempotency import Idempotency
from guarita.layers.key_case import KeyCase
from guarita.layers.media_type import MediaType
from guarita.layers.permission import Permission
from guarita.layers.rate_limit import RateLimit
from guarita.layers.signature import BodySignature
from guarita.layers.well_formed import WellFormed
from guarita.outage import ADMIT, REFUSE
from guarita.pipeline import Layer
from guarita.profile import Profile, RouteClass, Selection, Wording
from guarita.routes import RouteTable, Row

TABLE = RouteTable(
    "/api/external",
    [  # seed L471-492, row by row
        Row("POST", "/pix/cash-in", "pix:write"),
        Row("POST", "/pix/cash-out", "transfer:write"),
        Row("POST", "/pix/refund", "payment:write"),
        Row("POST", "/med/:id/defense", "payment:write"),
        Row("POST", "/cpf/validate", "account:read"),
        Row("POST", "/webhooks", "account:write"),
        Row("GET", "/webhooks", "account:read"),
        Row("DELETE", "/webhooks/:id", "account:write"),
        Row("GET", "/balance", "account:read"),
        Row("GET", "/transactions", "transfer:read"),
        Row("GET", "/transactions/:id", "transfer:read"),
        Row("GET", "/transactions/e2e/:e2e_id", "transfer:read"),
        Row("GET", "/transactions/tag/:tag", "transfer:read"),
        Row("GET", "/transactions/ref/:external_id", "transfer:read"),
        Row("GET", "/transactions/:id/receipt", "transfer:read"),
        Row("GET", "/pix/keys", "pix:read"),
        Row("GET", "/med", "payment:read"),
        Row("GET", "/med/:id", "payment:read"),
        Row("GET", "/statement", "statement:read"),
    ],
)


def without(layers: tuple[Layer, ...], *kinds: type) -> tuple[Layer, ...]:
    """`layers` without those of the given kinds."""
    return tuple(layer for layer in layers if not isinstance(layer, kinds))


WRITE: tuple[Layer, ...] = (  # seed L9-22, top to bottom
    WellFormed(),
    MediaType(frozenset({b"application/json", b"multipart/form-data"})),
    KeyCase(),
    ApiKeyAuth("minhakonta", on_outage=REFUSE),
    AddressList(),
    AccountActive(),
    BodySignature(max_body=1_048_576),
    RateLimit(90_000, window_s=60, on_outage=ADMIT),
    Idempotency(keep_s=86_400, on_outage=REFUSE),
    Permission(TABLE),
)
READ = without(WRITE, BodySignature, Idempotency)  # seed L27
BALANCE = without(READ, RateLimit)  # seed L26


def error(status: int, message: str, headers: dict[str, str] | None = None, **more: str) -> Wording:
    """Shape 1 (seed L206)."""
    body: dict[str, Any] = {"error": {"status": status, "message": message, **more}}
    return Wording(status, body, headers or {})


def worked(status: int, detail: str) -> Wording:
    """Shape 3, signature errors (seed L208)."""
    return Wording(status, {"worked": False, "detail": detail})


def business(
    status: int, kind: str, message: Any, headers: dict[str, str] | None = None
) -> Wording:
    """Shape 4, the business error handler's (seed L209)."""
    return Wording(status, {"errors": {kind: message}}, headers or {})


WORDING: dict[Reason, Wording] = {
    well_formed.CONTROL_CHARACTER: error(400, "A header contains a control character"),  # ours
    media_type.UNSUPPORTED: error(
        415,
        "Unsupported Media Type. Expected Content-Type: application/json",
        hint="Add header: -H 'Content-Type: application/json'",
    ),  # L217-224
    api_key.MISSING: error(
        401,
        "Missing API key credentials. Use Authorization: ApiKey <client_id>:<client_secret>",
    ),  # L236-242
    api_key.OUTAGE: error(503, "Service temporarily unavailable. Please retry."),  # ours
    api_key.INVALID: error(401, "Invalid API key credentials"),  # L246-252
    api_key.INACTIVE: error(401, "API key is inactive"),  # L256-262
    api_key.BLOCKED: error(401, "API key is inactive"),  # ours: the seed words no blocked key
    api_key.EXPIRED: error(401, "API key has expired"),  # L266-272
    address.LIST_EMPTY: error(
        403, "IP whitelist required. Configure at least one allowed IP to use this API key."
    ),  # L276-282
    address.UNKNOWN: error(403, "Request IP not in API key whitelist"),  # ours: as not listed
    address.NOT_LISTED: error(403, "Request IP not in API key whitelist"),  # L286-292
    account.NOT_ACTIVE: error(403, "Account is not active"),  # L296-302
    signature.NOT_CONFIGURED: worked(
        403, "HMAC secret not configured for this API key"
    ),  # L348-352
    signature.HEADER_MISSING: worked(401, "Missing HMAC header"),  # L327-331
    signature.BODY_TOO_LARGE: error(413, "Request body must be at most {limit} bytes"),  # ours
    signature.BODY_MISSING: worked(400, "Request body is required for HMAC validation"),  # L335-338
    signature.BODY_NOT_JSON: worked(
        400, "Request body must be valid JSON for HMAC validation"
    ),  # L340-344
    signature.MISMATCH: worked(401, "Invalid HMAC signature"),  # L322-326
    rate_limit.TOO_MANY: error(
        429, "Too many requests. Please try again later.", {"Retry-After": "60"}
    ),  # L402-413
    rate_limit.OUTAGE: error(503, "Service temporarily unavailable. Please retry."),  # ours
    idempotency.KEY_REPEATED: error(400, "Idempotency-Key must be sent once"),  # ours
    idempotency.KEY_TOO_LONG: error(
        400, "Idempotency-Key must be at most {limit} characters"
    ),  # L425-431
    idempotency.OUTAGE: error(503, "Service temporarily unavailable. Please retry."),  # ours
    idempotency.IN_FLIGHT: error(
        409, "A request with this Idempotency-Key is still being processed"
    ),  # ours
    idempotency.OUTCOME_UNKNOWN: error(
        409, "The outcome of the request with this Idempotency-Key is unknown. Contact support."
    ),  # ours
    idempotency.OTHER_BODY: error(
        422, "Idempotency-Key was already used with a different request"
    ),  # ours
    permission.NO_ROUTE: business(404, "not_found", "Route not found"),  # ours
    permission.WRONG_METHOD: business(
        405, "method_not_allowed", "Method not allowed", {"Allow": "{allow}"}
    ),  # ours
    permission.LACKING: Wording(
        403, {"error": "forbidden", "message": "API key lacks permission: {permission}"}
    ),  # L310-314
    key_case.COLLISION: business(400, "bad_request", {"{member}": ["given twice"]}),  # ours
    MALFORMED_REQUEST: error(400, "Malformed HTTP request"),  # ours
    WEBSOCKET: business(404, "not_found", "Route not found"),  # ours
    INTERNAL_ERROR: business(500, "internal_server_error", "Internal server error"),  # ours
    BAD_GATEWAY: business(502, "bad_gateway", "Bad gateway"),  # ours
    GATEWAY_TIMEOUT: business(504, "gateway_timeout", "Gateway timeout"),  # ours
}

MINHA_KONTA = Profile(
    "minhakonta",
    table=TABLE,
    classes=(
        RouteClass("write", WRITE),
        RouteClass("read", READ),
        RouteClass("balance", BALANCE),
    ),
    selection=(  # seed L24-28
        Selection("balance", frozenset({"GET"}), "/balance"),
        Selection("write", frozenset({"POST", "PUT", "PATCH"})),
        Selection("read"),
    ),
    wording=WORDING,
)
