"""What the layers ask of a request through the gateway: its body, and time. The backend answers the
rest.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from guarita.asks import Ask, BodyProblem, Pause, ReadBody, RecallOutcome
from guarita.serving.gateway.settling import Settling


class ClientGone(Exception):
    """The client disconnected before its request was complete: there is nobody to answer."""


class Asking(Settling, eq=False):
    """A request whose layers can be answered.

    Attributes:
        body: the whole body, once it is here.
    """

    body: bytes | None = None
    _waiting: "asyncio.Future[bytes | BodyProblem] | None" = None

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
        try:
            waiting, self._waiting = self._waiting, None
            self.request.on_gone = None
            if isinstance(body, bytes):
                self.body = body
            if waiting is not None:
                waiting.set_result(body)
        except Exception as error:
            self.fault(error)

    def gone_before(self) -> None:
        """The client has gone, or its body was no valid message: the front has answered then."""
        try:
            waiting, self._waiting = self._waiting, None
            if waiting is not None:
                waiting.set_exception(ClientGone())
        except Exception as error:
            self.fault(error)

    async def pause(self, ask: Pause) -> float:
        """Wait, and say what time it is then (Unix seconds)."""
        await self.gate.sleep(ask.seconds)
        return self.gate.clock()

    def recall(self, ask: RecallOutcome) -> None:
        """An upstream is not asked for outcomes."""


OWN_ANSWERS: dict[type[Ask], Callable[[Asking, Any], Any]] = {
    ReadBody: Asking.read_body,
    Pause: Asking.pause,
    RecallOutcome: Asking.recall,
}
"""The asks an adapter answers itself."""
