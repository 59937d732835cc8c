"""What `benchmarks.gateway` measured, as tables: speed with and without Idempotency-Key, with many
records, memory, the checks of each, and what became of the aims.
"""

from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from statistics import median
from typing import TYPE_CHECKING

from benchmarks import processes
from benchmarks.contenders.checker import missing as missing_checks
from benchmarks.contenders.lineup import (
    DURABLE,
    FASTAPI,
    GATEWAY,
    HAPROXY,
    LUA,
    MIDDLEWARE,
    Contender,
)
from benchmarks.contenders.vectors import VECTORS
from benchmarks.report import Table

if TYPE_CHECKING:
    from benchmarks.gateway import Measured, Results, Round


def tables(
    results: "Results",
    without: dict[Contender, str],
    turns: int,
    records: int,
    connections: int,
) -> list[Table]:
    """All of them, in the order in which they are read."""
    made = [_aims(results, records)]
    made += [_speed(results, without, keyed, turns, connections) for keyed in (False, True)]
    if any(one.filled for one in results.values()):
        made.append(_filled(results, turns, records))
    return [*made, _memory(results), _checks(results)]


def label(contender: Contender, measured: "Measured") -> str:
    """The contender's name, and whether it checks less than the others."""
    return f"{contender.name} (fewer checks)" if missing_checks(measured.checks) else contender.name


# --- speed ----------------------------------------------------------------------------------------


def _speed(
    results: "Results", without: dict[Contender, str], keyed: bool, turns: int, connections: int
) -> Table:
    about = (
        f"The seed's complete example under 100 keys, 1,000 distinct signed bodies, {connections} "
        f"keep-alive connections with one request each in flight, every contender on one core (one "
        f"worker or thread), no access log, no decision log. Medians of {turns} rounds, the rows "
        f"taking turns; *µs* is CPU of all its processes, user and system, per request; "
        f"*Guarita's* is the gateway's requests/s (memory store) divided by the row's in the same "
        f"turn; *running* is the share of the time in which the row had its core: much under 100 % "
        f"means that other programs took it. "
    )
    if keyed:
        title = "gateway: requests with a new Idempotency-Key each"
        about += "Each answer is kept under its key; HAProxy only echoes it."
    else:
        title = "gateway: requests without Idempotency-Key"
        about += (
            "The proxies forward to an nginx that answers a constant; the middleware and the "
            "FastAPI application answer it themselves. " + _versions()
        )
        for contender, why in without.items():
            about += f" Left out: {contender.name} ({why})."
    table = Table(
        title,
        about,
        ("", "requests/s", "µs", "p50 ms", "p99 ms", "Guarita's", "running"),
    )
    own = results.get(GATEWAY)
    for contender, measured in results.items():
        rounds = measured.rounds[keyed]
        row = [label(contender, measured), f"{median(r.rate for r in rounds):,.0f}"]
        row.append(f"{median(r.cpu_us for r in rounds):.1f}")
        row += _latency(rounds)
        ratio = own and _ratio(own.rounds[keyed], rounds)
        row.append("" if contender is GATEWAY or not ratio else f"{ratio:.2f}")
        row.append(f"{median(r.running for r in rounds):.0%}")
        table.rows.append(row)
    return table


def _latency(rounds: Sequence["Round"]) -> list[str]:
    return [
        f"{median(r.p50_us for r in rounds) / 1000:.2f}",
        f"{median(r.p99_us for r in rounds) / 1000:.2f}",
    ]


def _ratio(one: Sequence["Round"], other: Sequence["Round"]) -> float:
    """Of requests a second, the median over the turns."""
    return median(a.rate / b.rate for a, b in zip(one, other, strict=True))


def _versions() -> str:
    said = [
        f"{name} {found}" for name in ("haproxy", "nginx") if (found := processes.version(name))
    ]
    for package in ("fastapi", "slowapi", "starlette"):
        try:
            said.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return ", ".join(said) + "."


# --- records and memory ---------------------------------------------------------------------------


