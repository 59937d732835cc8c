"""An admitted request on its way through the application: what the application gets to see, and how
its response is converted, settled and sent. Whatever the application does, a reservation ends as
DESIGN section 3 says.
"""

import asyncio
import logging
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from guarita.decision import Decision, End, Outcome, Pairs
from guarita.facts import Headers
from guarita.identity import identity_of
from guarita.layers.idempotency import Reservation
from guarita.serving.certificates import CertificateHeader, certificates_dropped
from guarita.serving.ray import RAY_HEADER

if TYPE_CHECKING:
    from guarita.serving.asgi import ASGIScope, Message
    from guarita.serving.exchange import Exchange

log = logging.getLogger("guarita.serving")

WHOLE_FILE_EXTENSIONS = ("http.response.pathsend", "http.response.zerocopysend")
"""Ways to answer whose body the middleware could not hold; not offered where it may have to."""

OWN_HEADERS = frozenset(
    {RAY_HEADER, b"x-ratelimit-remaining", b"idempotency-key", b"x-idempotent-replay"}
)
"""Response headers only the gate may set (seed L130, L179): the application's are dropped."""

HSTS_HEADER = b"strict-transport-security"
"""Dropped too where the gate sets its own: clients heed the first (RFC 6797 section 8.1)."""

OVERRIDES = (
    b"x-http-method-override",
    b"x-http-method",
    b"x-method-override",
    b"x-original-url",
    b"x-rewrite-url",
)
"""Headers by which some frameworks let one method or path pose as another. What was admitted as a
GET of one path stays that.
"""


CHECKED = frozenset(
    {
        b"authorization",
        b"x-delbank-api-key",
        b"x-delfinance-account-id",
        b"idempotency-key",
        b"x-forwarded-for",
    }
)
"""Headers the gate decides on: a twin with underscores, which CGI and WSGI take for the same name,
was not decided on and is dropped.
"""


