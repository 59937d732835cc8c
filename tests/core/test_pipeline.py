"""The pipeline over layers made for the test: order, replays, settlements, failures; and the two
drivers.
"""

import asyncio
from collections.abc import Awaitable, Callable, Generator, Sequence
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from guarita.asks import Ask, CountHit, Flow, Outage, Pause
from guarita.decision import (
    ADMIT,
    Converted,
    Decision,
    End,
    Known,
    Outcome,
    Pairs,
    Pass,
    Reason,
    Refuse,
    Replay,
    Response,
)
from guarita.drivers import run, run_async
from guarita.facts import Facts
from guarita.layers.idempotency import Idempotency
from guarita.outage import REFUSE
from guarita.pipeline import BadOrder, check_order, decide, settle
from guarita.profiles.minhakonta import BALANCE, READ, WRITE
from tests.core.made import facts

FACTS = facts()
NO = Reason("test", "no")
STORED = Response(200, (), b"{}")


class Mark(Struct, frozen=True):
    """A settlement that asks `Pause(number)` and adds a header."""

    number: int

    def wants_body(self, status: int) -> bool:
        return False

    def run(self, outcome: Outcome) -> Flow[Pairs]:
        yield Pause(self.number)
        return ((b"settled", f"{self.number} {outcome.end.value}".encode()),)


class One(Struct, frozen=True):
    """A record."""

    number: int


class Other(Struct, frozen=True):
    """Another record."""

    number: int


class Says:
    """A layer that asks `CountHit(name)` and then says what it is told to, or raises it."""

    reasons: ClassVar[tuple[Reason, ...]] = (NO,)
    needs: tuple[type[Any], ...] = ()
    gives: type[Any] | None = None

    def __init__(
        self, name: str, verdict: Any, needs: tuple[type[Any], ...] = (), gives: Any = None
    ) -> None:
        self.name = name
        self.verdict = verdict
        self.needs = needs
        self.gives = gives

    def check(self, facts: Facts, known: Known) -> Flow[Any]:
        yield CountHit(self.name, facts.at, 60)
        if isinstance(self.verdict, BaseException):
            raise self.verdict
        return self.verdict(known) if callable(self.verdict) else self.verdict


class Rewrites:
    """A conversion with the given outcome."""

    def __init__(self, outcome: Any) -> None:
        self.outcome = outcome

    def request(self, facts: Facts, known: Known) -> Any:
        if isinstance(self.outcome, BaseException):
            raise self.outcome
        return self.outcome

    def wants_body(self, headers: Sequence[tuple[bytes, bytes]]) -> bool:
        return False

    def response(self, body: bytes) -> bytes:
        return body


class Asked(list[Any]):
    """An answerer that answers None and remembers what it was asked: names of layers, numbers of
    settlements.
    """

    def __call__(self, ask: Ask) -> None:
        assert isinstance(ask, CountHit | Pause)
        self.append(ask.key if isinstance(ask, CountHit) else ask.seconds)


def layers(*verdicts: Any) -> list[Any]:
    return [Says(f"layer {number}", verdict) for number, verdict in enumerate(verdicts)]


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


# --- drivers -------------------------------------------------------------------------------------

STEP = st.sampled_from(
    ["ask", "ask or outage", "ask or anything", "ask, then again", "raise", "return"]
)
REPLY = st.sampled_from(["value", "outage", "bug", "cancel", "stop"])
PROBLEMS: dict[str, Callable[[], BaseException]] = {
    "outage": Outage,
    "bug": ZeroDivisionError,
    "cancel": asyncio.CancelledError,
    "stop": StopIteration,
}


def scripted(steps: list[str]) -> Flow[list[Any]]:
    """A flow that does what `steps` says; returns the answers it got."""
    got: list[Any] = []
    for number, step in enumerate(steps):
        if step == "ask":
            got.append((yield Pause(number)))
        elif step == "ask or outage":
            try:
                got.append((yield Pause(number)))
            except Outage:
                got.append("outage")
        elif step == "ask or anything":
            try:
                got.append((yield Pause(number)))
            except Exception as problem:
                got.append(type(problem))
        elif step == "ask, then again":
            try:
                got.append((yield Pause(number)))
            finally:
                got.append((yield Pause(-number)))
        elif step == "raise":
            raise LookupError(number)
        else:
            break
    return got


def played(drive: Callable[[Flow[Any], Any], Any], steps: list[str], replies: list[str]) -> Any:
    """What came of it: the result or the exception's type and text, and all that was asked."""
    asked: list[Any] = []

    def answer(ask: Ask) -> Any:
        assert isinstance(ask, Pause)
        asked.append(ask.seconds)
        reply = replies[len(asked) % len(replies)]
        if reply in PROBLEMS:
            raise PROBLEMS[reply]()
        return len(asked)

    try:
        result = drive(scripted(steps), answer)
    except BaseException as problem:
        result = type(problem), str(problem)
    return result, asked


def at_once(flow: Flow[Any], answer: Any) -> Any:
    """`run_async` with plain answers: it never suspends."""
    try:
        run_async(flow, answer).send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("suspended")


def awaited(flow: Flow[Any], answer: Any) -> Any:
    """`run_async` with every answer, problems included, behind an `await` that suspends."""

    class Suspends:
        def __await__(self) -> Generator[None, None, None]:
            yield

    async def later(ask: Ask) -> Any:
        await Suspends()
        try:
            return answer(ask)
        except StopIteration as problem:
            # A coroutine cannot raise it; the driver sees what Python makes of that.
            raise RuntimeError("generator raised StopIteration") from problem

    task = run_async(flow, later)
    while True:
        try:
            task.send(None)
        except StopIteration as stop:
            return stop.value


@given(st.lists(STEP, max_size=6), st.lists(REPLY, min_size=1, max_size=5))
def test_both_drivers_do_the_same(steps: list[str], replies: list[str]) -> None:
    expected = played(run, steps, replies)
    assert played(at_once, steps, replies) == expected
    if "stop" not in replies:
        assert played(awaited, steps, replies) == expected


def test_an_awaitable_in_the_synchronous_driver_is_a_type_error() -> None:
    async def later() -> int:
        return 1

    class Later:
        def __await__(self) -> Generator[None, None, int]:
            yield
            return 1

    with pytest.raises(TypeError, match="CountHit was answered with an awaitable; use run_async"):
        run(decide(layers(Pass()), FACTS), lambda ask: Later())
    made: list[Any] = []

    def answer(ask: Ask) -> Awaitable[int]:
        made.append(later())
        reply: Awaitable[int] = made[-1]
        return reply

    with pytest.raises(TypeError, match="use run_async"):
        run(decide(layers(Pass()), FACTS), answer)
    for coroutine in made:
        coroutine.close()


async def test_cancellation_is_thrown_into_the_flow_and_goes_on_after_it_has_settled() -> None:
    asked = Asked()
    waiting = asyncio.Event()

    async def answer(ask: Ask) -> None:
        asked(ask)
        if ask == CountHit("layer 1", FACTS.at, 60):
            waiting.set()
            await asyncio.Event().wait()
        await asyncio.sleep(0)

    task = asyncio.create_task(
        run_async(decide(layers(Pass(settle=Mark(7)), Pass()), FACTS), answer)
    )
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert asked == ["layer 0", "layer 1", 7]


def test_a_flow_without_asks_needs_no_answerer() -> None:
    def refuse(ask: Ask) -> None:
        raise AssertionError(ask)

    decision: Decision = run(decide([], FACTS), refuse)
    assert decision.result is ADMIT
    assert at_once(decide([], FACTS), refuse) == decision
