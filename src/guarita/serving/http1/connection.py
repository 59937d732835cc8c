"""The life of one connection: its beginning, its deadlines, the ways it ends. What is said on it is
`front`'s.
"""

import asyncio
import socket
import struct
from typing import TYPE_CHECKING, cast

from guarita.facts import PresentedCertificate
from guarita.serving.http1 import respond as render
from guarita.serving.http1.head import BadHead

if TYPE_CHECKING:
    from guarita.serving.http1.body import Receiving
    from guarita.serving.http1.connections import Connections, Entrance
    from guarita.serving.http1.request import Request

_RESET = struct.pack("ii", 1, 0)


class Connection(asyncio.Protocol):
    """Base of `Front`.

    Attributes:
        request: the one that is not answered yet.
        body: its body, or that of the one before it, while it has not arrived whole.
        rest: bytes received and not looked at.
        deadline: when `expire` is called, by the connections' clock.
        entrance: how the connection came in (`Connections.end`).
        counted: what the connection was counted by (`Connections.enter`).
        draining: it does not outlive the response it is at.
        ending: nothing that comes is looked at any more.
        eof: the client has said that it sends no more.
        write_paused: the client does not take what is written.
    """

    __slots__ = (
        "_read_paused",
        "_unsent",
        "body",
        "certificate",
        "counted",
        "deadline",
        "draining",
        "ending",
        "entrance",
        "eof",
        "limits",
        "peer",
        "request",
        "rest",
        "secure",
        "shared",
        "transport",
        "write_paused",
    )

    def __init__(self, shared: "Connections") -> None:
        self.shared = shared
        self.limits = shared.limits
        self.transport: asyncio.Transport
        self.peer: str | None = None
        self.secure = False
        self.certificate: PresentedCertificate | None = None
        self.counted: bytes | None = None
        self.request: Request | None = None
        self.body: Receiving | None = None
        self.rest = b""
        self.deadline = shared.never
        self.entrance: Entrance = shared.entrance
        self.draining = False
        self.ending = False
        self.eof = False
        self.write_paused = False
        self._read_paused = False
        self._unsent = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        name = transport.get_extra_info("peername")
        if isinstance(name, tuple) and name:
            self.peer = name[0]
        tls = transport.get_extra_info("ssl_object")
        if tls is not None:
            self.secure = True
            self.certificate = getattr(tls, "presented", None)
        if self.shared.enter(self, self.peer):
            self.deadline = self.shared.latest + self.shared.limits.idle_s
        else:
            self.ending = True
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self.shared.leave(self)
        self.ending = True
        self.drop_request()
        self.rest = b""

    # --- reading
    # ------------------------------------------------------------------------------------------

    def pause_reading(self) -> None:
        """Take no more from the client."""
        if not self._read_paused and not self.transport.is_closing():
            self._read_paused = True
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        """Go on after `pause_reading`."""
        if self._read_paused and not self.transport.is_closing():
            self._read_paused = False
            self.transport.resume_reading()

    def pause_writing(self) -> None:
        self.write_paused = True
        self._unsent = self.transport.get_write_buffer_size()
        self.deadline = self.shared.latest + self.limits.write_s

    # --- the end
    # ------------------------------------------------------------------------------------------

    def refuse(self, bad: BadHead) -> None:
        """Answer what is no request, and close. A request whose body is at fault has not begun to
        be answered: the refusal is its response.
        """
        request = self.request
        started = request is not None and request._started
        self.drop_request()
        if started:
            self.close()
            return
        status, pairs, body = self.shared.handler.malformed(self.peer, self.secure, bad)
        lines = render.lines_of(status, pairs)
        lines += (render.length_line(len(body)), render.CLOSE)
        head = render.joined(lines)
        end = render.END if render.DATE in head else self.shared.dated_end
        self.transport.write(head + end + body)
        self.linger()

    def break_off(self, *, quietly: bool) -> None:
        """End the connection in the middle of a response. `quietly`: its framing shows that it is
        incomplete; otherwise a reset must.
        """
        if self.request is not None:
            self.request.gone = True
        self.request = self.body = None
        if quietly:
            self.close()
        else:
            self.reset()

    def linger(self) -> None:
        """Close, but first let the client read what was said to it: closing under bytes that are
        still on their way would take it back (RFC 9112, 9.6).
        """
        self.ending = True
        self.rest, self.body = b"", None
        if self.eof:
            self.close()
            return
        self.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.deadline = self.shared.latest + self.limits.linger_s

    def drain(self) -> None:
        """The listener is closing: end now, if no request is being read or answered."""
        self.draining = True
        if self.request is None and self.body is None and not self.rest and not self.ending:
            self.close()

    def expire(self) -> None:
        """The deadline has passed."""
        unsent = self.transport.get_write_buffer_size()
        if unsent:
            if unsent == self._unsent:
                self.reset()
            self._unsent = unsent
            self.deadline = self.shared.latest + self.limits.write_s
        elif self.ending:
            self.abort()
        elif self.body is not None:
            self.body.expire()
        elif self.rest:
            self.refuse(BadHead(408, "the head did not come in time"))
        else:
            self.close()

    def abort(self) -> None:
        """End at once, whatever is not sent."""
        self.drop_request()
        self.ending = True
        self.transport.abort()

    def close(self) -> None:
        self.ending = True
        self.deadline = self.shared.latest + self.limits.write_s
        self._unsent = -1
        self.transport.close()

    def reset(self) -> None:
        own = self.transport.get_extra_info("socket")
        if own is not None and own.family != getattr(socket, "AF_UNIX", None):
            own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.abort()

    def drop_request(self) -> None:
        """Whoever is at work on the request hears that nobody waits for it."""
        request, body = self.request, self.body
        self.request = self.body = None
        if request is None:
            return
        request.gone = True
        if body is not None:
            body.client_gone()
        if request.on_gone is not None:
            request.on_gone()
