"""How a reservation is settled over every end of a request, and what names it."""

import asyncio

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from guarita.asks import (
    Ask,
    LoseOutcome,
    Outage,
    Record,
    Release,
)
from guarita.decision import End, Outcome, Reason, Response
from guarita.layers.idempotency import Echo, Reservation, scope_of
from tests.core.made import ends, ends_after, ends_with, facts, signed

SCOPE = scope_of(facts(), "acc_1", b"order-1")
RELEASE = Release(SCOPE, "token")


# --- settling ------------------------------------------------------------------------------------

OWN = Reservation(SCOPE, "token")
ECHOED = ((b"idempotency-key", b"order-1"),)


def ending(outcome: Outcome) -> Ask:
    flow = OWN.run(outcome)
    ask = next(flow)
    assert ends_with(flow, None) == ECHOED
    return ask


@given(
    st.sampled_from(End),
    st.integers(100, 599) | st.just(0),
    st.none() | st.binary(max_size=5),
    st.booleans(),
)
def test_every_end_of_a_reservation(
    end: End, status: int, body: bytes | None, refused: bool
) -> None:
    """DESIGN section 3, rows "what ends a reservation" and "crash"."""
    reason = Reason("test", "no") if refused else None
    ask = ending(Outcome(end, status, (), body, reason))
    if end is End.FAILED or refused:
        assert ask == RELEASE
    elif end is End.LOST:
        assert ask == LoseOutcome(SCOPE, "token")
    elif status >= 400:
        assert ask == RELEASE
    elif 200 <= status < 300 and body is not None:
        assert ask == Record(SCOPE, "token", Response(status, (), body))
    else:
        assert ask == LoseOutcome(SCOPE, "token")


def test_the_record_keeps_two_headers() -> None:
    headers = [
        (b"Content-Type", b"a/b"),
        (b"set-cookie", b"s"),
        (b"Location", b"/x"),
        (b"ray-id", b"r"),
    ]
    ask = ending(Outcome(End.ANSWERED, 201, headers, b"{}"))
    assert isinstance(ask, Record)
    assert ask.response.headers == ((b"Content-Type", b"a/b"), (b"Location", b"/x"))


@pytest.mark.parametrize("end", End)
def test_an_outage_does_not_keep_the_answer_back(end: End) -> None:
    flow = OWN.run(Outcome(end, 200, (), b"{}"))
    next(flow)
    assert ends_after(flow, Outage()) == ECHOED


def test_an_interrupted_record_leaves_an_unknown_outcome_not_one_in_flight() -> None:
    """Cancelled while recording (shutdown): nobody owns the reservation any more, so it may not
    stay "in flight" for 24 h.

    A `LoseOutcome` after a `Record` that was kept all the same changes nothing (its contract).
    """
    flow = OWN.run(Outcome(End.ANSWERED, 200, (), b"{}"))
    assert isinstance(next(flow), Record)
    assert flow.throw(asyncio.CancelledError()) == LoseOutcome(SCOPE, "token")
    with pytest.raises(asyncio.CancelledError):
        flow.send(None)


@pytest.mark.parametrize("status", [100, 199, 200, 299, 300, 404, 500])
def test_only_2xx_bodies_are_held(status: int) -> None:
    assert OWN.wants_body(status) is (200 <= status < 300)
    assert not Echo(b"k").wants_body(status)


def test_a_replay_says_so_unless_a_later_layer_refuses() -> None:
    replay = (b"x-idempotent-replay", b"true")
    assert ends(Echo(b"order-1").run(Outcome(End.ANSWERED, 201))) == (*ECHOED, replay)
    refused = Outcome(End.ANSWERED, 403, reason=Reason("test", "no"))
    assert ends(Echo(b"order-1").run(refused)) == ECHOED


# --- scope and fingerprint -----------------------------------------------------------------------

WORD = st.text(st.characters(max_codepoint=255), max_size=6)
SCOPES = st.tuples(WORD, WORD, WORD, st.binary(max_size=6))


@given(SCOPES, SCOPES)
@example(("1", "", "", b"yyyyyyy000"), ("0010yyyyyyy", "", "", b""))  # lengths without an end
def test_no_two_scopes_run_together(
    one: tuple[str, str, str, bytes], other: tuple[str, str, str, bytes]
) -> None:
    digests = [
        scope_of(facts(method, path), account, key).digest
        for account, method, path, key in (one, other)
    ]
    assert (digests[0] == digests[1]) is (one == other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((b"", b"{}"), (b"a=1", b"{}")),
        ((b"", b"{}"), (b"", b"{ }")),
        ((b"a\n ", b"{}"), (b"a", b" \n{}")),
    ],
)
def test_a_fingerprint_tells_query_and_body_apart(
    one: tuple[bytes, bytes], other: tuple[bytes, bytes]
) -> None:
    assert signed(one[1]).fingerprint(one[0]) != signed(other[1]).fingerprint(other[0])
