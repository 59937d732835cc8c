"""What stands behind the edge in these tests: an application that shows what has reached it."""

import json
from threading import Lock
from typing import Any

from guarita.facts import Headers
from guarita.serving.asgi import ASGIScope, Receive, Send


class Echo:
    """Answers every request with what it got. Thread-safe.

    Attributes:
        reached: how many requests have come.
        status: the status of every answer; `Retry-After: 7` stands beside it, and a header that the
            edges replace.
    """

    def __init__(self) -> None:
        self.reached = 0
        self.status = 200
        self._lock = Lock()

    async def __call__(self, scope: ASGIScope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        with self._lock:
            self.reached += 1
        seen = {
            "method": scope["method"],
            "target": (scope["raw_path"] + b"?" + scope["query_string"]).decode("latin-1"),
            "headers": [[n.decode("latin-1"), v.decode("latin-1")] for n, v in scope["headers"]],
            "body": body.decode("latin-1"),
        }
        fields = [
            (b"content-type", b"application/json"),
            (b"retry-after", b"7"),
            (b"strict-transport-security", b"max-age=1"),  # as the gate does; the edge's counts
        ]
        await send({"type": "http.response.start", "status": self.status, "headers": fields})
        await send({"type": "http.response.body", "body": json.dumps(seen).encode()})


class Seen:
    """One request as the upstream saw it, read from its answer."""

    def __init__(self, answer: bytes) -> None:
        fields: dict[str, Any] = json.loads(answer)
        self.method: str = fields["method"]
        self.target: str = fields["target"]
        self.body: bytes = fields["body"].encode("latin-1")
        self.headers = Headers(
            [(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields["headers"]]
        )
