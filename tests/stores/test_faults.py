"""Refused attempts per key and address: what every store does alike, and what each keeps."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guarita.asks import Faults
from guarita.stores.faults import MOST_ADDRESSES, FaultCounter
from guarita.stores.memory import MemoryStore
from guarita.stores.reservations import ReservationStore
from guarita.stores.sqlite.store import SqliteStore
from guarita.stores.windows import Windows
from tests.stores.harness import NOW, counted, fault, faults_of, hit, together

START = NOW - NOW % 60


def test_attempts_are_counted_per_address_key_and_window_length(store: ReservationStore) -> None:
    assert [counted(store, fault("a")) for _ in range(3)] == [(1, 1, 1), (2, 2, 1), (3, 3, 1)]
    assert counted(store, fault("b")) == (1, 4, 2)
    assert counted(store, fault("a")) == (4, 5, 2)
    assert counted(store, fault("a", key="key_2")) == (1, 1, 1)
    assert counted(store, fault("a", window_s=3600)) == (1, 1, 1)
    assert counted(store, fault("")) == (1, 6, 3)


def test_asking_counts_nothing(store: ReservationStore) -> None:
    assert counted(store, faults_of("a")) == (0, 0, 0)
    counted(store, fault("a"))
    for _ in range(2):
        assert counted(store, faults_of("a")) == (1, 1, 1)
        assert counted(store, faults_of("b")) == (0, 1, 1)
        assert counted(store, faults_of("a", key="key_2")) == (0, 0, 0)
        assert counted(store, faults_of("a", window_s=61)) == (0, 0, 0)
    assert counted(store, fault("a")) == (2, 2, 1)


def test_attempts_and_hits_do_not_mix(store: ReservationStore) -> None:
    counted(store, fault("a", key="k"))
    assert store.answer(hit("k")) == 1
    assert counted(store, faults_of("a", key="k")) == (1, 1, 1)


@pytest.mark.parametrize(
    ("at", "found"),
    [(0.0, 1), (59.999, 1), (60.0, 0), (-0.001, 0), (120.0, 0), (-60.0, 0)],
)
def test_window_edges(store: ReservationStore, at: float, found: int) -> None:
    counted(store, fault("a", at=START + 30))
    assert counted(store, faults_of("a", at=START + at)) == (found, found, found)
    assert counted(store, fault("a", at=START + at)) == (found + 1, found + 1, 1)


def test_stragglers_count_in_the_window_before(store: ReservationStore) -> None:
    times = [10, 59.9, 60.0, 59.99, 60.1, 119.9, 120.5, 119.95, 120.6]
    answers = [counted(store, fault("a", at=START + at)) for at in times]
    assert [of_address for of_address, _, _ in answers] == [1, 2, 1, 3, 2, 3, 1, 4, 2]
    assert counted(store, faults_of("a", at=START + 119)) == (4, 4, 1)


def test_asking_about_another_window_begins_none(store: ReservationStore) -> None:
    counted(store, fault("a", at=START))
    for number in (1, 2, 3, 50, -3):
        assert counted(store, faults_of("a", at=START + 60 * number)) == (0, 0, 0)
    assert counted(store, faults_of("a", at=START)) == (1, 1, 1)


def test_addresses_beyond_the_bound_are_not_told_apart(store: ReservationStore) -> None:
    full = MOST_ADDRESSES
    for number in range(full):
        store.answer(fault(f"a{number}"))
    assert counted(store, fault("one more")) == (1, full + 1, full)
    assert counted(store, fault("one more")) == (1, full + 2, full)
    assert counted(store, faults_of("one more")) == (0, full + 2, full)
    assert counted(store, fault("a0")) == (2, full + 3, full)
    assert counted(store, fault("one more", key="key_2")) == (1, 1, 1)


def test_counts_are_exact_over_16_threads(store: ReservationStore) -> None:
    answers = together(16, lambda n: [counted(store, fault(f"a{n % 4}")) for _ in range(25)])
    each = sorted(answer for several in answers for answer in several)
    assert [of_address for of_address, _, _ in each] == sorted(list(range(1, 101)) * 4)
    assert sorted(of_key for _, of_key, _ in each) == list(range(1, 401))
    assert counted(store, faults_of("a0")) == (100, 400, 4)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c"]),
        st.sampled_from(["key_1", "key_2"]),
        st.sampled_from([0.0, 1.0, 30.0, 60.0]),
        st.booleans(),
    ),
    max_size=40,
)


@given(STEPS)
def test_counting_goes_as_in_a_plain_list(steps: list[tuple[str, str, float, bool]]) -> None:
    counter, at = FaultCounter(), START
    attempts: list[tuple[float, str, str]] = []
    for address, key, passed, counts in steps:
        at += passed
        window = at // 60
        if counts:
            attempts.append((window, key, address))
        of_key = [a for w, k, a in attempts if (w, k) == (window, key)]
        expected = Faults(of_key.count(address), len(of_key), len(set(of_key)))
        if counts:
            assert counter.count(fault(address, key, at)) == expected
        else:
            assert counter.of(faults_of(address, key, at)) == expected


def test_memory_of_windows_that_are_over_is_given_back() -> None:
    store = MemoryStore()
    for number in range(300):
        store.answer(fault(key=f"key_{number}", at=START))
    for window in range(1, 200):
        store.answer(fault(at=START + 60 * window))
    windows = store._faults._windows[60]
    assert isinstance(windows, Windows)
    assert len(windows.newest) == 1
    assert sum(map(len, windows.forgotten)) == 0


def test_rows_of_windows_that_are_over_are_purged(tmp_path: Path) -> None:
    path = tmp_path / "guarita.db"
    store = SqliteStore(path)
    for number in range(100):
        store.answer(fault(f"a{number}", at=START))
    for _ in range(64):
        store.answer(fault("late", at=START + 119.9))  # a straggler may still come
    assert counted(store, faults_of("a1", at=START)) == (1, 100, 100)
    for _ in range(64):
        store.answer(fault("last", at=START + 180))
    store.close()
    with closing(sqlite3.connect(path)) as conn:
        kept = conn.execute("SELECT DISTINCT address FROM fault_address").fetchall()
        assert kept == [("last",)]
        assert conn.execute("SELECT hits, addresses FROM fault").fetchall() == [(64, 1)]


def test_counts_are_shared_by_processes_and_outlive_them(tmp_path: Path) -> None:
    path = tmp_path / "guarita.db"
    first, second = SqliteStore(path), SqliteStore(path)
    assert counted(first, fault("a")) == (1, 1, 1)
    assert counted(second, fault("b")) == (1, 2, 2)
    first.close()
    second.close()
    with closing(SqliteStore(path)) as third:
        assert counted(third, faults_of("a")) == (1, 2, 2)
