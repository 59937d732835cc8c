"""Layers driven with `next` and `send`: what each asks, what it returns, what it says it saw.

Credentials and signatures, and idempotency, have files of their own.
"""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guarita.addresses import AddressSet
from guarita.asks import CountHit, Outage
from guarita.decision import PASS, Converted, End, Known, Outcome, Pass, Refuse
from guarita.layers import (
    account,
    address,
    key_case,
    media_type,
    permission,
    rate_limit,
    well_formed,
)
from guarita.layers.account import AccountActive
from guarita.layers.address import AddressList
from guarita.layers.key_case import CAMEL_CASE, KeyCase
from guarita.layers.media_type import MediaType
from guarita.layers.permission import Permission
from guarita.layers.rate_limit import RateLimit, Remaining
from guarita.layers.signature import Form, SignedBody
from guarita.layers.well_formed import WellFormed
from guarita.outage import ADMIT, REFUSE
from guarita.profiles.minhakonta import TABLE
from guarita.records import Account, AccountStatus
from tests.core import made
from tests.core.made import NOW, ends, ends_after, ends_with, facts, known

HEADER_BYTES = st.binary(max_size=12)


# --- well_formed ------------------------------------------------------------------------------


@given(st.lists(st.tuples(HEADER_BYTES, HEADER_BYTES), max_size=4))
def test_well_formed_refuses_exactly_what_holds_a_line_break_or_nul(
    pairs: list[tuple[bytes, bytes]],
) -> None:
    guilty = [
        name.lower().decode("latin-1")
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
