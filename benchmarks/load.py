"""A child process: the load generator. Keep-alive connections, one request in flight on each,
requests rendered beforehand.

Argument: {"core"}. Each line on its standard input is a round, {"port", "connections", "count",
"guarded", "keyed"}, answered with {"seconds", "cpu_us" (the generator's own, per request),
"p50_us", "p99_us"} or {"error"}. Every response is looked at: status 200, the whole expected body,
the gate's headers exactly where the gate is expected, never a replay. Connections stay open from
round to round.
"""

import asyncio
import gc
import json
import sys
from collections.abc import Iterator
from time import perf_counter, process_time
from typing import Any, cast

import uvloop

from benchmarks import wire
from benchmarks.children import bind

_OK = b"HTTP/1.1 200 "
_END = b"\r\n\r\n" + wire.ANSWER
_RAY = b"\r\nray-id: "
_REMAINING = b"\r\nx-ratelimit-remaining: "
_ECHO = b"\r\nidempotency-key: "
_REPLAY = b"\r\nx-idempotent-replay: "
_LONGEST_ROUND_S = 120


class _Round:
    """What the connections of one round share."""

    def __init__(self, requests: Iterator[bytes], busy: int, guarded: bool, keyed: bool) -> None:
        self.requests = requests
        self.busy = busy
        self.guarded = guarded
        self.echoed = guarded and keyed
        self.latencies: list[float] = []
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def wrong(self, response: bytes) -> str | None:
        """What is wrong with a whole response, if anything."""
        if (_RAY in response) is not self.guarded or (_REMAINING in response) is not self.guarded:
            return (
                "the gate's headers are missing"
                if self.guarded
                else "a gate stands where none should"
            )
        if (_ECHO in response) is not self.echoed or _REPLAY in response:
            return "the Idempotency-Key was not echoed, or the answer was a replay"
        return None

    def fail(self, what: str) -> None:
        if not self.done.done():
            self.done.set_exception(RuntimeError(what))


class _Connection(asyncio.Protocol):
    def __init__(self) -> None:
        self._round: _Round | None = None
        self._part = b""
        self._sent_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def begin(self, one: _Round) -> None:
        self._round = one
        self._send()

    def _send(self) -> None:
        assert self._round is not None
        request = next(self._round.requests, None)
        if request is not None:
            self._sent_at = perf_counter()
            self._transport.write(request)
            return
        self._round.busy -= 1
        if not self._round.busy and not self._round.done.done():
            self._round.done.set_result(None)
        self._round = None

    def data_received(self, data: bytes) -> None:
        now = perf_counter()
        one = self._round
        if one is None:
            return
        if self._part:
            data = self._part + data
        if not data.startswith(_OK):
            if len(data) >= len(_OK):
                one.fail(f"not every answer was 200: {data[:400].decode('latin-1')!r}")
            self._part = data
        elif not data.endswith(_END):
            self._part = data
        else:
            self._part = b""
            one.latencies.append(now - self._sent_at)
            wrong = one.wrong(data)
            if wrong:
                one.fail(f"{wrong}: {data[:400].decode('latin-1')!r}")
            else:
                self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._round is not None:
            self._round.fail("the server closed a connection")


class Generator:
    """Keeps the connections; runs rounds."""

    def __init__(self) -> None:
        self._connections: dict[int, list[_Connection]] = {}
        self._keys = wire.new_keys()

    async def run(
        self, port: int, connections: int, count: int, guarded: bool, keyed: bool
    ) -> dict[str, float]:
        """One round of `count` requests."""
        requests = wire.rendered(count, port, self._keys if keyed else None)
        opened = self._connections.setdefault(port, [])
        while len(opened) < connections:
            loop = asyncio.get_running_loop()
            _, made = await loop.create_connection(_Connection, "127.0.0.1", port)
            opened.append(made)
        one = _Round(iter(requests), connections, guarded, keyed)
        gc.collect()
        gc.disable()
        begun, cpu = perf_counter(), process_time()
        for connection in opened[:connections]:
            connection.begin(one)
        async with asyncio.timeout(_LONGEST_ROUND_S):
            await one.done
        seconds, cpu = perf_counter() - begun, process_time() - cpu
        gc.enable()
        ordered = sorted(one.latencies)
        if len(ordered) != count:
            raise RuntimeError(f"{count} requests were sent, {len(ordered)} answered")
        return {
            "seconds": seconds,
            "cpu_us": cpu / count * 1e6,
            "p50_us": ordered[count // 2] * 1e6,
            "p99_us": ordered[count * 99 // 100] * 1e6,
        }

    async def refused(self, port: int) -> dict[str, Any]:
        """A request with a wrong signature: raises unless it is answered with 401."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(wire.tampered(port))
        line = await reader.readline()
        writer.close()
        if not line.startswith(b"HTTP/1.1 401 "):
            raise RuntimeError(f"a wrong signature was answered with {line.decode('latin-1')!r}")
        return {}


async def main(options: dict[str, Any]) -> None:
    bind(options["core"])
    wire.bodies()
    generator = Generator()
    gc.freeze()
    # Reading blocks the loop: between rounds nothing else happens in this process.
    for line in sys.stdin:
        order = json.loads(line)
        probe = order.pop("probe", False)
        try:
            answer = await (generator.refused(**order) if probe else generator.run(**order))
        except (OSError, RuntimeError, TimeoutError) as error:
            answer = {"error": str(error) or "a round took too long"}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    uvloop.run(main(json.loads(sys.argv[1])))
