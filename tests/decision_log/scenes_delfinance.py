"""Requests of every outcome under the Delfinance profile, decided by the real layers over answers
given by hand. One scene per reason.
"""

from collections.abc import Mapping
from typing import Any

from guarita.addresses import AddressSet
from guarita.asks import (
    Ask,
    CertificateFault,
    CertificateVerdict,
    Faults,
    FaultsOf,
    FindKey,
    Outage,
    VerifyCertificate,
)
from guarita.decision import Decision
from guarita.drivers import run
from guarita.facts import Facts, Headers, PresentedCertificate
from guarita.layers.lockout import Lockout
from guarita.outage import REFUSE
from guarita.pipeline import decide
from guarita.profile import Profile, RouteClass
from guarita.profiles.delfinance import PRODUCTION
from guarita.records import (
    Account,
    AccountStatus,
    ApiKey,
    CertificateMode,
    CertificatePin,
    KeyStatus,
    Verified,
)
from tests.vectors_delfinance_world import OTHER_SERIAL, OTHER_SHA256, SERIAL, SHA256, SUBJECT

AT = 1_767_225_600.0  # 2026-01-01T00:00:00Z
API_KEY = b"dk_" + b"0123456789abcdef" * 4
KEY_ID = "key_a1b2c3d4e5f60718"
CLIENT = "203.0.113.5"
KEY = ApiKey(
    KEY_ID,
    Account("acc_1", "Loja Azul"),
    (),
    profile="delfinance",
    allowlist=AddressSet(["203.0.113.0/24"]),
    certificates=(CertificatePin(SERIAL, SHA256),),
    shown="dk_012",
)
HEADERS = {"x-delbank-api-key": API_KEY, "x-delfinance-account-id": b"acc_1"}


def changed(**changes: Any) -> ApiKey:
    fields = {name: getattr(KEY, name) for name in KEY.__struct_fields__}
    return ApiKey(**(fields | changes))


def found(**changes: Any) -> CertificateVerdict:
    good = {"fault": None, "serial": SERIAL, "sha256": SHA256, "subject": SUBJECT}
    return CertificateVerdict(**{**good, "verified_at": AT - 60.0, **changes})


def careful() -> Profile:
    """Production, but for refusing where attempts cannot be counted."""
    (layer,) = [one for one in PRODUCTION.classes[0].layers if isinstance(one, Lockout)]
    present = {name: getattr(layer, name) for name in layer.__struct_fields__}
    return PRODUCTION.with_layers(Lockout(**{**present, "on_outage": REFUSE}))


class Decided:
    """Facts, profile, route class and decision of one request."""

    def __init__(
        self,
        *,
        path: str = "/v1/resource",
        headers: Mapping[str, bytes | None] | None = None,
        repeat: str | None = None,
        client: str | None = CLIENT,
        key: ApiKey | None = KEY,
        certificate: CertificateVerdict | None = found(),  # noqa: B008
        faults: Faults = Faults(2, 5, 2),  # noqa: B008
        out_of_reach: type[Ask] | None = None,
        profile: Profile = PRODUCTION,
    ) -> None:
        pairs = [
            (name.encode(), value)
            for name, value in {**HEADERS, **(headers or {})}.items()
            if value is not None
        ]
        if repeat:
            pairs += [pair for pair in pairs if pair[0] == repeat.encode()]
        shown = PresentedCertificate((b"a certificate",), AT - 60, "tls-1")
        self.facts = Facts(
            "GET",
            path,
            b"",
            Headers(pairs),
            "10.0.0.1",
            client,
            AT,
            "ray-0001",
            "token",
            None if certificate is None else shown,
        )

        def answer(ask: Ask) -> Any:
            if out_of_reach is not None and isinstance(ask, out_of_reach):
                raise Outage
            match ask:
                case FindKey():
                    return Verified(key)
                case FaultsOf():
                    return faults
                case VerifyCertificate():
                    return certificate
            raise AssertionError(ask)

        self.profile = profile
        self.route_class: RouteClass = profile.route_class("GET", path)
        self.decision: Decision = run(decide(self.route_class.layers, self.facts), answer)


REFUSALS: dict[str, dict[str, Any]] = {
    "well_formed.control_character": {"headers": {"x-note": b"a\nb"}},
    "api_key_header.missing": {"headers": {"x-delbank-api-key": None}},
    "api_key_header.outage": {"out_of_reach": FindKey},
    "api_key_header.unknown": {"key": None},
    "api_key_header.ended": {"key": changed(status=KeyStatus.REVOKED)},
    "api_key_header.blocked": {
        "key": changed(status=KeyStatus.BLOCKED, blocked_reason="too many invalid attempts")
    },
    "lockout.address_blocked": {"faults": Faults(10, 12, 2)},
    "lockout.outage": {"out_of_reach": FaultsOf, "profile": careful()},
    "certificate.lapsed": {"certificate": found(verified_at=AT - 3600)},
    "certificate.not_presented": {"certificate": None},
    "certificate.outage": {"out_of_reach": VerifyCertificate},
    **{
        f"certificate.{fault.value}": {"certificate": found(fault=fault)}
        for fault in CertificateFault
    },
    "certificate.malformed": {
        "certificate": found(fault=CertificateFault.MALFORMED, serial="", subject="")
    },
    "certificate.other_serial": {"certificate": found(serial=OTHER_SERIAL)},
    "certificate.other_fingerprint": {"certificate": found(sha256=OTHER_SHA256)},
    "address.list_empty": {"key": changed(allowlist=AddressSet())},
    "address.unknown": {"client": None},
    "address.not_listed": {"client": "198.51.100.9"},
    "account_header.missing": {"headers": {"x-delfinance-account-id": None}},
    "account_header.other_account": {"headers": {"x-delfinance-account-id": b"acc_2"}},
    "account_header.not_active": {
        "key": changed(account=Account("acc_1", "Loja Azul", AccountStatus.SUSPENDED))
    },
}
"""Reason → what makes a request be refused for it."""

OFF = changed(certificate_mode=CertificateMode.UNSAFE_OFF)
"""A key that demands no certificate."""
