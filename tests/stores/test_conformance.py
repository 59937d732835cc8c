"""What every store of reservations and counters does alike. Nothing here asks which store it is."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from guarita.asks import IN_FLIGHT, OUTCOME_UNKNOWN, Ask, Outage, ReadBody, Reserved, Stored
from guarita.decision import Response
from guarita.stores.reservations import ReservationStore, State
from tests.stores.harness import (
    CREATED,
    DAY,
    NOW,
    fault,
    faults_of,
    hit,
    lose,
    record,
    release,
    reserve,
    scope,
    together,
)

RESERVED = Reserved()
Settle = Callable[[str, str], Ask]


def stored(token: str, response: Response = CREATED) -> Stored:
    return Stored(response, reserve("", token).fingerprint)


# Reservations


def test_first_reserve_gets_it_and_the_second_finds_it_in_flight(store: ReservationStore) -> None:
    assert store.answer(reserve("k", "one")) == RESERVED
    assert store.answer(reserve("k", "two")) is IN_FLIGHT
    assert store.answer(reserve("k", "one")) is IN_FLIGHT
    assert store.answer(reserve("other", "two")) == RESERVED


def test_recorded_answer_comes_back_byte_for_byte_with_the_first_fingerprint(
    store: ReservationStore,
) -> None:
    every_byte = Response(299, ((b"x-" + bytes(range(128, 256)), b""),), bytes(range(256)) * 64)
    store.answer(reserve("k", "one"))
    assert store.answer(record("k", "one", every_byte)) is None
    assert store.answer(reserve("k", "two")) == stored("one", every_byte)


def test_empty_answer_is_an_answer(store: ReservationStore) -> None:
    store.answer(reserve("k", "one"))
    store.answer(record("k", "one", Response(204, (), b"")))
    assert store.answer(reserve("k", "two")) == stored("one", Response(204, (), b""))


def test_released_reservation_can_be_had_again(store: ReservationStore) -> None:
    store.answer(reserve("k", "one"))
    assert store.answer(release("k", "one")) is None
    assert store.answer(reserve("k", "two")) == RESERVED


def test_lost_outcome_stays_and_only_a_late_answer_ends_it(store: ReservationStore) -> None:
    store.answer(reserve("k", "one"))
    assert store.answer(lose("k", "one")) is None
    assert store.answer(reserve("k", "two")) is OUTCOME_UNKNOWN
    store.answer(release("k", "one"))
    store.answer(record("k", "two"))
    assert store.answer(reserve("k", "two")) is OUTCOME_UNKNOWN
    store.answer(record("k", "one"))
    assert store.answer(reserve("k", "two")) == stored("one")


@pytest.mark.parametrize("settle", [record, release, lose])
def test_settling_takes_the_owners_token(store: ReservationStore, settle: Settle) -> None:
    store.answer(reserve("k", "one"))
    assert store.answer(settle("k", "two")) is None
    assert store.answer(reserve("k", "three")) is IN_FLIGHT


@pytest.mark.parametrize("settle", [record, release, lose])
def test_settling_nothing_is_no_error_and_makes_nothing(
    store: ReservationStore, settle: Settle
) -> None:
    assert store.answer(settle("k", "one")) is None
    assert store.answer(reserve("k", "two")) == RESERVED


@pytest.mark.parametrize("settle", [release, lose])
def test_a_stored_answer_is_final(store: ReservationStore, settle: Settle) -> None:
    store.answer(reserve("k", "one"))
    store.answer(record("k", "one"))
    store.answer(settle("k", "one"))
    store.answer(record("k", "one", Response(200, (), b"another")))
    assert store.answer(reserve("k", "two")) == stored("one")


def test_owner_of_an_earlier_reservation_cannot_settle_the_next(store: ReservationStore) -> None:
    store.answer(reserve("k", "one"))
    store.answer(release("k", "one"))
    store.answer(reserve("k", "two"))
    store.answer(record("k", "one"))
    store.answer(release("k", "one"))
    assert store.answer(reserve("k", "three")) is IN_FLIGHT


# 24 hours (seed L417), from the reservation


@pytest.mark.parametrize(
    ("settle", "within"),
    [(record, stored("one")), (lose, OUTCOME_UNKNOWN), (None, IN_FLIGHT)],
    ids=["stored", "outcome_unknown", "in_flight"],
)
@pytest.mark.parametrize(("age", "lives"), [(86_399, True), (86_399.999, True), (86_400, False)])
def test_record_lives_for_keep_s_from_its_reservation(
    store: ReservationStore, settle: Settle | None, within: object, age: float, lives: bool
) -> None:
    store.answer(reserve("k", "one"))
    if settle is not None:
        store.answer(settle("k", "one"))
    assert store.answer(reserve("k", "two", NOW + age)) == (within if lives else RESERVED)


def test_reservation_after_expiry_has_its_own_24_hours_and_owner(store: ReservationStore) -> None:
    store.answer(reserve("k", "one"))
    store.answer(record("k", "one"))
    store.answer(reserve("k", "two", NOW + DAY))
    store.answer(record("k", "one"))
    assert store.answer(reserve("k", "three", NOW + DAY)) is IN_FLIGHT
    store.answer(record("k", "two"))
    assert store.answer(reserve("k", "three", NOW + 2 * DAY - 1)) == stored("two")
    assert store.answer(reserve("k", "three", NOW + 2 * DAY)) == RESERVED


def test_the_shorter_of_two_lifetimes_counts(store: ReservationStore) -> None:
    store.answer(reserve("short", "one", keep_s=60))
    store.answer(record("short", "one"))
    assert store.answer(reserve("short", "two", NOW + 60)) == RESERVED
    store.answer(reserve("long", "one"))
    store.answer(record("long", "one"))
    assert store.answer(reserve("long", "two", NOW + 59, keep_s=60)) == stored("one")
    assert store.answer(reserve("long", "two", NOW + 60, keep_s=60)) == RESERVED


def test_expired_records_are_purged_a_few_at_a_time(store: ReservationStore) -> None:
    for number in range(200):
        name = f"old{number}"
        store.answer(reserve(name, "t", NOW + number / 1000))
        if number % 3:
            store.answer(record(name, "t") if number % 3 == 1 else lose(name, "t"))
    before = len(store.reservations())
    assert before == 200
    largest = 0
    for number in range(1024):
        store.answer(reserve(f"new{number}", "t", NOW + DAY + 1))
        store.answer(record(f"new{number}", "t"))
        if number < 200:
            left = len(store.reservations()) - number - 1
            largest = max(largest, before - left)
            before = left
    assert 0 < largest <= 64
    assert len(store.reservations()) == 1024
    names = {row.scope.key for row in store.reservations(state="stored")}
    assert names == {f"new{number}".encode() for number in range(1024)}


# Races


@pytest.mark.parametrize("attempt", range(5))
def test_of_32_threads_exactly_one_reserves(store: ReservationStore, attempt: int) -> None:
    answers = together(32, lambda number: store.answer(reserve("k", f"t{number}")))
    assert answers.count(RESERVED) == 1
    assert answers.count(IN_FLIGHT) == 31


def test_release_and_reserve_race_without_two_owners(store: ReservationStore) -> None:
    def work(number: int) -> int:
        won = 0
        for turn in range(20):
            token = f"{number}-{turn}"
            if store.answer(reserve("k", token)) == RESERVED:
                owners.append(token)
                assert len(owners) == 1
                owners.remove(token)
                store.answer(release("k", token))
                won += 1
        return won

    owners: list[str] = []
    assert sum(together(8, work)) >= 1
    assert store.answer(reserve("k", "last")) == RESERVED


# Counters


def test_hits_are_counted_per_key_window_and_length(store: ReservationStore) -> None:
    assert [store.answer(hit()) for _ in range(3)] == [1, 2, 3]
    assert store.answer(hit("2001:db8::1")) == 1
    assert store.answer(hit(window_s=3600)) == 1
    assert store.answer(hit()) == 4


@pytest.mark.parametrize(
    ("at", "hits"),
    [(59.999, 2), (60.0, 1), (119.999, 1), (120.0, 1), (0.0, 2)],
)
def test_window_edges(store: ReservationStore, at: float, hits: int) -> None:
    start = NOW - NOW % 60
    store.answer(hit(at=start + 30))
    assert store.answer(hit(at=start + at)) == hits


def test_stragglers_count_in_the_window_before(store: ReservationStore) -> None:
    start = NOW - NOW % 60
    times = [10, 59.9, 60.0, 59.99, 60.1, 119.9, 120.5, 119.95, 120.6]
    assert [store.answer(hit(at=start + at)) for at in times] == [1, 2, 1, 3, 2, 3, 1, 4, 2]


def test_window_before_is_kept_while_the_next_one_fills(store: ReservationStore) -> None:
    start = NOW - NOW % 60
    store.answer(hit(at=start))
    for number in range(64):
        store.answer(hit(f"k{number}", at=start + 60))
    assert store.answer(hit(at=start + 59)) == 2


def test_hits_are_exact_over_16_threads(store: ReservationStore) -> None:
    answers = together(16, lambda _: [store.answer(hit()) for _ in range(50)])
    assert sorted(count for counted in answers for count in counted) == list(range(1, 801))
    for counted in answers:
        assert counted == sorted(counted)


# The operator's side


def test_list_shows_scope_state_and_status(store: ReservationStore) -> None:
    store.answer(reserve("unknown", "c", NOW + 2))
    store.answer(lose("unknown", "c"))
    store.answer(reserve("flying", "a", NOW))
    store.answer(reserve("done", "b", NOW + 1))
    store.answer(record("done", "b"))
    rows = store.reservations()
    assert [(r.scope, r.state, r.token, r.at, r.expires_at, r.status) for r in rows] == [
        (scope("flying"), State.IN_FLIGHT, "a", NOW, NOW + DAY, None),
        (scope("done"), State.STORED, "b", NOW + 1, NOW + 1 + DAY, 201),
        (scope("unknown"), State.OUTCOME_UNKNOWN, "c", NOW + 2, NOW + 2 + DAY, None),
    ]
    for row in rows:
        assert store.reservations(state=row.state.value) == [row]
    assert store.reservations(at=NOW + DAY + 1) == rows[2:]


def test_list_of_one_account(store: ReservationStore) -> None:
    store.answer(replace(reserve("k", "one"), scope=scope("k", "acc_2")))
    store.answer(reserve("k", "two"))
    assert [row.scope for row in store.reservations(account="acc_2")] == [scope("k", "acc_2")]
    assert store.reservations(account="acc_3") == []


def test_list_refuses_an_unknown_state(store: ReservationStore) -> None:
    with pytest.raises(ValueError, match="lost"):
        store.reservations(state="lost")


def test_unknown_outcome_is_resolved_by_release(store: ReservationStore) -> None:
    store.answer(reserve("k", "one"))
    store.answer(lose("k", "one"))
    assert store.resolve(scope("k").digest, "release") is True
    store.answer(record("k", "one"))
    assert store.answer(reserve("k", "two")) == RESERVED


def test_unknown_outcome_is_resolved_by_an_answer(store: ReservationStore) -> None:
    found = Response(200, (), b"found in the ledger")
    store.answer(reserve("k", "one"))
    store.answer(lose("k", "one"))
    assert store.resolve(scope("k").digest, found) is True
    store.answer(record("k", "one"))
    assert store.answer(reserve("k", "two")) == stored("one", found)
    assert store.resolve(scope("k").digest, "release") is False


def test_only_an_unknown_outcome_is_resolved(store: ReservationStore) -> None:
    assert store.resolve(scope("absent").digest, "release") is False
    store.answer(reserve("flying", "one"))
    store.answer(reserve("done", "one"))
    store.answer(record("done", "one"))
    for name in ("flying", "done"):
        assert store.resolve(scope(name).digest, "release") is False
        assert store.resolve(scope(name).digest, CREATED) is False
    assert store.answer(reserve("flying", "two")) is IN_FLIGHT
    assert store.answer(reserve("done", "two")) == stored("one")


# The rest


def test_an_ask_of_another_kind_is_a_type_error(store: ReservationStore) -> None:
    with pytest.raises(TypeError, match="does not answer ReadBody"):
        store.answer(ReadBody(1))


def test_a_closed_store_is_an_outage(store: ReservationStore) -> None:
    store.answer(reserve("k", "one"))
    store.close()
    store.close()
    asks = (hit(), fault(), faults_of(), reserve("k", "two"), record("k", "one"))
    for ask in (*asks, release("k", "one")):
        with pytest.raises(Outage, match="closed"):
            store.answer(ask)
    with pytest.raises(Outage, match="closed"):
        store.resolve(scope("k").digest, "release")
    with pytest.raises(Outage, match="closed"):
        store.reservations()
