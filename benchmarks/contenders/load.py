"""A child process: the load generator for gateways. Plain sockets and epoll, because it shares its
core with the upstream and both together have to be faster than any contender. Keep-alive
connections, each from an address of its own, one request in flight on each, requests rendered
beforehand.

Argument: {"core"}. Each line on its standard input is an order:

- {"do": "open", "port", "connections"}: opens connections to that contender, closes all others
- {"do": "run", "count", "expects", "keyed"}: a round; answered with {"seconds", "cpu_us" (the
  generator's own, per request), "p50_us", "p99_us"}
- {"do": "soak", "seconds", "expects", "keyed"}: rounds of `PART` requests until the time is over;
  answered with {"count", "seconds", "p50_us", "p99_us"} (medians over the rounds)

Every response is looked at: status 200, the whole expected body, every text of `expects`, never a
replay. A wrong one ends the round with {"error"}.
"""

import gc
import json
import select
import socket
import sys
from collections.abc import Callable
from statistics import median
from time import perf_counter, process_time
from typing import Any

from benchmarks import wire
from benchmarks.children import bind
from benchmarks.contenders.material import address_of, pool, rendered

PART = 20_000
_OK = b"HTTP/1.1 200 "
_END = b"\r\n\r\n" + wire.ANSWER
_REPLAY = b"\r\nx-idempotent-replay: "
_LONGEST_WAIT_S = 10


class Wrong(Exception):
    """An answer is not what it has to be, or there is none."""


class Generator:
    """Keeps the connections to one contender; runs rounds."""

    def __init__(self) -> None:
        self._poll = select.epoll()
        self._sockets: dict[int, socket.socket] = {}
        self._keys = wire.new_keys()

    def open(self, port: int, connections: int) -> dict[str, Any]:
        """Close what is open, open others. The port must not be another contender's by then."""
        for one in self._sockets.values():
            self._poll.unregister(one)
            one.close()
        self._sockets = {}
        for number in range(connections):
            one = socket.create_connection(
                ("127.0.0.1", port), source_address=(address_of(number), 0)
            )
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._sockets[one.fileno()] = one
            self._poll.register(one, select.EPOLLIN)
        return {}

    def run(self, count: int, expects: list[str], keyed: bool) -> dict[str, Any]:
        """One round of `count` requests."""
        requests = rendered(count, self._keys if keyed else None)
        needles = [one.encode() for one in expects]
        gc.collect()
        gc.disable()
        begun, cpu = perf_counter(), process_time()
        latencies = self._round(requests, needles)
        seconds, cpu = perf_counter() - begun, process_time() - cpu
        gc.enable()
        latencies.sort()
        return {
            "seconds": seconds,
            "cpu_us": cpu / count * 1e6,
            "p50_us": latencies[count // 2] * 1e6,
            "p99_us": latencies[count * 99 // 100] * 1e6,
        }

    def soak(self, seconds: float, expects: list[str], keyed: bool) -> dict[str, Any]:
        """Rounds until the time is over."""
        begun = perf_counter()
        rounds = []
        while perf_counter() - begun < seconds:
            rounds.append(self.run(PART, expects, keyed))
        answer = {name: median(one[name] for one in rounds) for name in ("p50_us", "p99_us")}
        return {"count": PART * len(rounds), "seconds": perf_counter() - begun, **answer}

    def _round(self, requests: list[bytes], needles: list[bytes]) -> list[float]:
        """Send them all; gives how long each took, in seconds."""
        sockets, poll = self._sockets, self._poll.poll
        count, following = len(requests), 0
        sent_at: dict[int, float] = {}
        parts: dict[int, bytes] = {}
        latencies: list[float] = []
        for descriptor, one in sockets.items():
            if following < count:
                sent_at[descriptor] = perf_counter()
                one.send(requests[following])
                following += 1
        while len(latencies) < count:
            ready = poll(_LONGEST_WAIT_S)
            if not ready:
                raise Wrong(f"{count - len(latencies)} requests were not answered")
            for descriptor, _ in ready:
                one = sockets[descriptor]
                data = one.recv(65_536)
                if not data:
                    raise Wrong("the contender closed a connection")
                if parts:
                    data = parts.pop(descriptor, b"") + data
                if not data.endswith(_END):
                    if len(data) > len(_OK) and not data.startswith(_OK):
                        raise Wrong(f"not every answer was 200: {_shown(data)}")
                    parts[descriptor] = data
                    continue
                now = perf_counter()
                latencies.append(now - sent_at[descriptor])
                if not data.startswith(_OK) or _REPLAY in data:
                    raise Wrong(f"not 200, or a replay: {_shown(data)}")
                for needle in needles:
                    if needle not in data:
                        raise Wrong(f"{needle.decode()!r} is missing: {_shown(data)}")
                if following < count:
                    sent_at[descriptor] = now
                    one.send(requests[following])
                    following += 1
        return latencies


def _shown(data: bytes) -> str:
    return repr(data[:400].decode("latin-1"))


def main(options: dict[str, Any]) -> None:
    bind(options["core"])
    pool()
    generator = Generator()
    orders: dict[str, Callable[..., dict[str, Any]]] = {
        "open": generator.open,
        "run": generator.run,
        "soak": generator.soak,
    }
    gc.freeze()
    for line in sys.stdin:
        order = json.loads(line)
        try:
            answer = orders[order.pop("do")](**order)
        except (OSError, Wrong) as error:
            answer = {"error": str(error) or repr(error)}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
