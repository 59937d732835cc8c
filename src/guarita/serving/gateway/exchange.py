"""One request through the gateway: decide, then refuse, replay or hand on.

Everything here is called back, by the front, the upstream or a store; on the common path (body and
answers at hand) a request needs no task and no future. What becomes of the upstream's answer is in
`answering`.
"""

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from guarita.asks import Ask, BodyProblem, Pause, ReadBody, RecallOutcome
from guarita.decision import (
    ADMIT,
    INTERNAL_ERROR,
    MALFORMED_REQUEST,
    Decision,
    End,
    Known,
    Outcome,
    Pairs,
    Reason,
    Refuse,
    Replay,
)
from guarita.facts import Facts
from guarita.layers.idempotency import Reservation
from guarita.pipeline import decide, settled
from guarita.serving.calling import run_calling
from guarita.serving.gateway.forward import framing_of
from guarita.serving.http1.request import Request
from guarita.serving.ray import RAY_HEADER

if TYPE_CHECKING:
    from guarita.serving.gateway.gate import Gate
    from guarita.serving.upstream.call import Call

log = logging.getLogger("guarita.serving")

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
CLOSE = (b"connection", b"close")
"""Of a refusal that ends the connection (`Validation expired`)."""


class ClientGone(Exception):
    """The client disconnected before its request was complete: there is nobody to answer."""


