"""The idempotency layer driven with `next` and `send`: reserving, waiting, recalling."""

import asyncio
from typing import Any

import pytest

from guarita.asks import (
    IN_FLIGHT,
    OUTCOME_UNKNOWN,
    Outage,
    Pause,
    RecallOutcome,
    Release,
    Reserve,
    Reserved,
    Stored,
)
from guarita.decision import PASS, Known, Pass, Refuse, Replay, Response
from guarita.layers import idempotency
from guarita.layers.idempotency import Echo, Idempotency, OnMismatch, Reservation, scope_of
from guarita.outage import ADMIT, REFUSE
from tests.core.made import NOW, ends, ends_after, ends_with, facts, known, signed

LAYER = Idempotency(keep_s=86_400, on_outage=REFUSE)
KEY = [(b"idempotency-key", b"order-1")]
FACTS = facts(headers=KEY, query=b"a=1")
SCOPE = scope_of(FACTS, "acc_1", b"order-1")
FINGERPRINT = signed().fingerprint(b"a=1")
RESERVE = Reserve(SCOPE, "token", FINGERPRINT, NOW, 86_400)
RELEASE = Release(SCOPE, "token")
KEPT = Response(201, ((b"content-type", b"application/json"),), b"{}")


def check(layer: Idempotency = LAYER) -> Any:
    return layer.check(FACTS, known(signed()))


@pytest.mark.parametrize(
    ("method", "headers"),
    [("POST", []), ("POST", [(b"idempotency-key", b"")]), *[(m, KEY * 2) for m in ("GET", "PUT")]],
)
def test_asks_nothing_without_a_key_or_on_other_methods(method: str, headers: Any) -> None:
    assert ends(LAYER.check(facts(method, headers=headers), Known())) is PASS


def test_refuses_a_repeated_or_long_key_before_asking() -> None:
    request = facts(headers=[(b"idempotency-key", b"")] * 2)
    assert ends(LAYER.check(request, Known())).reason == idempotency.KEY_REPEATED
    request = facts(headers=[(b"idempotency-key", b"k" * 257)])
    assert ends(LAYER.check(request, Known())) == Refuse(
        idempotency.KEY_TOO_LONG, {"limit": "256"}, saw=257
    )
    longest = LAYER.check(facts(headers=[(b"idempotency-key", b"\xff" * 256)]), known(signed()))
    assert isinstance(next(longest), Reserve)


def test_a_free_key_is_reserved() -> None:
    flow = check()
    assert next(flow) == RESERVE
    own = Reservation(SCOPE, "token")
    assert ends_with(flow, Reserved()) == Pass(own, own, saw=["order-1", "reserved"])


@pytest.mark.parametrize("on_mismatch", OnMismatch)
@pytest.mark.parametrize("same", [True, False])
def test_a_stored_answer_is_replayed(on_mismatch: OnMismatch, same: bool) -> None:
    flow = check(Idempotency(keep_s=1, on_outage=REFUSE, on_mismatch=on_mismatch))
    next(flow)
    verdict = ends_with(flow, Stored(KEPT, FINGERPRINT if same else b"other"))
    if same or on_mismatch is OnMismatch.REPLAY:
        assert verdict == Replay(KEPT, Echo(b"order-1"), saw=["order-1", "stored"])
    else:
        assert verdict == Refuse(idempotency.OTHER_BODY, saw=["order-1", "other body"])


# --- waiting for another request -----------------------------------------------------------------


def test_waits_with_growing_pauses_and_reserves_again_after_each() -> None:
    flow = check()
    assert next(flow) == RESERVE
    at, pauses = NOW, []
    for _ in range(9):
        pause = flow.send(IN_FLIGHT)
        assert isinstance(pause, Pause)
        pauses.append(pause.seconds)
        at += pause.seconds
        assert flow.send(at) == RESERVE
    assert pauses == [0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.25, 0.25, 0.25]
    assert ends_with(flow, Stored(KEPT, FINGERPRINT)).response == KEPT


def waited(layer: Idempotency, passes: float = 1.0) -> tuple[float, Any]:
    """How long a request waits whose first never ends, where a pause takes `passes` times as
    long as asked.
    """
    flow = check(layer)
    at, asked = NOW, next(flow)
    for _ in range(100_000):
        try:
            if isinstance(asked, Pause):
                assert asked.seconds > 0
                at += asked.seconds * passes
                asked = flow.send(at)
            else:
                assert asked == Reserve(SCOPE, "token", FINGERPRINT, NOW, layer.keep_s)
                asked = flow.send(IN_FLIGHT)
        except StopIteration as stop:
            return at - NOW, stop.value
    raise AssertionError("waits for ever")


