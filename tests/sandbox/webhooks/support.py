"""What the tests of webhooks share: a clock, a bank file, receivers that answer as told."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from guarita.sandbox.books import accounts
from guarita.sandbox.database import Database
from guarita.sandbox.webhooks import outbox, subscriptions
from guarita.sandbox.webhooks.subscriptions import Webhook, WebhookOrder

VECTORS = Path(__file__).resolve().parents[2] / "vectors" / "sandbox_webhooks.json"
ACCOUNT = "acc_1"
SECRET = "whsec_of_the_tests"
PAID = "pix.charge.paid"
CONFIRMED = "pix.payout.confirmed"

OK = b"HTTP/1.1 204 No Content\r\n\r\n"


def vectors() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(VECTORS.read_text("utf-8"))
    return loaded


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = datetime(2026, 5, 1, 12, 0, 30, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **time: float) -> None:
        self.now += timedelta(**time)


class Books:
    """A bank file with one account, and short ways to write into it and look at it."""

    def __init__(self, folder: Path) -> None:
        self.clock = Clock()
        self.database = Database(folder / "bank.db")
        with self.database.writing() as conn:
            accounts.open_customer(conn, ACCOUNT, balance=0, at=self.clock())

    def webhook(
        self, url: str, *events: str, account: str = ACCOUNT, insecure: bool = True
    ) -> Webhook:
        order = WebhookOrder(url, events or (PAID,), secret=SECRET, allow_insecure=insecure)
        with self.database.writing() as conn:
            return subscriptions.create(conn, account, order, at=self.clock(), unsafe_loopback=True)

    def emit(self, subject: str = "tx_1", event_type: str = PAID, **members: Any) -> str:
        status = {PAID: "paid", CONFIRMED: "settled"}[event_type]
        body = {"event_type": event_type, "status": status, **members}
        with self.database.writing() as conn:
            return outbox.emit(conn, ACCOUNT, event_type, body, subject=subject, at=self.clock())

    def rows(self, sql: str, *parameters: object) -> list[dict[str, Any]]:
        with self.database.reading() as conn:
            return [dict(row) for row in conn.execute(sql, parameters)]

    def deliveries(self) -> list[dict[str, Any]]:
        return self.rows(
            "SELECT deliveries.*, events.id AS event_id FROM deliveries"
            " JOIN events ON events.number = deliveries.event ORDER BY deliveries.number"
        )

    def statuses(self) -> list[str]:
        return [row["status"] for row in self.deliveries()]


@dataclass
class Request:
    """A request as it came over the wire."""

    line: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def event_id(self) -> str:
        return self.headers["x-minhakonta-event-id"]


Handler = Callable[[Request, asyncio.StreamWriter], Awaitable[None]]


class Endpoint:
    """A receiver on 127.0.0.1. `answers` are sent one per request, the last one for all that
    follow; a callable writes its answer itself.
    """

    def __init__(self, *answers: bytes | Handler) -> None:
        self.requests: list[Request] = []
        self.connections = 0
        self.port = 0
        self._answers = list(answers) or [OK]
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def event_ids(self) -> list[str]:
        return [request.event_id for request in self.requests]

    def url(self, path: str = "/hooks", *, host: str = "127.0.0.1", scheme: str = "http") -> str:
        return f"{scheme}://{host}:{self.port}{path}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            request = await _read(reader)
            self.requests.append(request)
            answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
            if isinstance(answer, bytes):
                writer.write(answer)
                await writer.drain()
            else:
                await answer(request, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def stop(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@asynccontextmanager
async def endpoint(
    *answers: bytes | Handler, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Endpoint]:
    made = Endpoint(*answers)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0, ssl=tls)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        await made.stop()
        await server.wait_closed()


def answer(status: int, *headers: str, body: bytes = b"") -> bytes:
    lines = [f"HTTP/1.1 {status} X", *headers, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


async def _read(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    pairs = [line.split(": ", 1) for line in head[1:] if line]
    headers = {name.lower(): value for name, value in pairs}
    body = await reader.readexactly(int(headers["content-length"]))
    return Request(head[0], headers, body)
