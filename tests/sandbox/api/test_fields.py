"""Laws of fields and bodies: what is read is exactly what the schema describes."""

import json
from datetime import date
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from guarita.sandbox.api import fields
from guarita.sandbox.api.bodies import Body, Member, Query
from guarita.sandbox.api.composites import Items, Record
from guarita.sandbox.api.endpoints import ENDPOINTS
from guarita.sandbox.api.errors import Malformed
from guarita.sandbox.api.openapi import bodies
from guarita.sandbox.api.operations.transactions import STATEMENT_QUERY

TEXTS = st.text(st.characters(codec="utf-8"), max_size=12)
NUMBERS = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False).filter(
    lambda number: not number.is_integer()  # JSON schema calls 30.0 an integer; fields do not
)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
NEAR = st.sampled_from(
    [
        "cpf",
        "",
        " ",
        "\u00a0",
        "\x1f",
        "a\n",
        "52998224725",
        "2026-05-01",
        "2026-02-30",
        "2026-05-01T12:00:30Z",
        "2026-05-01T25:00:30Z",
        "E399292242026050112000a7c91f03b2",
        "E399292242026050112000a7c91f03b2\n",
        "https://a.example/",
        "x" * 36,
        "ç" * 141,
        [],
        [{}],
        [{"url": "x"}],
        [{"url": None, "description": "x"}],
        [{"url": ""}],
        [{"url": "x", "more": 1}],
        [{"url": "x"}] * 11,
        ["pix.charge.paid"],
        0,
        1,
        100,
        101,
        10**12 - 1,
        10**12,
        True,
    ]
)
KINDS: list[fields.Field] = [
    fields.Positive(100),
    fields.Text(),
    fields.Text(35, minimum=1),
    fields.Text(140, pattern=fields.NOT_BLANK),
    fields.Text(pattern=fields.END_TO_END_ID),
    fields.Text(256, 8, fields.PRINTABLE),
    fields.Choice(("cpf", "cnpj")),
    fields.Flag(),
    fields.ExternalId(),
    fields.Day(),
    fields.Time(),
    Items(fields.Text(3), 3, minimum=1),
    Record({"url": fields.Text(9, minimum=1), "n": fields.Positive(9)}, any_of=("url",)),
]


def fits(schema: dict[str, Any], value: Any) -> bool:
    return jsonschema_rs.Draft202012Validator(schema, validate_formats=True).is_valid(value)


@pytest.mark.parametrize("field", KINDS, ids=repr)
@settings(max_examples=120, deadline=None)
@given(value=(VALUES | NEAR).filter(lambda value: value is not None))
def test_a_field_reads_what_its_schema_describes(field: fields.Field, value: Any) -> None:
    problem = None
    try:
        field.read(value)
    except fields.Wrong as wrong:
        problem = str(wrong)
    assert problem != ""
    assert (problem is None) == fits(field.schema(), value)


BODIES = {body.name: body for endpoint in ENDPOINTS for body in bodies(endpoint)}
OBJECTS = {
    name: st.dictionaries(
        st.sampled_from(sorted({*body.known, *body.others, "unknown"})),
        VALUES | NEAR | st.sampled_from([*body.example.values()]),
        max_size=6,
    ).map(lambda more, body=body: body.example | more)  # type: ignore[misc]
    | st.dictionaries(st.sampled_from(sorted(body.known | body.others)), VALUES | NEAR, max_size=4)
    for name, body in BODIES.items()
}


@pytest.mark.parametrize("name", BODIES)
@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_a_body_reads_what_its_schema_describes(name: str, data: st.DataObject) -> None:
    body, sent = BODIES[name], data.draw(OBJECTS[name])
    refused: dict[str, list[str]] = {}
    values: dict[str, Any] = {}
    try:
        values = body.read(sent)
    except Malformed as refusal:
        refused = refusal.fields
        json.dumps(refused, ensure_ascii=False).encode()
    if not values:
        assert refused
        assert ("unknown" in sent) == ("unknown" in refused)
        assert not fits(body.schema(), sent)
    else:
        assert values.keys() == {member.name for member in body.members}
        known = name == "WebhookRegistration" and set(values["events"]) <= {"pix.charge.paid"}
        assert fits(body.schema(), sent) or (name == "WebhookRegistration" and not known)


def test_aliases_are_tried_in_order() -> None:
    body = Body("B", (Member("a", fields.Text(), "", aliases=("b", "c"), default="d"),), {})
    assert body.read({"c": "3", "b": "2"}) == {"a": "2"}
    assert body.read({"c": "3", "b": "2", "a": "1"}) == {"a": "1"}
    assert body.read({"a": None, "c": "3"}) == {"a": "3"}
    assert body.read({}) == {"a": "d"}
    with pytest.raises(Malformed) as wrong:
        body.read({"a": "1", "c": 3})
    assert wrong.value.fields == {"c": ["must be a string"]}


def test_a_blank_is_no_value_of_a_required_member() -> None:
    body = Body("B", (Member("a", fields.Text(), "", required=True, aliases=("b",)),), {})
    assert body.read({"a": "", "b": "2"}) == body.read({"a": "2", "b": ""}) == {"a": "2"}
    for sent, named in (({}, ["a"]), ({"b": ""}, ["b"]), ({"a": "", "b": ""}, ["a", "b"])):
        with pytest.raises(Malformed) as wrong:
            body.read(sent)
        assert wrong.value.fields == {key: ["is required"] for key in named}


def test_unknown_members_are_named_up_to_a_limit() -> None:
    body = Body("B", (), {})
    with pytest.raises(Malformed) as wrong:
        body.read(dict.fromkeys([f"m{number}" for number in range(1000)], 1))
    assert len(wrong.value.fields) == 20


@settings(max_examples=200)
@given(pairs=st.lists(st.tuples(st.sampled_from(["page", "date_from", "status", "x"]), TEXTS)))
@example(pairs=[("page", "01")])
@example(pairs=[("page", "１")])
@example(pairs=[("page", "9" * 5000)])
@example(pairs=[("page", "1_0")])
@example(pairs=[("date_from", "2026-W18-5")])
def test_a_query_is_read_or_refused(pairs: list[tuple[str, str]]) -> None:
    refused: dict[str, list[str]] = {}
    values: dict[str, Any] = {}
    try:
        values = STATEMENT_QUERY.read(pairs)
    except Malformed as refusal:
        refused = refusal.fields
    if refused:
        assert refused.keys() <= {name for name, _ in pairs}
    else:
        assert type(values["page"]) is int
        assert 1 <= values["page"] <= 10**9
        assert str(values["page"]) == dict(pairs).get("page", "1")
        assert values["date_from"] is None or type(values["date_from"]) is date


def test_a_query_without_members_takes_nothing() -> None:
    assert Query(()).read([]) == {}
    with pytest.raises(Malformed):
        Query(()).read([("x", "1")])
