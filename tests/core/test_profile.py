"""Profiles: one literal response per reason, and the right route class for every request."""

import json
import re
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from guarita.decision import SERVING_REASONS, Reason, Refuse
from guarita.layers import idempotency, key_case, permission, rate_limit, signature
from guarita.layers.rate_limit import RateLimit
from guarita.profile import Profile, RouteClass, Selection, Wording
from guarita.profiles.minhakonta import MINHA_KONTA, TABLE, WRITE

REASONS = MINHA_KONTA.reasons()
FILLED: dict[Reason, dict[str, str]] = {
    signature.BODY_TOO_LARGE: {"limit": "100"},
    idempotency.KEY_TOO_LONG: {"limit": "256"},
    permission.WRONG_METHOD: {"allow": "GET, POST"},
    permission.LACKING: {"permission": "pix:write"},
    key_case.COLLISION: {"member": "pix_key"},
}
"""What a layer gives for the placeholders of its wording; every other wording is literal."""


def profile(**changes: Any) -> Profile:
    """Minha Konta's profile with some of its parts replaced."""
    parts = {
        name: getattr(MINHA_KONTA, name) for name in ("table", "classes", "selection", "wording")
    }
    return Profile("test", **{**parts, **changes})


# --- totality ------------------------------------------------------------------------------------


def test_every_reachable_reason_has_one_wording_and_no_other_has() -> None:
    assert set(REASONS) == MINHA_KONTA.wording.keys()
    assert len(set(REASONS)) == len(REASONS)
    assert set(SERVING_REASONS) <= set(REASONS)
    for one in MINHA_KONTA.classes:
        for layer in one.layers:
            assert set(layer.reasons) <= set(REASONS)
            assert all(reason.layer == layer.name for reason in layer.reasons)


@pytest.mark.parametrize("reason", REASONS, ids=str)
def test_a_missing_wording_is_named(reason: Reason) -> None:
    rest = {one: worded for one, worded in MINHA_KONTA.wording.items() if one != reason}
    with pytest.raises(ValueError, match=rf"no wording for {re.escape(str(reason))}$"):
        profile(wording=rest)


def test_a_wording_nothing_gives_is_named() -> None:
    more = {**MINHA_KONTA.wording, Reason("rate_limit", "too_few"): Wording(429, {})}
    with pytest.raises(ValueError, match=r"words rate_limit\.too_few, which nothing gives"):
        profile(wording=more)
    without_limit = [
        RouteClass(one.name, tuple(x for x in one.layers if not isinstance(x, RateLimit)))
        for one in MINHA_KONTA.classes
    ]
    with pytest.raises(ValueError, match=r"words rate_limit\.outage, rate_limit\.too_many"):
        profile(classes=tuple(without_limit))


def test_the_table_of_filled_wordings_above_is_complete() -> None:
    placeholders = {
        reason: re.findall(r"\{(\w+)\}", json.dumps([worded.body, dict(worded.headers)]))
        for reason, worded in MINHA_KONTA.wording.items()
    }
    assert {one: set(names) for one, names in placeholders.items() if names} == {
        one: set(values) for one, values in FILLED.items()
    }


# --- responses -----------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", REASONS, ids=str)
def test_every_response_is_compact_json_of_a_known_shape(reason: Reason) -> None:
    response = MINHA_KONTA.respond(Refuse(reason, FILLED.get(reason, {})))
    body = json.loads(response.body)
    assert response.body.decode() == json.dumps(body, separators=(",", ":"), ensure_ascii=False)
    assert b"{limit}" not in response.body + repr(response.headers).encode()
    assert response.headers[0] == (b"content-type", b"application/json")
    assert response.headers[1] == (b"content-length", b"%d" % len(response.body))
    assert all(name == name.lower() and value.isascii() for name, value in response.headers)
    assert 400 <= response.status < 600
    match body:
        case {"error": {"status": status, "message": str(message), **more}}:
            assert status == response.status
            assert set(more) <= {"hint"}
            assert message
        case {"error": "forbidden", "message": str()}:
            assert (reason, response.status) == (permission.LACKING, 403)
        case {"worked": False, "detail": str()}:
            assert reason.layer == "signature"
        case {"errors": dict(errors)}:
            assert len(errors) == 1
        case _:
            pytest.fail(f"no known shape: {body}")


def test_headers_of_responses() -> None:
    more = {
        reason: response.headers[2:]
        for reason in REASONS
        if (response := MINHA_KONTA.respond(Refuse(reason, FILLED.get(reason, {})))).headers[2:]
    }
    assert more == {
        rate_limit.TOO_MANY: ((b"retry-after", b"60"),),
        permission.WRONG_METHOD: ((b"allow", b"GET, POST"),),
    }


def test_a_literal_response_is_rendered_once() -> None:
    refusal = Refuse(rate_limit.TOO_MANY, saw=[1])
    assert MINHA_KONTA.respond(refusal) is MINHA_KONTA.respond(Refuse(rate_limit.TOO_MANY))


