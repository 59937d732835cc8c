"""Words for every reason and layer of the Delfinance profile, and what never gets into them."""

import re
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guarita.asks import FaultsOf
from guarita.decision import SERVING_REASONS
from guarita.decision_log import Entry, Explanation, MemoryLog, explain
from guarita.decision_log.words import NO_ADVICE, REASONS
from guarita.profiles.delfinance import PRODUCTION
from tests.decision_log.scenes_delfinance import (
    API_KEY,
    KEY_ID,
    OFF,
    REFUSALS,
    Decided,
    found,
)
from tests.vectors_delfinance_world import OTHER_SERIAL, OTHER_SHA256, SERIAL, SHA256, SUBJECT


def entry_of(one: Decided, status: int = 0) -> Entry:
    log = MemoryLog()
    log.add(one.profile, one.route_class, one.facts, one.decision, status)
    return log.entries[0]


def explained(one: Decided, status: int = 0) -> Explanation:
    return explain(entry_of(one, status))


def saw(one: Decided, layer: str) -> str:
    (line,) = [line for line in explained(one).layers if line.layer == layer]
    return line.saw


def test_every_reason_of_a_layer_has_its_scene() -> None:
    reasons = set(PRODUCTION.reasons()) - set(SERVING_REASONS)
    assert set(REFUSALS) == {str(reason) for reason in reasons}


@pytest.mark.parametrize("reason", REFUSALS)
def test_a_scene_is_refused_for_its_reason_and_told_layer_by_layer(reason: str) -> None:
    one = Decided(**REFUSALS[reason])
    entry, explanation = entry_of(one, 403), explained(one, 403)
    assert (entry.decision, entry.reason, entry.status) == ("refuse", reason, 403)
    reached = len(one.decision.verdicts)
    assert [line.verdict for line in explanation.layers] == [
        *["passed"] * (reached - 1),
        "refused",
        *["not reached"] * (len(one.route_class.layers) - reached),
    ]
    refusing = explanation.layers[reached - 1]
    assert refusing.layer == explanation.layer == reason.partition(".")[0]
    assert refusing.saw
    assert "{" not in refusing.saw
    text = explanation.text()
    assert reason in text
    assert refusing.saw in text


@pytest.mark.parametrize("reason", REFUSALS)
def test_nothing_told_is_left_blank(reason: str) -> None:
    """No "serial , ", no "None": what is not known is left out."""
    for line in explained(Decided(**REFUSALS[reason])).layers:
        assert not re.search(r"\bNone\b|\(\)| ,|, ?$|, ,|: ?$", line.saw), line.saw


@pytest.mark.parametrize("reason", REFUSALS)
def test_advice_says_who_does_what(reason: str) -> None:
    advice = REASONS[reason].advice
    assert advice != NO_ADVICE
    assert 40 < len(advice) < 600
    assert advice.rstrip().endswith((".", ")", "`"))
    assert explained(Decided(**REFUSALS[reason]), 403).advice == advice


def test_the_account_and_key_are_named_once_the_key_is_found() -> None:
    for reason, scene in REFUSALS.items():
        entry = entry_of(Decided(**scene))
        layer = reason.partition(".")[0]
        if layer in ("well_formed", "api_key_header"):
            assert (entry.client_id, entry.account) == (None, None)
        else:
            assert (entry.client_id, entry.account) == (KEY_ID, "acc_1")


