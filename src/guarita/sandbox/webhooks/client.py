"""One attempt to deliver: an HTTP request to a checked address, within a time and a size.

What belongs here: connecting to the very address that was checked, following redirects by the same
rules, and saying in short why an attempt failed. What does not: when and what to send (`delivery`).
"""

import logging
import ssl
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import anyio
import httpcore

from guarita.sandbox.webhooks import targets
from guarita.sandbox.webhooks.targets import InvalidTarget, Resolve, Target

TIMEOUT_S = 10.0
MAX_ANSWER = 64 * 1024  # head and body
MAX_REDIRECTS = 3
REDIRECTS = (307, 308)  # the ones that keep method and body, RFC 9110 §15.4
MAX_ERROR = 200

logger = logging.getLogger(__name__)

_MAX_ADDRESSES = 4
_CONNECT_S = 3.0  # per address, so that one that is silent leaves time for the next


@dataclass(frozen=True, slots=True)
class Answer:
    """How an attempt ended: the HTTP status answered last, and why it failed (`None` where it did
    not). Any 2xx is success (fact sheet §7.2).
    """

    status: int | None
    error: str | None

    @property
    def delivered(self) -> bool:
        return self.error is None


class Client:
    """Sends requests. Safe to use from many tasks: nothing is kept from one attempt to the next.

    `resolver` and `backend` are how names and connections are made, for tests; `tls` verifies
    servers (by default against the usual authorities).
    """

    def __init__(
        self,
        *,
        unsafe_loopback: bool = False,
        timeout_s: float = TIMEOUT_S,
        resolver: Resolve = targets.system_resolver,
        tls: ssl.SSLContext | None = None,
        backend: httpcore.AsyncNetworkBackend | None = None,
    ) -> None:
        self._unsafe_loopback = unsafe_loopback
        self._timeout_s = timeout_s
        self._tls = httpcore.default_ssl_context() if tls is None else tls
        self._backend = _CheckedBackend(
            httpcore.AnyIOBackend() if backend is None else backend,
            resolver,
            unsafe_loopback=unsafe_loopback,
        )

    async def post(
        self, url: str, *, headers: Mapping[str, str], body: bytes, allow_insecure: bool
    ) -> Answer:
        """One attempt, redirects included. Raises nothing: every failure is an `Answer`.

        The status decides as soon as it is there. What follows it is read, up to 64 KiB and as long
        as the attempt's time lasts, for the sake of receivers that cannot bear a closed connection.
        """
        hop = _Hop()
        with anyio.move_on_after(self._timeout_s):
            try:
                target = targets.parse(
                    url, allow_insecure=allow_insecure, unsafe_loopback=self._unsafe_loopback
                )
                for _ in range(1 + MAX_REDIRECTS):
                    await self._send(target, headers, body, hop)
                    if hop.status not in REDIRECTS or hop.location is None:
                        break
                    target = targets.redirected(
                        target,
                        hop.location,
                        allow_insecure=allow_insecure,
                        unsafe_loopback=self._unsafe_loopback,
                    )
            except (InvalidTarget, OSError, httpcore.NetworkError, httpcore.ProtocolError) as error:
                return Answer(hop.status, _told(error))
            except httpcore.TimeoutException:
                return Answer(hop.status, "could not connect in time")
            except Exception as error:
                # Without the error's own text, which may hold the URL.
                place = "".join(traceback.format_tb(error.__traceback__))
                logger.error("a delivery failed by %s:\n%s", type(error).__qualname__, place)
                return Answer(hop.status, "the bank failed to send it; see its log")
        return self._judge(hop)

    def _judge(self, hop: "_Hop") -> Answer:
        if hop.status is None:
            return Answer(None, f"no answer within {self._timeout_s:g} s")
        if 200 <= hop.status < 300:
            return Answer(hop.status, None)
        if hop.status in REDIRECTS and hop.location is not None:
            return Answer(hop.status, f"more than {MAX_REDIRECTS} redirects, or too slow ones")
        return Answer(hop.status, f"answered {hop.status}")

    async def _send(
        self, target: Target, headers: Mapping[str, str], body: bytes, hop: "_Hop"
    ) -> None:
        url = httpcore.URL(
            scheme=target.scheme.encode(),
            host=target.host.encode(),
            port=target.port,
            target=target.path.encode(),
        )
        connection = httpcore.AsyncHTTPConnection(
            url.origin, ssl_context=self._tls, network_backend=self._backend
        )
        sent: list[tuple[bytes | str, bytes | str]] = [
            ("Host", target.authority),
            *headers.items(),
            ("Connection", "close"),
        ]
        try:
            async with connection.stream("POST", url, headers=sent, content=body) as response:
                hop.status = response.status
                hop.location = _location(response.headers)
                await _drop(response)
        finally:
            with anyio.CancelScope(shield=True):
                await connection.aclose()


