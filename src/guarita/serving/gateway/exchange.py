"""One request through the gateway: decide, then refuse, replay or hand on.

Everything here is called back, by the front, the upstream or a store; on the common path (body and
answers at hand) a request needs no task and no future. What becomes of the upstream's answer is in
`answering`.
"""

import msgspec

from guarita.decision import (
    ADMIT,
    INTERNAL_ERROR,
    MALFORMED_REQUEST,
    Decision,
    End,
    Known,
    Outcome,
    Pairs,
    Refuse,
    Replay,
)
from guarita.layers.idempotency import Reservation
from guarita.pipeline import decide
from guarita.serving.calling import run_calling
from guarita.serving.gateway.asking import Asking, ClientGone
from guarita.serving.gateway.forward import framing_of

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
CLOSE = (b"connection", b"close")
"""Of a refusal that ends the connection (`Validation expired`)."""


class Exchange(Asking, eq=False):
    """One request, from its beginning to its being handed on; `Answering` adds the rest."""

    def begin(self) -> None:
        """Decide on the request. Raises nothing."""
        gate, facts = self.gate, self.facts
        try:
            if gate.unguarded.any and gate.unguarded.covers(facts.path):
                gate.stages.admitted.add(self)
                return
            layers = gate.profile.route_class(facts.method, facts.path).layers
            run_calling(decide(layers, facts), self.answer, self.decided, self.undecided)
        except Exception as error:
            self.fault(error)

    # --- decision ---------------------------------------------------------------------------------

    def decided(self, decision: Decision) -> None:
        """Refuse, replay or hand on. Raises nothing: after an awaited answer only the loop would
        hear of it, and nobody would answer the caller or end the reservation.
        """
        self.decision = decision
        try:
            if decision.result is ADMIT:
                self.note(decision, 0)
                self.gate.stages.admitted.add(self)
            else:
                self.turn_away(decision)
        except Exception as error:
            self.fault(error)

    def turn_away(self, decision: Decision) -> None:
        """Answer without the upstream: a refusal, or what was recorded."""
        result = decision.result
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
            self.respond,
            *(response.status, response.headers, response.body),
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

    def hand_on(self) -> None:
        """Send the request to the upstream. Raises nothing."""
        if self.answered or self.faulty:
            return
        try:
            self.forward()
        except Exception as error:
            self.fault(error)

    def forward(self) -> None:
        """What `hand_on` does; without a decision for an unguarded path."""
        gate, facts, request, decision = self.gate, self.facts, self.request, self.decision
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
            self.settle(Outcome(End.FAILED), self.nobody_left)
            return
        # What no layer has read may look like a request. An upstream that answers without reading
        # it must not come to it next.
        last = self.body is None and body != b"" and not gate.upstream.reads_bodies
        framing = framing_of(facts.method, body, request.head.length)
        if last:
            framing = b"connection: close\r\n" + framing
        minor = request.head.minor
        head = gate.forwarding.head(facts, known, query, gate.certificate_header, framing, minor)
        request.on_gone = self.gone
        self.handed = True
        if body is not None:
            self.call = gate.upstream.send(facts.method, head, body, self, last=last)  # type: ignore[arg-type]
        else:
            self.stream_body(head, last)

    def stream_body(self, head: bytes, last: bool) -> None:
        """Hand the body on as it comes, no faster than the upstream takes it."""
        request = self.request
        chunked = request.head.length is None
        upstream, method = self.gate.upstream, self.facts.method
        call = upstream.send(method, head, None, self, chunked=chunked, last=last)  # type: ignore[arg-type]
        self.call = call
        call.on_full = request.pause_body
        call.on_drained = self.drained
        call.on_broken = self.body_broken
        if call.connection is None or call.full:
            request.pause_body()
        request.stream_body(call)

    def drained(self) -> None:
        """The upstream takes more of the body."""
        try:
            self.request.resume_body()
        except Exception as error:
            self.fault(error)

    def body_broken(self) -> None:
        """The rest of the body will not come: too slow, no valid chunks, or the client has gone.
        What the upstream makes of a part of a request, nobody knows.
        """
        try:
            if self.answered:
                self.request.break_off()
            else:
                self.settle(Outcome(End.LOST), self.tell, MALFORMED_REQUEST)
        except Exception as error:
            self.fault(error)

    def gone(self) -> None:
        """The client has gone. Work that may have moved money runs on, and its outcome is kept."""
        call = self.call
        if call is None:
            return
        try:
            if not self.holds() and (self.facts.method in SAFE or not call.sent or self.answered):
                call.cancel()
            elif self.answered:
                # Nobody is too slow any more. Before that, what is paused waits for a store.
                call.resume()
        except Exception as error:
            self.fault(error)

    def nobody_left(self, added: Pairs) -> None:
        """The client had gone before anything was handed on: there is nothing to do."""

    def holds(self) -> bool:
        """Whether the request has a reservation."""
        return self.decision is not None and Reservation in self.decision.known
