"""Latency at 32 connections with a day's idempotency records in memory: what garbage collection and
purging do to the slowest.

Every guarded request carries a new Idempotency-Key, so each reads and adds to the records. The
servers take turns.
"""

from statistics import median

from benchmarks.children import Void, servers_and_load
from benchmarks.middleware import CONNECTIONS, MOST_REQUESTS
from benchmarks.report import Table
from benchmarks.world import Setup

RECORDS = 400_000
SERVERS = (
    ("bare application", {"setup": Setup.BARE}),
    (f"Guarita, {RECORDS:,} records", {"setup": Setup.MEMORY, "records": RECORDS}),
    (
        f"Guarita, {RECORDS:,} records, decision log",
        {"setup": Setup.MEMORY, "records": RECORDS, "decision_log": True},
    ),
    ("Guarita, no records before the run", {"setup": Setup.MEMORY}),
)


def run(quick: bool) -> list[Table]:
    """Raises `Void` where any answer was wrong."""
    rounds, count = (4, 5000) if quick else (10, 8000)
    if (rounds + 1) * count > MOST_REQUESTS:
        raise ValueError("more requests than the rate limit admits in one window")
    measured: list[list[dict[str, float]]] = [[] for _ in SERVERS]
    with servers_and_load([options for _, options in SERVERS]) as (servers, load):
        ports = [server.hear()["port"] for server in servers]
        for one in range(rounds + 1):
            for number, port in enumerate(ports):
                before = servers[number].ask()
                result = load.ask(
                    port=port, connections=CONNECTIONS, count=count, guarded=number != 0, keyed=True
                )
                after = servers[number].ask()
                if after["calls"] - before["calls"] != count:
                    raise Void("a request was not executed exactly once")
                spent = (after["cpu_ns"] - before["cpu_ns"]) / 1e9
                result["running"] = spent / result["seconds"]
                if one:  # the first is for warming up
                    measured[number].append(result)
    return [_table(measured, rounds, count)]


def _table(measured: list[list[dict[str, float]]], rounds: int, count: int) -> Table:
    table = Table(
        f"tail: latency at {CONNECTIONS} connections",
        f"Milliseconds from sending a request to having its whole answer, {CONNECTIONS} keep-alive "
        f"connections, each with one request always in flight (so latency is mostly waiting for "
        f"the other {CONNECTIONS - 1}). Medians over {rounds} rounds of {count:,} requests each, "
        f"the rows taking turns; *ratio* is to the bare round of the same turn. *running* is the "
        f"share of the time in which the server had its core: much under 100 % in the bare row "
        f"means that other programs took it; then latencies and their ratios say little.",
        ("", "p50 ms", "p99 ms", "p50 ratio", "p99 ratio", "requests/s", "running"),
    )
    bare = measured[0]
    for (name, _), results in zip(SERVERS, measured, strict=True):
        row = [name]
        row += [f"{median(r[p] for r in results) / 1000:.2f}" for p in ("p50_us", "p99_us")]
        for part in ("p50_us", "p99_us"):
            ratio = median(own[part] / base[part] for own, base in zip(results, bare, strict=True))
            row.append("" if results is bare else f"{ratio:.2f}")
        row.append(f"{median(count / r['seconds'] for r in results):,.0f}")
        row.append(f"{median(r['running'] for r in results):.0%}")
        table.rows.append(row)
    return table
