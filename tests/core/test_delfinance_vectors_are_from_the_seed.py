"""The vectors of the Delfinance profile are what the page says.

Every literal stands on the line it cites, every error is present with the fact sheet's status.
Nothing of `src` is imported here.
"""

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.vectors_delfinance import FILES, Case, Step, load, load_file
from tests.vectors_delfinance_order import load_order, order_cases
from tests.vectors_delfinance_world import PRINCIPALS, REASONS
from tests.vectors_order import exclusive_pair

SPEC = Path(__file__).resolve().parents[3] / "shared" / "spec"
PLACEHOLDERS = {"{api_key}", "{account_id}"}
OURS = {  # what the page does not word, by layer.reason
    "Invalid API key": {"api_key_header.unknown", "api_key_header.ended"},
    "Service temporarily unavailable": {
        "api_key_header.outage",
        "lockout.outage",
        "certificate.outage",
    },
    "A header contains a control character": {"well_formed.control_character"},
}


def spec_lines(pattern: str) -> list[str]:
    """Lines of a text beside the checkout, split as `cat -n` splits; line n has index n - 1."""
    found = sorted(SPEC.glob(pattern))
    if not found:
        pytest.skip("shared/vectors absent")
    return found[0].read_text(encoding="utf-8").split("\n")


def seed() -> list[str]:
    return spec_lines("seeds/000*.txt")


def stated() -> dict[str, int]:
    """Literal message → status, from table 3.2 of the fact sheet."""
    lines = spec_lines("delfinance.md")
    start = lines.index("### 3.2 Error catalogue")
    rows = [re.match(r"\| (\d) \| `(.+?)`.*\| (\d{3}) \[", line) for line in lines[start:][:20]]
    table = {row[2]: int(row[3]) for row in rows if row}
    assert len(table) == 7
    return table


@cache
def written(name: str) -> list[Case]:
    return load(name)


def all_cases() -> list[Case]:
    return [case for name in FILES for case in written(name)]


def refusals() -> Iterator[tuple[str, Step, str]]:
    """(case id, step, message) of every refusal, the implied order cases included."""
    for case in [*all_cases(), *order_cases()]:
        for step in case.steps:
            if step.want.decision == "refuse":
                assert step.want.body is not None, case.id
                body = json.loads(step.want.body)
                assert list(body) == ["message"], case.id
                yield case.id, step, body["message"]


@pytest.mark.parametrize("name", FILES)
def test_each_literal_stands_on_its_line(name: str) -> None:
    lines = seed()
    quotes = load_file(name).literals
    assert quotes
    wrong = [q for q in quotes if q.text.strip() == "" or q.text not in lines[q.line - 1]]
    assert not wrong


@pytest.mark.parametrize("name", FILES)
def test_each_message_of_the_page_a_file_asserts_is_among_its_literals(name: str) -> None:
    literals = {quote.text for quote in load_file(name).literals}
    wants = [step.want for case in written(name) for step in case.steps]
    if name == "order":
        wants += [fault.want for fault in load_order().faults]
    asserted = {json.loads(want.body)["message"] for want in wants if want.body is not None}
    assert asserted - OURS.keys() <= literals


def test_messages_are_written_byte_for_byte_as_on_the_page() -> None:
    """Compact JSON of one member, and the member as the page prints it."""
    printed = {line for line in seed() if line.startswith('"message": ')}
    assert len(printed) == 7
    for id_, step, message in refusals():
        assert step.want.body == json.dumps({"message": message}, separators=(",", ":")), id_
        if message not in OURS:
            assert f'"message": "{message}"' in printed, id_


def test_every_refusal_has_the_status_of_its_message() -> None:
    table = stated()
    for id_, step, message in refusals():
        want = step.want
        if message in OURS:
            assert f"{want.layer}.{want.reason}" in OURS[message], id_
            assert want.status == {"I": 401, "S": 503, "A": 400}[message[0]], id_
        else:
            assert want.status == table[message], id_


