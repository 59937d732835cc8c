"""The response to every reason in an API of one's own that words it neither itself nor by `like`:
`{"error": {"status": 429, "message": "…"}}`. Statuses as RFC 9110 and RFC 6585 define them.
"""

from guarita.asks import CertificateFault
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
    account_header,
    address,
    api_key,
    api_key_header,
    certificate,
    idempotency,
    key_case,
    lockout,
    media_type,
    permission,
    rate_limit,
    signature,
    well_formed,
)
from guarita.profile import Wording

UNAVAILABLE = (503, "Service temporarily unavailable")

TEXTS: dict[Reason, tuple[int, str]] = {
    well_formed.CONTROL_CHARACTER: (400, "A header contains a control character"),
    media_type.UNSUPPORTED: (415, "Unsupported media type"),
    key_case.COLLISION: (400, "{member} is given twice"),
    api_key.MISSING: (401, "Credentials are missing"),
    api_key.OUTAGE: UNAVAILABLE,
    api_key.INVALID: (401, "Credentials are not valid"),
    api_key.INACTIVE: (401, "The API key is not active"),
    api_key.BLOCKED: (401, "The API key is not active"),
    api_key.EXPIRED: (401, "The API key has expired"),
    api_key_header.MISSING: (401, "The API key is missing"),
    api_key_header.OUTAGE: UNAVAILABLE,
    api_key_header.UNKNOWN: (401, "The API key is not valid"),
    api_key_header.ENDED: (401, "The API key is not valid"),
    api_key_header.BLOCKED: (403, "The API key is blocked"),
    lockout.ADDRESS_BLOCKED: (403, "The API key is blocked"),
    lockout.OUTAGE: UNAVAILABLE,
    certificate.LAPSED: (401, "The validation of the client certificate has expired"),
    certificate.NOT_PRESENTED: (403, "A valid client certificate is required"),
    certificate.OUTAGE: UNAVAILABLE,
    **{
        certificate.FAULTS[fault]: (403, "A valid client certificate is required")
        for fault in CertificateFault
    },
    certificate.SERIAL: (403, "The client certificate is not registered for this API key"),
    certificate.FINGERPRINT: (403, "The client certificate is not registered for this API key"),
    address.LIST_EMPTY: (403, "The API key has no allowed address"),
    address.UNKNOWN: (403, "The address is not allowed for this API key"),
    address.NOT_LISTED: (403, "The address is not allowed for this API key"),
    account.NOT_ACTIVE: (403, "The account is not active"),
    account_header.MISSING: (403, "The account is not the API key's"),
    account_header.OTHER_ACCOUNT: (403, "The account is not the API key's"),
    account_header.NOT_ACTIVE: (403, "The account is not the API key's"),
    signature.NOT_CONFIGURED: (403, "The API key signs no requests"),
    signature.HEADER_MISSING: (401, "The signature is missing"),
    signature.BODY_TOO_LARGE: (413, "The body must be at most {limit} bytes"),
    signature.BODY_MISSING: (400, "A body is required"),
    signature.BODY_NOT_JSON: (400, "The body must be valid JSON"),
    signature.MISMATCH: (401, "The signature is not valid"),
    rate_limit.TOO_MANY: (429, "Too many requests"),
    rate_limit.OUTAGE: UNAVAILABLE,
    idempotency.KEY_REPEATED: (400, "Idempotency-Key must be sent once"),
    idempotency.KEY_TOO_LONG: (400, "Idempotency-Key must be at most {limit} characters"),
    idempotency.OUTAGE: UNAVAILABLE,
    idempotency.IN_FLIGHT: (409, "A request with this Idempotency-Key is still in progress"),
    idempotency.OUTCOME_UNKNOWN: (
        409,
        "The outcome of the request with this Idempotency-Key is unknown",
    ),
    idempotency.OTHER_BODY: (422, "Idempotency-Key was used with another request"),
    permission.NO_ROUTE: (404, "Not found"),
    permission.WRONG_METHOD: (405, "Method not allowed"),
    permission.LACKING: (403, "The API key lacks the permission {permission}"),
    MALFORMED_REQUEST: (400, "Malformed HTTP request"),
    WEBSOCKET: (404, "Not found"),
    INTERNAL_ERROR: (500, "Internal server error"),
    BAD_GATEWAY: (502, "Bad gateway"),
    GATEWAY_TIMEOUT: (504, "Gateway timeout"),
}

HEADERS: dict[Reason, dict[str, str]] = {
    permission.WRONG_METHOD: {"Allow": "{allow}"},  # RFC 9110 section 15.5.6 demands it
    certificate.LAPSED: {"Connection": "close"},  # a new connection verifies afresh
}

PLAIN: dict[Reason, Wording] = {
    reason: Wording(
        status, {"error": {"status": status, "message": message}}, HEADERS.get(reason, {})
    )
    for reason, (status, message) in TEXTS.items()
}

VALUES: dict[Reason, frozenset[str]] = {
    key_case.COLLISION: frozenset({"member"}),
    signature.BODY_TOO_LARGE: frozenset({"limit"}),
    idempotency.KEY_TOO_LONG: frozenset({"limit"}),
    permission.WRONG_METHOD: frozenset({"allow"}),
    permission.LACKING: frozenset({"permission"}),
}
"""The values a refusal brings along, for `{name}` in a wording. Every other reason has none."""
