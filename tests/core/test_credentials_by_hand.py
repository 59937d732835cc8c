"""The layers `api_key` and `signature` driven with `next` and `send`: when they ask, and what."""

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guarita import crypto
from guarita.asks import BodyProblem, Outage, ReadBody, Verified, VerifyCredential
from guarita.decision import PASS, Known, Pass, Refuse
from guarita.layers import (
    api_key,
    signature,
)
from guarita.layers.api_key import ApiKeyAuth, Credential
from guarita.layers.signature import BodySignature, Form, SignedBody
from guarita.outage import ADMIT, REFUSE
from guarita.records import KeyStatus
from tests.core import made
from tests.core.made import BODY, NOW, SECRET, ends, ends_after, ends_with, facts, known

HEADER_BYTES = st.binary(max_size=12)


# --- api_key ----------------------------------------------------------------------------------

AUTH = ApiKeyAuth("minhakonta", on_outage=REFUSE)


def authorization(*values: bytes) -> Any:
    return AUTH.check(facts(headers=[(b"authorization", value) for value in values]), Known())


def basic(pair: bytes) -> bytes:
    return b"Basic " + base64.b64encode(pair)


UNPARSABLE = [
    [],
    [b""],
    [b"ApiKey"],
    [b"ApiKey "],
    [b"ApiKey cli_1"],
    [b"ApiKey\tcli_1:" + SECRET],
    [b"ApiKey:cli_1:" + SECRET],
    [b"Bearer cli_1:" + SECRET],
    [b"cli_1:" + SECRET],
    [b"ApiKey cli_1:\xff" + SECRET],
    [b"Basic"],
    [b"Basic cli_1:" + SECRET],
    [basic(b"cli_1")],
    [basic(b"cli_1:\xff" + SECRET)],
    [basic(b"cli_1:" + SECRET).rstrip(b"=")[:-1]],
    [basic(b"cli_1:" + SECRET).replace(b"=", b"") + b"!"],
    [basic(b"cli_1:" + SECRET)[:20] + b" " + basic(b"cli_1:" + SECRET)[20:]],
    [b"ApiKey cli_1:" + SECRET] * 2,
    [b"Bearer x", b"ApiKey cli_1:" + SECRET],
]


@pytest.mark.parametrize("values", UNPARSABLE)
def test_api_key_asks_nothing_where_there_are_no_credentials(values: list[bytes]) -> None:
    verdict = ends(authorization(*values))
    assert verdict.reason == api_key.MISSING
    assert verdict.values == {}
    assert "sk_" not in verdict.saw
    assert "cli_1" not in verdict.saw


@pytest.mark.parametrize("padding", [b"=", b"==", b"===="])
def test_api_key_takes_padding_too_much_for_bad_base64(padding: bytes) -> None:
    """`a2b_base64` overlooks it even in strict mode, in some versions of Python only."""
    verdict = ends(authorization(basic(b"ab:cde") + padding))
    assert verdict.reason == api_key.MISSING


@pytest.mark.parametrize("scheme", [b"ApiKey ", b"apikey ", b"APIKEY   ", b" \tApiKey "])
@pytest.mark.parametrize(
    "pair", [(b"cli_1", SECRET), (b"", b""), (b"", SECRET), (b"cli_1", b""), (b"a", b":b:")]
)
def test_api_key_asks_once_for_the_pair_split_at_the_first_colon(
    scheme: bytes, pair: tuple[bytes, bytes]
) -> None:
    for value in (scheme + b":".join(pair), b"bAsIc " + basic(b":".join(pair))[6:]):
        flow = authorization(value)
        assert next(flow) == VerifyCredential(*pair)
        assert ends_with(flow, Verified(None)) == Refuse(
            api_key.INVALID, saw=[pair[0].decode(), "unknown id"]
        )


@given(st.binary(max_size=60), st.sampled_from([b"ApiKey ", b"Basic ", b"basic", b""]))
def test_api_key_either_refuses_as_missing_or_asks(rest: bytes, scheme: bytes) -> None:
    flow = authorization(scheme + rest)
    ask = next(flow, None)
    if ask is None:
        assert ends(authorization(scheme + rest)).reason == api_key.MISSING
    else:
        assert isinstance(ask, VerifyCredential)
        assert b":" not in ask.client_id
        (ask.client_id + b":" + ask.secret).decode("utf-8")


