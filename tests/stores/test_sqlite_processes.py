"""Several processes on one SQLite file: exactly one reserves, and what a dead one leaves behind."""

import sys
from pathlib import Path
from typing import Literal

import pytest

from guarita.asks import OUTCOME_UNKNOWN, Reserved, Stored
from guarita.decision import Response
from guarita.stores.reservations import State
from guarita.stores.sqlite.store import SqliteStore
from tests.stores.harness import CREATED, Asker, askers, hit, record, release, reserve, scope

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="needs fork, flock and SIGKILL"),
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "guarita.db"


def instance_files(path: Path) -> set[str]:
    return {entry.name for entry in path.with_name("guarita.db-instances").iterdir()}


def test_of_two_processes_exactly_one_reserves_each_key(path: Path) -> None:
    with askers(path, 2) as both:
        for asker in both:
            asker.go("race 200")
        won = [[int(number) for number in asker.line().split()] for asker in both]
    assert sorted(won[0] + won[1]) == list(range(200))


def test_hits_are_exact_over_two_processes(path: Path) -> None:
    with askers(path, 2) as both:
        for asker in both:
            asker.go("hits 500")
        counted = [[int(number) for number in asker.line().split()] for asker in both]
    assert sorted(counted[0] + counted[1]) == list(range(1, 1001))


def test_a_living_process_is_in_flight_and_a_killed_one_unknown(path: Path) -> None:
    survivor = SqliteStore(path)
    with askers(path) as [holder]:
        assert holder.ask("reserve k one") == "reserved"
        assert survivor.answer(reserve("k", "two")).value == "in_flight"
        assert survivor.resolve(scope("k").digest, "release") is False
        holder.kill()
        [row] = survivor.reservations(state="outcome_unknown")
        assert (row.scope, row.token) == (scope("k"), "one")
        assert survivor.reservations(state="in_flight") == []
        assert survivor.answer(reserve("k", "two")) is OUTCOME_UNKNOWN
        survivor.answer(release("k", "one"))
        assert survivor.answer(reserve("k", "two")) is OUTCOME_UNKNOWN
        assert survivor.answer(record("k", "one")) is None
        assert isinstance(survivor.answer(reserve("k", "two")), Stored)
    survivor.close()


def test_what_a_killed_process_was_told_is_on_the_disk(path: Path) -> None:
    with askers(path) as [holder]:
        assert holder.ask("reserve held one") == "reserved"
        assert holder.ask("reserve answered two") == "reserved"
        assert holder.ask("record answered two") == "done"
        holder.kill()
    store = SqliteStore(path)
    assert store.answer(reserve("held", "new")) is OUTCOME_UNKNOWN
    assert store.answer(reserve("answered", "new")) == Stored(
        CREATED, reserve("answered", "two").fingerprint
    )
    store.close()


@pytest.mark.parametrize("resolution", ["release", CREATED])
def test_an_operator_resolves_a_dead_processs_reservation(
    path: Path, resolution: Literal["release"] | Response
) -> None:
    with askers(path) as [holder]:
        assert holder.ask("reserve k one") == "reserved"
        holder.kill()
    store = SqliteStore(path)
    assert store.resolve(scope("k").digest, resolution) is True
    found = store.answer(reserve("k", "two"))
    assert isinstance(found, Reserved if resolution == "release" else Stored)
    store.close()


def test_a_dead_instances_file_goes_when_nothing_refers_to_it(path: Path) -> None:
    with askers(path, 2) as [idle, holder]:
        assert idle.ask("reserve done one") == "reserved"
        assert idle.ask("record done one") == "done"
        assert holder.ask("reserve held two") == "reserved"
        assert len(instance_files(path)) == 2
        idle.kill()
        holder.kill()
    before = instance_files(path)
    assert len(before) == 2
    store = SqliteStore(path)
    store.answer(reserve("k", "three"))
    after = instance_files(path)
    assert len(after & before) == 1
    assert len(after) == 2
    assert store.resolve(scope("held").digest, "release")
    store.answer(record("k", "three"))
    store.close()
    another = SqliteStore(path)
    another.answer(reserve("k2", "four"))
    assert not instance_files(path) & before
    another.close()


