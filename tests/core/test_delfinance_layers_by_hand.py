"""Delfinance's layers driven with `next` and `send`: what each asks, returns and says it saw.

The lockout has a file of its own, `AddressList` stands in `test_layers_by_hand`.
"""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guarita.asks import (
    CertificateFault,
    CertificateVerdict,
    FindKey,
    Outage,
    Verified,
    VerifyCertificate,
)
from guarita.decision import Known, Pass, Refuse
from guarita.facts import Facts, PresentedCertificate
from guarita.layers import account_header, api_key_header, certificate
from guarita.layers.account_header import AccountHeader
from guarita.layers.api_key import Credential
from guarita.layers.api_key_header import ApiKeyHeader
from guarita.layers.certificate import ClientCertificate, VerifiedCertificate
from guarita.outage import ADMIT, REFUSE
from guarita.records import Account, AccountStatus, CertificateMode, CertificatePin, KeyStatus
from tests.core.made import NOW, api_key, ends, ends_after, ends_with, facts, known
from tests.vectors_delfinance_world import OTHER_SERIAL, OTHER_SHA256, SERIAL, SHA256, SUBJECT

KEY = b"dk_00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

# --- api_key_header ---------------------------------------------------------------------------

HEADER = ApiKeyHeader("delfinance", b"x-key", on_outage=REFUSE)


def asked(*values: bytes) -> Any:
    """The flow of a request with so many key headers, after its ask for the key."""
    flow: Any = HEADER.check(facts(headers=[(b"x-key", value) for value in values]), Known())
    assert next(flow) == FindKey(values[-1])
    return flow


@pytest.mark.parametrize("values", [[], [b""], [KEY, KEY], [KEY, b""], [b"", KEY], [b"", b""]])
def test_no_single_key_is_missing_and_nothing_is_asked(values: list[bytes]) -> None:
    request = facts(headers=[(b"x-key", value) for value in values])
    verdict = ends(HEADER.check(request, Known()))
    assert isinstance(verdict, Refuse)
    assert verdict.reason == api_key_header.MISSING


@pytest.mark.parametrize(
    ("values", "saw"),
    [
        ([], "not sent"),
        ([KEY, KEY], "sent more than once"),
        ([KEY, b""], "sent more than once"),
        ([b""], "empty"),
    ],
)
def test_what_is_missing_is_told_as_it_was(values: list[bytes], saw: str) -> None:
    request = facts(headers=[(b"x-key", value) for value in values])
    assert ends(HEADER.check(request, Known())).saw == saw


@given(st.binary(min_size=1, max_size=80))
def test_an_unknown_key_is_not_shown(value: bytes) -> None:
    verdict = ends_with(asked(value), Verified(None))
    assert verdict == Refuse(api_key_header.UNKNOWN, saw=f"{len(value)} characters")


def test_a_key_of_another_profile_is_unknown() -> None:
    verdict = ends_with(asked(KEY), Verified(api_key(profile="another")))
    assert verdict.reason == api_key_header.UNKNOWN


@pytest.mark.parametrize(
    ("changes", "reason", "saw"),
    [
        ({"status": KeyStatus.REVOKED}, api_key_header.ENDED, "revoked"),
        ({"status": KeyStatus.INACTIVE}, api_key_header.ENDED, "inactive"),
        ({"expires_at": NOW}, api_key_header.ENDED, "expired"),
        ({"expires_at": NOW - 1}, api_key_header.ENDED, "expired"),
        ({"expires_at": NOW, "status": KeyStatus.BLOCKED}, api_key_header.ENDED, "expired"),
        ({"expires_at": NOW, "status": KeyStatus.REVOKED}, api_key_header.ENDED, "revoked"),
        (
            {"status": KeyStatus.BLOCKED, "blocked_reason": "policy"},
            api_key_header.BLOCKED,
            "policy",
        ),
    ],
)
def test_a_key_that_is_not_active(changes: dict[str, Any], reason: object, saw: str) -> None:
    verdict = ends_with(asked(KEY), Verified(api_key(profile="delfinance", **changes)))
    assert verdict == Refuse(reason, saw=["cli_1", saw])  # type: ignore[arg-type]