def test_api_key_answers_an_unknown_id_and_a_wrong_secret_alike() -> None:
    refusals = []
    for is_known in (False, True):
        flow = authorization(b"ApiKey cli_1:wrong")
        next(flow)
        refusals.append(ends_with(flow, Verified(None, client_id_known=is_known)))
    assert [(one.reason, one.values) for one in refusals] == [(api_key.INVALID, {})] * 2
    assert refusals[0].saw != refusals[1].saw  # the decision log may tell them apart


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"status": KeyStatus.INACTIVE}, api_key.INACTIVE),
        ({"status": KeyStatus.REVOKED}, api_key.INACTIVE),
        ({"status": KeyStatus.BLOCKED, "blocked_reason": "fraud"}, api_key.BLOCKED),
        ({"status": KeyStatus.REVOKED, "expires_at": NOW - 1}, api_key.INACTIVE),
        ({"status": KeyStatus.BLOCKED, "expires_at": NOW - 1}, api_key.BLOCKED),
        ({"expires_at": NOW - 0.001}, api_key.EXPIRED),
        ({"expires_at": NOW}, api_key.EXPIRED),
    ],
)
def test_api_key_tells_the_state_of_a_key_to_who_knows_its_secret(
    changes: dict[str, Any], reason: object
) -> None:
    flow = authorization(b"ApiKey cli_1:" + SECRET)
    next(flow)
    verdict = ends_with(flow, Verified(made.api_key(**changes), crypto.mac_state(SECRET)))
    assert verdict.reason == reason
    assert verdict.saw[0] == "cli_1"
    assert "fraud" not in str(verdict.values)


@pytest.mark.parametrize(
    "verified",
    [
        Verified(made.api_key(profile="delfinance"), crypto.mac_state(SECRET), True),
        Verified(
            made.api_key(profile="delfinance", status=KeyStatus.BLOCKED), crypto.mac_state(SECRET)
        ),
        Verified(made.api_key(), None, True),
        Verified(None, crypto.mac_state(SECRET), True),
    ],
)
def test_api_key_refuses_keys_of_other_profiles_and_half_answers(verified: Verified) -> None:
    flow = authorization(b"ApiKey cli_1:" + SECRET)
    next(flow)
    refusal = ends_with(flow, verified)
    assert (refusal.reason, refusal.values) == (api_key.INVALID, {})


@pytest.mark.parametrize("client_id", [SECRET, b"x" + SECRET, SECRET[3:], b"cli_1 " + SECRET])
def test_api_key_does_not_show_a_secret_sent_in_the_place_of_the_id(client_id: bytes) -> None:
    flow = authorization(b"ApiKey " + client_id + b":cli_1")
    next(flow)
    refusal = ends_with(flow, Verified(None))
    assert refusal.reason == api_key.INVALID
    assert SECRET[3:15].decode() not in repr(refusal.saw)


@pytest.mark.parametrize("expires_at", [None, NOW + 0.001])
def test_api_key_leaves_the_credential(expires_at: float | None) -> None:
    flow = authorization(b"ApiKey cli_1:" + SECRET)
    next(flow)
    verified = Verified(made.api_key(expires_at=expires_at), crypto.mac_state(SECRET), True)
    assert ends_with(flow, verified) == Pass(Credential(verified.key, verified.mac), saw="cli_1")  # type: ignore[arg-type]


def test_api_key_refuses_in_an_outage_and_lets_other_errors_through() -> None:
    flow = authorization(b"ApiKey cli_1:" + SECRET)
    next(flow)
    verdict = ends_after(flow, Outage("gone"))
    assert verdict == Refuse(api_key.OUTAGE, saw="keyring out of reach")
    flow = authorization(b"ApiKey cli_1:" + SECRET)
    next(flow)
    with pytest.raises(RuntimeError, match="bug"):
        flow.throw(RuntimeError("bug"))
    with pytest.raises(ValueError, match="on_outage=REFUSE"):
        ApiKeyAuth("minhakonta", on_outage=ADMIT)


# --- signature --------------------------------------------------------------------------------

