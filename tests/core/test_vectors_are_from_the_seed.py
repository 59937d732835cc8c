"""The vectors of the Minha Konta profile are what the page says.

Every literal stands on the line it cites, every row and every error is present, every digest is
right. Nothing of `src` is imported here.
"""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.vectors_minhakonta import FILES, Case, Header, Step, load, load_file, octets
from tests.vectors_minhakonta_order import load_order, order_cases
from tests.vectors_minhakonta_world import PERMISSIONS, PRINCIPALS
from tests.vectors_order import exclusive_pair

SPEC = Path(__file__).resolve().parents[3] / "shared" / "spec"
PLACEHOLDERS = {"{client_id}", "{client_secret}", "{basic}"}
LACKING = "API key lacks permission: "


def spec_lines(pattern: str) -> list[str]:
    """Lines of a text beside the checkout, split as `cat -n` splits; line n has index n - 1."""
    found = sorted(SPEC.glob(pattern))
    if not found:
        pytest.skip("shared/vectors absent")
    return found[0].read_text(encoding="utf-8").split("\n")


def seed() -> list[str]:
    return spec_lines("seeds/004*.txt")


@cache
def written(name: str) -> list[Case]:
    return load(name)


def all_cases() -> list[Case]:
    return [case for name in FILES for case in written(name)]


def steps() -> Iterator[tuple[Case, Step]]:
    for case in [*all_cases(), *order_cases()]:
        for step in case.steps:
            yield case, step


