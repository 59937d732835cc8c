"""The customer's side: verifying a delivery, and an ASGI application that receives them.

What belongs here: what a customer's own code would do, with nothing of the bank's database.

The event id is not signed, so the id alone does not tell a delivery apart from a copy of it with
another id. A second attempt of the bank has a new timestamp and so a new signature; a copy has the
old one. `Receiver` therefore remembers signatures as well as ids.
"""

import asyncio
import hmac
import inspect
import json
import re
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from guarita.sandbox.webhooks import signing

TOLERANCE_S = 300  # fact sheet §7.2: none is published, this is usual
MAX_BODY = 1024 * 1024
REMEMBERED = 10_000

_TIMESTAMP = re.compile(r"[0-9]{1,12}")
_SIGNATURE = re.compile(r"sha256=[0-9a-f]{64}")


class InvalidDelivery(ValueError):
    """A request that is not a genuine, fresh delivery. The text says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Received:
    """A verified delivery. `sent_at` in Unix seconds; `content` is the parsed `body`."""

    event_id: str
    event_type: str
    sent_at: int
    signature: str
    body: bytes
    content: dict[str, Any]


def verify(
    secret: str,
    headers: Mapping[str, str] | Iterable[tuple[str, str]],
    body: bytes,
    *,
    now: float,
    tolerance_s: float = TOLERANCE_S,
    prefix: str = signing.DEFAULT_PREFIX,
) -> Received:
    """The delivery in a request, of which `body` is the raw bytes and `now` the time in Unix
    seconds. Raises `InvalidDelivery`: a header is missing or malformed, the signature is not that
    of the secret, the timestamp is more than `tolerance_s` away, or the body is not an event.
    """
    names = signing.HeaderNames(prefix)
    given = list(headers.items() if isinstance(headers, Mapping) else headers)
    signature = _header(given, names.signature)
    timestamp = _header(given, names.timestamp)
    event_id = _header(given, names.event_id)
    event_type = _header(given, names.event_type)
    if _TIMESTAMP.fullmatch(timestamp) is None:
        raise InvalidDelivery(f"{names.timestamp} must be Unix seconds")
    if _SIGNATURE.fullmatch(signature) is None:
        raise InvalidDelivery(f"{names.signature} must be sha256= and 64 hexadecimal digits")
    expected = signing.signature(secret, timestamp, body)
    if not hmac.compare_digest(expected.encode(), signature.encode()):
        raise InvalidDelivery("the signature does not match: wrong secret, or a changed body")
    if abs(now - int(timestamp)) > tolerance_s:
        raise InvalidDelivery(
            f"{names.timestamp} is more than {tolerance_s:g} s away from this machine's time"
        )
    try:
        content = json.loads(body)
    except ValueError:
        raise InvalidDelivery("the body is not JSON") from None
    if not isinstance(content, dict) or content.get("event_type") != event_type:
        raise InvalidDelivery(f"{names.event_type} is not the event_type of the body")
    return Received(event_id, event_type, int(timestamp), signature, body, content)


Callback = Callable[[Received], Awaitable[None] | None]
Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class Receiver:
    """An ASGI application for deliveries to any path: 204 for a genuine one, 400 for any other.

    `callback` is called once per event, one at a time; if it raises, the server answers 500 and the
    event is taken when it comes again. The last 10,000 events are remembered, in memory. `clock`
    gives Unix seconds. Raises `ValueError` for a prefix that cannot be one.
    """

    def __init__(
        self,
        secret: str,
        callback: Callback,
        *,
        prefix: str = signing.DEFAULT_PREFIX,
        tolerance_s: float = TOLERANCE_S,
        clock: Callable[[], float] = time.time,
    ) -> None:
        signing.HeaderNames(prefix)
        self._secret = secret
        self._callback = callback
        self._prefix = prefix
        self._tolerance_s = tolerance_s
        self._clock = clock
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._turn = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        elif scope["type"] == "http":
            status, text = await self._answer(scope, receive)
            await _send(send, status, text)
        else:
            raise RuntimeError(f"deliveries come by HTTP, not by {scope['type']}")

    async def _answer(self, scope: Scope, receive: Receive) -> tuple[int, str]:
        if scope["method"] != "POST":
            return 405, "deliveries come by POST"
        body = await _body(receive)
        if body is None:
            return 413, f"a delivery has at most {MAX_BODY} bytes"
        headers = [(k.decode("latin-1"), v.decode("latin-1")) for k, v in scope["headers"]]
        try:
            received = verify(
                self._secret,
                headers,
                body,
                now=self._clock(),
                tolerance_s=self._tolerance_s,
                prefix=self._prefix,
            )
        except InvalidDelivery as error:
            return 400, str(error)
        async with self._turn:
            if received.event_id in self._seen or received.signature in self._seen:
                return 204, ""
            outcome = self._callback(received)
            if inspect.isawaitable(outcome):
                await outcome
            self._remember(received)
        return 204, ""

    def _remember(self, received: Received) -> None:
        for mark in (received.event_id, received.signature):
            self._seen[mark] = None
        while len(self._seen) > 2 * REMEMBERED:
            self._seen.popitem(last=False)


def _header(given: list[tuple[str, str]], name: str) -> str:
    values = [value for key, value in given if key.lower() == name.lower()]
    if len(values) != 1 or not values[0]:
        raise InvalidDelivery(f"{name} is {'missing' if not any(values) else 'given twice'}")
    return values[0]


async def _body(receive: Receive) -> bytes | None:
    """The whole body, or `None` if it is too long."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return bytes(body)  # the sender is gone; nobody reads the answer
        body += message.get("body", b"")
        if len(body) > MAX_BODY:
            return None
        if not message.get("more_body", False):
            return bytes(body)


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def _send(send: Send, status: int, text: str) -> None:
    body = json.dumps({"error": text}).encode() if text else b""
    headers = [(b"content-length", str(len(body)).encode())] if body else []
    if body:
        headers.append((b"content-type", b"application/json"))
    if status == 405:
        headers.append((b"allow", b"POST"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
