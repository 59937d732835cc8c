"""CPU per admitted signed POST: the trivial application on uvicorn, bare and behind the gate in
several deployments.

The servers take turns, round by round, in one run; what a gate adds is the median of its
differences to the bare server's round of the same cycle, so that drift of the machine's speed
cancels out.
"""

from dataclasses import dataclass
from statistics import median

from benchmarks.children import Child, Void, servers_and_load
from benchmarks.report import Table
from benchmarks.wire import POOL
from benchmarks.world import Setup

CONNECTIONS = 32
MOST_REQUESTS = 90_000
"""What the profile admits from one address in a minute (seed L167); a gate must not be asked for
more in a run.
"""


@dataclass(frozen=True, slots=True)
class Case:
    """One row: which server, with or without Idempotency-Key, and the row it is compared with."""

    name: str
    server: int
    keyed: bool = False
    bare: int | None = None


SERVERS = (
    {"setup": Setup.BARE},
    {"setup": Setup.MEMORY},
    {"setup": Setup.MEMORY, "decision_log": True},
    {"setup": Setup.MEMORY},
    {"setup": Setup.DURABLE},
)
CASES = (
    Case("bare application", 0),
    Case("Guarita, memory store", 1, bare=0),
    Case("bare, request with Idempotency-Key", 0, keyed=True),
    Case("Guarita, Idempotency-Key new each time, memory store", 3, keyed=True, bare=2),
    Case("Guarita, memory store, decision log", 2, bare=0),
    Case(
        "Guarita, Idempotency-Key new each time, SQLite durable, group commit",
        4,
        keyed=True,
        bare=2,
    ),
)


def run(quick: bool) -> list[Table]:
    """Raises `Void` where any answer was wrong."""
    cycles, count = (6, 2000) if quick else (20, 4000)
    if (cycles + 1) * count > MOST_REQUESTS:
        raise ValueError("more requests than the rate limit admits in one window")
    with servers_and_load(SERVERS) as (servers, load):
        ports = [server.hear()["port"] for server in servers]
        for port in ports[1:]:
            load.ask(probe=True, port=port)
        measured: list[list[float]] = [[] for _ in CASES]
        for cycle in range(cycles + 1):
            for number, case in enumerate(CASES):
                cost = one_round(servers[case.server], load, ports[case.server], case, count)
                if cycle:  # the first is for warming up
                    measured[number].append(cost)
    return [_table(measured, cycles, count)]


def one_round(server: Child, load: Child, port: int, case: Case, count: int) -> float:
    """CPU microseconds of the server per request."""
    before = server.ask()
    load.ask(
        port=port, connections=CONNECTIONS, count=count, guarded=case.server != 0, keyed=case.keyed
    )
    after = server.ask()
    if after["calls"] - before["calls"] != count:
        raise Void(f"{case.name}: {count} requests, {after['calls'] - before['calls']} executions")
    cost: float = (after["cpu_ns"] - before["cpu_ns"]) / count / 1000
    return cost


def _table(measured: list[list[float]], cycles: int, count: int) -> Table:
    table = Table(
        "middleware: CPU per admitted signed POST",
        f"CPU microseconds of the server process (all its threads, user and system) per request of "
        f"the seed's complete example, {POOL:,} distinct signed bodies, {CONNECTIONS} keep-alive "
        f"connections, uvicorn with uvloop and httptools, no access log. Medians of {cycles} "
        f"rounds of {count:,} requests each, the rows taking turns; *added* and *ratio* are to the "
        f"bare round of the same turn; *spread* is the middle half of *added*.",
        ("", "µs", "added µs", "spread", "ratio"),
    )
    for case, costs in zip(CASES, measured, strict=True):
        row = [case.name, f"{median(costs):.1f}"]
        if case.bare is None:
            row += ["", "", ""]
        else:
            bare = measured[case.bare]
            added = sorted(own - base for own, base in zip(costs, bare, strict=True))
            ratio = median(own / base for own, base in zip(costs, bare, strict=True))
            low, high = added[len(added) // 4], added[-1 - len(added) // 4]
            row += [f"{median(added):+.1f}", f"{low:.1f} to {high:.1f}", f"{ratio:.2f}"]
        table.rows.append(row)
    return table