TOLD = {
    "api_key_header.missing": "the key header: not sent",
    "api_key_header.unknown": "a key of 67 characters that nobody has",
    "api_key_header.ended": f"key {KEY_ID} is revoked",
    "api_key_header.blocked": f"key {KEY_ID} is blocked: too many invalid attempts",
    "lockout.address_blocked": (
        "10 refused attempts from 203.0.113.5 in this window, 10 are the limit"
    ),
    "certificate.not_presented": "no client certificate",
    "certificate.revoked": f"certificate {SHA256}, serial {SERIAL}, {SUBJECT}",
    "certificate.other_serial": f"certificate {SHA256}, serial {OTHER_SERIAL}, {SUBJECT}",
    "certificate.other_fingerprint": f"certificate {OTHER_SHA256}, serial {SERIAL}, {SUBJECT}",
    "address.list_empty": "the key's allowlist is empty; the client is 203.0.113.5",
    "address.not_listed": "client address 198.51.100.9 is not on the key's allowlist",
    "account_header.missing": "the account header: not sent",
    "account_header.other_account": 'account "acc_2" is not the key\'s',
    "account_header.not_active": "account acc_1 is suspended",
}


@pytest.mark.parametrize("reason", TOLD)
def test_what_a_refusing_layer_saw(reason: str) -> None:
    assert saw(Decided(**REFUSALS[reason]), reason.partition(".")[0]) == TOLD[reason]


def test_the_two_ways_to_lapse_are_told_apart() -> None:
    age = saw(Decided(**REFUSALS["certificate.lapsed"]), "certificate")
    stale = saw(Decided(certificate=found(lapsed=True)), "certificate")
    assert SHA256 in age
    assert SHA256 in stale
    assert "3600 s ago" in age
    assert "60 s ago" in stale
    assert "revocation list" in stale
    assert "revocation list" not in age


def test_admission_in_full() -> None:
    lines = {line.layer: line.saw for line in explained(Decided()).layers}
    assert lines == {
        "well_formed": "no control character in any header",
        "api_key_header": f"key {KEY_ID}",
        "lockout": "2 refused attempts from 203.0.113.5 in this window, 10 lock it out",
        "certificate": (
            f"certificate {SHA256} (serial {SERIAL}, {SUBJECT}) is valid and accepted for the key"
        ),
        "address": "client address 203.0.113.5 is on the key's allowlist",
        "account_header": "account acc_1 is the key's and active",
    }


def test_admissions_with_less_than_all_checks_say_so() -> None:
    assert "unsafe_off" in saw(Decided(key=OFF, certificate=None), "certificate")
    assert "out of reach" in saw(Decided(out_of_reach=FaultsOf), "lockout")


# --- what is never kept -----------------------------------------------------------------------

KEYS = st.binary(min_size=16, max_size=32).map(lambda raw: b"dk_" + raw.hex().encode())


def kept(one: Decided) -> str:
    """Everything of a request that is stored or told, as one text."""
    entry = entry_of(one, 401)
    return repr(entry) + explain(entry).text()


@given(
    KEYS,
    st.sampled_from(sorted(REFUSALS)),
    st.sampled_from(["x-delfinance-account-id", "x-delbank-api-key", "x-note", "authorization"]),
    st.sampled_from(["{}", "Bearer {}", '"{}"', "{}, {}", "key={}", "acc_1{}"]),
    st.sampled_from(["/v1/resource", "/v1/%s", "/%s/x"]),
)
def test_no_api_key_is_kept_wherever_it_was_put(
    key: bytes, scene: str, name: str, form: str, path: str
) -> None:
    value = form.format(*[key.decode()] * 2).encode()
    request = REFUSALS[scene] | {
        "headers": {**REFUSALS[scene].get("headers", {}), name: value},
        "path": path % key.decode() if "%s" in path else path,
    }
    text = kept(Decided(**request))
    assert key.decode()[3:15] not in text
    assert b64encode(key).decode()[:12] not in text


def test_an_api_key_in_the_account_header_is_not_kept() -> None:
    """The key in both headers: the commonest way to send it to the wrong place."""
    assert API_KEY.decode()[3:15] not in kept(Decided(headers={"x-delfinance-account-id": API_KEY}))


def test_the_key_header_of_every_scene_is_not_kept() -> None:
    for scene in ({}, *REFUSALS.values()):
        assert API_KEY.decode()[3:15] not in kept(Decided(**scene))