@pytest.mark.parametrize("wait_s", [0.0, 0.1, 1.0, 10.0])
def test_gives_up_when_its_time_is_over(wait_s: float) -> None:
    took, verdict = waited(Idempotency(keep_s=1, on_outage=REFUSE, wait_s=wait_s))
    assert verdict == Refuse(idempotency.IN_FLIGHT, saw=["order-1", "in flight"])
    assert wait_s - 0.001 <= took <= wait_s + 0.25


def test_a_slow_clock_or_a_late_wake_up_ends_the_wait_as_well() -> None:
    took, _ = waited(LAYER, passes=100.0)
    assert took <= 10 + 25
    _, verdict = waited(LAYER, passes=0.01)
    assert verdict.reason == idempotency.IN_FLIGHT


def test_waits_at_most_as_long_as_set() -> None:
    """DESIGN section 3: "waits at most 10 s"; the last pause must not overshoot."""
    took, _ = waited(LAYER)
    assert took <= 10.001


def test_a_clock_set_back_does_not_make_it_wait_for_ever() -> None:
    took, verdict = 0.0, None
    flow = check()
    asked = next(flow)
    while verdict is None and took < 60:
        try:
            if isinstance(asked, Pause):
                took += asked.seconds
                asked = flow.send(NOW - 3600 + took)
            else:
                asked = flow.send(IN_FLIGHT)
        except StopIteration as stop:
            verdict = stop.value
    assert verdict is not None, "still waiting after 60 s"
    assert verdict.reason == idempotency.IN_FLIGHT


def test_an_outage_while_waiting_refuses() -> None:
    flow = check()
    next(flow)
    flow.send(IN_FLIGHT)
    assert ends_after(flow, Outage()).reason == idempotency.OUTAGE


# --- Reserve interrupted -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "problem", [asyncio.CancelledError(), RuntimeError("bug"), KeyboardInterrupt()]
)
def test_an_interrupted_reserve_is_released_before_the_exception_goes_on(
    problem: BaseException,
) -> None:
    flow = check()
    next(flow)
    assert flow.throw(problem) == RELEASE
    with pytest.raises(type(problem)) as raised:
        flow.send(None)
    assert raised.value is problem


def test_an_outage_of_reserve_is_released_and_refused() -> None:
    flow = check()
    next(flow)
    assert flow.throw(Outage("gone")) == RELEASE
    verdict = ends_with(flow, None)
    assert verdict == Refuse(idempotency.OUTAGE, saw=["order-1", "store out of reach"])
    flow = check()
    next(flow)
    flow.throw(Outage("gone"))
    assert ends_after(flow, Outage("still gone")).reason == idempotency.OUTAGE


@pytest.mark.parametrize("problem", [asyncio.CancelledError(), RuntimeError("bug")])
def test_an_outage_of_that_release_does_not_hide_why(problem: BaseException) -> None:
    """A cancelled task must end as cancelled; a bug must not be reported as an outage."""
    flow = check()
    next(flow)
    assert flow.throw(problem) == RELEASE
    with pytest.raises(type(problem)):
        flow.throw(Outage("gone"))


def test_closing_asks_nothing_more() -> None:
    for flow in (check(), check()):
        next(flow)
        flow.close()  # RuntimeError "generator ignored GeneratorExit" if it asked


def test_only_refuse_is_accepted_in_an_outage() -> None:
    with pytest.raises(ValueError, match="on_outage=REFUSE"):
        Idempotency(keep_s=1, on_outage=ADMIT)
    for wrong in ({"keep_s": 0}, {"max_length": 0}, {"wait_s": -1}):
        with pytest.raises(ValueError, match="at least 1"):
            Idempotency(**{"keep_s": 1, "on_outage": REFUSE, **wrong})  # type: ignore[arg-type]


# --- recalling -----------------------------------------------------------------------------------


def test_an_unknown_outcome_asks_the_application() -> None:
    flow = check()
    next(flow)
    assert flow.send(OUTCOME_UNKNOWN) == RecallOutcome(SCOPE)
    assert ends_with(flow, None) == Refuse(
        idempotency.OUTCOME_UNKNOWN, saw=["order-1", "outcome unknown"]
    )
    flow = check()
    next(flow)
    flow.send(OUTCOME_UNKNOWN)
    assert ends_with(flow, KEPT).response == KEPT


def test_a_recalled_answer_carries_the_headers_a_stored_one_would() -> None:
    """The adapter adds Content-Length; the application's own would make it two, its other
    headers are not replayed.
    """
    recalled = Response(
        200, ((b"Content-Length", b"2"), *KEPT.headers, (b"set-cookie", b"a")), b"{}"
    )
    flow = check()
    next(flow)
    flow.send(OUTCOME_UNKNOWN)
    assert ends_with(flow, recalled).response.headers == KEPT.headers
