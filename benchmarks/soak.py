"""Ten minutes of load on the gateway, SQLite durable: half without Idempotency-Key, half with a new
one each. Does memory grow, or the number of descriptors? A day's records are on disk there; a
memory store has to grow by them.

`python -m benchmarks.soak --minutes 10` runs it alone.
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.children import Child, Void, cores
from benchmarks.contenders import upstream
from benchmarks.contenders.lineup import DURABLE, Place, Running
from benchmarks.contenders.material import LIMIT
from benchmarks.gateway import CONNECTIONS, expected
from benchmarks.processes import descriptors, memory
from benchmarks.report import Table, machine

MINUTES = 10.0
SAMPLES = 20
_WARM_S = 5.0


@dataclass(frozen=True, slots=True)
class Sample:
    """At `at` seconds: bytes of memory, open descriptors, requests a second since the last one,
    and their p99 in microseconds.
    """

    at: float
    memory: int
    descriptors: int
    rate: float
    p99_us: float


def run(quick: bool, minutes: float = MINUTES) -> list[Table]:
    """Raises `Void` where an answer was wrong, or a request was not executed exactly once."""
    why = upstream.missing()
    if why is not None:
        print(f"soak: left out: {why}", file=sys.stderr)
        return []
    seconds = 20.0 if quick else minutes * 60
    server_core, load_core = cores()
    made = []
    with (
        TemporaryDirectory(prefix="guarita-bench-") as folder,
        Child("benchmarks.contenders.load", {"core": load_core}) as load,
        upstream.upstream(Path(folder), load_core) as bank,
    ):
        for keyed in (False, True):
            place = Place(Path(folder) / f"keyed-{keyed}", server_core, bank, LIMIT)
            with DURABLE.running(place) as running:
                made.append(_table(_soak(running, load, keyed, seconds / 2), keyed, seconds / 2))
    return made


def _soak(running: Running, load: Child, keyed: bool, seconds: float) -> list[Sample]:
    expects = expected(DURABLE, keyed)
    load.ask(do="open", port=running.port, connections=CONNECTIONS)
    load.ask(do="soak", seconds=min(_WARM_S, seconds / 10), expects=expects, keyed=keyed)
    samples: list[Sample] = []
    spent = 0.0
    while spent < seconds:
        before = running.executed()
        done = load.ask(do="soak", seconds=seconds / SAMPLES, expects=expects, keyed=keyed)
        executed = running.executed() - before
        if executed != done["count"]:
            raise Void(f"{done['count']} requests, {executed} executions")
        spent += done["seconds"]
        rate = done["count"] / done["seconds"]
        samples.append(
            Sample(spent, memory(running.pid), descriptors(running.pid), rate, done["p99_us"])
        )
    return samples


def _table(samples: list[Sample], keyed: bool, seconds: float) -> Table:
    what = "each request with a new Idempotency-Key" if keyed else "no Idempotency-Key"
    count = sum(
        one.rate * (one.at - before)
        for one, before in zip(samples, [0.0, *[s.at for s in samples]], strict=False)
    )
    table = Table(
        f"soak: {what}",
        f"The gateway, SQLite durable with group commit, {CONNECTIONS} connections, as fast as it "
        f"answers for {seconds / 60:.1f} minutes: {count:,.0f} requests, each answered rightly and "
        f"executed once. Memory is the proportional set size; growth from the middle of the run to "
        f"its end: {_growth(samples)}.",
        ("minute", "MB", "descriptors", "requests/s", "p99 ms"),
    )
    step = max(1, len(samples) // 10)
    for one in samples[step - 1 :: step]:
        table.rows.append(
            (
                f"{one.at / 60:.1f}",
                f"{one.memory / 1e6:.1f}",
                str(one.descriptors),
                f"{one.rate:,.0f}",
                f"{one.p99_us / 1000:.2f}",
            )
        )
    return table


def _growth(samples: list[Sample]) -> str:
    middle, last = samples[len(samples) // 2], samples[-1]
    grown = (last.memory - middle.memory) / 1e6
    return f"{grown:+.1f} MB, {last.descriptors - middle.descriptors:+d} descriptors"


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak")
    parser.add_argument("--minutes", type=float, default=MINUTES, help="in all; default 10")
    options = parser.parse_args(arguments)
    print(machine(), end="\n\n")
    try:
        for table in run(False, options.minutes):
            print(table.markdown(), end="\n\n")
    except Void as problem:
        print(f"soak: no result: {problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
