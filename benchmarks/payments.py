"""Payments end to end: signed POSTs through the gate into the ledger of the sandbox bank and
settled there, beside the same bank without a gate.

Both are what the demo runs: one process, SQLite files that are synced to disk before each answer
(the payment in one, its Idempotency-Key in the other). The servers take turns, round by round. A
round counts only if every payment was answered, executed and settled once; afterwards each ledger
passes its audit.
"""

import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.children import Child, Void, cores
from benchmarks.middleware import MOST_REQUESTS
from benchmarks.report import Table
from guarita.data_folder import DataFolder
from guarita.profiles.minhakonta import MINHA_KONTA
from guarita.sandbox import Bank

CONNECTIONS = 32
CASES = (("bank alone", False), ("Guarita, SQLite durable, and the bank", True))

_POLL_S = 0.02
_LONGEST_SETTLEMENT_S = 60.0


def run(quick: bool) -> list[Table]:
    """Raises `Void` where any answer was wrong or a ledger is."""
    rounds, count = (3, 500) if quick else (8, 2000)
    if (rounds + 1) * count > MOST_REQUESTS:
        raise ValueError("more requests than the rate limit admits in one window")
    measured: list[list[dict[str, float]]] = [[] for _ in CASES]
    with TemporaryDirectory(prefix="guarita-bench-") as temporary:
        folders = [Path(temporary) / f"bank-{number}" for number in range(len(CASES))]
        with ExitStack() as stack:
            account, load, servers = _start(folders, stack)
            ports = [server.hear()["port"] for server in servers]
            for one in range(rounds + 1):
                for number, (_, guarded) in enumerate(CASES):
                    result = _round(servers[number], load, ports[number], count, guarded)
                    if one:  # the first is for warming up
                        measured[number].append(result)
        for folder in folders:
            _audit(folder, account, (rounds + 1) * count)
    return [_table(measured, rounds, count)]


def _start(folders: list[Path], stack: ExitStack) -> tuple[str, Child, list[Child]]:
    """The account that pays, the load generator, and a server for each folder."""
    with DataFolder(folders[1]) as data:
        account = data.keyring.create_account("Benchmark").account_id
        issued = data.keyring.create_key(
            account, permissions=MINHA_KONTA.table.permissions, allowlist=["127.0.0.1"]
        )
        credentials = {"client_id": issued.key.client_id, "secret": issued.secret.reveal()}
    server_core, load_core = cores()
    load = Child("benchmarks.payments_load", {"core": load_core, **credentials})
    stack.enter_context(load)
    servers = []
    for folder, (_, guarded) in zip(folders, CASES, strict=True):
        options = {"folder": str(folder), "account": account, "guarded": guarded}
        server = Child("benchmarks.payments_server", {"core": server_core, **options})
        servers.append(stack.enter_context(server))
    return account, load, servers


def _round(server: Child, load: Child, port: int, count: int, guarded: bool) -> dict[str, Any]:
    """Latencies, CPU per payment, and how long it took until all were settled."""
    before = server.ask()
    begun = time.perf_counter()
    result = load.ask(port=port, connections=CONNECTIONS, count=count, guarded=guarded)
    while (after := server.ask())["settled"] - before["settled"] < count:
        if time.perf_counter() - begun > _LONGEST_SETTLEMENT_S:
            raise Void("payments were answered that never settled")
        time.sleep(_POLL_S)
    result["settled_s"] = time.perf_counter() - begun
    result["cpu_us"] = (after["cpu_ns"] - before["cpu_ns"]) / count / 1000
    if after["calls"] - before["calls"] != count or after["settled"] - before["settled"] != count:
        raise Void("a payment was not executed exactly once")
    return result


def _audit(folder: Path, account: str, payments: int) -> None:
    with Bank(folder) as bank:
        audit = bank.check_ledger()
        if not audit.ok or bank.count_payments(account) != payments:
            raise Void(f"the ledger is wrong: {audit}")


def _table(measured: list[list[dict[str, float]]], rounds: int, count: int) -> Table:
    table = Table(
        "payments: through the gate into the ledger",
        f"POST /pix/cash-out with a new Idempotency-Key each, {CONNECTIONS} keep-alive connections "
        f"with one payment in flight on each, uvicorn with uvloop and httptools. *answered/s* is "
        f"how many are accepted, each on disk before its answer; *settled/s* counts until the last "
        f"of them is settled in the ledger (no simulated delay). *CPU µs* is of the server process "
        f"per settled payment. Medians over {rounds} rounds of {count:,} payments each, the rows "
        f"taking turns; *ratio* is of *answered/s* to the bank alone in the same turn.",
        ("", "answered/s", "settled/s", "p50 ms", "p99 ms", "CPU µs", "ratio"),
    )
    bare = measured[0]
    for (name, _), results in zip(CASES, measured, strict=True):
        row = [name]
        row += [f"{median(count / r[part] for r in results):,.0f}" for part in _RATES]
        row += [f"{median(r[part] for r in results):.1f}" for part in ("p50_ms", "p99_ms")]
        row.append(f"{median(r['cpu_us'] for r in results):,.0f}")
        ratio = median(b["seconds"] / r["seconds"] for b, r in zip(bare, results, strict=True))
        row.append("" if results is bare else f"{ratio:.2f}")
        table.rows.append(row)
    return table


_RATES = ("seconds", "settled_s")
