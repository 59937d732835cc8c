"""Delfinance's profile: its order, its environments, one literal response per reason."""

import json

import pytest

from guarita.decision import SERVING_REASONS, Reason, Refuse
from guarita.layers import certificate
from guarita.layers.certificate import ClientCertificate
from guarita.layers.lockout import Lockout
from guarita.outage import REFUSE
from guarita.profile import Profile
from guarita.profiles.delfinance import PRODUCTION, UNSAFE_NO_CERTIFICATE_NO_ALLOWLIST

PROFILES = {"production": PRODUCTION, "homologation": UNSAFE_NO_CERTIFICATE_NO_ALLOWLIST}
EVERY = pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)


def names(profile: Profile) -> list[str]:
    (only,) = profile.classes
    return [layer.name for layer in only.layers]


def test_order_of_the_checks() -> None:
    """DESIGN section 3, "Delfinance's order"."""
    assert names(PRODUCTION) == [
        "well_formed",
        "api_key_header",
        "lockout",
        "certificate",
        "address",
        "account_header",
    ]
    without = [name for name in names(PRODUCTION) if name not in ("certificate", "address")]
    assert names(UNSAFE_NO_CERTIFICATE_NO_ALLOWLIST) == without


def test_defaults() -> None:
    (layer,) = [one for one in PRODUCTION.classes[0].layers if isinstance(one, ClientCertificate)]
    assert (layer.ttl_s, layer.on_outage) == (3600, REFUSE)


@EVERY
def test_every_request_passes_every_layer(profile: Profile) -> None:
    for method in ("GET", "POST", "PUT", "DELETE", "get", "PROPFIND", ""):
        for path in ("/", "/v1/resource", "/baas/api/v2/transfers", "//", "/%2e%2e/x", ""):
            assert profile.route_class(method, path) is profile.classes[0]


@EVERY
def test_every_reason_has_one_wording_and_no_other_has(profile: Profile) -> None:
    reasons = profile.reasons()
    assert set(reasons) == profile.wording.keys()
    assert set(SERVING_REASONS) <= set(reasons)
    for layer in profile.classes[0].layers:
        assert set(layer.reasons) <= set(reasons)
        assert all(reason.layer == layer.name for reason in layer.reasons)
    gone = {reason.layer for reason in PRODUCTION.reasons()} - {one.layer for one in reasons}
    assert gone == set(names(PRODUCTION)) - set(names(profile))


def test_the_environments_word_alike() -> None:
    worded = UNSAFE_NO_CERTIFICATE_NO_ALLOWLIST.wording
    assert all(PRODUCTION.wording[reason] == wording for reason, wording in worded.items())


@pytest.mark.parametrize("reason", PRODUCTION.reasons(), ids=str)
def test_every_response_is_one_literal_message(reason: Reason) -> None:
    assert PRODUCTION.wording[reason].is_literal
    response = PRODUCTION.respond(Refuse(reason))
    assert response is PRODUCTION.respond(Refuse(reason)), "rendered once"
    body = json.loads(response.body)
    assert list(body) == ["message"]
    assert body["message"]
    assert 400 <= response.status < 600
    headers = dict(response.headers)
    assert headers[b"content-type"] == b"application/json"
    assert headers[b"content-length"] == b"%d" % len(response.body)
    assert headers.get(b"connection") == (b"close" if reason == certificate.LAPSED else None)
    assert len(headers) == len(response.headers)


def test_five_certificate_checks_are_told_apart_behind_two_messages() -> None:
    """Seed L10-14: presented, validated, not revoked, serial, fingerprint."""
    five = {
        certificate.NOT_PRESENTED: 3,
        **dict.fromkeys(certificate.FAULTS.values(), 3),
        certificate.SERIAL: 4,
        certificate.FINGERPRINT: 4,
    }
    messages = {
        PRODUCTION.wording[reason].body["message"]: number for reason, number in five.items()
    }
    assert messages == {
        "Valid client certificate required (mTLS)": 3,
        "Client certificate does not match allowed certificate (mTLS STRICT)": 4,
    }
    assert len(certificate.FAULTS) == 9


def test_a_setting_is_replaced_without_touching_the_rest() -> None:
    shorter = ClientCertificate(ttl_s=5, on_outage=REFUSE)
    made = PRODUCTION.with_layers(shorter)
    assert names(made) == names(PRODUCTION)
    assert shorter in made.classes[0].layers
    assert [one for one in made.classes[0].layers if isinstance(one, Lockout)] == [
        one for one in PRODUCTION.classes[0].layers if isinstance(one, Lockout)
    ]
    with pytest.raises(ValueError, match="no layer certificate"):
        UNSAFE_NO_CERTIFICATE_NO_ALLOWLIST.with_layers(shorter)
