"""An ASGI server by hand: one request to the middleware, message by message."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any
from urllib.parse import unquote

from guarita.serving.asgi import Guarita
from tests.serving.client import Reply
from tests.serving.worlds import Headers

WAIT_S = 5.0
DISCONNECT = {"type": "http.disconnect"}

App = Callable[[Any, Any, Any], Awaitable[None]]


def scope_of(
    method: str,
    target: str,
    headers: Headers | None = None,
    **changes: Any,
) -> dict[str, Any]:
    """The scope a server would make of a request line and headers; `changes` are put over it, None
    removes.
    """
    raw, _, query = target.encode("latin-1").partition(b"?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(raw.decode("latin-1")),
        "raw_path": raw,
        "query_string": query,
        "root_path": "",
        "headers": [
            (name.encode("latin-1"), value.encode("latin-1")) for name, value in headers or []
        ],
        "client": ("127.0.0.1", 50_000),
        "server": ("127.0.0.1", 8000),
        **changes,
    }
    return {name: value for name, value in scope.items() if value is not None}


class Call:
    """One call of the middleware. `to_gate` is what the server still has to say, `sent` what the
    gate has said; `received` counts the messages the gate (or the application) took.
    """

    def __init__(self, gate: Guarita, scope: dict[str, Any], *bodies: bytes) -> None:
        self.to_gate: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.sent: list[MutableMapping[str, Any]] = []
        self.received = 0
        self._said = asyncio.Event()
        for index, body in enumerate(bodies):
            self.says(body, more=index < len(bodies) - 1)
        self.task = asyncio.create_task(self._run(gate, scope))

    async def _run(self, gate: Guarita, scope: dict[str, Any]) -> None:
        await gate(scope, self._receive, self._send)

    def says(self, body: bytes, *, more: bool = False) -> None:
        """A part of the request's body."""
        self.to_gate.put_nowait({"type": "http.request", "body": body, "more_body": more})

    def disconnects(self) -> None:
        self.to_gate.put_nowait(DISCONNECT)

    async def _receive(self) -> dict[str, Any]:
        message = await self.to_gate.get()
        self.received += 1
        if message is DISCONNECT:
            self.disconnects()  # it stays so
        return message

    async def _send(self, message: MutableMapping[str, Any]) -> None:
        self.sent.append(message)
        self._said.set()

    async def said(self, messages: int) -> None:
        """Wait until the gate has sent so many messages."""
        async with asyncio.timeout(WAIT_S):
            while len(self.sent) < messages:
                self._said.clear()
                await self._said.wait()

    async def end(self) -> None:
        """Wait for the call's end; raises what it raised."""
        await asyncio.wait_for(asyncio.shield(self.task), WAIT_S)

    async def cancel(self) -> None:
        """Cancel it, as a server does that shuts down; it must end as cancelled."""
        self.task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.wait_for(self.task, WAIT_S)
        assert self.task.cancelled(), "the cancellation was swallowed"

    def reply(self) -> Reply:
        """The response so far; there must be exactly one start, before everything else."""
        kinds = [message["type"] for message in self.sent]
        assert kinds[:1] == ["http.response.start"]
        assert kinds.count("http.response.start") == 1
        headers = [(n.decode("latin-1"), v.decode("latin-1")) for n, v in self.sent[0]["headers"]]
        body = b"".join(message.get("body", b"") for message in self.sent[1:])
        reply = Reply(self.sent[0]["status"], headers, body)
        assert len(reply.all("ray-id")) == 1
        return reply

    async def answer(self) -> Reply:
        await self.end()
        return self.reply()


def answers(
    status: int = 200, body: bytes = b'{"worked":true}', *headers: tuple[bytes, bytes]
) -> App:
    """An application that reads its request and answers in one piece."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (await receive()).get("more_body"):
            pass
        await send(start(status, *(headers or ((b"content-type", b"application/json"),))))
        await send(part(body))

    return app


def start(status: int = 200, *headers: tuple[bytes, bytes]) -> dict[str, Any]:
    return {"type": "http.response.start", "status": status, "headers": list(headers)}


def part(body: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.response.body", "body": body, "more_body": more}


class Stage:
    """An application the test directs: it says that it was entered, and goes on when it is let."""

    def __init__(self, *rest: Any) -> None:
        """`rest`: messages to send, and exceptions to raise, once it is let go."""
        self.rest = rest
        self.entered = asyncio.Event()
        self.let_go = asyncio.Event()
        self.calls = 0
        self.scopes: list[Any] = []
        self.body = b""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.calls += 1
        self.scopes.append(scope)
        self.body = (await receive()).get("body", b"")
        self.entered.set()
        await self.let_go.wait()
        for step in self.rest:
            if isinstance(step, BaseException):
                raise step
            if isinstance(step, asyncio.Event):
                await step.wait()
            else:
                await send(step)

    async def is_entered(self) -> None:
        await asyncio.wait_for(self.entered.wait(), WAIT_S)
