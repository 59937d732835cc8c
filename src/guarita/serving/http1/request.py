"""One message in, one response out: what a handler sees of a connection."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from guarita.asks import BodyProblem
from guarita.facts import PresentedCertificate
from guarita.serving.http1 import respond as render
from guarita.serving.http1.head import BadHead, RequestHead

if TYPE_CHECKING:
    from guarita.serving.http1.front import Front

Pairs = Sequence[tuple[bytes, bytes]]


class Handler(Protocol):
    """Who decides on requests. Called by the event loop; must not block."""

    def begin(self, request: "Request") -> None:
        """A whole, valid head has arrived, and whatever of the body came with it."""
        ...

    def malformed(self, peer: str | None, secure: bool, bad: BadHead) -> tuple[int, Pairs, bytes]:
        """Status, header pairs and body for bytes that are no request. The connection closes."""
        ...


class Sink(Protocol):
    """Takes a streamed body."""

    def data(self, chunk: bytes) -> None: ...

    def end(self) -> None: ...

    def broken(self) -> None:
        """The rest will not come: bad framing, too long, too slow, or the client has gone (then
        `Request.on_gone` follows). Where the client is still there it can be answered.
        """
        ...


class Request(Struct, eq=False):
    """A request and the way to answer it. Names in header pairs are in lower case.

    Exactly one response is to be given: `respond`, or `start`, `write`… and `finish` or
    `break_off`. One without a `date` gets one (RFC 9110, 6.6.1). Once the client has gone (`gone`)
    all of them do nothing.

    Attributes:
        head: the request's head.
        peer: IP address of the TCP peer, None for a Unix socket.
        secure: the connection is TLS.
        certificate: what the client presented in the handshake.
        whole: the body where all of it is here already, b"" where there is none; else None.
        gone: the connection ended before the response did.
        on_gone: called when that happens.
        on_writable: called when a client that was slow to read takes more (`writable`).
    """

    head: RequestHead
    peer: str | None
    secure: bool
    certificate: PresentedCertificate | None
    whole: bytes | None
    _front: "Front"
    gone: bool = False
    on_gone: Callable[[], None] | None = None
    on_writable: Callable[[], None] | None = None
    _started: bool = False
    _keep: bool = False
    _chunked: bool = False
    _left: int | None = None

    def __repr__(self) -> str:
        return f"Request({self.head!r}, gone={self.gone})"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        return [("head", self.head), ("gone", self.gone)]

    # --- the body ---------------------------------------------------------------------------------

    def read_body(self, limit: int, done: Callable[[bytes | BodyProblem], None]) -> None:
        """Collect the body; `done` gets it, or TOO_LARGE when it is longer than `limit` bytes or
        than the listener's own limit. Called at once where the body is here; never once the client
        has gone, or its body turned out to be no valid message (it has been answered then).
        """
        whole = self.whole
        if whole is not None:
            done(whole if len(whole) <= limit else BodyProblem.TOO_LARGE)
        elif not self.gone:
            self._receiving().collect(min(limit, self._front.limits.body_bytes), done)

    def stream_body(self, sink: Sink) -> None:
        """Hand the body over as it comes."""
        whole = self.whole
        if whole is None:
            if not self.gone:
                self._receiving().stream(sink)
            return
        if whole:
            sink.data(whole)
        sink.end()

    def pause_body(self) -> None:
        """Take no more of a streamed body from the client for now."""
        if self._front.body is not None and self._front.request is self:
            self._front.body.pause()

    def resume_body(self) -> None:
        """Go on after `pause_body`."""
        if self._front.body is not None and self._front.request is self:
            self._front.body.resume()

    def _receiving(self) -> "Receiving":
        body = self._front.body
        if body is None or self._front.request is not self:
            raise RuntimeError("the body was taken already, or the request is answered")
        return body

    # --- the response -----------------------------------------------------------------------------

    def respond(self, status: int, pairs: Pairs, body: bytes) -> None:
        """A whole response."""
        front = self._front
        if front.request is not self or self._started:
            self._refuse_second()
            return
        lines = render.lines_of(status, pairs)
        length = len(body)
        if status in (204, 304) or self.head.method == "HEAD":
            sent = render.announced(pairs)
            if sent is not None and status != 204:
                lines.append(b"content-length: " + sent)
            elif length and status not in (204, 304):  # of what was not announced nothing is said
                lines.append(render.length_line(length))
            body = b""
        else:
            lines.append(render.length_line(length))
        keep = front.keeps(self.head)
        if not keep:
            lines.append(render.CLOSE)
        elif not self.head.minor:
            lines.append(render.KEEP_ALIVE)
        head = render.joined(lines)
        end = render.END if render.DATE in head else front.shared.dated_end
        if length <= render.TOGETHER:
            front.transport.write(head + end + body)
        else:
            front.transport.writelines((head, end, body))
        front.answered(keep)

    def start(self, status: int, pairs: Pairs, length: int | None) -> None:
        """Begin a streamed response. `length` None: unknown; sent in chunks, or to an HTTP/1.0
        client until the connection closes.
        """
        front, head = self._front, self.head
        if front.request is not self or self._started:
            self._refuse_second()
            return
        lines = render.lines_of(status, pairs)
        keep = front.keeps(head)
        if render.has_no_body(status, head.method):
            sent = render.announced(pairs) if length is None else b"%d" % length
            if sent is not None and status != 204:
                lines.append(b"content-length: " + sent)
            self._left = -1
        elif length is not None:
            lines.append(render.length_line(length))
            self._left = length
        elif head.minor:
            lines.append(render.CHUNKED)
            self._chunked = True
        else:
            keep = False
        if not keep:
            lines.append(render.CLOSE)
        elif not head.minor:
            lines.append(render.KEEP_ALIVE)
        joined = render.joined(lines)
        end = render.END if render.DATE in joined else front.shared.dated_end
        front.transport.write(joined + end)
        self._started, self._keep = True, keep

    def write(self, chunk: bytes) -> None:
        """The response's next bytes.

        Raises:
            ValueError: more than the announced length; nothing of `chunk` was sent.
        """
        front = self._front
        if front.request is not self or not self._started:
            self._refuse_second()
            return
        left = self._left
        if left == -1 or not chunk:
            return
        if self._chunked:
            front.transport.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
            return
        if left is not None:
            if len(chunk) > left:
                raise ValueError("the response is longer than was announced")
            self._left = left - len(chunk)
        front.transport.write(chunk)

    def finish(self) -> None:
        """The response is complete. One that is shorter than announced is broken off."""
        front = self._front
        if front.request is not self or not self._started:
            self._refuse_second()
            return
        if self._chunked:
            front.transport.write(b"0\r\n\r\n")
        elif self._left is not None and self._left > 0:
            self.break_off()
            return
        front.answered(self._keep)

    def break_off(self) -> None:
        """Close the connection without completing the response, so that the client can tell."""
        front = self._front
        if front.request is self:
            framed = self._chunked or self._left is not None
            front.break_off(quietly=framed and self._started)

    def informational(self, status: int, pairs: Pairs) -> None:
        """A 1xx response before the final one (RFC 9110, 15.2). HTTP/1.0 clients get none, and 100
        only who waits for it.
        """
        if not 100 <= status <= 199 or status == 101:
            raise ValueError(f"{status} is no informational status that can be passed on")
        front = self._front
        if front.request is not self or self._started or not self.head.minor:
            return
        if status == 100:
            if front.body is not None:
                front.body.invite()
            return
        front.transport.write(render.joined(render.lines_of(status, pairs)) + render.END)

    @property
    def writable(self) -> bool:
        """Whether the client keeps up with what is written."""
        return not self._front.write_paused

    def _refuse_second(self) -> None:
        if not self.gone:
            raise RuntimeError("a response was given twice, or out of order")


if TYPE_CHECKING:
    from guarita.serving.http1.body import Receiving
