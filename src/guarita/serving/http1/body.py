"""The body of the request a connection is at, as long as it has not arrived whole. Nothing of it is
looked at before the handler asks.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from guarita.asks import BodyProblem
from guarita.serving.http1.chunked import Chunks
from guarita.serving.http1.head import BadHead, RequestHead
from guarita.serving.http1.respond import CONTINUE

if TYPE_CHECKING:
    from guarita.serving.http1.front import Front
    from guarita.serving.http1.request import Sink

HELD, COLLECT, STREAM, DRAIN, BROKEN = range(5)


class Receiving:
    """Takes a body from `front.rest`, as whoever asked for it wants it.

    Attributes:
        until: when all of it must be here, by the connections' clock.
    """

    __slots__ = (
        "_chunks",
        "_done",
        "_front",
        "_invited",
        "_left",
        "_limit",
        "_mode",
        "_parts",
        "_paused",
        "_sink",
        "_size",
        "until",
    )

    def __init__(self, front: "Front", head: RequestHead) -> None:
        self._front = front
        self._chunks = Chunks() if head.chunked else None
        self._left = head.length or 0
        self._mode = HELD
        self._limit = 0
        self._size = 0
        self._parts: list[bytes] = []
        self._done: Callable[[bytes | BodyProblem], None] | None = None
        self._sink: Sink | None = None
        self._paused = False
        self._invited = not head.expects_continue
        self.until = front.shared.latest + front.limits.total_s

    # --- what the handler may want
    # ------------------------------------------------------------------------------------------

    def collect(self, limit: int, done: Callable[[bytes | BodyProblem], None]) -> None:
        """All of it at once, up to `limit` bytes."""
        self._begin(COLLECT)
        if self._left > limit:
            self._mode = HELD
            done(BodyProblem.TOO_LARGE)
            return
        self._limit, self._done = limit, done
        self.invite()
        self.go_on()

    def stream(self, sink: "Sink") -> None:
        """Piece by piece."""
        self._begin(STREAM)
        most = self._front.limits.stream_bytes
        self._limit = -1 if most is None else most
        self._sink = sink
        if most is not None and self._left > most:
            self._break()
            return
        self.invite()
        self.go_on()

    def _begin(self, mode: int) -> None:
        if self._mode != HELD:
            raise RuntimeError("the body is being taken already")
        self._mode = mode

    def pause(self) -> None:
        """Take nothing for now; the client's time stands still."""
        self._paused = True
        self._front.deadline = self._front.shared.never

    def resume(self) -> None:
        """Go on."""
        if self._paused:
            self._paused = False
            self.go_on()

    def invite(self) -> None:
        """Say "100 Continue" to a client that waits for it and has not begun to send."""
        if not self._invited:
            self._invited = True
            if not self._front.rest:
                self._front.transport.write(CONTINUE)

    # --- after the response
    # ------------------------------------------------------------------------------------------

    def can_drain(self) -> bool:
        """Whether the rest is small and sure to come, so that the connection can be kept. Of chunks
        nobody knows; and who was not told to continue may send its body or not.
        """
        if self._chunks is not None or not self._invited or self._mode == BROKEN:
            return False
        return self._left - len(self._front.rest) <= self._front.limits.drain_bytes

    def drain(self) -> None:
        """Take the rest and throw it away."""
        self._mode, self._paused = DRAIN, False
        self._parts.clear()
        self._done = self._sink = None
        self.go_on()

    # --- arriving
    # ------------------------------------------------------------------------------------------

    @property
    def wanted(self) -> bool:
        """Whether bytes are to be taken now."""
        return self._mode in (COLLECT, STREAM, DRAIN) and not self._paused

    def go_on(self) -> None:
        """Take what is there."""
        front = self._front
        front.deadline = min(front.shared.latest + front.limits.body_s, self.until)
        while front.body is self and self.wanted and front.rest:
            try:
                pieces, ended, used = self._take(front.rest)
            except BadHead as bad:
                self._fail(bad)
                return
            if not used:
                break
            front.rest = front.rest[used:]
            self._hand_over(pieces, ended)
        if front.body is self:
            front.hold_or_resume(self.wanted)

    def try_whole(self, most: int) -> bytes | None:
        """The whole body, if it is in `front.rest` and no longer than `most` bytes; otherwise
        nothing has happened.

        Raises:
            BadHead: what is there cannot be a body.
        """
        chunks, rest = Chunks(), self._front.rest
        pieces, used = chunks.take(rest, most)
        content = b"".join(pieces)
        if not chunks.ended or len(content) > most:
            return None
        self._front.reader.follow(rest[:used], True)
        self._front.rest = rest[used:]
        return content

    def _take(self, data: bytes) -> tuple[list[bytes], bool, int]:
        chunks = self._chunks
        if chunks is None:
            piece = data[: self._left]
            used = len(piece)
            self._left -= used
            pieces, ended = [piece], not self._left
        else:
            pieces, used = chunks.take(data, len(data))
            ended = chunks.ended
        if used:
            self._front.reader.follow(data[:used], ended)
        return pieces, ended, used

    def _hand_over(self, pieces: list[bytes], ended: bool) -> None:
        front = self._front
        self._size += sum(map(len, pieces))
        if self._mode == COLLECT:
            done = self._done
            if self._size > self._limit:
                # What is left stays where it is; the response decides about the connection.
                self._mode = BROKEN
                if done is not None:
                    done(BodyProblem.TOO_LARGE)
                return
            self._parts += pieces
            if ended:
                whole = b"".join(self._parts)
                request = front.body_ended()
                if request is not None:
                    request.whole = whole
                if done is not None:
                    done(whole)
        elif self._mode == STREAM:
            sink = self._sink
            if sink is None:
                return
            if -1 < self._limit < self._size:
                self._break()
                return
            request = front.body_ended() if ended else front.request
            for piece in pieces:
                if front.request is request:  # an early response may have ended it
                    sink.data(piece)
            if ended and front.request is request:
                sink.end()
        elif ended:
            front.body_ended()

    # --- not arriving
    # ------------------------------------------------------------------------------------------

    def expire(self) -> None:
        """The client took too long."""
        self._fail(BadHead(408, "the body did not come in time"))

    def client_gone(self) -> None:
        """The connection is lost."""
        if self._mode == STREAM and self._sink is not None:
            self._mode = BROKEN
            self._sink.broken()

    def _fail(self, bad: BadHead) -> None:
        if self._mode == STREAM:
            self._break()
        elif self._mode == DRAIN:
            self._front.linger()
        else:
            self._front.refuse(bad)

    def _break(self) -> None:
        self._mode = BROKEN
        self._front.deadline = self._front.shared.never
        if self._sink is not None:
            self._sink.broken()
