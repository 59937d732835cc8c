"""The customer's side: verification, and the application that receives."""

import asyncio
from typing import Any

import httpx
import pytest

from guarita.sandbox.webhooks import receiver, signing
from guarita.sandbox.webhooks.receiver import InvalidDelivery, Received, Receiver
from tests.sandbox.webhooks.support import SECRET

NOW = 1_760_000_000
BODY = b'{"event_type":"pix.charge.paid","status":"paid"}'
NAMES = signing.HeaderNames()


def headers(
    event_id: str = "evt_1", *, at_s: int = NOW, body: bytes = BODY, secret: str = SECRET
) -> dict[str, str]:
    return signing.headers(
        NAMES, secret, event_id=event_id, event_type="pix.charge.paid", body=body, at_s=at_s
    )


def test_verified() -> None:
    received = receiver.verify(SECRET, headers(), BODY, now=NOW + 299.9)
    assert received.event_id == "evt_1"
    assert received.event_type == "pix.charge.paid"
    assert received.sent_at == NOW
    assert received.content == {"event_type": "pix.charge.paid", "status": "paid"}
    pairs = [(name.upper(), value) for name, value in headers().items()]
    assert receiver.verify(SECRET, pairs, BODY, now=NOW - 299) == received


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"secret": SECRET + "x"}, "does not match"),
        ({"body": BODY + b" "}, "does not match"),
        ({"now": NOW + 301}, "more than 300 s"),
        ({"now": NOW - 301}, "more than 300 s"),
        ({"now": NOW + 11, "tolerance_s": 10}, "more than 10 s"),
        ({"prefix": "X-Owem-"}, "X-Owem-Signature is missing"),
    ],
)
def test_refused(changes: dict[str, Any], why: str) -> None:
    arguments: dict[str, Any] = {"secret": SECRET, "headers": headers(), "body": BODY, "now": NOW}
    with pytest.raises(InvalidDelivery, match=why):
        receiver.verify(**{**arguments, **changes})


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        *(
            (name, "", "is missing")
            for name in ("Signature", "Timestamp", "Event-Id", "Event-Type")
        ),
        ("Timestamp", str(NOW + 1), "does not match"),
        ("Timestamp", f" {NOW}", "Unix seconds"),
        ("Timestamp", "٣", "Unix seconds"),
        ("Timestamp", "2026-05-01T12:00:30Z", "Unix seconds"),
        ("Timestamp", "9" * 13, "Unix seconds"),
        ("Signature", "0" * 64, "sha256="),
        ("Signature", "sha256=" + "0" * 63, "sha256="),
        ("Signature", "sha256=" + "0" * 64, "does not match"),
        ("Signature", "sha256=" + "é" * 64, "sha256="),
        ("Event-Type", "pix.charge.created", "event_type of the body"),
    ],
)
def test_refused_headers(name: str, value: str, why: str) -> None:
    given = headers() | {NAMES.prefix + name: value}
    with pytest.raises(InvalidDelivery, match=why) as raised:
        receiver.verify(SECRET, given, BODY, now=NOW)
    assert SECRET not in str(raised.value)


def test_a_header_given_twice() -> None:
    given = [*headers().items(), (NAMES.timestamp.lower(), str(NOW))]
    with pytest.raises(InvalidDelivery, match="Timestamp is given twice"):
        receiver.verify(SECRET, given, BODY, now=NOW)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b'{"event_type":"x"}'])
def test_a_signed_body_that_is_no_event(body: bytes) -> None:
    with pytest.raises(InvalidDelivery, match="body"):
        receiver.verify(SECRET, headers(body=body), body, now=NOW)


class Customer:
    """A receiver whose clock is set, and what it was told."""

    def __init__(self) -> None:
        self.told: list[Received] = []
        self.fails = False
        self.now = float(NOW)
        app = Receiver(SECRET, self.on_event, clock=lambda: self.now)
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="http://r"
        )

    async def on_event(self, received: Received) -> None:
        await asyncio.sleep(0)
        if self.fails:
            raise RuntimeError("no disk")
        self.told.append(received)

    async def post(self, event_id: str = "evt_1", body: bytes = BODY, **signed: Any) -> int:
        answer = await self.client.post("/hooks", content=body, headers=headers(event_id, **signed))
        return answer.status_code


async def test_an_event_is_told_once() -> None:
    customer = Customer()
    assert await customer.post() == 204
    assert await customer.post(at_s=NOW + 60) == 204  # a second attempt
    assert await customer.post("evt_9") == 204  # a copy under another id
    assert await customer.post("evt_2", at_s=NOW + 61) == 204
    assert [received.event_id for received in customer.told] == ["evt_1", "evt_2"]
    together = [customer.post("evt_3", at_s=NOW + i) for i in range(5)]
    assert await asyncio.gather(*together) == [204] * 5
    assert [received.event_id for received in customer.told] == ["evt_1", "evt_2", "evt_3"]


async def test_an_event_that_could_not_be_taken_comes_again() -> None:
    customer = Customer()
    customer.fails = True
    assert await customer.post() == 500
    customer.fails = False
    assert await customer.post(at_s=NOW + 60) == 204
    assert len(customer.told) == 1


async def test_refusals_of_the_application() -> None:
    customer = Customer()
    assert await customer.post(secret="another secret") == 400
    assert await customer.post(at_s=NOW - 301) == 400
    assert await customer.post(body=b"x" * (receiver.MAX_BODY + 1)) == 413
    answer = await customer.client.get("/hooks")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    answer = await customer.client.post("/hooks", content=b"{}")
    assert answer.status_code == 400
    assert answer.json() == {"error": "X-MinhaKonta-Signature is missing"}
    assert customer.told == []


async def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiver, "REMEMBERED", 3)
    customer = Customer()
    for i in range(5):
        await customer.post(f"evt_{i}", at_s=NOW + i)
    assert await customer.post("evt_4", at_s=NOW + 50) == 204
    assert len(customer.told) == 5
    assert await customer.post("evt_0", at_s=NOW + 51) == 204
    assert len(customer.told) == 6


async def test_a_plain_function_and_the_lifespan() -> None:
    told: list[Received] = []
    app = Receiver(SECRET, told.append, clock=lambda: NOW)
    messages = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])
    sent: list[str] = []

    async def receive() -> dict[str, Any]:
        return next(messages)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message["type"])

    await app({"type": "lifespan"}, receive, send)
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://r") as client:
        assert (await client.post("/", content=BODY, headers=headers())).status_code == 204
    assert len(told) == 1
    with pytest.raises(RuntimeError, match="websocket"):
        await app({"type": "websocket"}, receive, send)
    with pytest.raises(ValueError, match="prefix"):
        Receiver(SECRET, told.append, prefix="X Y")
