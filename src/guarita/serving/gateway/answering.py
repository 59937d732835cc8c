"""What becomes of the upstream's answer: converted, settled over, sent; or why there is none.

Whatever the upstream does, a reservation ends as docs/architecture.md says under "How a request
ends".
"""

import logging

from guarita.decision import (
    BAD_GATEWAY,
    GATEWAY_TIMEOUT,
    End,
    Outcome,
    Pairs,
    Reason,
)
from guarita.serving.admitted import HSTS_HEADER, OWN_HEADERS
from guarita.serving.gateway.exchange import Exchange
from guarita.serving.ray import RAY_HEADER
from guarita.serving.upstream.call import Problem

log = logging.getLogger("guarita.serving")

FAILURES: dict[Problem, tuple[Reason, End]] = {
    Problem.NOT_SENT: (BAD_GATEWAY, End.FAILED),
    Problem.NO_ANSWER: (BAD_GATEWAY, End.LOST),
    Problem.BAD_ANSWER: (BAD_GATEWAY, End.LOST),
    Problem.BROKEN: (BAD_GATEWAY, End.LOST),
    Problem.TIMEOUT: (GATEWAY_TIMEOUT, End.LOST),
}
"""What the caller is told, and what becomes of the reservation: only where provably nothing was
executed may a retry execute.
"""


ONLY_RAY = frozenset({RAY_HEADER})
OWN_HEADERS_TLS = OWN_HEADERS | {HSTS_HEADER}
ONLY_RAY_TLS = ONLY_RAY | {HSTS_HEADER}
"""The fields only the gate may set, where a path is guarded or not, in plain or over TLS."""