def _filled(results: "Results", turns: int, records: int) -> Table:
    table = Table(
        f"gateway: latency with {records:,} live records",
        f"As above, each request with a new Idempotency-Key, in contenders that keep {records:,} "
        f"answers already. Medians of {turns} rounds, the rows taking turns; the last column is "
        f"the growth of memory by filling, over the records.",
        ("", "requests/s", "p50 ms", "p99 ms", "p99 / p50", "MB per 100,000"),
    )
    for contender, measured in results.items():
        if not measured.filled:
            continue
        spread = median(r.p99_us / r.p50_us for r in measured.filled)
        row = [label(contender, measured), f"{median(r.rate for r in measured.filled):,.0f}"]
        row += [*_latency(measured.filled), f"{spread:.1f}", f"{_per_record(measured) / 10:.1f}"]
        table.rows.append(row)
    return table


def _per_record(measured: "Measured") -> float:
    """Bytes of memory a record took while the contender was filled."""
    count = measured.records[-1] - measured.records[-2]
    return (measured.memory[-1] - measured.memory[-2]) / max(count, 1)


def _memory(results: "Results") -> Table:
    table = Table(
        "gateway: memory and descriptors",
        "Proportional set size of all processes of a contender: after starting and meeting the "
        "vectors, after the rounds of the first two tables (*answers kept*: how many it had to "
        "keep by then), and descriptors open at the end of its last round.",
        ("", "MB at first", "MB after", "answers kept", "descriptors"),
    )
    for contender, measured in results.items():
        first, after = (one / 1e6 for one in measured.memory[:2])
        kept = f"{measured.records[0]:,}" if contender.replays else ""
        table.rows.append(
            (
                label(contender, measured),
                f"{first:.1f}",
                f"{after:.1f}",
                kept,
                str(measured.descriptors),
            )
        )
    return table


# --- checks ---------------------------------------------------------------------------------------


def _checks(results: "Results") -> Table:
    table = Table(
        "gateway: checks",
        f"The {len(VECTORS)} vectors of benchmarks/contenders/vectors.py, sent to each contender "
        f"before it was timed, in the same configuration (over the limit: with a small limit and "
        f"nothing else changed). Passed means: the right status, and by the upstream's own count "
        f"nothing executed that should not be, nothing twice. In brackets, what came instead.",
        ("", "passed", "not passed"),
    )
    for contender, measured in results.items():
        passed = sum(one.passed for one in measured.checks)
        failed = [f"{one.vector.name} ({one.problem})" for one in measured.checks if one.problem]
        table.rows.append((contender.name, f"{passed} of {len(VECTORS)}", "; ".join(failed)))
    return table


# --- aims -----------------------------------------------------------------------------------------


def _aims(results: "Results", records: int) -> Table:
    table = Table(
        "gateway: aims",
        "Ratios of requests a second within a turn, the median over the turns; taken from the "
        "tables below.",
        ("aim", "measured", "reached"),
    )
    for aim, over, under, keyed, least in (
        (
            "memory store at least 0.95 of HAProxy, no Idempotency-Key",
            GATEWAY,
            HAPROXY,
            False,
            0.95,
        ),
        ("memory store at least 1.4 of nginx + Lua, Idempotency-Key", GATEWAY, LUA, True, 1.4),
        ("durable at least 0.75 of memory store, Idempotency-Key", DURABLE, GATEWAY, True, 0.75),
        ("middleware at least 20 of the FastAPI stack", MIDDLEWARE, FASTAPI, False, 20.0),
    ):
        if over in results and under in results:
            ratio = _ratio(results[over].rounds[keyed], results[under].rounds[keyed])
            table.rows.append((aim, f"{ratio:.2f}", _yes(ratio >= least)))
    own, lua = results.get(GATEWAY), results.get(LUA)
    if own and own.filled:
        spread = median(r.p99_us / r.p50_us for r in own.filled)
        aim = f"p99 with {records:,} records at most 4 of its p50"
        table.rows.append((aim, f"{spread:.2f}", _yes(spread <= 4)))
        taken = _per_record(own) / 10
        aim = "memory store: at most 25 MB per 100,000 records"
        table.rows.append((aim, f"{taken:.1f}", _yes(taken <= 25)))
    if own and lua and own.filled and lua.filled:
        ratio = median(a.p99_us / b.p99_us for a, b in zip(own.filled, lua.filled, strict=True))
        aim = f"p99 with {records:,} records no worse than that of nginx + Lua"
        table.rows.append((aim, f"{ratio:.2f}", _yes(ratio <= 1)))
    return table


def _yes(reached: bool) -> str:
    return "yes" if reached else "no"
