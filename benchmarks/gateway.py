"""The gateway beside what else could stand there: HAProxy, nginx with Lua, a FastAPI application
with its own checks, and the middleware; each on one core, load generator and upstream on the other.

All of them first pass the same vectors in the configuration that is then timed; what one cannot
check is named in its row. They take turns, round by round; ratios are taken within a turn.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import gateway_tables
from benchmarks.children import Child, Void, cores
from benchmarks.contenders import upstream
from benchmarks.contenders.checker import Checked, check
from benchmarks.contenders.lineup import (
    CONTENDERS,
    DURABLE,
    GATEWAY,
    LUA,
    Contender,
    Place,
    Running,
)
from benchmarks.contenders.material import LIMIT
from benchmarks.contenders.vectors import SMALL_LIMIT
from benchmarks.processes import cpu_ns, descriptors, memory
from benchmarks.report import Table

CONNECTIONS = 32
RECORDS = 400_000
FILLED: Sequence[Contender] = (GATEWAY, DURABLE, LUA)
"""Who is measured with that many live records."""

_FILL = 20_000
_HEADERS = ["\r\nray-id: ", "\r\nx-ratelimit-remaining: "]
_ECHO = "\r\nidempotency-key: "
_FEWEST, _MOST = 10 * CONNECTIONS, 20_000


@dataclass(frozen=True, slots=True)
class Round:
    """What one round measured: requests a second; CPU microseconds of the contender per request;
    latencies in microseconds; the share of the time in which the contender had its core.
    """

    rate: float
    cpu_us: float
    p50_us: float
    p99_us: float
    running: float


@dataclass(slots=True)
class Measured:
    """All of one contender. Rounds by whether they carried an Idempotency-Key.

    Attributes:
        filled: rounds with many live records, each with an Idempotency-Key of its own.
        memory: bytes after starting, after the rounds, and after filling.
        records: how many it keeps after filling, and after the rounds.
        descriptors: open ones at the end of the last round.
    """

    checks: list[Checked]
    rounds: dict[bool, list[Round]] = field(default_factory=lambda: {False: [], True: []})
    filled: list[Round] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)
    records: list[int] = field(default_factory=list)
    descriptors: int = 0


Results = dict[Contender, Measured]


def run(quick: bool) -> list[Table]:
    """Raises `Void` where an answer was wrong, or the upstream saw another number of requests."""
    turns, seconds, records = (5, 0.15, 20_000) if quick else (15, 0.4, RECORDS)
    without = {one: why for one in CONTENDERS if (why := one.missing())}
    nowhere = upstream.missing()
    if nowhere is not None:
        without |= {one: nowhere for one in CONTENDERS if one.proxy}
    taking_part = [one for one in CONTENDERS if one not in without]
    with _stage(taking_part) as stage:
        for turn in range(turns + 1):
            for contender in taking_part:
                for keyed in (False, True):
                    stage.round(contender, keyed, seconds, kept=turn > 0)
        for contender in taking_part:
            stage.note(contender)
        filled = [one for one in FILLED if one in taking_part]
        for contender in filled:
            stage.fill(contender, records)
        for turn in range(turns + 1):
            for contender in filled:
                stage.filled_round(contender, seconds, kept=turn > 0)
        results = stage.results
    return gateway_tables.tables(results, without, turns, records, CONNECTIONS)


class _Stage:
    """The contenders at work, and what was measured so far."""

    def __init__(self, load: Child, running: dict[Contender, Running], results: Results) -> None:
        self._load = load
        self._running = running
        self._keyed_so_far = dict.fromkeys(running, 0)
        self._rates: dict[tuple[Contender, bool], float] = {}
        self.results = results

    def round(self, contender: Contender, keyed: bool, seconds: float, *, kept: bool) -> None:
        measured = self._measure(contender, keyed, seconds)
        if kept:  # the first is for warming up
            self.results[contender].rounds[keyed].append(measured)

    def filled_round(self, contender: Contender, seconds: float, *, kept: bool) -> None:
        measured = self._measure(contender, True, seconds)
        if kept:
            self.results[contender].filled.append(measured)

    def note(self, contender: Contender) -> None:
        """Its memory now, and how many records it keeps."""
        results, running = self.results[contender], self._running[contender]
        results.memory.append(memory(running.pid))
        results.records.append(self._keyed_so_far[contender])

    def fill(self, contender: Contender, records: int) -> None:
        """Send requests with new Idempotency-Keys until it keeps that many records."""
        self._open(contender)
        while self._keyed_so_far[contender] < records:
            count = min(_FILL, records - self._keyed_so_far[contender])
            self._send(contender, True, max(count, CONNECTIONS))
        self.note(contender)

    def _measure(self, contender: Contender, keyed: bool, seconds: float) -> Round:
        running = self._running[contender]
        rate = self._rates.get((contender, keyed), _FEWEST / seconds)
        count = int(min(max(rate * seconds, _FEWEST), _MOST))
        self._open(contender)
        # Connections of the contender to the upstream are opened before anything is measured.
        self._send(contender, keyed, _FEWEST)
        cpu, executed = cpu_ns(running.pid), running.executed()
        result = self._send(contender, keyed, count)
        cpu, executed = cpu_ns(running.pid) - cpu, running.executed() - executed
        if executed != count:
            raise Void(f"{contender.name}: {count} requests, {executed} executions")
        self.results[contender].descriptors = descriptors(running.pid)
        rate = count / result["seconds"]
        self._rates[contender, keyed] = rate
        share = cpu / 1e9 / result["seconds"]
        return Round(rate, cpu / count / 1000, result["p50_us"], result["p99_us"], share)

    def _open(self, contender: Contender) -> None:
        port = self._running[contender].port
        self._load.ask(do="open", port=port, connections=CONNECTIONS)

    def _send(self, contender: Contender, keyed: bool, count: int) -> dict[str, float]:
        if keyed:
            self._keyed_so_far[contender] += count
        try:
            return self._load.ask(
                do="run", count=count, expects=expected(contender, keyed), keyed=keyed
            )
        except Void as problem:
            raise Void(f"{contender.name}: {problem}") from None


def expected(contender: Contender, keyed: bool) -> list[str]:
    """What every answer of a round must hold beside its status and body."""
    return [*_HEADERS, _ECHO] if keyed and contender.replays else _HEADERS


@contextmanager
def _stage(contenders: Sequence[Contender]) -> Iterator[_Stage]:
    """The load generator, the upstream and every contender, ready; each has met the vectors."""
    server_core, load_core = cores()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="guarita-bench-")))
        load = stack.enter_context(Child("benchmarks.contenders.load", {"core": load_core}))
        bank = (
            stack.enter_context(upstream.upstream(folder, load_core))
            if any(one.proxy for one in contenders)
            else None
        )
        running: dict[Contender, Running] = {}
        results: Results = {}
        for number, contender in enumerate(contenders):
            place = Place(folder / str(number), server_core, bank, LIMIT)
            small = Place(folder / f"{number}-limited", server_core, bank, SMALL_LIMIT)
            running[contender] = stack.enter_context(contender.running(place))
            with contender.running(small) as limited:
                try:
                    results[contender] = Measured(check(running[contender], limited))
                except Void as problem:
                    raise Void(f"{contender.name}: {problem}") from None
            results[contender].memory.append(memory(running[contender].pid))
        yield _Stage(load, running, results)