class Answering(Exchange, eq=False):
    """An exchange that hears of the upstream's answer (`serving.upstream.call.Receiver`).

    Attributes:
        status, pairs, length: of a response whose body is still coming.
        held: that response is needed whole, or waits for its settlement.
        converting: its body is to be converted.
        unframed: an HTTP/1.0 caller could not tell its whole body from a part of it.
        chunks, size: its body so far, where it is held.
        whole_came: all of it has come.
        broken: why the rest of it will not come.
    """

    status: int = 0
    pairs: Pairs = ()
    length: int | None = None
    held: bool = False
    converting: bool = False
    unframed: bool = False
    chunks: list[bytes] = []  # noqa: RUF012 - a Struct copies it
    size: int = 0
    whole_came: bool = False
    broken: Reason | None = None

    def informational(self, status: int, pairs: Pairs) -> None:
        """An interim response: passed on."""
        try:
            self.request.informational(status, pairs)
        except Exception as error:
            self.fault(error)

    def whole(self, status: int, pairs: Pairs, body: bytes) -> None:
        """A response that arrived in one piece."""
        self.status, self.pairs, self.chunks = status, pairs, [body]
        self.gate.stages.answered.add(self)

    def conclude(self) -> None:
        """Work on such a response. Raises nothing."""
        if self.answered or self.faulty:
            return
        try:
            status, pairs = self.status, self.without_own(self.pairs)
            self.must_hold(status, pairs)
            self.complete(status, pairs, self.chunks[0])
        except Exception as error:
            self.fault(error)

    def started(self, status: int, pairs: Pairs, length: int | None) -> None:
        """The head of a response whose body is still to come."""
        try:
            self.status, self.pairs, self.length = status, self.without_own(pairs), length
            self.held = True
            self.unframed = length is None and not self.request.head.minor
            if not self.must_hold(status, self.pairs) and not self.unframed:
                self.stream()
            elif self.too_long(length or 0):
                self.overflow()
        except Exception as error:
            self.fault(error)

    def data(self, chunk: bytes) -> None:
        """A part of the response's body."""
        try:
            if not self.held:
                self.pass_on(chunk)
                return
            self.chunks.append(chunk)
            self.size += len(chunk)
            if not self.settled and self.too_long(self.size):
                self.overflow()
        except Exception as error:
            self.fault(error)

    def ended(self) -> None:
        """The response is complete."""
        try:
            if not self.held:
                self.finish()
            elif self.settled:
                self.whole_came = True  # its start still waits for the settlement
            else:
                self.held = False
                self.complete(self.status, self.pairs, b"".join(self.chunks))
        except Exception as error:
            self.fault(error)

    def failed(self, problem: Problem) -> None:
        """There will be no (whole) response."""
        try:
            reason, end = FAILURES[problem]
            if problem is not Problem.NOT_SENT:  # of which the pool tells, once for many
                self.gate.failures.add(problem, self.facts.ray)
            if self.answered:
                self.request.break_off()
            elif self.settled:
                self.broken = reason
            else:
                self.settle(Outcome(end), self.tell, reason)
        except Exception as error:
            self.fault(error)

    # --- responses --------------------------------------------------------------------------------

    def without_own(self, pairs: Pairs) -> Pairs:
        """`pairs` without the fields that only the gate may set."""
        own = OWN_HEADERS if self.decision is not None else ONLY_RAY
        if self.facts.secure and self.gate.hsts:
            own = OWN_HEADERS_TLS if self.decision is not None else ONLY_RAY_TLS
        for name, _ in pairs:
            if name in own:
                return tuple([pair for pair in pairs if pair[0] not in own])
        return pairs

    def must_hold(self, status: int, pairs: Pairs) -> bool:
        """Whether the response is needed whole, to be converted or recorded."""
        decision = self.decision
        if decision is None:
            return False
        conversion = decision.conversion
        if conversion is not None and conversion.wants_body(pairs):
            self.converting = True
            return True
        for one in decision.settles:  # noqa: SIM110  any() costs a generator per response
            if one.wants_body(status):
                return True
        return False

    def too_long(self, length: int) -> bool:
        """Whether a body of this length is not held: not recorded, not converted, not measured."""
        return length > self.gate.max_recorded_body

    def overflow(self) -> None:
        """A held response is too long: pass it on as it comes, its outcome counting as unknown. One
        to be converted cannot be passed on: what the client asked for would not be what it gets.
        Nor can one whose breaking off an HTTP/1.0 client would take for its end.
        """
        if not self.converting and not self.unframed:
            self.stream()
            return
        what = "converted" if self.converting else "sent to an HTTP/1.0 client"
        most, ray = self.gate.max_recorded_body, self.facts.ray
        log.warning("a response is not %s: it exceeds %d bytes (Ray ID %s)", what, most, ray)
        self.give_up()
        self.chunks = []
        self.settle(Outcome(End.LOST), self.tell, BAD_GATEWAY)

    def complete(self, status: int, pairs: Pairs, body: bytes) -> None:
        """The whole response is here: convert it, settle over it, send it."""
        decision = self.decision
        if self.converting and decision is not None and decision.conversion is not None:
            if self.too_long(len(body)):
                self.overflow()
                return
            if body:
                body = decision.conversion.response(body)
            # Of a response to HEAD the length was that of the unconverted body.
            pairs = tuple([pair for pair in pairs if pair[0] != b"content-length"])
        if decision is None or not decision.settles:
            self.respond(status, pairs, body)
            return
        kept = body if len(body) <= self.gate.max_recorded_body else None
        self.settle(Outcome(End.ANSWERED, status, pairs, kept), self.respond, status, pairs, body)

    def stream(self) -> None:
        """Begin a response that is passed on as it comes, once it is settled over."""
        if self.decision is None or not self.decision.settles:
            self.start(())
            return
        self.settle(Outcome(End.ANSWERED, self.status, self.pairs), self.start)
        if not self.answered and self.call is not None:
            self.call.pause()  # nothing piles up while a store writes

    def start(self, added: Pairs) -> None:
        """The settlement is done: send the start of the response, and what has come since."""
        if self.broken is not None:
            self.tell(self.broken, added)
            return
        self.request.start(self.status, self.marked(self.pairs, added), self.length)
        self.answered = True
        self.held = False
        chunks, self.chunks = self.chunks, []
        for chunk in chunks:
            self.request.write(chunk)
        if self.whole_came:
            self.finish()
        elif self.call is not None:
            self.call.resume()
            self.keep_pace()

    def finish(self) -> None:
        """All of a response that was passed on has come."""
        self.request.finish()
        self.call = self.request.on_gone = None

    def pass_on(self, chunk: bytes) -> None:
        """A part of the body, as fast as the client takes it."""
        self.request.write(chunk)
        self.keep_pace()

    def keep_pace(self) -> None:
        """Take no more from the upstream than the client takes."""
        request, call = self.request, self.call
        if call is not None and not request.writable and not request.gone:
            request.on_writable = self.take_more
            call.pause()

    def take_more(self) -> None:
        """The client takes more of the body."""
        call = self.call
        if call is not None:
            try:
                call.resume()
            except Exception as error:
                self.fault(error)
