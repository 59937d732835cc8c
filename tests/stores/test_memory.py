"""What only the memory store has: flat memory, and pieces of it that are taken away a few at a
time.
"""

import gc
import os
import threading
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import pairwise

import pytest

from guarita.asks import Reserved
from guarita.stores.memory import MemoryStore
from tests.stores.harness import DAY, NOW, fault, hit, record, reserve


@contextmanager
def traced() -> Iterator[Callable[[], int]]:
    """Gives what tells how many bytes Python has taken since and not given back."""
    gc.collect()
    tracemalloc.start()
    try:
        yield lambda: tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()


def filled(store: MemoryStore, names: Iterable[str], at: float = NOW) -> None:
    for name in names:
        store.answer(reserve(name, f"{name:>028}", at, 600))
        store.answer(record(name, f"{name:>028}"))


def test_a_record_takes_little_more_than_what_it_says() -> None:
    # Of a digest, a fingerprint, a token, times, 10 bytes of key and 8 of body: 142 in all.
    store = MemoryStore()
    with traced() as taken:
        filled(store, (f"key-{number:06}" for number in range(20_000)))
        gc.collect()
        assert taken() < 20_000 * 190


def test_memory_is_flat_while_records_expire() -> None:
    """An hour of distinct keys that live for ten minutes; what is live is a sixth of them."""
    store, lived = MemoryStore(), []
    with traced() as taken:
        for minute in range(60):
            names = (f"key-{minute:02}-{number:04}" for number in range(500))
            filled(store, names, NOW + 60 * minute)
            store.answer(hit(f"address-{minute}", NOW + 60 * minute))
            store.answer(fault(key=f"key-{minute}", at=NOW + 60 * minute))
            lived.append((len(store._kept), taken()))
    records = [count for count, _ in lived]
    assert records[9:] == [5_000] * 51
    assert max(taken for _, taken in lived[30:]) < 1.1 * max(taken for _, taken in lived[10:30])
    hits, faults = store._counters[60], store._faults._windows[60]
    assert (len(hits.newest), len(faults.newest)) == (1, 1)
    assert sum(map(len, hits.forgotten)) + sum(map(len, faults.forgotten)) <= 2


def test_stored_records_are_nothing_to_the_garbage_collector() -> None:
    store = MemoryStore()
    gc.collect()
    before = len(gc.get_objects())
    for number in range(5_000):
        store.answer(reserve(f"k{number}", "t"))
        store.answer(record(f"k{number}", "t"))
    gc.collect()
    assert len(gc.get_objects()) - before < 100
    assert len(store.reservations()) == 5_000


def test_a_record_made_again_after_expiry_is_not_purged_with_its_forerunner() -> None:
    store = MemoryStore()
    for number in range(50):
        store.answer(reserve(f"k{number}", "t"))
        store.answer(record(f"k{number}", "t"))
    # Later than all fifty, and so that the last one is made anew before the purge has come to its
    # first record.
    store.answer(reserve("k49", "t", NOW + DAY))
    store.answer(record("k49", "t"))
    for number in range(50):
        store.answer(reserve(f"new{number}", "t", NOW + DAY))
    kept = {row.scope.key for row in store.reservations(state="stored")}
    assert kept == {b"k49"}


def test_hits_of_a_window_that_is_over_go_a_few_at_a_time() -> None:
    store = MemoryStore()
    store.answer(hit("first", at=0))
    for number in range(1_000):
        store.answer(hit(f"k{number}", at=60))
    windows = store._counters[60]
    store.answer(hit(at=120))
    store.answer(hit(at=180))
    sizes = [sum(map(len, windows.forgotten))]
    for _ in range(300):
        store.answer(hit(at=180))
        sizes.append(sum(map(len, windows.forgotten)))
    assert max(before - after for before, after in pairwise(sizes)) == 4
    assert sizes[0] >= 990
    assert sizes[-1] == 0
    assert windows.forgotten == []


def test_a_clock_set_back_counts_on_and_a_straggler_takes_nothing_away() -> None:
    store = MemoryStore()
    times = [6_000, 6_060, 6_000, 6_060, 60, 60, 6_060, 60, 6_060, 6_120, 6_060]
    assert [store.answer(hit(at=at)) for at in times] == [1, 1, 2, 2, 1, 2, 3, 3, 4, 1, 5]


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_fork_while_the_lock_is_held_leaves_the_child_free() -> None:
    store = MemoryStore()
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with store._lock:
            held.set()
            done.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(30)
    child = os.fork()
    if child == 0:
        free = store._lock.acquire(timeout=5)
        os._exit(0 if free else 1)
    _, status = os.waitpid(child, 0)
    done.set()
    thread.join()
    assert status == 0
    assert store.answer(reserve("k", "t")) == Reserved()
