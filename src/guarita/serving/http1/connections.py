"""What all connections of one listener share: the handler, the limits, the clock's tick, how many
there are, and the way they end.
"""

import asyncio
import math
import socket
import time
from collections.abc import Callable

from guarita.serving.http1.connection import Connection
from guarita.serving.http1.front import Front
from guarita.serving.http1.limits import Limits
from guarita.serving.http1.request import Handler
from guarita.serving.http1.respond import dated_end


class Entrance:
    """One way by which connections come in, for those that end together.

    Attributes:
        closed: no connection comes in any more.
        ends: when those that came in are cut, by the connections' clock.
    """

    __slots__ = ("closed", "ends")

    def __init__(self) -> None:
        self.closed = False
        self.ends = math.inf


class Connections:
    """The connections of one listener, or of several that share their limits:
    `loop.create_server(connections.front, …)`.

    Attributes:
        handler: who decides on requests; may be replaced at any time, which holds from the next
            request on.
        limits: see `Limits`.
        latest: the clock at the next tick, so that it is not later than that now; what deadlines
            are reckoned from, and therefore never too early.
        dated_end: the end of a response's head that has no Date of its own; the time is that of the
            last tick.
        draining: no connection comes in, and none outlives the response it is at.
        turned_away: connections that were closed at once because there were too many.

    Args:
        exempt: peers that may have any number of connections (trusted proxies).
        clock: seconds, monotonic.
        date_clock: Unix time in seconds, for Date.
        tick_s: how often deadlines are looked at, in seconds.
    """

    never = math.inf

    def __init__(
        self,
        handler: Handler,
        limits: Limits = Limits(),  # noqa: B008 - immutable
        *,
        exempt: Callable[[str], bool] | None = None,
        clock: Callable[[], float] = time.monotonic,
        date_clock: Callable[[], float] = time.time,
        tick_s: float = 1.0,
    ) -> None:
        self.handler = handler
        self.limits = limits
        self.latest = clock() + tick_s
        self.dated_end = dated_end(date_clock())
        self.draining = False
        self.turned_away = 0
        self._open: set[Connection] = set()
        self._of_address: dict[bytes, int] = {}
        self._exempt = exempt
        self._clock = clock
        self._date_clock = date_clock
        self._tick_s = tick_s
        self._timer: asyncio.TimerHandle | None = None
        self._closed: asyncio.Future[None] | None = None
        self._end = math.inf
        self.entrance = Entrance()
        self._ending: list[Entrance] = []

    def __len__(self) -> int:
        return len(self._open)

    def front(self, entrance: Entrance | None = None) -> Front:
        """A protocol for one new connection, and how it came in where that matters to `end`."""
        front = Front(self)
        if entrance is not None:
            front.entrance = entrance
        return front

    # --- called by the connections
    # ------------------------------------------------------------------------------------------

    def enter(self, front: Connection, peer: str | None) -> bool:
        """Count a new connection. False: there are too many, it is to be closed at once.

        One that was counted when it was accepted, before its TLS handshake, is not counted again.
        """
        if front in self._open:
            return not front.ending
        limits = self.limits
        counted = None
        if peer is not None and not (self._exempt is not None and self._exempt(peer)):
            counted = network_of(peer)
        if (
            self.draining
            or front.entrance.closed
            or len(self._open) >= limits.connections
            or (counted is not None and self._of_address.get(counted, 0) >= limits.per_address)
        ):
            self.turned_away += 1
            return False
        if counted is not None:
            self._of_address[counted] = self._of_address.get(counted, 0) + 1
        front.counted = counted
        self._open.add(front)
        if self._timer is None:
            self.latest = self._clock() + self._tick_s
            self.dated_end = dated_end(self._date_clock())
            self._wait()
        return True

    def leave(self, front: Connection) -> None:
        """A connection has ended."""
        if front not in self._open:
            return
        self._open.remove(front)
        counted = front.counted
        if counted is not None:
            left = self._of_address[counted] - 1
            if left:
                self._of_address[counted] = left
            else:
                del self._of_address[counted]
        if not self._open and self._closed is not None and not self._closed.done():
            self._closed.set_result(None)

    # --- time
    # ------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Look at every connection's deadline, by the clock as it is now."""
        now = self._clock()
        self.latest = now + self._tick_s
        self.dated_end = dated_end(self._date_clock())
        late = [front for front in self._open if front.deadline <= now]
        for front in late:
            front.expire()
        if now >= self._end:
            for front in tuple(self._open):
                front.abort()
        for entrance in [one for one in self._ending if one.ends <= now]:
            self._ending.remove(entrance)
            for front in self._by(entrance):
                front.abort()

    def _wait(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._tick_s, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        try:
            self.tick()
        finally:  # a bug below must not end all deadlines
            if self._open:
                self._wait()

    # --- the end
    # ------------------------------------------------------------------------------------------

    def end(self, entrance: Entrance, grace_s: float = 30.0) -> None:
        """End the connections that came in by `entrance`, as `close` does, and let none come in."""
        entrance.closed = True
        entrance.ends = self._clock() + grace_s
        self._ending.append(entrance)
        for front in self._by(entrance):
            front.drain()

    def _by(self, entrance: Entrance) -> list[Connection]:
        return [front for front in self._open if front.entrance is entrance]

    async def close(self, grace_s: float = 30.0) -> None:
        """End every connection: those that wait for a request at once, the others after their
        response, which says `connection: close`; whatever is left after `grace_s` seconds is cut.
        The listener itself is to be closed first.
        """
        self.draining = True
        self._end = self._clock() + grace_s
        for front in tuple(self._open):
            front.drain()
        if self._open:
            self._closed = asyncio.get_running_loop().create_future()
            await self._closed
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def network_of(peer: str) -> bytes:
    """What connections are counted by: the IPv4 address, or the /64 network of an IPv6 one, which
    is the least a single customer has.
    """
    try:
        if ":" not in peer:
            return socket.inet_pton(socket.AF_INET, peer)
        packed = socket.inet_pton(socket.AF_INET6, peer.partition("%")[0])
    except (OSError, ValueError):
        return peer.encode()
    mapped = packed[:12] == b"\0" * 10 + b"\xff\xff"
    return packed[12:] if mapped else packed[:8]