def test_a_process_that_ends_in_order_leaves_no_file_unless_referred_to(path: Path) -> None:
    store = SqliteStore(path)
    store.answer(reserve("k", "one"))
    store.answer(record("k", "one"))
    store.close()
    assert instance_files(path) == set()
    store = SqliteStore(path)
    store.answer(reserve("left", "one"))
    store.close()
    assert len(instance_files(path)) == 1
    store = SqliteStore(path)
    assert store.reservations(state="outcome_unknown")[0].scope == scope("left")
    assert store.answer(reserve("left", "two")) is OUTCOME_UNKNOWN
    store.close()


def test_two_stores_in_one_process_are_two_instances(path: Path) -> None:
    first, second = SqliteStore(path), SqliteStore(path)
    assert first.answer(reserve("k", "one")) == Reserved()
    assert second.answer(reserve("k", "two")).value == "in_flight"
    second.answer(reserve("k2", "two"))
    second.close()
    assert first.answer(reserve("k2", "one")) is OUTCOME_UNKNOWN
    assert [row.state for row in first.reservations()] == [State.IN_FLIGHT, State.OUTCOME_UNKNOWN]
    first.close()


def test_a_forked_child_is_another_instance(path: Path) -> None:
    with askers(path) as [asker]:
        # The parent reserves; its child finds that in flight, reserves for itself and ends; the
        # parent finds that lost.
        assert asker.ask("fork k one") == "reserved in_flight reserved True outcome_unknown"
        assert asker.ask("reserve k2 one") == "reserved"


def test_a_forked_child_does_not_keep_its_parents_reservations_alive(path: Path) -> None:
    survivor = SqliteStore(path)
    with askers(path) as [parent]:
        assert int(parent.ask("leave_child k one")) > 0
        assert survivor.answer(reserve("k", "two")).value == "in_flight"
        parent.kill()
        assert survivor.answer(reserve("k", "two")) is OUTCOME_UNKNOWN
    survivor.close()


def test_asking_after_an_owner_twice_at_once_does_not_make_it_look_alive(path: Path) -> None:
    import fcntl

    survivor = SqliteStore(path)
    with askers(path) as [holder]:
        assert holder.ask("reserve k one") == "reserved"
        holder.kill()
    [name] = instance_files(path)
    with open(path.with_name("guarita.db-instances") / name) as another_asks:
        fcntl.flock(another_asks, fcntl.LOCK_SH)
        assert survivor.answer(reserve("k", "two")) is OUTCOME_UNKNOWN
    survivor.close()


def test_two_processes_may_create_the_database_together(path: Path) -> None:
    for attempt in range(3):
        both = [Asker(path.with_name(f"new{attempt}.db")) for _ in range(2)]
        try:
            assert [asker.line() for asker in both] == ["ready", "ready"]
            assert [both[0].ask("reserve k one"), both[1].ask("reserve k two")] == [
                "reserved",
                "in_flight",
            ]
        finally:
            for asker in both:
                asker.end()


def test_full_disk_is_an_outage_and_passes(path: Path) -> None:
    with askers(path) as [asker]:
        assert asker.ask("reserve before one") == "reserved"
        assert asker.ask("limit") == "done"
        assert asker.ask("outage during two") == "outage"
        assert asker.ask("unlimit") == "done"
        assert asker.ask("outage during three") == "reserved"
        assert asker.ask("outage before four") == "in_flight"


def test_counters_of_another_process_go_on_after_its_death(path: Path) -> None:
    with askers(path) as [asker]:
        assert asker.ask("hits 3") == "1 2 3"
        asker.kill()
    store = SqliteStore(path)
    assert store.answer(hit()) == 4
    store.close()
