"""One HTTP request through the ASGI middleware: decide, then refuse, replay, or let it in.

Here are the asks only an adapter can answer (the body, a pause, the application's own memory) and
the responses that are the gate's own. What happens between an admission and its end is in
`admitted`.
"""

import inspect
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from guarita.asks import Ask, BodyProblem, Pause, ReadBody, RecallOutcome
from guarita.decision import (
    INTERNAL_ERROR,
    Admit,
    Decision,
    End,
    Known,
    Outcome,
    Pairs,
    Refuse,
    Response,
)
from guarita.drivers import run_async
from guarita.facts import Facts
from guarita.pipeline import decide, settle
from guarita.serving.admitted import Admitted
from guarita.serving.ray import RAY_HEADER

if TYPE_CHECKING:
    from guarita.serving.asgi import ASGIScope, Guarita, Message, Receive, Send


class ClientGone(Exception):
    """The client disconnected before its request was complete: there is nobody to answer."""


class Exchange:
    """State of one request. `run` is its whole life."""

    __slots__ = ("facts", "gate", "receive", "received", "scope", "send", "settled", "started")

    def __init__(
        self, gate: "Guarita", facts: Facts, scope: "ASGIScope", receive: "Receive", send: "Send"
    ) -> None:
        self.gate = gate
        self.facts = facts
        self.scope = scope
        self.receive = receive
        self.send = send
        self.received: bytes | None = None
        self.started = False
        self.settled = False

    async def run(self) -> None:
        """Answer the request. Exceptions of the application are answered with 500 and raised on,
        as servers expect.
        """
        gate, facts = self.gate, self.facts
        route_class = gate.profile.route_class(facts.method, facts.path)
        try:
            decision = await run_async(decide(route_class.layers, facts), self.answer)
        except ClientGone:
            return
        except Exception:
            broken = Decision(Refuse(INTERNAL_ERROR), Known(), [], [])
            if gate.decision_log is not None:
                gate.decision_log.add(gate.profile, route_class, facts, broken, 500)
            await self.fail()
            raise
        result = decision.result
        try:
            if isinstance(result, Admit):
                if gate.decision_log is not None:
                    gate.decision_log.add(gate.profile, route_class, facts, decision, 0)
                await Admitted(self, decision).run()
                return
            more: Pairs = ()
            if isinstance(result, Refuse):
                response = gate.profile.respond(result)
            else:
                response = result.response
                if response.status != 204:  # RFC 9110 section 8.6
                    more = ((b"content-length", b"%d" % len(response.body)),)
            if gate.decision_log is not None:
                gate.decision_log.add(gate.profile, route_class, facts, decision, response.status)
            await self.reply(decision, response, more)
        except Exception:
            # A bug of ours; where the application raised, all this has been done already.
            added = self.settle(decision, Outcome(End.FAILED))
            await self.fail(added if isinstance(added, tuple) else await added)
            raise

    # --- asks -------------------------------------------------------------------------------------

    def answer(self, ask: Ask) -> Any:
        """Answer what is the adapter's own; the backend answers the rest."""
        own = OWN_ANSWERS.get(type(ask))
        return self.gate.backend.answer(ask) if own is None else own(self, ask)

    async def read_body(self, ask: ReadBody) -> bytes | BodyProblem:
        """The whole body, or `TOO_LARGE` as soon as more than `ask.limit` bytes are announced or
        have come. Raises `ClientGone`.
        """
        limit = ask.limit
        announced = self.facts.headers.get(b"content-length")
        if announced is not None and announced.isdigit():
            digits = announced.lstrip(b"0")
            if len(digits) > 18 or int(digits or b"0") > limit:
                return BodyProblem.TOO_LARGE
        parts: list[bytes] = []
        size = 0
        more = True
        while more:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            part: bytes = message.get("body", b"")
            size += len(part)
            if size > limit:
                return BodyProblem.TOO_LARGE
            parts.append(part)
            more = message.get("more_body", False)
        self.received = parts[0] if len(parts) == 1 else b"".join(parts)
        return self.received

    async def pause(self, ask: Pause) -> float:
        """Wait, and say what time it is then (Unix seconds)."""
        await self.gate.sleep(ask.seconds)
        return self.gate.clock()

    async def recall(self, ask: RecallOutcome) -> Response | None:
        """What the application itself remembers of an outcome."""
        if self.gate.recall_outcome is None:
            return None
        answer = self.gate.recall_outcome(ask.scope)
        if inspect.isawaitable(answer):
            answer = await answer
        response: Response | None = answer
        return response

    # --- responses --------------------------------------------------------------------------------

    async def reply(self, decision: Decision, response: Response, more: Pairs = ()) -> None:
        """Send a refusal or a replay, after the settlements."""
        result = decision.result
        outcome = Outcome(
            End.ANSWERED,
            response.status,
            response.headers,
            response.body,
            result.reason if isinstance(result, Refuse) else None,
        )
        added = self.settle(decision, outcome)
        if not isinstance(added, tuple):
            added = await added
        await self.send(self.start(response.status, [*response.headers, *more, *added]))
        await self.send({"type": "http.response.body", "body": response.body})

    async def fail(self, added: Pairs = ()) -> None:
        """Answer 500 without any detail, where no response has started."""
        if not self.started:
            response = self.gate.profile.respond(Refuse(INTERNAL_ERROR))
            await self.send(self.start(response.status, [*response.headers, *added]))
            await self.send({"type": "http.response.body", "body": response.body})

    def start(
        self,
        status: int,
        headers: list[tuple[bytes, bytes]],
        message: "Message | None" = None,
    ) -> "Message":
        """The message that starts the response, with what every response carries; `message` is the
        application's own start, if there is one. To be sent at once.
        """
        self.started = True
        headers.append((RAY_HEADER, self.facts.ray.encode()))
        if self.facts.secure:
            headers += self.gate.hsts
        start: Message = {"type": "http.response.start", "status": status, "headers": headers}
        return start if message is None else {**message, **start}

    def settle(self, decision: Decision, outcome: Outcome) -> Pairs | Awaitable[Pairs]:
        """Run the settlements, once: the headers they add, or an awaitable of them where a store
        has to be asked.
        """
        if self.settled or not decision.settles:
            return ()
        self.settled = True
        flow = settle(decision.settles, outcome)
        try:
            ask = next(flow)
        except StopIteration as stop:
            added: Pairs = stop.value
            return added
        return run_async(flow, self.answer, ask)


OWN_ANSWERS: dict[type[Ask], Callable[[Exchange, Any], Any]] = {
    ReadBody: Exchange.read_body,
    Pause: Exchange.pause,
    RecallOutcome: Exchange.recall,
}
"""The asks an adapter answers itself."""
