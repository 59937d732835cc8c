"""How a request through the gateway ends: its reservation is settled once, whoever asked is
answered or cut off, and a bug on the way changes neither.

The base of an exchange: `asking`, `exchange` and `answering` build on it, in this order. What they
have called back (by the front, the upstream or a store) hands every exception to `fault`: above
them there is only the loop, which would answer nobody.
"""

import logging
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from guarita.asks import Ask
from guarita.decision import INTERNAL_ERROR, Decision, End, Outcome, Pairs, Reason, Refuse
from guarita.facts import Facts
from guarita.pipeline import settled
from guarita.serving.calling import run_calling
from guarita.serving.http1.request import Request
from guarita.serving.ray import RAY_HEADER

if TYPE_CHECKING:
    from guarita.serving.gateway.gate import Gate
    from guarita.serving.upstream.call import Call

log = logging.getLogger("guarita.serving")


class Settling(Struct, eq=False):
    """A request that will be settled and answered.

    Attributes:
        gate: whose settings hold.
        request: what the front has.
        facts: what the layers see.
        decision: None before it is made, and where a path is unguarded.
        call: the request to the upstream, while it may have to be given up.
        settled: the settlements have been run, or are running.
        handed: the upstream's client has begun to take the request: from here on it may have been
            executed.
        answered: the whole response, or its start, has been given to the front.
        faulty: a bug has been answered; a second one only ends the connection.
    """

    gate: "Gate"
    request: Request
    facts: Facts
    decision: Decision | None = None
    call: "Call | None" = None
    settled: bool = False
    handed: bool = False
    answered: bool = False
    faulty: bool = False

    def __repr__(self) -> str:
        return f"Exchange({self.facts.ray})"

    def __rich_repr__(self) -> list[tuple[str, str]]:
        return [("ray", self.facts.ray)]

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

    # --- settlements ------------------------------------------------------------------------------

    def answer(self, ask: Ask) -> Any:
        """Answer what a settlement asks; `asking` adds what layers may ask beside it."""
        return self.gate.answer(ask)

    def settle(self, outcome: Outcome, then: Callable[..., object], *given: object) -> None:
        """Run the settlements, once, then `then` with `given` and the headers they add. Raises
        nothing.
        """
        decision = self.decision
        added: Pairs = ()
        try:
            if not self.settled and decision is not None and decision.settles:
                self.settled = True
                pairs = settled(decision.settles, outcome)
                if not isinstance(pairs, tuple):
                    after = partial(self.carry_on, then, given)
                    run_calling(pairs, self.answer, after, self.unsettled)
                    return
                added = pairs
        except Exception as error:
            self.unsettled(error)
            return
        try:
            then(*given, added)
        except Exception as error:
            self.fault(error)

    def carry_on(
        self, then: Callable[..., object], given: tuple[object, ...], added: Pairs
    ) -> None:
        """What comes after settlements that had to ask, unless a bug or a broken body has been
        answered meanwhile. Raises nothing.
        """
        if not self.answered:
            try:
                then(*given, added)
            except Exception as error:
                self.fault(error)

    def unsettled(self, error: BaseException) -> None:
        """A settlement raised: the answer may not go out as if it had been recorded. Raises
        nothing.
        """
        self.bug("settled", error)
        self.give_up()
        try:
            self.tell(INTERNAL_ERROR)
        except Exception as second:
            self.fault(second)

    # --- bugs -------------------------------------------------------------------------------------

    def fault(self, error: Exception) -> None:
        """A bug of ours: nothing more is done for the request, its reservation ends, and the caller
        learns of it. Raises nothing.
        """
        self.bug("answered", error)
        self.give_up()
        if self.answered or self.faulty:
            try:
                self.request.on_gone = None
                self.request.break_off()
            except Exception as second:
                self.bug("broken off", second)
            return
        self.faulty = True
        end = End.LOST if self.handed else End.FAILED
        self.settle(Outcome(end), self.tell, INTERNAL_ERROR)

    def give_up(self) -> None:
        """Have no more to do with the upstream. Raises nothing."""
        call, self.call = self.call, None
        if call is not None:
            try:
                call.cancel()
            except Exception as error:
                self.bug("given up", error)

    def bug(self, what: str, error: BaseException) -> None:
        """Log an exception that nobody expected."""
        log.error("a request could not be %s (Ray ID %s)", what, self.facts.ray, exc_info=error)