@pytest.mark.parametrize("expires_at", [None, NOW + 0.001, NOW + 10**9])
def test_an_active_key_passes(expires_at: float | None) -> None:
    key = api_key(profile="delfinance", expires_at=expires_at)
    assert ends_with(asked(KEY), Verified(key)) == Pass(Credential(key, None), saw="cli_1")


def test_the_keyring_out_of_reach() -> None:
    verdict = ends_after(asked(KEY), Outage())
    assert verdict == Refuse(api_key_header.OUTAGE, saw="keyring out of reach")
    with pytest.raises(ValueError, match="REFUSE"):
        ApiKeyHeader("delfinance", b"x-key", on_outage=ADMIT)


# --- certificate ------------------------------------------------------------------------------

LAYER = ClientCertificate(ttl_s=60, on_outage=REFUSE)
PRESENTED = PresentedCertificate((b"not looked at here",), NOW - 30, "tls-1")
PIN = CertificatePin(SERIAL, SHA256)
SAW = [SHA256, SERIAL, SUBJECT]


def request(presented: PresentedCertificate | None = PRESENTED) -> Facts:
    plain = facts()
    members = {name: getattr(plain, name) for name in plain.__struct_fields__}
    return Facts(**{**members, "certificate": presented})


def verdict(found: CertificateVerdict, layer: ClientCertificate = LAYER, **key: Any) -> Any:
    """What becomes of a request whose certificate is found so."""
    flow: Any = layer.check(request(), known(**{"certificates": (PIN,), **key}))
    assert next(flow) == VerifyCertificate(PRESENTED, NOW)
    return ends_with(flow, found)


def found(**changes: Any) -> CertificateVerdict:
    good = {"fault": None, "serial": SERIAL, "sha256": SHA256, "subject": SUBJECT}
    return CertificateVerdict(**{**good, "verified_at": NOW - 30.0, **changes})


def test_no_certificate_and_nothing_is_asked() -> None:
    assert ends(LAYER.check(request(None), known())) == Refuse(certificate.NOT_PRESENTED)


@pytest.mark.parametrize("presented", [None, PRESENTED])
def test_mode_off_asks_nothing(presented: PresentedCertificate | None) -> None:
    found = known(certificate_mode=CertificateMode.UNSAFE_OFF)
    passed = ends(LAYER.check(request(presented), found))
    assert isinstance(passed, Pass)
    assert passed.known is None
    assert "unsafe_off" in passed.saw


def test_a_good_certificate_passes_and_is_known() -> None:
    for mode in (CertificateMode.STRICT, CertificateMode.VALID):
        assert verdict(found(), certificate_mode=mode) == Pass(
            VerifiedCertificate(SUBJECT, SERIAL, SHA256), saw=SAW
        )


@pytest.mark.parametrize("fault", CertificateFault)
@pytest.mark.parametrize("mode", [CertificateMode.STRICT, CertificateMode.VALID])
def test_every_fault_has_its_reason(fault: CertificateFault, mode: CertificateMode) -> None:
    expected = Refuse(certificate.FAULTS[fault], saw=SAW)
    assert verdict(found(fault=fault), certificate_mode=mode, certificates=()) == expected
    assert expected.reason.name == fault.value


@given(st.floats(0, 10**6), st.floats(1, 10**6))
def test_a_verification_lives_exactly_its_time(age: float, ttl_s: float) -> None:
    layer = ClientCertificate(ttl_s=ttl_s, on_outage=REFUSE)
    verified_at = NOW - age
    result = verdict(found(verified_at=verified_at), layer)
    if NOW - verified_at < ttl_s:
        assert isinstance(result, Pass)
    else:
        assert result.reason == certificate.LAPSED
        assert result.saw[:2] == [SHA256, round(NOW - verified_at)]


