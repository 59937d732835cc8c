"""Scenarios: how a request chooses one, and that the table is whole. That each row is true is shown
in `test_every_scenario`.
"""

import re
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guarita.sandbox.pix import reasons, scenarios
from guarita.sandbox.pix.scenarios import SCENARIOS, Operation, UnknownScenario, choose
from guarita.sandbox.text import pix_keys

OPERATIONS = st.sampled_from(get_args(Operation))
NAMES = st.sampled_from(sorted(SCENARIOS))

# The webhook events of the fact sheet, §7.1, but for pix.charge.cancelled: registered, never sent.
EVENTS = {
    *("pix.charge.created", "pix.charge.paid", "pix.charge.expired"),
    *("pix.payout.queued", "pix.payout.processing", "pix.payout.held", "pix.payout.confirmed"),
    *("pix.payout.failed", "pix.payout.returned", "pix.refund.requested", "pix.refund.completed"),
    *("pix.return.received", "pix.infraction.created", "pix.infraction.resolved"),
    "pix.infraction.defense_submitted",
}


def test_there_is_a_scenario_for_every_event() -> None:
    assert {event for row in SCENARIOS.values() for event in row.events or ()} == EVENTS


def test_there_is_a_scenario_for_every_reason_of_failure() -> None:
    failing = {row.reason for row in SCENARIOS.values() if row.name.startswith("rejected-")}
    assert failing == set(reasons.REASONS)


def test_there_is_a_scenario_for_every_state() -> None:
    shown = {status for row in SCENARIOS.values() for status in row.statuses or ()}
    assert shown == {
        *("queued", "processing", "settled", "failed", "returned"),
        *("active", "paid", "expired", "defense_submitted", "CLOSED", "CANCELLED"),
    }


@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_a_name_fits_wherever_it_is_written(name: str) -> None:
    """In a header, in a description, in a key."""
    assert re.fullmatch(r"[a-z][a-z0-9-]{1,40}", name)
    assert SCENARIOS[name].name == name
    assert pix_keys.parse(f"{name}@sandbox.example").type == "email"


@given(operation=OPERATIONS, name=NAMES)
def test_three_ways_to_choose(operation: Operation, name: str) -> None:
    key = f"{name}@sandbox.example"
    if operation in SCENARIOS[name].operations:
        assert choose(operation, header=name) == name
        assert choose(operation, text=f"sandbox:{name}") == name
        by_key = name if operation == "cash-out" else None
        assert choose(operation, key=key) == by_key
        assert choose(operation, key=key.upper()) == by_key
    else:
        of = " and ".join(SCENARIOS[name].operations)
        with pytest.raises(UnknownScenario, match=f"scenario {name} is for {of}; see"):
            choose(operation, header=name)
        with pytest.raises(UnknownScenario):
            choose(operation, text=f"sandbox:{name}")
        assert choose(operation, key=key) is None


def test_the_header_comes_first_then_the_text() -> None:
    text, key = "sandbox:held", "queued@sandbox.example"
    assert choose("cash-out", header="returned", text=text, key=key) == "returned"
    assert choose("cash-out", text=text, key=key) == "held"
    assert choose("cash-out", text="held", key=key) == "queued"


@pytest.mark.parametrize("name", ["", "Settled", "settle", "settled ", "error-418", "x" * 300])
def test_what_a_caller_is_told_of_an_unknown_one(name: str) -> None:
    with pytest.raises(UnknownScenario) as in_text:
        choose("defense", text=f"sandbox:{name}")
    assert in_text.value.where == "defense_text"
    shown = name[:64] or "''"
    assert str(in_text.value) == f"unknown scenario {shown}; see docs/sandbox.md"
    with pytest.raises(UnknownScenario) as described:
        choose("cash-in", text=f"sandbox:{name}")
    assert described.value.where == "description"
    with pytest.raises(UnknownScenario) as in_header:
        choose("cash-in", header="settle")
    assert in_header.value.where == "Sandbox-Scenario"


@given(operation=OPERATIONS, text=st.text(), key=st.emails())
def test_what_names_no_scenario_chooses_none(operation: Operation, text: str, key: str) -> None:
    assert choose(operation) is None
    if not text.startswith("sandbox:"):
        assert choose(operation, text=text) is None
    if not key.lower().endswith("@sandbox.example"):
        assert choose(operation, key=key) is None


@given(key=st.from_regex(r"[a-z-]{1,20}", fullmatch=True))
def test_a_key_of_an_unknown_name_is_an_ordinary_key(key: str) -> None:
    expected = key if key in SCENARIOS and "cash-out" in SCENARIOS[key].operations else None
    assert choose("cash-out", key=f"{key}@sandbox.example") == expected


def test_the_table_as_markdown() -> None:
    lines = scenarios.markdown().split("\n")
    assert len(lines) == len(SCENARIOS) + 2
    assert {line.count(" | ") for line in lines[2:]} == {5}
    [returned] = [line for line in lines if line.startswith("| `returned` |")]
    assert returned == (
        "| `returned` | cash-out | Settled, and after a while given back in full by the receiver. |"
        " 200 | `processing`, `settled`, `returned` | `pix.payout.processing`,"
        " `pix.payout.confirmed`, `pix.return.received`, `pix.payout.returned` |"
    )