class _Hop:
    """The last answer's head: known even if time runs out afterwards."""

    def __init__(self) -> None:
        self.status: int | None = None
        self.location: str | None = None


class _CheckedBackend(httpcore.AsyncNetworkBackend):
    """Connects to names: resolves once, checks every address, connects to one of those. TLS still
    verifies the name, for it is told the name and not the address.
    """

    def __init__(
        self, inner: httpcore.AsyncNetworkBackend, resolver: Resolve, *, unsafe_loopback: bool
    ) -> None:
        self._inner = inner
        self._resolver = resolver
        self._unsafe_loopback = unsafe_loopback

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the interface of httpcore
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        found = await targets.resolve(
            host, port, resolver=self._resolver, unsafe_loopback=self._unsafe_loopback
        )
        failure: Exception | None = None
        for address in found[:_MAX_ADDRESSES]:
            try:
                stream = await self._inner.connect_tcp(
                    str(address), port, _CONNECT_S, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return _BoundedStream(stream)
        assert failure is not None  # noqa: S101 - there is an address, and it failed
        raise failure


class _BoundedStream(httpcore.AsyncNetworkStream):
    """A connection that gives up after `MAX_ANSWER` bytes read, whatever they are."""

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream
        self._left = MAX_ANSWER

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        if self._left == 0:
            raise _TooLong
        data = await self._stream.read(min(max_bytes, self._left), timeout)
        self._left -= len(data)
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> httpcore.AsyncNetworkStream:
        try:
            secured = await self._stream.start_tls(ssl_context, server_hostname, timeout)
        except BaseException:
            with anyio.CancelScope(shield=True):  # httpcore forgets it when it is cancelled
                await self._stream.aclose()
            raise
        return _BoundedStream(secured)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _TooLong(httpcore.ReadError):
    """The receiver answered more than is read."""


async def _drop(response: httpcore.Response) -> None:
    try:
        async for _ in response.aiter_stream():
            pass
    except (OSError, httpcore.NetworkError, httpcore.ProtocolError):
        return  # too long or broken off: the status stands


def _location(headers: list[tuple[bytes, bytes]]) -> str | None:
    values = [value for name, value in headers if name.lower() == b"location"]
    return values[0].decode("latin-1") if values else None


def _told(error: Exception) -> str:
    """What may be kept of an error: nothing a server or a URL's path could have written into it."""
    tls = _cause(error, ssl.SSLError)
    if isinstance(error, InvalidTarget):
        text = error.text
    elif isinstance(tls, ssl.SSLCertVerificationError):
        text = f"TLS: certificate refused: {tls.verify_message}"
    elif tls is not None:
        text = "TLS: the handshake failed"
    elif isinstance(error, _TooLong):
        text = f"the answer's head is longer than {MAX_ANSWER} bytes"
    elif isinstance(error, httpcore.ProtocolError):
        text = "the answer was not HTTP, or none came"
    elif isinstance(error, httpcore.ConnectError):
        text = "could not connect"
    else:
        text = "the connection broke off"
    return "".join(c if c.isprintable() else "?" for c in text)[:MAX_ERROR]


def _cause(error: BaseException, kind: type[BaseException]) -> BaseException | None:
    seen: BaseException | None = error
    while seen is not None and not isinstance(seen, kind):
        seen = seen.__cause__ or seen.__context__
    return seen