SIGNATURE = BodySignature(max_body=100)
GOOD = [(b"hmac", crypto.signature(SECRET, BODY).encode())]


def test_signature_asks_for_the_body_only_once_key_and_header_are_right() -> None:
    check = SIGNATURE.check
    for method in ("GET", "DELETE", "HEAD", "post", ""):
        assert ends(check(facts(method, headers=GOOD), Known())) is PASS
    assert ends(check(facts(headers=GOOD), known(signs=False))) == Refuse(
        signature.NOT_CONFIGURED, saw="cli_1"
    )
    assert ends(check(facts(), known(signs=False))).reason == signature.NOT_CONFIGURED
    assert ends(check(facts(), known())) == Refuse(signature.HEADER_MISSING)
    for method in ("POST", "PUT", "PATCH"):
        assert next(check(facts(method, headers=GOOD), known())) == ReadBody(100)


def signature_of(body: Any, headers: Any = GOOD, layer: Any = SIGNATURE, **changes: Any) -> Any:
    flow = layer.check(facts(headers=headers), known(**changes))
    next(flow)
    return ends_with(flow, body)


@pytest.mark.parametrize(
    ("body", "headers", "reason"),
    [
        (BodyProblem.TOO_LARGE, GOOD, signature.BODY_TOO_LARGE),
        (BodyProblem.TOO_LARGE, GOOD * 2, signature.BODY_TOO_LARGE),
        (b"", GOOD * 2, signature.BODY_MISSING),
        (b"{", GOOD * 2, signature.BODY_NOT_JSON),
        (b'{"a":1,"a":2}', GOOD, signature.BODY_NOT_JSON),
        (BODY, GOOD * 2, signature.MISMATCH),
        (BODY, [(b"hmac", b"")], signature.MISMATCH),
        (BODY + b" ", [(b"hmac", GOOD[0][1][:-2])], signature.MISMATCH),
        (BODY.replace(b"3000", b"3001"), GOOD, signature.MISMATCH),
    ],
)
def test_signature_refuses_in_order(body: Any, headers: Any, reason: object) -> None:
    verdict = signature_of(body, headers)
    assert verdict.reason == reason
    assert verdict.values == ({"limit": "100"} if body is BodyProblem.TOO_LARGE else {})
    said = repr(verdict)
    assert GOOD[0][1].decode()[:20] not in said
    assert "12345678901" not in said


UNSORTED = b'{"pix_key": "12345678901", "amount":3000}'


@pytest.mark.parametrize("narrowed_by", ["layer", "key"])
def test_signature_forms_narrow(narrowed_by: str) -> None:
    over_raw = [(b"hmac", crypto.signature(SECRET, UNSORTED).encode())]
    over_text = GOOD
    both = {over_raw[0]: Form.RAW, over_text[0]: Form.CANONICAL}
    for form in (None, Form.RAW, Form.CANONICAL):
        forms = frozenset(Form) if form is None else frozenset({form})
        layer, changes = SIGNATURE, {}
        if narrowed_by == "layer":
            layer = BodySignature(
                max_body=100,
                accept_raw=Form.RAW in forms,
                accept_canonical=Form.CANONICAL in forms,
            )
        else:
            changes = {"signature_forms": frozenset(map(str, forms))}
        for header, of in both.items():
            verdict = signature_of(UNSORTED, [header], layer, **changes)
            if of in forms:
                assert verdict == Pass(SignedBody(UNSORTED, of), saw=[len(UNSORTED), of])
            else:
                assert verdict.reason == signature.MISMATCH
        # Bytes that are canonical as sent carry both forms with one signature.
        assert isinstance(signature_of(BODY, over_text, layer, **changes), Pass)


def test_signature_with_no_common_form_matches_nothing() -> None:
    assert signature_of(BODY, signature_forms=frozenset()).reason == signature.MISMATCH
    raw_only = BodySignature(max_body=100, accept_canonical=False)
    refusal = signature_of(BODY, GOOD, raw_only, signature_forms=frozenset({"canonical"}))
    assert refusal.reason == signature.MISMATCH
    with pytest.raises(ValueError, match="at least one"):
        BodySignature(max_body=1, accept_raw=False, accept_canonical=False)
