"""The pipeline over layers made for the test: order, replays, settlements, failures."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guarita.asks import Ask, CountHit, Flow, Outage
from guarita.decision import (
    ADMIT,
    Converted,
    End,
    Known,
    Outcome,
    Pairs,
    Pass,
    Refuse,
    Replay,
)
from guarita.drivers import run
from guarita.layers.idempotency import Idempotency
from guarita.outage import REFUSE
from guarita.pipeline import BadOrder, check_order, decide, settle
from guarita.profiles.minhakonta import BALANCE, READ, WRITE
from tests.core.layers_made import (
    FACTS,
    NO,
    STORED,
    Asked,
    Mark,
    One,
    Other,
    Rewrites,
    Says,
    layers,
)

# --- deciding ------------------------------------------------------------------------------------

KINDS = st.sampled_from(["pass", "settle", "known", "convert", "refuse", "replay"])


@given(st.lists(KINDS, max_size=7))
def test_any_sequence_of_verdicts(kinds: list[str]) -> None:
    """The naive reading: the first refusal ends it, else the last replay stands, else the
    request is admitted.
    """
    verdicts: list[Any] = [
        {
            "pass": Pass(saw=number),
            "settle": Pass(settle=Mark(number)),
            "known": Pass(One(number)),
            "convert": Pass(convert=Rewrites(Converted(b"q%d" % number))),
            "refuse": Refuse(NO, saw=number),
            "replay": Replay(STORED, Mark(number)),
        }[kind]
        for number, kind in enumerate(kinds)
    ]
    asked = Asked()
    decision = run(decide(layers(*verdicts), FACTS), asked)
    reached = verdicts[: kinds.index("refuse") + 1] if "refuse" in kinds else verdicts
    final = [one for one in reached if isinstance(one, Refuse | Replay)]
    assert asked == [f"layer {number}" for number in range(len(reached))]
    assert decision.verdicts == reached
    assert decision.result is (final[-1] if final else ADMIT)
    settles = [one.settle for one in reached if not isinstance(one, Refuse) and one.settle]
    assert decision.settles == settles
    records = [one.known for one in reached if isinstance(one, Pass) and one.known]
    assert decision.known.get(One) is (records[-1] if records else None)
    converts = [one.convert for one in reached if isinstance(one, Pass) and one.convert]
    converted = converts[-1].request(FACTS, decision.known) if converts and not final else None
    assert decision.converted == converted


def test_later_layers_see_the_records_of_earlier_ones() -> None:
    seen: list[Known] = []

    def note(known: Known) -> Pass:
        seen.append(Known(known))
        return Pass(Other(2))

    run(decide(layers(Pass(One(1)), note, note), FACTS), Asked())
    assert seen == [{One: One(1)}, {One: One(1), Other: Other(2)}]


def test_a_replay_is_overridden_by_a_later_refusal_and_settled() -> None:
    refusal = Refuse(NO)
    decision = run(decide(layers(Replay(STORED, Mark(1)), refusal, Pass()), FACTS), Asked())
    assert decision.result is refusal
    assert decision.settles == [Mark(1)]


def test_a_replay_is_not_converted() -> None:
    convert = Rewrites(AssertionError("called"))
    decision = run(decide(layers(Pass(convert=convert), Replay(STORED)), FACTS), Asked())
    assert isinstance(decision.result, Replay)


def test_a_conversion_may_refuse() -> None:
    refusal = Refuse(NO)
    verdicts = [Pass(convert=Rewrites(refusal)), Pass(settle=Mark(1))]
    decision = run(decide(layers(*verdicts), FACTS), Asked())
    assert decision.result is refusal
    assert decision.verdicts == [*verdicts, refusal]
    assert decision.settles == [Mark(1)]
    assert decision.converted is None


@pytest.mark.parametrize("nonsense", [None, True, ADMIT, Pass, "pass", STORED])
def test_what_is_no_verdict_never_admits(nonsense: Any) -> None:
    """A layer that forgets its `return` must not let everything pass."""
    asked = Asked()
    verdict = (lambda _known: nonsense) if callable(nonsense) else nonsense
    with pytest.raises(TypeError, match="layer 1"):
        run(decide(layers(Pass(settle=Mark(0)), verdict, Pass()), FACTS), asked)
    assert asked == ["layer 0", "layer 1", 0]


@pytest.mark.parametrize("nonsense", [None, b"a=1", ADMIT])
def test_what_is_no_conversion_never_admits(nonsense: Any) -> None:
    with pytest.raises(TypeError, match="conversion"):
        run(decide(layers(Pass(convert=Rewrites(nonsense))), FACTS), Asked())


def test_a_kind_of_refusal_is_a_refusal() -> None:
    class Narrower(Refuse, frozen=True):
        pass

    try:
        decision = run(decide(layers(Narrower(NO), Pass()), FACTS), Asked())
    except TypeError:
        return
    assert isinstance(decision.result, Refuse)


# --- failures ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "problem", [RuntimeError("bug"), Outage("gone"), asyncio.CancelledError(), KeyboardInterrupt()]
)
@pytest.mark.parametrize("at", ["layer", "answer", "conversion"])
def test_what_was_begun_is_settled_as_failed_in_reverse(at: str, problem: BaseException) -> None:
    ended: list[bytes] = []

    class Noting(Mark, frozen=True):
        def run(self, outcome: Outcome) -> Flow[Pairs]:
            added = yield from super().run(outcome)
            ended.append(added[0][1])
            return added

    verdicts: list[Any] = [Pass(settle=Noting(1)), Pass(settle=Noting(2)), Pass()]
    if at == "layer":
        verdicts[2] = problem
    elif at == "conversion":
        verdicts[2] = Pass(convert=Rewrites(problem))
    asked = Asked()

    def answer(ask: Ask) -> None:
        asked(ask)
        if at == "answer" and ask == CountHit("layer 2", FACTS.at, 60):
            raise problem

    with pytest.raises(type(problem)) as raised:
        run(decide(layers(*verdicts), FACTS), answer)
    assert raised.value is problem
    assert asked == ["layer 0", "layer 1", "layer 2", 2, 1]
    assert ended == [b"2 failed", b"1 failed"]


def test_a_closed_flow_asks_nothing_more() -> None:
    for steps in (1, 2):
        flow = decide(layers(Pass(settle=Mark(1)), Pass()), FACTS)
        next(flow)
        for _ in range(steps - 1):
            flow.send(None)
        flow.close()  # RuntimeError "generator ignored GeneratorExit" if it asked


def test_settlements_run_in_reverse_and_their_headers_add_up() -> None:
    asked = Asked()
    added = run(settle([Mark(1), Mark(2), Mark(3)], Outcome(End.ANSWERED, 200)), asked)
    assert asked == [3, 2, 1]
    assert [value for _, value in added] == [b"3 answered", b"2 answered", b"1 answered"]
    assert run(settle([], Outcome(End.LOST)), asked) == ()


# --- order ---------------------------------------------------------------------------------------


def test_the_profile_s_own_orders_are_possible() -> None:
    for one in (WRITE, READ, BALANCE, (), WRITE[:1]):
        check_order(one)


def test_a_layer_that_stands_twice() -> None:
    with pytest.raises(BadOrder, match=r"'api_key' stands twice"):
        check_order([*WRITE, WRITE[3]])


@pytest.mark.parametrize("index", range(len(WRITE)))
def test_a_layer_before_the_one_it_needs(index: int) -> None:
    layer = WRITE[index]
    if not layer.needs:
        check_order([layer])
        return
    missing = layer.needs[0].__name__
    with pytest.raises(BadOrder, match=f"'{layer.name}' needs {missing}.*put the layer"):
        check_order([layer, *(one for one in WRITE if one is not layer)])
    with pytest.raises(BadOrder, match=f"needs {missing}"):
        check_order([layer])


def test_needing_what_nobody_gives() -> None:
    gives_one: Any = Says("a", None, gives=One)
    needs_one: Any = Says("b", None, needs=(One,))
    needs_two: Any = Says("b", None, needs=(One, Other))
    check_order([gives_one, needs_one])
    with pytest.raises(BadOrder, match="'b' needs Other"):
        check_order([gives_one, needs_two])
    with pytest.raises(BadOrder, match="SignedBody"):
        check_order([*READ, Idempotency(keep_s=1, on_outage=REFUSE)])