def test_a_lapsed_list_comes_before_every_fault() -> None:
    for fault in (None, *CertificateFault):
        result = verdict(found(fault=fault, lapsed=True, serial=OTHER_SERIAL))
        assert result.reason == certificate.LAPSED
        assert "revocation list" in result.saw[2]


PINS = st.lists(
    st.builds(
        CertificatePin,
        serial=st.sampled_from([SERIAL, OTHER_SERIAL, ""]),
        sha256=st.sampled_from([SHA256, OTHER_SHA256, ""]),
        valid_until=st.sampled_from([None, NOW - 1, NOW, NOW + 1]),
        revoked_at=st.sampled_from([None, None, NOW - 1, NOW + 1]),
    ),
    max_size=4,
).map(tuple)


@given(PINS)
def test_strict_admits_exactly_what_is_registered_and_in_force(
    pins: tuple[CertificatePin, ...],
) -> None:
    live = [
        (pin.serial, pin.sha256)
        for pin in pins
        if pin.revoked_at is None and (pin.valid_until is None or pin.valid_until > NOW)
    ]
    result = verdict(found(), certificates=pins)
    if (SERIAL, SHA256) in live:
        assert isinstance(result, Pass)
    elif SERIAL in [serial for serial, _ in live]:
        assert result == Refuse(certificate.FINGERPRINT, saw=SAW)
    else:
        assert result == Refuse(certificate.SERIAL, saw=SAW)


def test_verification_out_of_reach() -> None:
    flow: Any = LAYER.check(request(), known())
    next(flow)
    assert ends_after(flow, Outage()) == Refuse(
        certificate.OUTAGE, saw="certificates cannot be verified"
    )
    with pytest.raises(ValueError, match="REFUSE"):
        ClientCertificate(ttl_s=1, on_outage=ADMIT)


@pytest.mark.parametrize("ttl_s", [0, -1, float("nan"), float("inf")])
def test_a_time_to_live_is_a_positive_number(ttl_s: float) -> None:
    with pytest.raises(ValueError, match="ttl_s"):
        ClientCertificate(ttl_s=ttl_s, on_outage=REFUSE)


@pytest.mark.parametrize("verified_at", [float("nan"), float("inf")])
def test_a_time_that_is_none_counts_as_lapsed(verified_at: float) -> None:
    """An edge's time header is text from outside; nothing read from it may last for ever."""
    flow: Any = LAYER.check(request(), known(certificates=(PIN,)))
    next(flow)
    result = ends_with(flow, found(verified_at=verified_at))
    assert isinstance(result, Refuse)
    assert result.reason == certificate.LAPSED


# --- account_header ---------------------------------------------------------------------------


def account(*values: bytes, status: AccountStatus = AccountStatus.ACTIVE) -> Any:
    request = facts(headers=[(b"x-account", value) for value in values])
    owner = Account("acc_1", "First", status)
    return ends(AccountHeader(b"x-account").check(request, known(account=owner)))


def test_the_account_header() -> None:
    assert account(b"acc_1") == Pass(saw="acc_1")
    assert account() == Refuse(account_header.MISSING, saw="not sent")
    assert account(b"acc_1", b"acc_1") == Refuse(account_header.MISSING, saw="sent more than once")
    assert account(b"acc_1", b"").saw == "sent more than once"
    assert account(b"").saw == "empty"
    assert account(b"acc_2") == Refuse(account_header.OTHER_ACCOUNT, saw="acc_2")
    suspended = account(b"acc_1", status=AccountStatus.SUSPENDED)
    assert suspended == Refuse(account_header.NOT_ACTIVE, saw=["acc_1", AccountStatus.SUSPENDED])


def test_a_suspended_accounts_state_is_not_told_to_who_names_another() -> None:
    other = account(b"acc_2", status=AccountStatus.SUSPENDED)
    assert other.reason == account_header.OTHER_ACCOUNT


@given(st.binary(min_size=1, max_size=100))
def test_any_other_text_is_another_account_and_kept_short(value: bytes) -> None:
    if value != b"acc_1":
        result = account(value)
        assert result.reason == account_header.OTHER_ACCOUNT
        assert len(result.saw) <= 64