def test_all_seven_errors_are_provoked_in_the_pages_order() -> None:
    numbered = [re.match(r"(\d)\. (.+)", line) for line in seed()]
    headings = {int(row[1]): row[2] for row in numbered if row}
    provoked: dict[int, set[str]] = {}
    for case in written("errors"):
        number = re.match(r"error-(\d)-", case.id)
        if number is not None:
            want = case.steps[0].want
            message = json.loads(want.body or "{}")["message"]
            provoked.setdefault(int(number[1]), set()).add(message)
    assert {
        number: {text.removesuffix(".") for text in texts} for number, texts in provoked.items()
    } == {number: {heading} for number, heading in headings.items()}
    assert {text for texts in provoked.values() for text in texts} == stated().keys()


def test_every_reason_is_reached_by_some_case() -> None:
    reached = {(step.want.layer, step.want.reason) for _, step, _ in refusals()}
    assert reached == {(layer, reason) for layer in REASONS for reason in REASONS[layer]}


def test_ids_are_unique_and_sources_cite_something() -> None:
    ids = [case.id for case in [*all_cases(), *order_cases()]]
    assert len(ids) == len(set(ids))
    assert [id_ for id_ in ids if not re.fullmatch(r"[a-z0-9][a-z0-9._/-]*", id_)] == []
    cited = re.compile(r"seed L\d|fact sheet §\d|DESIGN [23]: |issue 3, |RFC \d")
    sources = [(case.id, case.source) for case in all_cases()]
    sources += [(fault.name, fault.source) for fault in load_order().faults]
    assert [id_ for id_, source in sources if not cited.search(source)] == []


def test_seed_lines_that_sources_cite_exist_and_are_not_blank() -> None:
    lines = seed()
    checked = 0
    for case in [*all_cases(), *order_cases()]:
        for part in case.source.split("; "):
            if not part.startswith("seed L"):
                continue
            for first, last in re.findall(r"L(\d+)(?:-(\d+))?", part):
                for number in {int(first), int(last or first)}:
                    assert lines[number - 1].strip(), (case.id, number)
                    checked += 1
    assert checked > 100


def test_the_two_header_names_are_the_pages() -> None:
    text = "\n".join(seed())
    names = {
        name.lower() for case in all_cases() for s in case.steps for name, _ in s.request.headers
    }
    own = {name for name in names if name.startswith("x-del")}
    assert own == {"x-delbank-api-key", "x-delfinance-account-id"}
    assert all(name in text for name in own)


def test_placeholders_are_known_and_keys_look_like_keys() -> None:
    for case in [*all_cases(), *order_cases()]:
        for step in case.steps:
            for _, value in step.request.headers:
                assert set(re.findall(r"\{[^{}]*\}", value)) <= PLACEHOLDERS, case.id
    for principal in PRINCIPALS.values():
        assert re.fullmatch(r"key_[0-9a-f]{16}", principal.key_id)
        assert re.fullmatch(r"dk_[0-9a-f]{64}", principal.api_key)


def test_order_is_that_of_the_reasons_and_pairs_only_what_can_coexist() -> None:
    file = load_order()
    names = [fault.name for fault in file.faults]
    assert len(names) == len(set(names))
    layers = [fault.want.layer for fault in file.faults]
    assert [list(REASONS).index(layer or "") for layer in layers] == sorted(
        list(REASONS).index(layer or "") for layer in layers
    )
    for fault in file.faults:
        assert fault.name.partition("/")[0] == f"{fault.want.layer}.{fault.want.reason}"
    told = {fault.name.partition("/")[0] for fault in file.faults}
    everything = {f"{layer}.{reason}" for layer in REASONS for reason in REASONS[layer]}
    assert everything - told == {"lockout.outage"}  # by a setting only, see states.json
    for group in file.exclusive:
        assert set(group.faults) <= set(names)
        assert group.reason
    expected = 0
    for environment in file.skipped:
        faults = [fault.name for fault in file.of(environment)]
        expected += len(faults) + sum(
            not exclusive_pair(file, one, two)
            for index, one in enumerate(faults)
            for two in faults[index + 1 :]
        )
    assert len(order_cases()) == expected > 400
