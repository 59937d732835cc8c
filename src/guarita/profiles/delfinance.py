"""Delfinance's API: order of its checks and literal responses (source: the troubleshooting page;
statuses from table 3.2 of the fact sheet, order from DESIGN section 3).

What the page does not word is marked "ours".
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
    account_header,
    address,
    api_key_header,
    certificate,
    lockout,
    well_formed,
)
from guarita.layers.account_header import AccountHeader
from guarita.layers.address import AddressList
from guarita.layers.api_key_header import ApiKeyHeader
from guarita.layers.certificate import ClientCertificate
from guarita.layers.lockout import Lockout
from guarita.layers.well_formed import WellFormed
from guarita.outage import ADMIT, REFUSE
from guarita.pipeline import Layer
from guarita.profile import Profile, RouteClass, Selection, Wording
from guarita.routes import RouteTable

TABLE = RouteTable("", [])
"""Delfinance documents no permissions: every path below the host is the application's."""

STRANGERS_FAULTS = set(certificate.FAULTS.values()) - {
    certificate.FAULTS[CertificateFault.REVOCATION_UNKNOWN]
}

COUNTED: frozenset[Reason] = frozenset(
    {  # errors 3 to 6, but for a revocation list that is out of date: the operator's own fault
        certificate.NOT_PRESENTED,
        *STRANGERS_FAULTS,
        certificate.SERIAL,
        certificate.FINGERPRINT,
        address.LIST_EMPTY,
        address.UNKNOWN,
        address.NOT_LISTED,
        account_header.MISSING,
        account_header.OTHER_ACCOUNT,
        account_header.NOT_ACTIVE,
    }
)

LAYERS: tuple[Layer, ...] = (
    WellFormed(),
    ApiKeyHeader("delfinance", b"x-delbank-api-key", on_outage=REFUSE),
    Lockout(
        COUNTED,
        address_limit=10,
        key_limit=30,
        key_addresses=3,
        window_s=900,
        on_outage=ADMIT,
    ),
    ClientCertificate(ttl_s=3600, on_outage=REFUSE),
    AddressList(),
    AccountHeader(b"x-delfinance-account-id"),
)
UNSAFE_LAYERS = tuple(
    layer for layer in LAYERS if not isinstance(layer, ClientCertificate | AddressList)
)


def message(status: int, text: str, headers: dict[str, str] | None = None) -> Wording:
    """The one shape of the gate's errors."""
    return Wording(status, {"message": text}, headers or {})


MISSING_KEY = message(401, "Missing required header: x-delbank-api-key")  # error 1
BLOCKED = message(403, "API key is blocked")  # error 2
CERTIFICATE = message(403, "Valid client certificate required (mTLS)")  # error 3
PIN = message(403, "Client certificate does not match allowed certificate (mTLS STRICT)")  # error 4
ADDRESS = message(403, "IP not allowed for this API key")  # error 5
ACCOUNT = message(403, "Invalid or inexistent account_id.")  # error 6
EXPIRED = message(401, "Validation expired", {"Connection": "close"})  # error 7
UNKNOWN_KEY = message(401, "Invalid API key")  # ours
UNAVAILABLE = message(503, "Service temporarily unavailable")  # ours

WORDING: dict[Reason, Wording] = {
    well_formed.CONTROL_CHARACTER: message(400, "A header contains a control character"),  # ours
    api_key_header.MISSING: MISSING_KEY,
    api_key_header.OUTAGE: UNAVAILABLE,
    api_key_header.UNKNOWN: UNKNOWN_KEY,
    api_key_header.ENDED: UNKNOWN_KEY,  # ours: revoked, inactive or expired
    api_key_header.BLOCKED: BLOCKED,
    lockout.ADDRESS_BLOCKED: BLOCKED,
    lockout.OUTAGE: UNAVAILABLE,
    certificate.LAPSED: EXPIRED,
    certificate.NOT_PRESENTED: CERTIFICATE,
    certificate.OUTAGE: UNAVAILABLE,
    **dict.fromkeys(certificate.FAULTS.values(), CERTIFICATE),
    certificate.SERIAL: PIN,
    certificate.FINGERPRINT: PIN,
    address.LIST_EMPTY: ADDRESS,
    address.UNKNOWN: ADDRESS,
    address.NOT_LISTED: ADDRESS,
    account_header.MISSING: ACCOUNT,
    account_header.OTHER_ACCOUNT: ACCOUNT,
    account_header.NOT_ACTIVE: ACCOUNT,
    MALFORMED_REQUEST: message(400, "Malformed HTTP request"),  # ours
    WEBSOCKET: message(404, "Not found"),  # ours
    INTERNAL_ERROR: message(500, "Internal server error"),  # ours
    BAD_GATEWAY: message(502, "Bad gateway"),  # ours
    GATEWAY_TIMEOUT: message(504, "Gateway timeout"),  # ours
}

PRODUCTION = Profile(
    "delfinance",
    table=TABLE,
    classes=(RouteClass("all", LAYERS),),
    selection=(Selection("all"),),
    wording=WORDING,
)

UNSAFE_NO_CERTIFICATE_NO_ALLOWLIST = Profile(
    "delfinance",
    table=TABLE,
    classes=(RouteClass("all", UNSAFE_LAYERS),),
    selection=(Selection("all"),),
    wording={
        reason: wording
        for reason, wording in WORDING.items()
        if reason.layer not in {"certificate", "address"}
    },
)
"""The vendor's homologation environment: no client certificate, no allowlist."""
