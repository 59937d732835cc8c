"""One connection of the pool: requests out, responses in, one call at a time."""

import asyncio
import select
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from guarita.serving.http1.chunked import Chunks
from guarita.serving.http1.request_line import BadHead
from guarita.serving.upstream.call import Call, Problem
from guarita.serving.upstream.response import BadAnswer, ResponseHead, check_beginning, read_head
from guarita.serving.upstream.target import cut_off

if TYPE_CHECKING:
    from guarita.serving.upstream.pool import Upstream

MOST_HEAD_BYTES = 65_536
"""Of a response, interim ones included."""

SOMETHING = select.POLLIN | getattr(select, "POLLRDHUP", 0)

TOGETHER = 65_536
"""A body up to this many bytes is copied behind its head, to be written as one."""


class Connection(asyncio.Protocol):
    """The protocol of one connection.

    Attributes:
        upstream: the pool it belongs to.
        call: what it is at; None while it is idle.
        idle_since: by the upstream's clock.
        look: `select.poll.poll` of its socket; tells at once what the loop will hear on its next
            turn: the end of the connection, or bytes.
    """

    __slots__ = (
        "_chunks",
        "_head",
        "_heads",
        "_left",
        "_reading",
        "_rest",
        "call",
        "idle_since",
        "look",
        "transport",
        "upstream",
    )

    def __init__(self, upstream: "Upstream") -> None:
        self.upstream = upstream
        self.call: Call | None = None
        self.idle_since = 0.0
        self.transport: asyncio.Transport
        self.look: Callable[[int], list[tuple[int, int]]]
        self._reading = True
        self._rest = b""  # of the response's head, or of a line between chunks
        self._heads = 0  # bytes of interim responses
        self._head: ResponseHead | None = None  # of a response whose body is still coming
        self._left: int | None = None  # bytes of that body; None: the end of the message tells
        self._chunks: Chunks | None = None

    # --- called by the loop -----------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        polled = select.poll()
        polled.register(transport.get_extra_info("socket").fileno(), SOMETHING)
        self.look = polled.poll

    def data_received(self, data: bytes) -> None:
        call = self.call
        if call is None:
            self.transport.abort()  # bytes nobody asked for: the next answer could be a forged one
            return
        call.since = self.upstream.now
        if self._head is not None:
            pieces = self._parts(data)
            if pieces is not None:
                self._hand_over(call, pieces)
            return
        if self._rest:
            data = self._rest + data
        end = data.find(b"\r\n\r\n") + 4
        try:
            if end == 3 or end > MOST_HEAD_BYTES:
                self._wait_for_head(data, end)
                return
            head = read_head(data[:end])
        except BadAnswer:
            self._give_up(Problem.BAD_ANSWER)
            return
        if head.body == len(data) - end and not call.is_head:
            # The common case: the whole response, and nothing else.
            self._free(call, head.keep)
            call.receiver.whole(head.status, head.pairs, data[end:])
            return
        self._begin(call, head, data, end)

    def eof_received(self) -> bool:
        call = self.call
        if call is None or self._head is None:
            return False
        if self._left is None and self._chunks is None and not cut_off(self.transport):
            # The body of such a message ends with its connection (RFC 9112, 6.3).
            self._free(call, False)
            call.receiver.ended()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.upstream.lost(self)
        call, self.call = self.call, None
        if call is not None:
            call.connection = None
            call.fail(Problem.NO_ANSWER if self._head is None else Problem.BROKEN)

    def pause_writing(self) -> None:
        call = self.call
        if call is not None:
            call.full = True
            if call.on_full is not None:
                call.on_full()

    def resume_writing(self) -> None:
        call = self.call
        if call is not None and call.full:
            call.full = False
            call.since = self.upstream.now
            if call.on_drained is not None:
                call.on_drained()

    # --- the request ------------------------------------------------------------------------------

    def begin(self, call: Call) -> None:
        """Send the call's request."""
        self.call = call
        call.connection = self
        call.since = self.upstream.now
        body = call.body
        if not body:
            self.transport.write(call.head)
        elif len(body) <= TOGETHER:
            self.transport.write(call.head + body)
        else:
            self.transport.writelines((call.head, body))
        if body is None:
            if call.pending is not None:
                self.transport.writelines(call.pending)
                call.pending = None
            if call.on_drained is not None and not call.full:
                call.on_drained()
        if call.paused:
            self.pause()

    # --- the response -----------------------------------------------------------------------------

    def _wait_for_head(self, data: bytes, end: int) -> None:
        """A head is not complete. Raises `BadAnswer` where it cannot become one."""
        if end != 3 or self._heads + len(data) > MOST_HEAD_BYTES:
            raise BadAnswer("the head is too long")
        check_beginning(data)
        self._rest = data

    def _begin(self, call: Call, head: ResponseHead, data: bytes, end: int) -> None:
        """A head is complete: interim, of a message without body, or of one still to come."""
        while head.status < 200:
            self._heads += end
            if head.status == 101 or self._heads > MOST_HEAD_BYTES:
                self._give_up(Problem.BAD_ANSWER)  # no change of protocol was asked for
                return
            call.receiver.informational(head.status, head.pairs)
            if self.call is not call:
                return
            data = data[end:]
            self._rest = b""
            end = data.find(b"\r\n\r\n") + 4
            try:
                if end == 3:
                    self._wait_for_head(data, end)
                    return
                head = read_head(data[:end])
            except BadAnswer:
                self._give_up(Problem.BAD_ANSWER)
                return
        self._rest = b""
        rest = data[end:]
        if call.is_head or head.status == 204 or head.status == 304:
            pairs = head.pairs
            if head.length is not None and head.status != 204:
                pairs += ((b"content-length", b"%d" % head.length),)
            self._free(call, head.keep and not rest and (call.is_head or not head.chunked))
            call.receiver.whole(head.status, pairs, b"")
            return
        self._head, self._left = head, head.length
        if head.chunked:
            self._chunks = Chunks()
        pieces = self._parts(rest)
        if pieces is None:
            return
        if self._ended():
            self._free(call, head.keep)
            call.receiver.whole(head.status, head.pairs, b"".join(pieces))
            return
        call.receiver.started(head.status, head.pairs, head.length)
        self._hand_over(call, pieces)

    def _hand_over(self, call: Call, pieces: list[bytes]) -> None:
        receiver = call.receiver
        for piece in pieces:
            if self.call is not call:
                return  # given up meanwhile
            receiver.data(piece)
        if self.call is call and self._head is not None and self._ended():
            self._free(call, self._head.keep)
            receiver.ended()

    def _parts(self, data: bytes) -> list[bytes] | None:
        """What of the body is in `data`. None: the call has failed, the message not being what it
        announced.
        """
        chunks, left = self._chunks, self._left
        if chunks is not None:
            if self._rest:
                data = self._rest + data
            try:
                pieces, used = chunks.take(data, len(data))
            except BadHead:
                self._give_up(Problem.BROKEN)
                return None
            self._rest = data[used:]
            if not (chunks.ended and self._rest):
                return pieces
        elif left is None or len(data) <= left:
            self._left = None if left is None else left - len(data)
            return [data] if data else []
        # What is said to end here goes on: whose length is true?
        self._give_up(Problem.BROKEN)
        return None

    def _ended(self) -> bool:
        """Whether all of the body has come."""
        return self._left == 0 if self._chunks is None else self._chunks.ended

    # --- the end ----------------------------------------------------------------------------------

    def _free(self, call: Call, keep: bool) -> None:
        """The call has its answer: the connection is for the next, or ends. To be followed by the
        last word to the receiver and nothing else: the next call may have begun.
        """
        call.over = True
        call.connection = None
        self.call = None
        transport = self.transport
        whole = call.sent and not call.full and not transport.get_write_buffer_size()
        if not whole or transport.is_closing():
            # An answer before the request was out: what is left may not be read. Closing would wait
            # until it is.
            transport.abort()
            return
        if not keep or call.last:
            transport.close()
            return
        self._rest = b""
        self._heads = 0
        self._head = self._chunks = None
        if not self._reading:
            self.resume()
        self.upstream.free(self)

    def _give_up(self, problem: Problem) -> None:
        call = self.call
        self.drop()
        if call is not None:
            call.fail(problem)

    def drop(self) -> None:
        """End the connection without telling the call's receiver."""
        call, self.call = self.call, None
        if call is not None:
            call.connection = None
        self.transport.abort()

    def pause(self) -> None:
        """Take no more from the upstream."""
        if self._reading and not self.transport.is_closing():
            self._reading = False
            self.transport.pause_reading()

    def resume(self) -> None:
        """Go on after `pause`."""
        if not self._reading and not self.transport.is_closing():
            self._reading = True
            self.transport.resume_reading()

    def expire(self, before: float) -> None:
        """End a call where it is the upstream's turn and nothing has happened since `before`."""
        call = self.call
        if call is None or call.paused or not (call.sent or call.full):
            return
        if call.since <= before:
            self._give_up(Problem.TIMEOUT)
