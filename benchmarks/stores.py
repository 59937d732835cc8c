"""The stores by themselves: CPU per ask in memory, durable reservations a second on this disk, and
bytes that records and keys take.
"""

import asyncio
import gc
import os
import time
from collections.abc import Callable, Iterator
from itertools import count as numbers
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

from benchmarks.children import Child, Void
from benchmarks.report import Table
from benchmarks.wire import ANSWER
from benchmarks.world import reservation
from guarita.asks import Ask, CountHit, Reserved
from guarita.stores.group_commit import GroupCommit
from guarita.stores.memory import MemoryStore
from guarita.stores.sqlite.store import SqliteStore

COUNTED = 100_000
"""Records and keys of the memory rows."""


def run(quick: bool) -> list[Table]:
    """Raises `Void` where a store answered wrongly."""
    repeats, seconds = (3, 0.5) if quick else (9, 2.0)
    return [_in_memory(repeats), _durable(seconds), _footprint()]


# --- CPU in memory --------------------------------------------------------------------------------


def _in_memory(repeats: int) -> Table:
    table = Table(
        "stores: memory",
        f"CPU microseconds per ask, the least of {repeats} repetitions over 20,000.",
        ("", "µs"),
    )
    table.rows.append(
        ("Reserve and Record, new key", f"{_least(repeats, _reserve_and_record):.2f}")
    )
    table.rows.append(("CountHit, one address", f"{_least(repeats, lambda: _hits(1)):.2f}"))
    table.rows.append(
        ("CountHit, 10,000 addresses", f"{_least(repeats, lambda: _hits(10_000)):.2f}")
    )
    return table


def _least(repeats: int, once: Callable[[], float]) -> float:
    return min(once() for _ in range(repeats)) * 1e6


def _cpu(store: MemoryStore, asks: list[Ask]) -> float:
    """CPU seconds for all `asks`."""
    answer = store.answer
    gc.collect()
    begun = time.process_time()
    for ask in asks:
        answer(ask)
    return time.process_time() - begun


def _reserve_and_record() -> float:
    store, asked = MemoryStore(), 20_000
    pairs = [reservation(number, time.time()) for number in range(asked)]
    spent = _cpu(store, [ask for pair in pairs for ask in pair])
    if len(store.reservations(state="stored")) != asked:
        raise Void("the memory store did not keep every record")
    return spent / asked


def _hits(addresses: int) -> float:
    store, asked = MemoryStore(), 20_000
    at = time.time()
    hits: list[Ask] = [CountHit(f"10.0.{n // 250}.{n % 250}", at, 60) for n in range(addresses)]
    spent = _cpu(store, hits * (asked // addresses))
    if store.answer(hits[0]) != asked // addresses + 1:
        raise Void("the memory store did not count every hit")
    return spent / asked


# --- durable --------------------------------------------------------------------------------------


def _durable(seconds: float) -> Table:
    table = Table(
        "stores: durable reservations",
        f"Reservations a second in SQLite, each on disk before it is answered, over {seconds:g} s "
        f"each. Temporary folder on {_filesystem(Path(gettempdir()))}.",
        ("", "per second", "ms each"),
    )
    for name, measure in (
        ("one transaction each", _one_by_one),
        ("group commit, 1 waiting", lambda path, s: asyncio.run(_grouped(path, s, 1))),
        ("group commit, 32 waiting", lambda path, s: asyncio.run(_grouped(path, s, 32))),
    ):
        with TemporaryDirectory(prefix="guarita-bench-") as folder:
            rate, each = measure(Path(folder) / "guarita.db", seconds)
        table.rows.append((name, f"{rate:,.0f}", f"{each * 1000:.2f}"))
    return table


def _one_by_one(path: Path, seconds: float) -> tuple[float, float]:
    """Reservations a second, and seconds one of them took."""
    store = SqliteStore(path)
    done, begun = 0, time.perf_counter()
    while time.perf_counter() - begun < seconds:
        if not isinstance(store.answer(reservation(done, time.time())[0]), Reserved):
            raise Void("SQLite did not reserve a new key")
        done += 1
    spent = time.perf_counter() - begun
    store.close()
    return done / spent, spent / done


async def _grouped(path: Path, seconds: float, waiting: int) -> tuple[float, float]:
    store = SqliteStore(path)
    group = GroupCommit(store)
    number: Iterator[int] = numbers()
    begun = time.perf_counter()

    async def reserve() -> int:
        done = 0
        while time.perf_counter() - begun < seconds:
            if not isinstance(
                await group.answer(reservation(next(number), time.time())[0]), Reserved
            ):
                raise Void("SQLite did not reserve a new key")
            done += 1
        return done

    done = sum(await asyncio.gather(*[reserve() for _ in range(waiting)]))
    spent = time.perf_counter() - begun
    await asyncio.to_thread(group.close)
    store.close()
    return done / spent, spent * waiting / done


def _filesystem(path: Path) -> str:
    """Its type, such as ext4; a tmpfs would make syncing free."""
    try:
        lines = Path("/proc/mounts").read_text().splitlines()
    except OSError:
        return "an unknown file system"
    mounts = [line.split()[1:3] for line in lines]
    around = [(len(at), kind) for at, kind in mounts if _within(path, at)]
    return max(around)[1] if around else "an unknown file system"


def _within(path: Path, mount: str) -> bool:
    return os.path.commonpath([path.resolve(), mount]) == mount


# --- memory ---------------------------------------------------------------------------------------


def _footprint() -> Table:
    table = Table(
        "stores: memory taken",
        f"Growth of a fresh process's resident memory by {COUNTED:,} of each.",
        ("", "MB", "bytes each"),
    )
    for name, what in (
        (f"idempotency records, answers of {len(ANSWER)} bytes (memory store)", "records"),
        ("idle API keys, two allowlist entries each (verifier)", "keys"),
    ):
        with Child("benchmarks.footprint", {"what": what, "count": COUNTED}) as child:
            grown = child.hear()["bytes"]
        table.rows.append((name, f"{grown / 1e6:.1f}", f"{grown / COUNTED:.0f}"))
    return table