class Admitted:
    """Stands between the application and the server for one admitted request."""

    __slots__ = (
        "answering",
        "chunks",
        "converting",
        "decision",
        "exchange",
        "headers",
        "held",
        "size",
    )

    def __init__(self, exchange: "Exchange", decision: Decision) -> None:
        self.exchange = exchange
        self.decision = decision
        self.held: Message | None = None
        self.headers: list[tuple[bytes, bytes]] = []
        self.chunks: list[bytes] = []
        self.size = 0
        self.converting = False
        self.answering: asyncio.Event | None = None

    async def run(self) -> None:
        """Call the application, and see to it that what was begun is ended, whatever happens."""
        exchange = self.exchange
        try:
            await exchange.gate.app(self.scope(), self.receive, self.send)
        except Exception:
            promised = exchange.started or self.held is not None
            await exchange.fail(await self.end(End.LOST if promised else End.FAILED))
            raise
        except BaseException:
            await self.end(End.LOST)
            raise
        if not exchange.started:
            ray = exchange.facts.ray
            log.error("the application ended without a complete response (Ray ID %s)", ray)
            await exchange.fail(await self.end(End.LOST))

    async def end(self, how: End) -> Pairs:
        """Settle without a response of the application; returns the headers for the gate's own."""
        added = self.exchange.settle(self.decision, Outcome(how))
        return added if isinstance(added, tuple) else await added

    def scope(self) -> "ASGIScope":
        """The scope for the application: converted, with the caller's identity, without what could
        pose as one.
        """
        exchange, decision = self.exchange, self.decision
        facts = exchange.facts
        scope: ASGIScope = {**exchange.scope, "guarita": identity_of(facts, decision.known)}
        scope = without_posing(scope, facts.headers, exchange.gate.believed_header(facts.peer))
        converted = decision.converted
        if converted is not None:
            scope["query_string"] = converted.query
            if converted.body is not None:
                exchange.received = converted.body
                length = b"%d" % len(converted.body)
                scope["headers"] = [
                    (name, length if name.lower() == b"content-length" else value)
                    for name, value in scope["headers"]
                ]
        extensions = scope.get("extensions")
        if extensions and (decision.settles or decision.conversion is not None):
            scope["extensions"] = {
                name: value
                for name, value in extensions.items()
                if name not in WHOLE_FILE_EXTENSIONS
            }
        return scope

    async def receive(self) -> "Message":
        """The application's `receive`: the body that was read, then what the server has to say.

        While a reservation is held, nothing is said before the response is complete: frameworks
        give up work when they hear of a disconnect, and work that may have moved money must run on.
        """
        exchange = self.exchange
        if exchange.received is not None:
            body, exchange.received = exchange.received, None
            return {"type": "http.request", "body": body, "more_body": False}
        if Reservation in self.decision.known and not exchange.started:
            if self.answering is None:
                self.answering = asyncio.Event()
            await self.answering.wait()
        return await exchange.receive()

    async def send(self, message: "Message") -> None:
        """The application's `send`."""
        kind = message["type"]
        if kind == "http.response.start":
            exchange = self.exchange
            if exchange.started or self.held is not None:
                raise RuntimeError("the application started its response twice")
            status: int = message["status"]
            hsts = exchange.facts.secure and bool(exchange.gate.hsts)
            headers = own_headers_dropped(message.get("headers", ()), hsts)
            if self.must_hold(status, headers):
                self.held, self.headers = message, headers
                return
            added = exchange.settle(self.decision, Outcome(End.ANSWERED, status, headers))
            if not isinstance(added, tuple):
                added = await added
            await self.answer(exchange.start(status, [*headers, *added], message))
        elif self.held is not None and kind == "http.response.body":
            chunk: bytes = message.get("body", b"")
            self.size += len(chunk)
            most = self.exchange.gate.max_recorded_body
            if self.size > most and self.converting:
                # Unconverted it may not go out; `run` ends what was begun.
                self.chunks.clear()
                raise RuntimeError(
                    f"a response of more than {most} bytes (max_recorded_body) cannot be converted"
                    " as X-Key-Case asks"
                )
            self.chunks.append(chunk)
            more: bool = message.get("more_body", False)
            if not more or self.size > most:
                await self.complete(self.held, more)
        else:
            await self.exchange.send(message)

    def must_hold(self, status: int, headers: Sequence[tuple[bytes, bytes]]) -> bool:
        """Whether the response is needed whole, to be converted or recorded."""
        conversion = self.decision.conversion
        self.converting = conversion is not None and conversion.wants_body(headers)
        if self.converting:
            return True
        for one in self.decision.settles:  # noqa: SIM110  any() costs a generator per response
            if one.wants_body(status):
                return True
        return False

    async def complete(self, held: "Message", more: bool) -> None:
        """The held response is whole (or, with `more` to come, too long to be recorded): convert
        it, settle over it, send it.
        """
        exchange, conversion = self.exchange, self.decision.conversion
        status: int = held["status"]
        headers = self.headers
        body = self.chunks[0] if len(self.chunks) == 1 else b"".join(self.chunks)
        if self.converting and conversion is not None:
            body = conversion.response(body)
            headers = with_length(headers, len(body))
        kept = body if len(body) <= exchange.gate.max_recorded_body else None
        added = exchange.settle(self.decision, Outcome(End.ANSWERED, status, headers, kept))
        if not isinstance(added, tuple):
            added = await added
        self.held = None
        self.chunks.clear()
        await self.answer(exchange.start(status, [*headers, *added], held))
        await exchange.send({"type": "http.response.body", "body": body, "more_body": more})

    async def answer(self, start: "Message") -> None:
        """Send the start of the response, after every settlement."""
        if self.answering is not None:
            self.answering.set()
        await self.exchange.send(start)


def without_posing(
    scope: "ASGIScope", headers: Headers, believed: CertificateHeader | None
) -> "ASGIScope":
    """`scope`, or a copy without the request headers that pose as something. `believed`: the
    certificate header where the peer is a trusted proxy.
    """
    names = headers.names
    if b"cert" in names or b"ssl" in names:
        scope = {**scope, "headers": list(certificates_dropped(headers, believed))}
    if b"guarita" in names or b"method" in names or b"_" in names or b"-url" in names:
        scope = {**scope, "headers": [pair for pair in scope["headers"] if not poses(pair[0])]}
    return scope


def poses(name: bytes) -> bool:
    """Whether a request header could be taken for the gate's own word, or turn the method into
    another.
    """
    plain = name.lower().replace(b"_", b"-")
    if plain.startswith(b"guarita-") or plain in OVERRIDES:
        return True
    return plain in CHECKED and plain != name.lower()


def own_headers_dropped(
    headers: Iterable[tuple[bytes, bytes]], hsts: bool = False
) -> list[tuple[bytes, bytes]]:
    """The application's response headers without those that only the gate may set; with `hsts` it
    sets that one too.
    """
    kept = [(name, value) for name, value in headers if name.lower() not in OWN_HEADERS]
    return [pair for pair in kept if pair[0].lower() != HSTS_HEADER] if hsts else kept


def with_length(headers: Sequence[tuple[bytes, bytes]], length: int) -> list[tuple[bytes, bytes]]:
    """`headers` with the right Content-Length, whether they had one or not."""
    others = [pair for pair in headers if pair[0].lower() != b"content-length"]
    return [*others, (b"content-length", b"%d" % length)]
