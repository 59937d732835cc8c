"""Each layer driven with `next` and `send`: what it asks, in which order, what it returns and
what it says it saw.

Idempotency has a file of its own.
"""

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guarita import crypto
from guarita.addresses import AddressSet
from guarita.asks import BodyProblem, CountHit, Outage, ReadBody, Verified, VerifyCredential
from guarita.decision import PASS, Converted, End, Known, Outcome, Pass, Refuse
from guarita.layers import (
    account,
    address,
    api_key,
    key_case,
    media_type,
    permission,
    rate_limit,
    signature,
    well_formed,
)
from guarita.layers.account import AccountActive
from guarita.layers.address import AddressList
from guarita.layers.api_key import ApiKeyAuth, Credential
from guarita.layers.key_case import CAMEL_CASE, KeyCase
from guarita.layers.media_type import MediaType
from guarita.layers.permission import Permission
from guarita.layers.rate_limit import RateLimit, Remaining
from guarita.layers.signature import BodySignature, Form, SignedBody
from guarita.layers.well_formed import WellFormed
from guarita.outage import ADMIT, REFUSE
from guarita.profiles.minhakonta import TABLE
from guarita.records import Account, AccountStatus, KeyStatus
from tests.core import made
from tests.core.made import BODY, NOW, SECRET, ends, ends_after, ends_with, facts, known

HEADER_BYTES = st.binary(max_size=12)


# --- well_formed ------------------------------------------------------------------------------


@given(st.lists(st.tuples(HEADER_BYTES, HEADER_BYTES), max_size=4))
def test_well_formed_refuses_exactly_what_holds_a_line_break_or_nul(
    pairs: list[tuple[bytes, bytes]],
) -> None:
    guilty = [
        name.decode("latin-1")
        for name, value in pairs
        if set(name + value) & {0, 10, 13}
    ]  # fmt: skip
    verdict = ends(WellFormed().check(facts(headers=pairs), Known()))
    if guilty:
        assert verdict == Refuse(well_formed.CONTROL_CHARACTER, saw=guilty)
    else:
        assert verdict is PASS


def test_well_formed_looks_into_every_copy_of_a_repeated_header() -> None:
    pairs = [(b"x", b"one\n"), (b"x", b"two")]
    verdict = ends(WellFormed().check(facts(headers=pairs), Known()))
    assert verdict == Refuse(well_formed.CONTROL_CHARACTER, saw=["x"])


# --- media_type -------------------------------------------------------------------------------

JSON_ONLY = MediaType(frozenset({b"application/json"}))


@pytest.mark.parametrize("method", ["GET", "DELETE", "HEAD", "OPTIONS", "post", "POST ", ""])
def test_media_type_does_not_look_at_other_methods(method: str) -> None:
    wrong = [(b"content-type", b"text/plain")] * 2
    assert ends(JSON_ONLY.check(facts(method, headers=wrong), Known())) is PASS


