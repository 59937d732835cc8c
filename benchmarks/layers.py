"""CPU per layer, inside one process and without a server: where the time goes that `middleware`
measures as a whole.

A layer's cost is the difference between deciding with the layers up to it and deciding with those
before it. In a tight loop everything is in the processor's caches, so the sum is less than what a
gate adds on a busy server.
"""

import gc
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time
from typing import Any

from benchmarks import wire
from benchmarks.children import Void
from benchmarks.report import Table
from benchmarks.world import Setup, World
from guarita.asks import Ask, ReadBody
from guarita.decision import Admit, Decision, End, Outcome
from guarita.decision_log.entry import encoded
from guarita.drivers import run as drive
from guarita.facts import Facts
from guarita.pipeline import Layer, decide, settle
from guarita.profiles.minhakonta import MINHA_KONTA

_OUTCOME = Outcome(End.ANSWERED, 200, ((b"content-type", b"application/json"),), wire.ANSWER)


class Bench:
    """A gate with a memory store, and `count` requests at a time that it has not seen."""

    def __init__(self, count: int, keyed: bool, folder: Path) -> None:
        world = World(Setup.MEMORY, folder)
        assert world.gate is not None
        assert world.backend is not None
        self.app, self.gate, self._backend = world.app, world.gate, world.backend
        self._count = count
        self._keys = wire.new_keys("layers") if keyed else None
        pool = wire.bodies()
        self._bodies = [pool[number % wire.POOL][0] for number in range(count)]
        self._body = b""
        self._scopes: list[dict[str, Any]] = []
        self._facts: list[Facts] = []

    def renew(self) -> None:
        """Other requests: none of what a part has cached in them, or reserved, helps the next."""
        pool = wire.bodies()
        keys = self._keys.take(self._count) if self._keys else [None] * self._count
        self._scopes = [_scope(*pool[n % wire.POOL], key) for n, key in enumerate(keys)]
        self.make_facts()

    def make_facts(self) -> None:
        facts_of = self.gate._facts
        self._facts = [facts_of(scope) for scope in self._scopes]

    def answer(self, ask: Ask) -> Any:
        return self._body if type(ask) is ReadBody else self._backend.answer(ask)

    def decide(self, layers: Sequence[Layer]) -> None:
        """Every request through `layers`, under the synchronous driver."""
        for facts, body in zip(self._facts, self._bodies, strict=True):
            self._body = body
            drive(decide(layers, facts), self.answer)

    def decisions(self, layers: Sequence[Layer]) -> list[Decision]:
        """The same, and what was decided."""
        decided: list[Decision] = []
        for facts, body in zip(self._facts, self._bodies, strict=True):
            self._body = body
            decided.append(drive(decide(layers, facts), self.answer))
        if not all(type(decision.result) is Admit for decision in decided):
            raise Void("not every request was admitted")
        return decided

    def settle(self, decisions: Iterable[Decision]) -> None:
        for decision in decisions:
            drive(settle(decision.settles, _OUTCOME), self.answer)

    def encode(self, decisions: Iterable[Decision]) -> None:
        """What a decision log adds on the request path; its writing is another thread's."""
        route_class = MINHA_KONTA.classes[0]
        for facts, decision in zip(self._facts, decisions, strict=True):
            encoded(MINHA_KONTA, route_class, facts, decision, 0)

    def call(self, asgi: Any) -> None:
        """Every request through an ASGI application, which answers without once waiting."""
        for scope, body in zip(self._scopes, self._bodies, strict=True):
            message = {"type": "http.request", "body": body, "more_body": False}

            async def receive(message: dict[str, Any] = message) -> dict[str, Any]:
                return message

            try:
                asgi(scope, receive, _send).send(None)
            except StopIteration:
                continue
            raise Void("an application that never waits has waited")


async def _send(message: dict[str, Any]) -> None:
    if message.get("status", 200) != 200:
        raise Void(f"not every answer was 200, but {message}")


def _scope(body: bytes, hmac: bytes, key: bytes | None) -> dict[str, Any]:
    pairs = wire.header_pairs(body, hmac, key, b"127.0.0.1:8000")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "server": ("127.0.0.1", 8000),
        "client": ("127.0.0.1", 50_000),
        "scheme": "http",
        "method": "POST",
        "root_path": "",
        "path": wire.PATH,
        "raw_path": wire.PATH.encode(),
        "query_string": b"",
        "headers": [(name.lower(), value) for name, value in pairs],
        "state": {},
    }


def measure(keyed: bool, repeats: int, count: int, folder: Path) -> dict[str, float]:
    """Microseconds per request of each part: the least of `repeats`, parts taking turns."""
    layers = MINHA_KONTA.classes[0].layers
    least: dict[str, float] = {}

    def timed(part: str, work: Callable[[], None]) -> None:
        gc.collect()
        begun = process_time()
        work()
        spent = (process_time() - begun) / count * 1e6
        least[part] = min(spent, least.get(part, spent))

    for _ in range(repeats):
        bench = Bench(count, keyed, folder)
        parts: dict[str, Callable[[], None]] = {
            "bare": partial(bench.call, bench.app),
            "gate": partial(bench.call, bench.gate),
            "facts": bench.make_facts,
        }
        for most in range(len(layers) + 1):
            parts[f"first {most}"] = partial(bench.decide, layers[:most])
        for name, work in parts.items():
            bench.renew()
            timed(name, work)
        bench.renew()
        decisions = bench.decisions(layers)
        timed("encode", partial(bench.encode, decisions))
        timed("settle", partial(bench.settle, decisions))
    return least


def run(quick: bool) -> list[Table]:
    """Raises `Void` where a request was not admitted."""
    repeats, count = (5, 1000) if quick else (20, 1000)
    with TemporaryDirectory(prefix="guarita-bench-") as folder:
        columns = [measure(keyed, repeats, count, Path(folder)) for keyed in (False, True)]
    names = [layer.name for layer in MINHA_KONTA.classes[0].layers]
    table = Table(
        "layers: where the time goes",
        f"CPU microseconds per admitted signed POST in one process, no server, memory store: the "
        f"least of {repeats} repetitions over {count:,} requests. The rows from *facts* to "
        f"*exchange* add up to *the gate as a whole*, which is less than *middleware* shows: here "
        f"code and data stay in the processor's caches, and no server writes the gate's headers.",
        ("", "no Idempotency-Key", "new Idempotency-Key"),
    )

    def row(name: str, cost: Callable[[dict[str, float]], float]) -> None:
        table.rows.append((name, *[f"{cost(column):.2f}" for column in columns]))

    whole = f"first {len(names)}"
    row("facts from the ASGI scope", lambda c: c["facts"])
    row("driver and pipeline, no layer", lambda c: c["first 0"])
    for number, name in enumerate(names):
        row(f"layer {name}", lambda c, n=number: c[f"first {n + 1}"] - c[f"first {n}"])  # type: ignore[misc]
    row("settle", lambda c: c["settle"])
    row(
        "exchange: receive, send, identity, headers",
        lambda c: c["gate"] - c["bare"] - c["facts"] - c[whole] - c["settle"],
    )
    row("**the gate as a whole**", lambda c: c["gate"] - c["bare"])
    row("decision log, encoding an entry (not in the sum)", lambda c: c["encode"])
    return [table]
