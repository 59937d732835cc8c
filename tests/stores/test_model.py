"""Law: any sequence of Reserve, Record, Release, LoseOutcome, resolve and passing time goes as in
a model of a few lines.
"""

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from guarita.asks import IN_FLIGHT, OUTCOME_UNKNOWN, Reserved, Stored
from guarita.decision import Response
from tests.stores.harness import (
    CREATED,
    DAY,
    NOW,
    STORES,
    lose,
    record,
    release,
    reserve,
    scope,
)

NAMES = st.sampled_from(["a", "b", "c"])
TOKENS = st.sampled_from(["1", "2", "3"])
RESPONSES = st.builds(Response, st.sampled_from([200, 201]), st.just(()), st.binary(max_size=9))


class Model(RuleBasedStateMachine):
    """Plain dictionaries: name → state, token, time of reservation, response."""

    kind = ""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.store = STORES[self.kind](Path(self.folder.name) / "guarita.db")
        self.at = NOW
        self.state: dict[str, str] = {}
        self.token: dict[str, str] = {}
        self.since: dict[str, float] = {}
        self.answer: dict[str, Response] = {}

    def teardown(self) -> None:
        self.store.close()
        self.folder.cleanup()

    def owned(self, name: str, token: str, *states: str) -> bool:
        return self.state.get(name) in states and self.token[name] == token

    @rule(seconds=st.sampled_from([0.0, 0.5, 1.0, 43_200.0, 86_399.0]))
    def pass_time(self, seconds: float) -> None:
        self.at += seconds
        for name in [n for n, since in self.since.items() if since + DAY <= self.at]:
            del self.state[name], self.since[name]

    @rule(name=NAMES, token=TOKENS)
    def reserve(self, name: str, token: str) -> None:
        got = self.store.answer(reserve(name, token, self.at))
        match self.state.get(name):
            case "in_flight":
                assert got is IN_FLIGHT
            case "outcome_unknown":
                assert got is OUTCOME_UNKNOWN
            case "stored":
                fingerprint = reserve(name, self.token[name]).fingerprint
                assert got == Stored(self.answer[name], fingerprint)
            case None:
                assert got == Reserved()
                self.state[name], self.token[name] = "in_flight", token
                self.since[name] = self.at

    @rule(name=NAMES, token=TOKENS, response=RESPONSES)
    def record(self, name: str, token: str, response: Response) -> None:
        assert self.store.answer(record(name, token, response)) is None
        if self.owned(name, token, "in_flight", "outcome_unknown"):
            self.state[name], self.answer[name] = "stored", response

    @rule(name=NAMES, token=TOKENS)
    def release(self, name: str, token: str) -> None:
        assert self.store.answer(release(name, token)) is None
        if self.owned(name, token, "in_flight"):
            del self.state[name], self.since[name]

    @rule(name=NAMES, token=TOKENS)
    def lose(self, name: str, token: str) -> None:
        assert self.store.answer(lose(name, token)) is None
        if self.owned(name, token, "in_flight"):
            self.state[name] = "outcome_unknown"

    @precondition(lambda self: "outcome_unknown" in self.state.values())
    @rule(name=NAMES, by_release=st.booleans())
    def resolve(self, name: str, by_release: bool) -> None:
        resolvable = self.state.get(name) == "outcome_unknown"
        if name in self.state or not by_release:
            got = self.store.resolve(scope(name).digest, "release" if by_release else CREATED)
            if name in self.state:
                assert got is resolvable
        if resolvable and by_release:
            del self.state[name], self.since[name]
        elif resolvable:
            self.state[name], self.answer[name] = "stored", CREATED

    @rule()
    def look(self) -> None:
        rows = self.store.reservations(at=self.at)
        assert {r.scope.key.decode(): (r.state.value, r.token) for r in rows} == {
            name: (state, self.token[name]) for name, state in self.state.items()
        }


@pytest.mark.parametrize("kind", STORES)
def test_store_goes_as_the_model(kind: str) -> None:
    machine = type("Machine", (Model,), {"kind": kind})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=300 if kind == "memory" else 40,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