@pytest.mark.parametrize(
    ("values", "saw"),
    [
        ([], "no Content-Type header"),
        ([b"application/json"] * 2, "Content-Type sent more than once"),
        ([b""], ""),
        ([b"application/json, text/plain"], "application/json, text/plain"),
        ([b"application/jsonp"], "application/jsonp"),
        ([b"\xff" * 200], "\xff" * 100),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_media_type_refuses_and_says_what_it_saw(
    method: str, values: list[bytes], saw: str
) -> None:
    request = facts(method, headers=[(b"content-type", value) for value in values])
    assert ends(JSON_ONLY.check(request, Known())) == Refuse(media_type.UNSUPPORTED, saw=saw)


@pytest.mark.parametrize(
    "value", [b"application/json", b"Application/JSON", b" application/json ; charset=utf-8"]
)
def test_media_type_passes(value: bytes) -> None:
    verdict = ends(JSON_ONLY.check(facts(headers=[(b"content-type", value)]), Known()))
    assert verdict == Pass(saw=value.decode())


# --- key_case ---------------------------------------------------------------------------------


def test_key_case_is_switched_on_by_one_exact_value() -> None:
    def check(*values: bytes) -> Any:
        return ends(KeyCase().check(facts(headers=[(b"x-key-case", v) for v in values]), Known()))

    assert check() is PASS
    assert check(b"camelCase") is CAMEL_CASE
    for other in (b"camelcase", b"CAMELCASE", b"snake_case", b"", b" camelCase"):
        assert check(other) is PASS
    assert check(b"camelCase", b"camelCase").convert is None
    assert check(b"snake_case", b"camelCase").convert is None


def test_key_case_converts_the_signed_body_and_the_query() -> None:
    convert = CAMEL_CASE.convert
    assert convert is not None
    found = known(SignedBody(b'{"pixKey":{"aB":1}}', Form.RAW))
    assert convert.request(facts(query=b"pageSize=1"), found) == Converted(
        b"page_size=1", b'{"pix_key":{"a_b":1}}'
    )
    assert convert.request(facts("GET", query=b"aB=cD"), Known()) == Converted(b"a_b=cD", None)
    assert convert.response(b'{"pix_key":1}') == b'{"pixKey":1}'


def test_key_case_names_the_member_given_twice_cut_to_a_length() -> None:
    convert = CAMEL_CASE.convert
    assert convert is not None
    request = facts("GET", query=b"pixKey=1&pix_key=2")
    assert convert.request(request, Known()) == Refuse(
        key_case.COLLISION, {"member": "pix_key"}, saw="pix_key"
    )
    long = "a" * 300
    refusal = convert.request(facts("GET", query=f"{long}B=1&{long}_b=2".encode()), Known())
    assert refusal == Refuse(key_case.COLLISION, {"member": "a" * 100}, saw="a" * 100)


@pytest.mark.parametrize(
    ("headers", "wants"),
    [
        ([(b"content-type", b"application/json")], True),
        ([(b"Content-Type", b"Application/Problem+JSON; a=b")], True),
        ([(b"content-type", b"text/json")], False),
        ([(b"content-type", b"application/json")] * 2, False),
        ([(b"content-type", b"application/json"), (b"Content-Encoding", b"gzip")], False),
        ([], False),
    ],
)
def test_key_case_converts_plain_json_responses_only(
    headers: list[tuple[bytes, bytes]], wants: bool
) -> None:
    assert CAMEL_CASE.convert is not None
    assert CAMEL_CASE.convert.wants_body(headers) is wants


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


# --- address and account ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("allowlist", "client", "verdict"),
    [
        ([], "203.0.113.45", Refuse(address.LIST_EMPTY, saw="203.0.113.45")),
        ([], None, Refuse(address.LIST_EMPTY, saw=None)),
        (["203.0.113.0/24"], None, Refuse(address.UNKNOWN, saw=None)),
        (["203.0.113.0/24"], "203.0.114.1", Refuse(address.NOT_LISTED, saw="203.0.114.1")),
        (["203.0.113.0/24"], "", Refuse(address.NOT_LISTED, saw="")),
        (["203.0.113.0/24"], "203.0.113.255", Pass(saw="203.0.113.255")),
    ],
)
def test_address(allowlist: list[str], client: str | None, verdict: object) -> None:
    found = known(allowlist=AddressSet(allowlist))
    assert ends(AddressList().check(facts(client=client), found)) == verdict


@pytest.mark.parametrize("status", AccountStatus)
def test_account(status: AccountStatus) -> None:
    verdict = ends(AccountActive().check(facts(), known(account=Account("acc_1", "First", status))))
    if status is AccountStatus.ACTIVE:
        assert verdict == Pass(saw="acc_1")
    else:
        assert verdict == Refuse(account.NOT_ACTIVE, saw=["acc_1", status])


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


# --- rate_limit -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("client", "prefix", "key"),
    [
        ("203.0.113.45", 64, "203.0.113.45"),
        ("2001:db8:0:1::5", 128, "2001:db8:0:1::5"),
        ("2001:db8:0:1::5", 64, "2001:db8:0:1::/64"),
        ("2001:db8:0:1:ffff::", 64, "2001:db8:0:1::/64"),
        ("2001:db8:0:2::5", 64, "2001:db8:0:2::/64"),
        ("2001:db8:0:1::5", 48, "2001:db8::/48"),
        (None, 128, "unknown"),
        (None, 64, "unknown"),
    ],
)
def test_rate_limit_counts_per_address_or_network(
    client: str | None, prefix: int, key: str
) -> None:
    flow = RateLimit(3, 60, REFUSE, ipv6_prefix=prefix).check(facts(client=client), Known())
    assert next(flow) == CountHit(key, NOW, 60)
    assert ends_with(flow, 1) == Pass(settle=Remaining(2), saw=[key, 1, 3])


@given(st.integers(1, 10**6), st.integers(1, 10**6))
def test_rate_limit_admits_exactly_the_limit(limit: int, hits: int) -> None:
    flow = RateLimit(limit, 60, ADMIT).check(facts(), Known())
    next(flow)
    verdict = ends_with(flow, hits)
    saw = [made.CLIENT, hits, limit]
    if hits <= limit:
        assert verdict == Pass(settle=Remaining(limit - hits), saw=saw)
    else:
        assert verdict == Refuse(rate_limit.TOO_MANY, saw=saw)


def test_rate_limit_in_an_outage_does_as_set() -> None:
    flow = RateLimit(1, 60, ADMIT).check(facts(), Known())
    next(flow)
    assert ends_after(flow, Outage()) == Pass(saw="counter out of reach: admitted")
    flow = RateLimit(1, 60, REFUSE).check(facts(), Known())
    next(flow)
    assert ends_after(flow, Outage()) == Refuse(rate_limit.OUTAGE, saw="counter out of reach")


@pytest.mark.parametrize("end", End)
@pytest.mark.parametrize("status", [0, 200, 202, 299, 300, 400, 429, 500])
def test_rate_limit_settles_2xx_answers_only(end: End, status: int) -> None:
    added = ends(Remaining(7).run(Outcome(end, status)))
    right = end is End.ANSWERED and 200 <= status < 300
    assert added == (((b"x-ratelimit-remaining", b"7"),) if right else ())
    assert not Remaining(7).wants_body(status)


@pytest.mark.parametrize("settings", [(0, 60, 128), (1, 0, 128), (1, 60, 0), (1, 60, 129)])
def test_rate_limit_settings_are_checked(settings: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match=r"at least 1|between 1 and 128"):
        RateLimit(settings[0], settings[1], ADMIT, settings[2])


# --- permission -------------------------------------------------------------------------------


def test_permission() -> None:
    check = Permission(TABLE).check
    assert ends(check(facts(), known())) == Pass(saw=("transfer:write",))
    assert ends(check(facts(), known(permissions=frozenset()))) == Refuse(
        permission.LACKING, {"permission": "transfer:write"}, saw="transfer:write"
    )
    assert ends(check(facts("GET"), known())) == Refuse(
        permission.WRONG_METHOD, {"allow": "POST"}, saw=("POST",)
    )
    assert ends(check(facts("PUT", "/api/external/webhooks"), known())).values == {
        "allow": "POST, GET"
    }
    assert ends(check(facts(path="/api/external/pix"), known())) == Refuse(permission.NO_ROUTE)
