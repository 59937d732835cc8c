"""The upstream as the gateway sees it: connections kept alive, calls sent on them, deadlines kept.

A call is sent once. It waits for a connection; once a byte of it has been written, no other
connection gets it: a payment may have been executed however soon the connection ended.
"""

import asyncio
import logging
import os
import ssl
from collections import deque
from time import monotonic

from guarita.serving.upstream.call import Call, Problem, Receiver
from guarita.serving.upstream.connection import Connection
from guarita.serving.upstream.target import Target, Timeouts

log = logging.getLogger("guarita.upstream")

LOG_EVERY_S = 5.0


class Upstream:
    """Sends calls to one target. Belongs to one event loop.

    Times are kept by a coarse tick: none is cut short, and each may last up to two ticks longer.

    Attributes:
        target, timeouts: as given.
        now: the clock at the last tick; what deadlines are reckoned from.

    Args:
        target: where it is.
        timeouts: see `Timeouts`.
        most_connections: open at the same time; further calls wait, at most `connect_s`.
        reads_bodies: the upstream reads every body to its end before it takes a next request.
        tick_s: how often deadlines are looked at, in seconds.
    """

    def __init__(
        self,
        target: Target,
        timeouts: Timeouts = Timeouts(),  # noqa: B008 - immutable
        *,
        most_connections: int = 256,
        reads_bodies: bool = False,
        tick_s: float = 0.25,
    ) -> None:
        if most_connections < 1:
            raise ValueError(f"most_connections must be 1 or more, not {most_connections}")
        self.target = target
        self.timeouts = timeouts
        self.now = monotonic()
        self.reads_bodies = reads_bodies
        self._most = most_connections
        self._tick_s = tick_s
        self._idle: deque[Connection] = deque()
        self._open: set[Connection] = set()
        self._connecting: set[asyncio.Task[None]] = set()
        self._waiting: deque[Call] = deque()
        self._ticking: asyncio.TimerHandle | None = None
        self._closed = False
        self._retired = False
        self._quiet_until = 0.0

    def send(
        self,
        method: str,
        head: bytes,
        body: bytes | None,
        receiver: Receiver,
        *,
        chunked: bool = False,
        last: bool = False,
    ) -> Call:
        """Send a request. `head`: the whole head with the blank line, its framing fields as `body`
        is: the whole body, or None where the call's `data` and `end` give it (`chunked`: in chunks,
        which the call frames). `last`: the connection is not used again. The receiver hears nothing
        before this returns.
        """
        call = Call(head, body, receiver, method == "HEAD", chunked, last, sent=body is not None)
        idle = self._idle
        while idle:
            connection = idle.pop()
            # Ended meanwhile, or an answer nobody asked for is there: that must not meet this call.
            if connection.transport.is_closing() or connection.look(0):
                connection.transport.abort()
                continue
            connection.begin(call)
            return call
        if self._closed:
            asyncio.get_running_loop().call_soon(call.fail, Problem.NOT_SENT)
            return call
        self._tick_soon()
        call.since = self.now
        self._waiting.append(call)
        self._connect_where_wanted()
        return call

    @property
    def calls(self) -> int:
        """How many calls are under way."""
        working = sum(1 for connection in self._open if connection.call is not None)
        return working + sum(1 for call in self._waiting if not call.over)

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._open)

    def retire(self) -> None:
        """Keep no connection for later: only requests that have begun are still sent here."""
        self._retired = True
        while self._idle:
            self._idle.pop().transport.close()

    def close(self) -> None:
        """Close idle connections now and the others after their call. Later calls fail as not
        sent.
        """
        self._closed = True
        self.retire()

    # --- called by connections --------------------------------------------------------------------

    def free(self, connection: Connection) -> None:
        """A connection whose call is over: for the next call, or to be kept a while."""
        while self._waiting:
            call = self._waiting.popleft()
            if not call.over:
                connection.begin(call)
                return
        if self._retired:
            connection.transport.close()
            return
        connection.idle_since = self.now
        self._idle.append(connection)

    def lost(self, connection: Connection) -> None:
        """A connection has ended."""
        self._open.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        self._connect_where_wanted()

    # --- connecting -------------------------------------------------------------------------------

    def _connect_where_wanted(self) -> None:
        """One attempt for each call that waits, as far as connections may be opened."""
        while len(self._connecting) < len(self._waiting):
            if len(self._open) + len(self._connecting) >= self._most:
                return
            task = asyncio.get_running_loop().create_task(self._connect())
            self._connecting.add(task)
            task.add_done_callback(self._connected)

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        target = self.target
        try:
            async with asyncio.timeout(self.timeouts.connect_s):
                if target.unix:
                    _, connection = await loop.create_unix_connection(
                        lambda: Connection(self), target.unix
                    )
                else:
                    _, connection = await loop.create_connection(
                        lambda: Connection(self),
                        target.host,
                        target.port,
                        ssl=target.tls,
                        server_hostname=target.server_name if target.tls else None,
                    )
        except (OSError, TimeoutError, ValueError) as error:
            self._unreachable(error)
            return
        if connection.transport.is_closing() or (target.tls is None and connection.look(0)):
            connection.transport.abort()
            self._unreachable(ConnectionResetError("the connection was ended at once"))
            return
        self._open.add(connection)
        self._tick_soon()
        self.free(connection)

    def _connected(self, task: "asyncio.Task[None]") -> None:
        self._connecting.discard(task)
        if not task.cancelled() and task.exception() is None:
            self._connect_where_wanted()

    def _unreachable(self, error: Exception) -> None:
        """Nothing of the call that waited longest was sent: it fails, provably not executed."""
        now = monotonic()
        if now >= self._quiet_until:
            self._quiet_until = now + LOG_EVERY_S
            log.error("upstream %s cannot be reached: %s", self.target.authority, _told(error))
        while self._waiting:
            call = self._waiting.popleft()
            if not call.over:
                call.fail(Problem.NOT_SENT)
                return

    # --- deadlines --------------------------------------------------------------------------------

    def tick(self) -> None:
        """Look at all deadlines, by the clock as it is now: one timer for all calls."""
        self.now = now = monotonic()
        times, waiting, idle = self.timeouts, self._waiting, self._idle
        slack = self._tick_s  # what happened since the last tick was noted by its time
        while waiting and (waiting[0].over or waiting[0].since <= now - times.connect_s - slack):
            waiting.popleft().fail(Problem.NOT_SENT)
        while idle and idle[0].idle_since <= now - times.idle_s:
            idle.popleft().transport.close()
        for connection in tuple(self._open):
            connection.expire(now - times.read_s - slack)

    def _tick_soon(self) -> None:
        if self._ticking is None:
            self.now = monotonic()
            self._wait()

    def _wait(self) -> None:
        self._ticking = asyncio.get_running_loop().call_later(self._tick_s, self._on_timer)

    def _on_timer(self) -> None:
        self._ticking = None
        try:
            self.tick()
        finally:  # a bug below must not end all deadlines
            if self._open or self._waiting or self._connecting:
                self._wait()


def _told(error: Exception) -> str:
    """Why there is no connection, in the operating system's words where they are its."""
    if isinstance(error, ssl.SSLError):  # its numbers are OpenSSL's
        return str(error)
    if isinstance(error, TimeoutError) and not error.args:
        return "no connection within connect_s"
    if isinstance(error, OSError) and error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
