"""What a test and the application it serves share: the application says what it saw, the test lets
it go on.
"""

import asyncio
import hashlib
from collections import Counter
from threading import Event, Lock
from typing import Any

WAIT_S = 10.0
LARGE = 3_000_000
"""Bytes of the large response: far more than a socket's buffers hold."""


class Bench:
    """Shared between the test's thread and the server's."""

    def __init__(self) -> None:
        self._lock = Lock()
        self.counted: Counter[str] = Counter()
        self.let_go = Event()
        self.entered = Event()
        self.in_background = Event()

    def count(self, what: str) -> None:
        with self._lock:
            self.counted[what] += 1

    def reset(self) -> None:
        self.counted.clear()
        for event in (self.let_go, self.entered, self.in_background):
            event.clear()

    async def held(self) -> None:
        """Wait until the test lets the application go on."""
        self.entered.set()
        assert await asyncio.to_thread(self.let_go.wait, WAIT_S), "the test never let go"


class Boom(Exception):
    """What an application raises when it breaks."""


def payment_view(scope: Any, body: bytes, content_type: str | None) -> dict[str, Any]:
    """What a POST's handler answers: what it was given, and who asked."""
    identity = scope["guarita"]
    return {
        "worked": True,
        "given_sha256": hashlib.sha256(body).hexdigest(),
        "given_length": len(body),
        "content_type": content_type,
        "account": identity.account,
        "client_id": identity.key,
        "may_pay": "transfer:write" in identity.permissions,
        "ray": identity.ray,
    }
