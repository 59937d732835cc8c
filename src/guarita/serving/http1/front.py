"""One connection: bytes in, requests to the handler one after the other, responses out. It frames
messages and keeps the client to the limits; it decides nothing.
"""

import asyncio
import logging
from typing import TYPE_CHECKING

from guarita.serving.http1.body import Receiving
from guarita.serving.http1.connection import Connection
from guarita.serving.http1.head import BadHead, HeadReader, RequestHead
from guarita.serving.http1.request import Request
from guarita.serving.http1.request_line import check_beginning

if TYPE_CHECKING:
    from guarita.serving.http1.connections import Connections

log = logging.getLogger("guarita.serving")

HELD_BYTES = 65_536
"""How much is taken from a client ahead of what is being worked on, beside one read of the loop."""


class Front(Connection):
    """The protocol of one connection.

    Attributes:
        reader: reads the heads, and follows the bodies.
    """

    __slots__ = ("_blank", "_seen", "_serving", "reader")

    def __init__(self, shared: "Connections") -> None:
        super().__init__(shared)
        self.reader = HeadReader(shared.limits)
        self._seen = 0  # how much of an incomplete head was searched for its end
        self._blank = False  # whether an empty line has come before the request line
        self._serving = False  # whether `_serve` is at work further up the stack

    # --- called by the loop
    # ------------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        if not (self.request or self.body or self.rest or self.write_paused or self.ending):
            self._serve(data)
        elif not self.ending:
            self.rest += data
            if self.body is not None and self.body.wanted:
                self.body.go_on()
            elif self.request is None and self.body is None:
                self._go_on()
            else:
                self.hold_or_resume(False)

    def eof_received(self) -> bool:
        """A client may say that it sends no more and still wait for its response."""
        self.eof = True
        if self.secure or self.ending or self.body is not None:
            return False
        return self.request is not None or (bool(self.rest) and not self._seen)

    def resume_writing(self) -> None:
        self.write_paused = False
        request = self.request
        if request is not None:
            self.deadline = self.shared.never
            if self.body is not None and self.body.wanted:
                self.deadline = self.body.until
            if request.on_writable is not None:
                request.on_writable()
        elif not self.ending:
            self.deadline = self.shared.latest + self.shared.limits.idle_s
            self._go_on()

    # --- requests
    # ------------------------------------------------------------------------------------------

    def _serve(self, data: bytes) -> None:
        """Hand over the requests in `data`, which begins where a request begins."""
        shared, limits = self.shared, self.limits
        turns = limits.pipelined
        self._serving = True
        while True:
            end = data.find(b"\r\n\r\n", self._seen) + 4
            if end == 3 or end > limits.head_bytes:
                self._wait_for_head(data, end)
                break
            self._seen = 0
            try:
                head = self.reader.read(data if end == len(data) else data[:end])
                self.rest = data[end:]
                whole = self._whole_body(head)
            except BadHead as bad:
                if data.startswith(b"\r\n") and not self._blank:
                    # RFC 9112, 2.2: one empty line before a request line is passed over.
                    self._blank = True
                    data = data[2:]
                    continue
                self.refuse(bad)
                break
            self._blank = False
            self.request = request = Request(
                head, self.peer, self.secure, self.certificate, whole, self
            )
            try:
                shared.handler.begin(request)
            except Exception:
                log.exception("the handler of a request failed")
                self._handler_failed(request)
            if self.request is not None:
                if self.body is None or not self.body.wanted:
                    self.deadline = shared.never
                break
            if not self.rest or self.ending or self.write_paused or self.body is not None:
                break
            turns -= 1
            if not turns:
                self.pause_reading()
                asyncio.get_running_loop().call_soon(self._go_on)
                break
            data = self.rest
            self.rest = b""
        self._serving = False
        if self.eof and self.request is None and not self.ending and not self.rest:
            self.close()

    def _handler_failed(self, request: Request) -> None:
        """Answer 500 where no answer has begun; else the client must see that it is incomplete."""
        if self.request is request and not request._started:
            try:
                self.refuse(BadHead(500, "the handler of a request failed"))
                return
            except Exception:
                log.exception("the failure of a handler could not be answered")
        self.drop_request()
        self.reset()

    def _whole_body(self, head: RequestHead) -> bytes | None:
        """The body, where all of it is in `rest`."""
        length, rest = head.length, self.rest
        if not length and not head.chunked:
            return b""
        if length and length <= len(rest) and length <= self.limits.body_bytes:
            content = rest if length == len(rest) else rest[:length]
            self.reader.follow(content, True)
            self.rest = rest[length:]
            return content
        receiving = Receiving(self, head)
        if head.chunked and rest:
            whole = receiving.try_whole(self.limits.body_bytes)
            if whole is not None:
                return whole
        self.body = receiving
        return None

    def _wait_for_head(self, data: bytes, end: int) -> None:
        """A head is not complete, or too long."""
        limits = self.limits
        if self.eof:
            self.close()
            return
        if end > 3 or len(data) > limits.head_bytes:
            self.refuse(BadHead(431, f"the header block exceeds {limits.head_bytes} bytes"))
            return
        if not self._seen:
            self.deadline = self.shared.latest + limits.head_s
        begin = data
        if data.startswith(b"\r\n") and not self._blank:
            begin = data[2:]
        try:
            if begin and begin != b"\r":
                check_beginning(begin, limits.target_bytes)
            if data.count(b"\n", self._seen) != data.count(b"\r\n", max(0, self._seen - 1)):
                raise BadHead(400, "a line ends without CR")
        except BadHead as bad:
            self.refuse(bad)
            return
        self._seen = max(1, len(data) - 3)
        self.rest = data

    def _go_on(self) -> None:
        """Look at what has come meanwhile."""
        if self.write_paused:
            self.hold_or_resume(False)
        elif self.request is None and self.body is None and not self.ending:
            self.resume_reading()
            data, self.rest = self.rest, b""
            if data:
                self._serve(data)
            elif self.eof:
                self.close()

    # --- called by the request and its body
    # ------------------------------------------------------------------------------------------

    def keeps(self, head: RequestHead) -> bool:
        """Whether the connection can go on after the response that is about to be sent."""
        if not head.keep_alive or self.draining:
            return False
        return self.body is None or self.body.can_drain()

    def answered(self, keep: bool) -> None:
        """The response is complete."""
        self.request = None
        body = self.body
        if not keep or self.draining or not (body is None or body.can_drain()):
            if body is not None or self.rest:
                self.linger()
            else:
                self.close()
            return
        self.deadline = self.shared.latest + self.shared.limits.idle_s
        if body is not None:
            body.drain()
        elif not self._serving and not self.write_paused and (self.rest or self.eof):
            self._go_on()

    def body_ended(self) -> Request | None:
        """All of the body has been taken; returns the request it belongs to."""
        self.body = None
        self.deadline = self.shared.never
        if len(self.rest) <= HELD_BYTES:
            self.resume_reading()  # the end may have come out of what was held
        if self.request is None:
            self.deadline = self.shared.latest + self.shared.limits.idle_s
            if not self._serving:
                self._go_on()
        return self.request

    def hold_or_resume(self, wanted: bool) -> None:
        """Take from the client no more than can be used soon."""
        if wanted:
            self.resume_reading()
        elif len(self.rest) > HELD_BYTES:
            self.pause_reading()
