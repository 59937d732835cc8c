"""What only the memory store has: flat memory, and pieces of it that are taken away a few at a
time.
"""

import gc
import os
import struct
import threading
from collections import deque
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guarita.asks import Reserved
from guarita.stores.expiry import ExpiryQueue
from guarita.stores.memory import MemoryStore
from tests.stores.harness import DAY, NOW, hit, record, reserve

ENTRIES = st.lists(st.tuples(st.floats(0, 100), st.integers(0, 9)), max_size=30)


def digest(number: int) -> bytes:
    return bytes([number]) * 32


@given(st.lists(st.tuples(ENTRIES, st.floats(0, 120), st.integers(0, 20)), max_size=8))
def test_expiry_queue_is_a_queue(
    turns: list[tuple[list[tuple[float, int]], float, int]],
) -> None:
    queue, model = ExpiryQueue(), deque[tuple[float, int]]()
    for pushed, at, limit in turns:
        for expiry, number in pushed:
            queue.push(struct.pack(">d", expiry), digest(number))
            model.append((expiry, number))
        expected: list[tuple[float, int]] = []
        while model and len(expected) < limit and model[0][0] <= at:
            expected.append(model.popleft())
        assert [(struct.unpack(">d", e)[0], d[0]) for e, d in queue.pop(at, limit)] == expected
        assert len(queue) == len(model)
        assert queue.next_at == (model[0][0] if model else float("inf"))


def test_expiry_queue_over_many_chunks() -> None:
    queue = ExpiryQueue()
    for number in range(10_000):
        queue.push(struct.pack(">d", number), digest(number % 256))
    assert len(queue) == 10_000
    assert [d[0] for _, d in queue.pop(9_998.5, 20_000)] == [n % 256 for n in range(9_999)]
    assert len(queue) == 1


@pytest.mark.parametrize("wrong", [b"", bytes(31), bytes(33)])
def test_expiry_queue_takes_whole_digests_only(wrong: bytes) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        ExpiryQueue().push(bytes(8), wrong)


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
