"""Requests of every outcome, decided by the real layers over answers given by hand. One scene per
reason of the profile.
"""

from collections.abc import Mapping
from typing import Any

from guarita.addresses import AddressSet
from guarita.asks import (
    Ask,
    BodyProblem,
    Busy,
    CountHit,
    Outage,
    Pause,
    ReadBody,
    RecallOutcome,
    Release,
    Reserve,
    Reserved,
    Stored,
    VerifyCredential,
)
from guarita.crypto import mac_state, signature
from guarita.decision import Decision, Response
from guarita.drivers import run
from guarita.facts import Facts, Headers
from guarita.pipeline import decide
from guarita.profile import RouteClass
from guarita.profiles.minhakonta import MINHA_KONTA
from guarita.records import Account, AccountStatus, ApiKey, KeyStatus, Verified

AT = 1_767_225_600.0  # 2026-01-01T00:00:00Z
SECRET = b"sk_" + b"0123456789abcdef" * 4
CLIENT_ID = "cli_a1b2c3d4"
BODY = b'{"pix_key":"maria@example.com","amount":1050}'
TWICE = b'{"pixKey":"a","pix_key":"b"}'
PIX = "/api/external/pix/cash-out"
ACTIVE = Account("acc_1", "Loja Azul")
SUSPENDED = Account("acc_1", "Loja Azul", AccountStatus.SUSPENDED)
KEY = ApiKey(
    CLIENT_ID,
    ACTIVE,
    (),
    permissions=MINHA_KONTA.table.permissions,
    allowlist=AddressSet(["203.0.113.0/24"]),
)
HEADERS = {
    "content-type": b"application/json",
    "authorization": b"ApiKey " + CLIENT_ID.encode() + b":" + SECRET,
    "hmac": signature(SECRET, BODY).encode(),
}


def changed(**changes: Any) -> ApiKey:
    fields = {name: getattr(KEY, name) for name in KEY.__struct_fields__}
    return ApiKey(**(fields | changes))


class Decided:
    """Facts, route class and decision of one request."""

    def __init__(
        self,
        *,
        method: str = "POST",
        path: str = PIX,
        headers: Mapping[str, bytes | None] | None = None,
        repeat: str | None = None,
        client: str | None = "203.0.113.5",
        ray: str = "ray-0001",
        at: float = AT,
        body: bytes | BodyProblem = BODY,
        key: ApiKey | None = KEY,
        known_id: bool = True,
        hits: int = 7,
        reserved: Any = Reserved(),  # noqa: B008
        out_of_reach: type[Ask] | None = None,
    ) -> None:
        pairs = [
            (name.encode(), value)
            for name, value in {**HEADERS, **(headers or {})}.items()
            if value is not None
        ]
        if repeat:
            pairs += [pair for pair in pairs if pair[0] == repeat.encode()]
        self.facts = Facts(
            method, path, b"cpf=12345678901", Headers(pairs), "10.0.0.1", client, at, ray, ray
        )

        def answer(ask: Ask) -> Any:
            if out_of_reach is not None and isinstance(ask, out_of_reach):
                raise Outage
            match ask:
                case VerifyCredential():
                    return Verified(key, mac_state(SECRET), known_id)
                case ReadBody():
                    return body
                case CountHit():
                    return hits
                case Reserve():
                    return reserved
                case Pause():
                    return at + 60
                case RecallOutcome() | Release():
                    return None
            raise AssertionError(ask)

        self.route_class: RouteClass = MINHA_KONTA.route_class(method, path)
        self.decision: Decision = run(decide(self.route_class.layers, self.facts), answer)


IDEMPOTENT = {"idempotency-key": b"order-1"}
STORED = Stored(Response(201, (), b"{}"), bytes(32))

REFUSALS: dict[str, dict[str, Any]] = {
    "well_formed.control_character": {"headers": {"x-note": b"a\nb"}},
    "media_type.unsupported": {"headers": {"content-type": b"text/plain"}},
    "api_key.missing": {"headers": {"authorization": None}},
    "api_key.outage": {"out_of_reach": VerifyCredential},
    "api_key.invalid": {"key": None},
    "api_key.inactive": {"key": changed(status=KeyStatus.REVOKED)},
    "api_key.blocked": {"key": changed(status=KeyStatus.BLOCKED)},
    "api_key.expired": {"key": changed(expires_at=AT)},
    "address.list_empty": {"key": changed(allowlist=AddressSet())},
    "address.unknown": {"client": None},
    "address.not_listed": {"client": "198.51.100.9"},
    "account.not_active": {"key": changed(account=SUSPENDED)},
    "signature.not_configured": {"key": changed(signs=False)},
    "signature.header_missing": {"headers": {"hmac": None}},
    "signature.body_too_large": {"body": BodyProblem.TOO_LARGE},
    "signature.body_missing": {"body": b""},
    "signature.body_not_json": {"body": b"{"},
    "signature.mismatch": {"headers": {"hmac": b"0" * 128}},
    "rate_limit.too_many": {"hits": 90_001},
    "idempotency.key_repeated": {"headers": IDEMPOTENT, "repeat": "idempotency-key"},
    "idempotency.key_too_long": {"headers": {"idempotency-key": b"k" * 257}},
    "idempotency.outage": {"headers": IDEMPOTENT, "out_of_reach": Reserve},
    "idempotency.in_flight": {"headers": IDEMPOTENT, "reserved": Busy.IN_FLIGHT},
    "idempotency.outcome_unknown": {"headers": IDEMPOTENT, "reserved": Busy.OUTCOME_UNKNOWN},
    "permission.no_route": {"path": "/api/external/pix/cash-out/"},
    "permission.wrong_method": {"method": "GET"},
    "permission.lacking": {"key": changed(permissions=frozenset({"pix:read"}))},
}
"""Reason → what makes a POST of a PIX cash-out be refused for it."""