class Exchange(Struct, eq=False):
    """State of one request, from its beginning to its being handed on; `Answering` adds the rest.

    Attributes:
        gate: whose settings hold.
        request: what the front has.
        facts: what the layers see.
        body: the whole body, once it is here.
        decision: None before it is made, and where a path is unguarded.
        call: the request to the upstream.
        settled: the settlements have been run, or are running.
        handed: the upstream's client has begun to take the request: from here on it may have been
            executed.
        answered: the whole response, or its start, has been given to the front.
        faulty: a bug has been answered; a second one only ends the connection.
    """

    gate: "Gate"
    request: Request
    facts: Facts
    body: bytes | None = None
    decision: Decision | None = None
    call: "Call | None" = None
    settled: bool = False
    handed: bool = False
    faulty: bool = False
    answered: bool = False
    _waiting: "asyncio.Future[bytes | BodyProblem] | None" = None

    def __repr__(self) -> str:
        return f"Exchange({self.facts.ray})"

    def __rich_repr__(self) -> list[tuple[str, str]]:
        return [("ray", self.facts.ray)]

    def begin(self) -> None:
        """Decide on the request."""
        gate, facts = self.gate, self.facts
        try:
            if gate.unguarded.any and gate.unguarded.covers(facts.path):
                self.forward(None)
                return
            layers = gate.profile.route_class(facts.method, facts.path).layers
        except Exception as error:
            self.fault(error)
            return
        run_calling(decide(layers, facts), self.answer, self.decided, self.undecided)

    # --- asks -------------------------------------------------------------------------------------

    def answer(self, ask: Ask) -> Any:
        """Answer what is the adapter's own; the backend answers the rest."""
        own = OWN_ANSWERS.get(type(ask))
        return self.gate.answer(ask) if own is None else own(self, ask)

    def read_body(self, ask: ReadBody) -> Any:
        """The whole body or what is wrong with it, or a future of that (may raise `ClientGone`)."""
        body = self.request.whole
        if body is not None and len(body) <= ask.limit:
            self.body = body
            return body
        self._waiting = waiting = asyncio.get_running_loop().create_future()
        self.request.on_gone = self.gone_before
        if self.request.gone:
            self.gone_before()
        else:
            self.request.read_body(ask.limit, self.have_body)
        return waiting

    def have_body(self, body: bytes | BodyProblem) -> None:
        """The front has read the body."""
        waiting, self._waiting = self._waiting, None
        self.request.on_gone = None
        if isinstance(body, bytes):
            self.body = body
        if waiting is not None:
            waiting.set_result(body)

    def gone_before(self) -> None:
        """The client has gone, or its body was no valid message: the front has answered then."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.set_exception(ClientGone())

    async def pause(self, ask: Pause) -> float:
        """Wait, and say what time it is then (Unix seconds)."""
        await self.gate.sleep(ask.seconds)
        return self.gate.clock()

    def recall(self, ask: RecallOutcome) -> None:
        """An upstream is not asked for outcomes."""

    # --- decision ---------------------------------------------------------------------------------

    def decided(self, decision: Decision) -> None:
        """Refuse, replay or hand on. Raises nothing: after an awaited answer only the loop would
        hear of it, and nobody would answer the caller or end the reservation.
        """
        self.decision = decision
        try:
            self.carry_out(decision)
        except Exception as error:
            self.fault(error)

    def carry_out(self, decision: Decision) -> None:
        """Do what was decided."""
        result = decision.result
        if result is ADMIT:
            self.note(decision, 0)
            self.forward(decision)
            return
        if isinstance(result, Replay):
            response, reason = result.response, None
        else:
            assert isinstance(result, Refuse)  # noqa: S101 - the third of three
            response, reason = self.gate.profile.respond(result), result.reason
            if CLOSE in response.headers:
                request = self.request
                request.head = msgspec.structs.replace(request.head, keep_alive=False)
        self.note(decision, response.status)
        self.settle(
            Outcome(End.ANSWERED, response.status, response.headers, response.body, reason),
            lambda added: self.respond(response.status, response.headers, response.body, added),
        )

    def undecided(self, error: BaseException) -> None:
        """A layer or an answerer raised: a bug, or the client has gone."""
        if isinstance(error, ClientGone):
            return
        self.bug("decided", error)
        try:
            self.note(Decision(Refuse(INTERNAL_ERROR), Known(), [], []), 500)
            self.tell(INTERNAL_ERROR)
        except Exception as second:
            self.fault(second)

    def note(self, decision: Decision, status: int) -> None:
        """Into the decision log."""
        decision_log = self.gate.decision_log
        if decision_log is not None:
            profile, facts = self.gate.profile, self.facts
            route_class = profile.route_class(facts.method, facts.path)
            decision_log.add(profile, route_class, facts, decision, status)

    # --- handing on -------------------------------------------------------------------------------

    def forward(self, decision: Decision | None) -> None:
        """Send the request to the upstream; `decision` is None for an unguarded path."""
        gate, facts, request = self.gate, self.facts, self.request
        query, body, known = facts.query, self.body, None
        if decision is not None:
            known = decision.known
            converted = decision.converted
            if converted is not None:
                query = converted.query
                if converted.body is not None:
                    body = converted.body
        if body is None:
            body = request.whole
        if request.gone and (body is None or not self.holds()):
            # Before anything went out; with its body here, a reserved request runs all the same.
            self.settle(Outcome(End.FAILED), lambda added: None)
            return
        framing = framing_of(facts.method, body, request.head.length)
        minor = request.head.minor
        head = gate.forwarding.head(facts, known, query, gate.certificate_header, framing, minor)
        request.on_gone = self.gone
        self.handed = True
        if body is not None:
            self.call = gate.upstream.send(facts.method, head, body, self)  # type: ignore[arg-type]
        else:
            self.stream_body(head)

    def stream_body(self, head: bytes) -> None:
        """Hand the body on as it comes, no faster than the upstream takes it."""
        request = self.request
        chunked = request.head.length is None
        upstream, method = self.gate.upstream, self.facts.method
        self.call = call = upstream.send(method, head, None, self, chunked=chunked)  # type: ignore[arg-type]
        call.on_full = request.pause_body
        call.on_drained = request.resume_body
        call.on_broken = self.body_broken
        if call.connection is None or call.full:
            request.pause_body()
        request.stream_body(call)

    def body_broken(self) -> None:
        """The rest of the body will not come: too slow, no valid chunks, or the client has gone.
        What the upstream makes of a part of a request, nobody knows.
        """
        if self.answered:
            self.request.break_off()
        else:
            self.settle(Outcome(End.LOST), lambda added: self.tell(MALFORMED_REQUEST, added))

    def gone(self) -> None:
        """The client has gone. Work that may have moved money runs on, and its outcome is kept."""
        call = self.call
        if call is None:
            return
        if not self.holds() and (self.facts.method in SAFE or not call.sent or self.answered):
            call.cancel()
        else:
            call.resume()  # nobody is too slow any more

    def holds(self) -> bool:
        """Whether the request has a reservation."""
        return self.decision is not None and Reservation in self.decision.known

    # --- responses --------------------------------------------------------------------------------

    def respond(
        self, status: int, pairs: Pairs | list[tuple[bytes, bytes]], body: bytes, added: Pairs = ()
    ) -> None:
        """Send a whole response, with what every response carries."""
        request = self.request
        marked = self.marked(pairs, added)
        request.on_gone = None
        request.respond(status, marked, body)
        self.answered = True
        self.call = None  # no cycle is left for the collector

    def tell(self, reason: Reason, added: Pairs = ()) -> None:
        """Send the gate's own answer where no response has started."""
        if not self.answered:
            response = self.gate.profile.respond(Refuse(reason))
            self.respond(response.status, response.headers, response.body, added)

    def marked(
        self, pairs: Pairs | list[tuple[bytes, bytes]], added: Pairs
    ) -> list[tuple[bytes, bytes]]:
        """`pairs` with what every response carries."""
        facts = self.facts
        marked = [*pairs, *added, (RAY_HEADER, facts.ray.encode())]
        if facts.secure:
            marked += self.gate.hsts
        return marked

    def settle(self, outcome: Outcome, then: Callable[[Pairs], object]) -> None:
        """Run the settlements, once, then `then` with the headers they add."""
        decision = self.decision
        if self.settled or decision is None or not decision.settles:
            self.carry_on(then, ())
            return
        self.settled = True
        try:
            added = settled(decision.settles, outcome)
        except Exception as error:
            self.unsettled(error)
            return
        if isinstance(added, tuple):
            self.carry_on(then, added)
        else:
            run_calling(added, self.answer, partial(self.carry_on, then), self.unsettled)

    def carry_on(self, then: Callable[[Pairs], object], added: Pairs) -> None:
        """What comes after the settlements. Raises nothing, as `decided`."""
        try:
            then(added)
        except Exception as error:
            self.fault(error)

    def unsettled(self, error: BaseException) -> None:
        """A settlement raised: the answer may not go out as if it had been recorded."""
        self.bug("settled", error)
        self.carry_on(partial(self.tell, INTERNAL_ERROR), ())

    def fault(self, error: Exception) -> None:
        """A bug of ours: nothing more is done for the request, its reservation ends, and the caller
        learns of it.
        """
        self.bug("answered", error)
        if self.call is not None:
            self.call.cancel()
        if self.answered or self.faulty:
            self.request.break_off()
            return
        self.faulty = True
        end = End.LOST if self.handed else End.FAILED
        self.settle(Outcome(end), partial(self.tell, INTERNAL_ERROR))

    def bug(self, what: str, error: BaseException) -> None:
        """Log an exception that nobody expected."""
        log.error("a request could not be %s (Ray ID %s)", what, self.facts.ray, exc_info=error)


OWN_ANSWERS: dict[type[Ask], Callable[[Exchange, Any], Any]] = {
    ReadBody: Exchange.read_body,
    Pause: Exchange.pause,
    RecallOutcome: Exchange.recall,
}
"""The asks an adapter answers itself."""
