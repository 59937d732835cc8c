"""A child process: merchants that pay, one request in flight on each keep-alive connection. Used by
`benchmarks.payments`, not by hand.

Argument: {"core", "client_id", "secret"}. Each line on its standard input is a round, {"port",
"connections", "count", "guarded"}, answered with {"seconds", "p50_ms", "p99_ms"} or {"error"}.
Every payment is another one (key, amount, external id, Idempotency-Key), signed beforehand. Every
answer is looked at: 200, `processing`, the gate's headers exactly where the gate is expected, never
a replay.
"""

import asyncio
import gc
import json
import sys
from secrets import token_hex
from time import perf_counter
from typing import Any

import uvloop

from benchmarks.children import bind
from benchmarks.wire import PATH
from guarita import crypto

_LONGEST_ROUND_S = 120


class Merchants:
    """The connections, and the payments not sent yet."""

    def __init__(self, client_id: str, secret: str) -> None:
        self._authorization = f"ApiKey {client_id}:{secret}"
        self._secret = secret.encode()
        self._run = token_hex(4)
        self._number = 0
        self._open: dict[int, list[tuple[asyncio.StreamReader, asyncio.StreamWriter]]] = {}

    async def run(self, port: int, connections: int, count: int, guarded: bool) -> dict[str, float]:
        """One round of `count` payments."""
        requests = [self._request(port) for _ in range(count)]
        opened = self._open.setdefault(port, [])
        while len(opened) < connections:
            opened.append(await asyncio.open_connection("127.0.0.1", port))
        latencies: list[float] = []
        waiting = iter(requests)
        gc.collect()
        begun = perf_counter()
        async with asyncio.timeout(_LONGEST_ROUND_S), asyncio.TaskGroup() as group:
            for reader, writer in opened[:connections]:
                group.create_task(_pay(reader, writer, waiting, latencies, guarded))
        seconds = perf_counter() - begun
        latencies.sort()
        if len(latencies) != count:
            raise RuntimeError(f"{count} payments were sent, {len(latencies)} answered")
        return {
            "seconds": seconds,
            "p50_ms": latencies[count // 2] * 1000,
            "p99_ms": latencies[count * 99 // 100] * 1000,
        }

    def _request(self, port: int) -> bytes:
        self._number += 1
        name = f"{self._run}-{self._number}"
        order = {
            "amount": 100 + self._number % 5000,
            "external_id": name,
            "pix_key": f"cliente-{self._number % 500}@exemplo.test",
        }
        body = json.dumps(order, separators=(",", ":"), sort_keys=True).encode()
        headers = {
            "Host": f"127.0.0.1:{port}",
            "Authorization": self._authorization,
            "Content-Type": "application/json",
            "hmac": crypto.signature(self._secret, body),
            "Idempotency-Key": name,
            "Content-Length": len(body),
        }
        lines = "".join(f"{header}: {value}\r\n" for header, value in headers.items())
        return f"POST {PATH} HTTP/1.1\r\n{lines}\r\n".encode() + body


async def _pay(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    waiting: Any,
    latencies: list[float],
    guarded: bool,
) -> None:
    """Send what is waiting, one after the other. Raises `RuntimeError` for a wrong answer."""
    for request in waiting:
        begun = perf_counter()
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        _, _, rest = head.partition(b"\r\ncontent-length: ")
        body = await reader.readexactly(int(rest.partition(b"\r\n")[0]))
        latencies.append(perf_counter() - begun)
        gate = b"\r\nray-id: " in head and b"\r\nidempotency-key: " in head
        if (
            not head.startswith(b"http/1.1 200 ")
            or b'"status":"processing"' not in body
            or gate is not guarded
            or b"\r\nx-idempotent-replay: " in head
        ):
            raise RuntimeError(f"a payment was answered with {head!r} {body[:300]!r}")


async def main(options: dict[str, Any]) -> None:
    bind(options["core"])
    merchants = Merchants(options["client_id"], options["secret"])
    # Reading blocks the loop: between rounds nothing else happens in this process.
    for line in sys.stdin:
        try:
            answer: dict[str, Any] = await merchants.run(**json.loads(line))
        except (OSError, EOFError, TimeoutError) as error:
            answer = {"error": repr(error)}
        except ExceptionGroup as group:
            answer = {"error": str(group.exceptions[0])}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    uvloop.run(main(json.loads(sys.argv[1])))