@pytest.mark.parametrize(
    "member", ["{limit}", "{member}", "a{b", "}", "{{x}}", "{0.__class__}", '"\\', "é\x7f"]
)
def test_a_value_is_never_itself_filled_in(member: str) -> None:
    response = MINHA_KONTA.respond(Refuse(key_case.COLLISION, {"member": member, "limit": "5"}))
    assert json.loads(response.body) == {"errors": {"bad_request": {member: ["given twice"]}}}


@given(
    st.dictionaries(st.sampled_from(["a", "b"]), st.text(st.characters(codec="utf-8")), min_size=2)
)
@example({"a": "{b}", "b": "{a}"})
def test_filling_is_one_pass_over_texts_and_names(values: Mapping[str, str]) -> None:
    worded = Wording(400, {"x": ["{a}", {"-{b}-": 1}], "n": 2}, {"X": "{b}"})
    expected = {"x": [values["a"], {f"-{values['b']}-": 1}], "n": 2}
    try:
        header = values["b"].encode("latin-1")
    except UnicodeEncodeError:
        with pytest.raises(UnicodeEncodeError):
            worded.render(values)
        return
    response = worded.render(values)
    assert response.body == msgspec.json.encode(expected)
    assert response.headers[2] == (b"x", header)
    assert not worded.is_literal
    assert Wording(400, {"x": ["a", {"b": 1}], "n": 2}, {"X": "b"}).is_literal


def test_a_missing_value_is_named() -> None:
    with pytest.raises(KeyError, match="limit"):
        MINHA_KONTA.respond(Refuse(signature.BODY_TOO_LARGE))


# --- route classes -------------------------------------------------------------------------------

BALANCE = "/api/external/balance"


def class_of(method: str, path: str) -> str:
    return MINHA_KONTA.route_class(method, path).name


@pytest.mark.parametrize(
    "path", [BALANCE, "/api/external/pix/cash-out", "/", "", "/api/external/%62alance"]
)
def test_methods_with_a_body_are_writes_wherever_they_go(path: str) -> None:
    assert [class_of(method, path) for method in ("POST", "PUT", "PATCH")] == ["write"] * 3


NEARLY_BALANCE = [
    BALANCE + "/",
    BALANCE + "?",
    BALANCE + ";",
    BALANCE + "%20",
    BALANCE.upper(),
    BALANCE.replace("balance", "b%61lance"),
    BALANCE.replace("/balance", "//balance"),
    BALANCE.replace("/balance", "/./balance"),
    BALANCE.replace("/balance", "/x/../balance"),
    "/balance",
    "//" + BALANCE,
    "http://host" + BALANCE,
    " " + BALANCE,
    BALANCE + "\n",
]


@pytest.mark.parametrize("path", NEARLY_BALANCE)
def test_only_the_very_path_of_the_balance_is_unlimited(path: str) -> None:
    assert class_of("GET", BALANCE) == "balance"
    assert class_of("GET", path) == "read"


@given(st.text(), st.text())
@example("get", BALANCE)
@example("GET ", BALANCE)
@example("HEAD", BALANCE)
@example("", BALANCE)
@example("ＧＥＴ", BALANCE)
def test_any_other_method_or_path_is_limited(method: str, path: str) -> None:
    if (method, path) != ("GET", BALANCE):
        layers = MINHA_KONTA.route_class(method, path).layers
        assert any(isinstance(layer, RateLimit) for layer in layers)


@pytest.mark.parametrize(
    "method", ["post", "Post", "POST ", " POST", "POST\0", "ＰＯＳＴ", "QUERY", "PUT\n", ""]
)
def test_what_only_resembles_a_write_is_admitted_nowhere(method: str) -> None:
    """It falls into the class without signature, so no row of the table may know it."""
    for row in TABLE.rows:
        path = TABLE.prefix + row.pattern.replace(":", "")
        assert class_of(method, path) == "read"
        assert TABLE.match(method, path).permissions == ()


def test_every_row_that_moves_money_is_signed() -> None:
    for row in TABLE.rows:
        signed = any(
            layer.name == "signature"
            for layer in MINHA_KONTA.route_class(row.method, TABLE.prefix + row.pattern).layers
        )
        assert signed is (row.method == "POST")


CLASSES = tuple(RouteClass(name, WRITE) for name in "abcd")
SELECTIONS = st.lists(
    st.builds(
        Selection,
        st.sampled_from("abc"),
        st.frozensets(st.sampled_from(["GET", "POST"]), min_size=1),
        st.sampled_from([None, None, "/x", "/y"]),
    ),
    max_size=5,
)


@given(SELECTIONS)
def test_the_first_row_that_matches_decides(rows: list[Selection]) -> None:
    made = profile(classes=CLASSES, selection=(*rows, Selection("d")))
    for method in ("GET", "POST", "PUT"):
        for path in ("/x", "/y", "/z"):
            expected = next(
                (
                    row.route_class
                    for row in rows
                    if row.methods and method in row.methods and row.path in (None, path)
                ),
                "d",
            )
            assert made.route_class(method, TABLE.prefix + path).name == expected
