"""One request to the upstream, and what becomes of it.

What can be told of a failed call (`Problem`) decides whether a payment may be tried again: only
`NOT_SENT` proves that nothing was executed.
"""

from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from guarita.serving.upstream.response import Pairs

if TYPE_CHECKING:
    from guarita.serving.upstream.connection import Connection


class Problem(Enum):
    """Why there is no whole response."""

    NOT_SENT = "could not be reached"
    NO_ANSWER = "ended the connection without an answer"
    BROKEN = "broke its answer off, or announced another length"
    BAD_ANSWER = "answered with something that is no HTTP response"
    TIMEOUT = "did not answer in time"


class Receiver(Protocol):
    """Hears what becomes of a call: any number of `informational`, then `whole`, or `started`,
    `data` and `ended`; or at any point `failed`, and nothing after it.

    `whole` stands for a response that arrived in one piece. Pairs have names in lower case and no
    fields of the connection or of framing; `length` is the announced one, None where the end of the
    message tells. For HEAD and 304 the announced length stays as a pair.
    """

    def informational(self, status: int, pairs: Pairs) -> None: ...
    def whole(self, status: int, pairs: Pairs, body: bytes) -> None: ...
    def started(self, status: int, pairs: Pairs, length: int | None) -> None: ...
    def data(self, chunk: bytes) -> None: ...
    def ended(self) -> None: ...
    def failed(self, problem: Problem) -> None: ...


class Call(Struct, eq=False):
    """One request under way. As a sink it takes the request's body: `data`, `end`, `broken`.

    Attributes:
        head: the whole request head.
        body: the whole body, or None where `data` and `end` give it.
        receiver: who hears of the response.
        is_head: the method is HEAD.
        chunked: the body's parts are framed as chunks.
        last: its connection is not used again.
        connection: the one it was sent on, while it is under way.
        sent: the whole request has been handed over.
        over: the receiver has heard, or is to hear, nothing more.
        paused: the receiver takes no more of the response for now.
        full: the upstream takes no more of the request for now.
        since: when something last happened, by the upstream's clock.
        on_full, on_drained: called when `full` begins and ends, and `on_drained` when there is a
            connection.
        on_broken: called when the body will not be complete; the receiver hears nothing more.
    """

    head: bytes
    body: bytes | None
    receiver: Receiver
    is_head: bool = False
    chunked: bool = False
    last: bool = False
    connection: "Connection | None" = None
    sent: bool = True
    over: bool = False
    paused: bool = False
    full: bool = False
    since: float = 0.0
    on_full: Callable[[], object] | None = None
    on_drained: Callable[[], object] | None = None
    on_broken: Callable[[], object] | None = None
    pending: list[bytes] | None = None

    def __repr__(self) -> str:
        # Head and body may hold secrets.
        return f"Call(sent={self.sent}, over={self.over})"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        return [("sent", self.sent), ("over", self.over)]

    # --- the request's body -----------------------------------------------------------------------

    def data(self, chunk: bytes) -> None:
        """The next part of the request's body."""
        if chunk and not self.over:
            self._write(b"%x\r\n%b\r\n" % (len(chunk), chunk) if self.chunked else chunk)

    def end(self) -> None:
        """The request's body is complete."""
        if not self.over:
            self.sent = True
            if self.chunked:
                self._write(b"0\r\n\r\n")

    def broken(self) -> None:
        """The request's body will never be complete: neither may the upstream's request be."""
        if not self.over:
            self.cancel()
            if self.on_broken is not None:
                self.on_broken()

    def _write(self, part: bytes) -> None:
        connection = self.connection
        if connection is not None:
            self.since = connection.upstream.now
            connection.transport.write(part)
        elif self.pending is None:
            self.pending = [part]
        else:
            self.pending.append(part)

    # --- the response -----------------------------------------------------------------------------

    def pause(self) -> None:
        """Take no more of the response for now; the upstream's time stands still."""
        if not self.paused and not self.over:
            self.paused = True
            if self.connection is not None:
                self.connection.pause()

    def resume(self) -> None:
        """Go on taking the response."""
        if self.paused and not self.over:
            self.paused = False
            if self.connection is not None:
                self.since = self.connection.upstream.now
                self.connection.resume()

    def cancel(self) -> None:
        """Give the call up; the receiver hears nothing more."""
        if not self.over:
            self.over = True
            if self.connection is not None:
                self.connection.drop()

    def fail(self, problem: Problem) -> None:
        """Tell the receiver that there will be no (whole) response."""
        if not self.over:
            self.over = True
            self.receiver.failed(problem)