def strings(value: Any) -> Iterator[str]:
    """Every string value of a JSON document; member names are not values."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from strings(inner)


@pytest.mark.parametrize("name", FILES)
def test_each_literal_stands_on_its_line(name: str) -> None:
    lines = seed()
    quotes = load_file(name).literals
    assert quotes
    wrong = [q for q in quotes if q.text.strip() == "" or q.text not in lines[q.line - 1]]
    assert not wrong


@pytest.mark.parametrize("name", FILES)
def test_each_text_a_refusal_asserts_is_a_literal_or_names_its_decision(name: str) -> None:
    literals = {quote.text for quote in load_file(name).literals}
    wants = [(case.id, case.source, step.want) for case in written(name) for step in case.steps]
    if name == "order":
        wants += [(fault.name, fault.source, fault.want) for fault in load_order().faults]
    unknown = []
    for id_, source, want in wants:
        if want.decision != "refuse" or not isinstance(want.body, str):
            continue
        for text in strings(json.loads(want.body)):
            permission = text.removeprefix(LACKING)
            known = (
                text in literals
                or (text == "forbidden" and want.reason == "lacking")
                or (
                    permission in PERMISSIONS
                    and any(LACKING in quote for quote in literals)
                    and any(permission in quote for quote in literals)
                )
                or (text == "given twice" and "DESIGN 3" in source)
            )
            if not known:
                unknown.append((id_, text))
    assert not unknown


def test_ids_are_unique_and_sources_cite_something() -> None:
    ids = [case.id for case in [*all_cases(), *order_cases()]]
    assert len(ids) == len(set(ids))
    assert [id_ for id_ in ids if not re.fullmatch(r"[a-z0-9][a-z0-9._-]*", id_)] == []
    cited = re.compile(r"seed L\d|fact sheet §\d|DESIGN [23]: |issue 2, |RFC \d")
    assert [case.id for case in all_cases() if not cited.search(case.source)] == []


def test_seed_lines_that_sources_cite_exist_and_are_not_blank() -> None:
    lines = seed()
    for case in all_cases():
        seed_part = " ".join(
            part for part in re.split("; ", case.source) if re.match(r"(seed )?L\d", part)
        )
        for first, last in re.findall(r"L(\d+)(?:-(\d+))?", seed_part):
            for number in {int(first), int(last or first)}:
                assert lines[number - 1].strip(), (case.id, number)


def test_every_row_of_the_permission_table_is_allowed_and_refused() -> None:
    lines = seed()
    rows = [
        (n, re.fullmatch(r"(/\S+?)(GET|POST|DELETE)(\w+:\w+)", lines[n - 1]))
        for n in range(474, 493)
    ]
    assert len(rows) == 19
    cases = written("permission")
    for number, row in rows:
        assert row is not None, number
        template, method, permission = row.groups()
        path = re.compile("/api/external" + re.sub(r":\w+", "[^/]+", template))
        own = [
            case
            for case in cases
            if re.search(rf"L{number}\b", case.source) and len(case.steps) == 1
        ]
        own = [
            case for case in own if case.steps[0].want.decision == "admit" or "lacking" in case.id
        ]
        matching = [case for case in own if case.steps[0].request.method == method]
        matching = [case for case in matching if path.fullmatch(case.steps[0].request.path)]
        allowed = [case for case in matching if case.steps[0].want.decision == "admit"]
        refused = [case for case in matching if case.steps[0].want.reason == "lacking"]
        assert any(case.given.key.permissions == (permission,) for case in allowed), number
        others = tuple(other for other in PERMISSIONS if other != permission)
        message = f'"message":"{LACKING}{permission}"'
        assert any(
            case.given.key.permissions == others and message in str(case.steps[0].want.body)
            for case in refused
        ), number


def test_all_sixteen_security_errors_are_provoked() -> None:
    lines = spec_lines("minhakonta.md")
    section = lines[lines.index("## 5. Security errors, literal") :]
    table = [re.match(r"\| (\d{3}) \| `(\{.*\})`", line) for line in section[:40]]
    stated = {(int(row[1]), row[2]) for row in table if row and '"errors"' not in row[2]}
    assert len(stated) == 16
    provoked = {
        (step.want.status, step.want.body)
        for case in written("errors")
        for step in case.steps
        if step.want.decision == "refuse"
    }
    assert provoked == stated


def test_placeholders_are_known_and_header_names_in_lower_case() -> None:
    def headers(step: Step) -> Iterator[Header]:
        yield from (*step.request.headers, *step.app.headers, *step.want.headers)

    for case, step in steps():
        for name, value in headers(step):
            assert name == name.lower(), case.id
            for placeholder in re.findall(rb"\{[^{}]*\}", octets(value)):
                assert placeholder.decode() in PLACEHOLDERS, case.id
        assert all(name == name.lower() for name in step.want.absent_headers), case.id


def test_literal_digests_are_the_hmac_of_their_text() -> None:
    checked = 0
    for case, step in steps():
        request = step.request
        if request.signed_text is None or request.sign != "absent":
            continue
        secret = case.given.key.secret or PRINCIPALS[request.by].client_secret
        digest = hmac.new(secret.encode(), request.signed_text.encode(), hashlib.sha512).hexdigest()
        assert [octets(value).decode() for name, value in request.headers if name == "hmac"] == [
            digest
        ]
        checked += 1
    assert checked >= 12  # V1 to V6 with their variants


def test_digests_of_the_fact_sheet_are_all_used() -> None:
    lines = spec_lines("minhakonta.md")
    start = next(n for n, line in enumerate(lines) if line.startswith("### 4.5"))
    stated = set(re.findall(r"\b[0-9a-f]{128}\b", "\n".join(lines[start : start + 25])))
    used = {
        octets(value).decode()
        for case in written("signature")
        for step in case.steps
        if step.request.signed_text is not None
        for name, value in step.request.headers
        if name == "hmac"
    }
    assert len(stated) == 11
    assert used == stated


def test_requests_become_bytes_with_the_senders_credentials() -> None:
    case = next(case for case in written("errors") if case.id == "example-cash-out")
    wire = case.steps[0].request.wire()
    first = PRINCIPALS["first"]
    pair = f"{first.client_id}:{first.client_secret}"
    headers = dict(wire.headers)
    assert headers[b"authorization"] == b"ApiKey " + pair.encode()
    assert (
        headers[b"hmac"]
        == hmac.new(first.client_secret.encode(), wire.body, "sha512").hexdigest().encode()
    )
    basic = next(case for case in written("errors") if case.id == "example-balance-basic")
    value = dict(basic.steps[0].request.wire().headers)[b"authorization"]
    assert base64.b64decode(value.removeprefix(b"Basic ")).decode() == pair


def test_order_holds_every_fault_and_pairs_only_what_can_coexist() -> None:
    file = load_order()
    for route, order in file.order.items():
        faults = [fault for fault in file.faults if route in fault.classes]
        assert [fault.name for fault in faults] == list(order), route
        positions = [fault.step for fault in faults]
        assert positions == sorted(positions), route
        assert all(fault.name == f"{fault.want.layer}.{fault.want.reason}" for fault in faults)
    names = {fault.name for fault in file.faults}
    for group in file.exclusive:
        assert set(group.faults) <= names
        assert group.reason
    singles = sum(len(order) for order in file.order.values())
    pairs = sum(
        not exclusive_pair(file, one, two)
        for order in file.order.values()
        for index, one in enumerate(order)
        for two in order[index + 1 :]
    )
    assert len(order_cases()) == singles + pairs
