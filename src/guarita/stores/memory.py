"""The reference store: everything in this process's memory, gone with it.

One process only: a forked or second process has a store of its own. What lives for a day is packed
in flat memory (`kept_log`), which the cyclic garbage collector never looks into; only reservations
in flight are objects. Every operation does a bounded amount of purging, so that no request pays for
the day's expired records at once.
"""

from collections.abc import Callable
from itertools import islice
from threading import Lock
from typing import Any, Literal

from guarita.asks import (
    IN_FLIGHT,
    OUTCOME_UNKNOWN,
    Ask,
    Busy,
    CountFault,
    CountHit,
    Faults,
    FaultsOf,
    LoseOutcome,
    Outage,
    Record,
    Release,
    Reserve,
    Reserved,
    Stored,
)
from guarita.decision import Response
from guarita.stores.faults import FaultCounter
from guarita.stores.kept import Kept, row_of
from guarita.stores.kept_log import KeptLog
from guarita.stores.reservations import ReservationRow, State, reset_after_fork, unanswerable
from guarita.stores.windows import Windows

_RESERVED = Reserved()
_PURGED_PER_RESERVE = 4
_RESERVES_PER_SWEEP = 32


class MemoryStore:
    """Answers the asks about counters and reservations from memory. See `ReservationStore`.

    Attributes:
        answers: what answers each kind of ask, for a driver that wants to save a call; empty once
            the store is closed.
    """

    def __init__(self) -> None:
        self._in_flight: dict[bytes, Reserve] = {}
        self._kept = KeptLog()
        self._counters: dict[int, Windows[int]] = {}
        self._faults = FaultCounter()
        self._reserves = 0
        self._closed = False
        self._lock = Lock()
        self.answers: dict[type[Any], Callable[[Any], Any]] = {
            CountHit: self._count_hit,
            CountFault: self._count_fault,
            FaultsOf: self._faults_of,
            Reserve: self._reserve,
            Record: self._record,
            Release: self._release,
            LoseOutcome: self._lose_outcome,
        }
        reset_after_fork(self)

    def answer(self, ask: Ask) -> Any:
        """Answer one ask, atomically. Any thread may call it.

        Raises:
            Outage: the store is closed.
            TypeError: an ask that is not a store's to answer.
        """
        try:
            answer = self.answers[type(ask)]
        except KeyError:
            self._refuse_when_closed()
            raise unanswerable(self, ask) from None
        return answer(ask)

    def reservations(
        self, *, state: str | None = None, account: str | None = None, at: float | None = None
    ) -> list[ReservationRow]:
        """The reservations kept, oldest first. See `ReservationStore.reservations`."""
        wanted = None if state is None else State(state)
        with self._lock:
            self._refuse_when_closed()
            in_flight = list(self._in_flight.values())
            kept = self._kept.records()
        rows = [
            ReservationRow(r.scope, State.IN_FLIGHT, r.token, r.at, r.at + r.keep_s)
            for r in in_flight
        ]
        rows += map(row_of, kept)
        rows = [
            row
            for row in rows
            if (wanted is None or row.state is wanted)
            and (account is None or row.scope.account == account)
            and (at is None or row.expires_at > at)
        ]
        rows.sort(key=lambda row: row.at)
        return rows

    def resolve(self, digest: bytes, resolution: Literal["release"] | Response) -> bool:
        """Settle a reservation whose outcome is unknown. See `ReservationStore.resolve`."""
        with self._lock:
            self._refuse_when_closed()
            kept = self._kept.get(digest)
            if kept is None or kept.response is not None:
                return False
            if resolution == "release":
                self._kept.forget(digest)
            else:
                self._answer_unknown(kept, resolution)
            return True

    def close(self) -> None:
        """Forget everything; later asks raise `Outage`."""
        with self._lock:
            self._closed = True
            self.answers.clear()
            self._in_flight.clear()
            self._kept = KeptLog()
            self._counters.clear()
            self._faults.clear()

    def after_fork(self) -> None:
        """In a forked child: another thread of the parent may have held the lock."""
        self._lock = Lock()

    # The answers, one per ask.

    def _count_hit(self, ask: CountHit) -> int:
        window_s = ask.window_s
        number = ask.at // window_s
        key = ask.key
        with self._lock:
            windows = self._counters.get(window_s)
            if windows is None:
                windows = self._counters[window_s] = Windows(number)
            hits = windows.newest if number == windows.newest_number else windows.at(number)
            count = hits.get(key, 0) + 1
            hits[key] = count
            if windows.forgotten:
                windows.forget()
            return count

    def _count_fault(self, ask: CountFault) -> Faults:
        with self._lock:
            return self._faults.count(ask)

    def _faults_of(self, ask: FaultsOf) -> Faults:
        with self._lock:
            return self._faults.of(ask)

    def _reserve(self, ask: Reserve) -> Reserved | Stored | Busy:
        digest = ask.scope.digest
        at = ask.at
        with self._lock:
            kept = self._kept
            if at >= kept.next_at:
                kept.purge(at, _PURGED_PER_RESERVE)
            self._reserves += 1
            if not self._reserves % _RESERVES_PER_SWEEP:
                self._purge_in_flight(at)
            in_flight = self._in_flight.get(digest)
            if in_flight is not None:
                if in_flight.at + min(in_flight.keep_s, ask.keep_s) > at:
                    return IN_FLIGHT
                del self._in_flight[digest]
            found = kept.answer(digest)
            if found is not None:
                reserved_at, keep_s, response, fingerprint = found
                if reserved_at + keep_s > at and reserved_at + ask.keep_s > at:
                    return OUTCOME_UNKNOWN if response is None else Stored(response, fingerprint)
                kept.forget(digest)
            self._in_flight[digest] = ask
            return _RESERVED

    def _record(self, ask: Record) -> None:
        digest = ask.scope.digest
        with self._lock:
            reserve = self._in_flight.get(digest)
            if reserve is not None:
                if reserve.token == ask.token:
                    self._kept.add(reserve, ask.response)
                    del self._in_flight[digest]
                return
            kept = self._kept.get(digest)
            if kept is not None and kept.response is None and kept.reserve.token == ask.token:
                self._answer_unknown(kept, ask.response)

    def _release(self, ask: Release) -> None:
        digest = ask.scope.digest
        with self._lock:
            reserve = self._in_flight.get(digest)
            if reserve is not None and reserve.token == ask.token:
                del self._in_flight[digest]

    def _lose_outcome(self, ask: LoseOutcome) -> None:
        digest = ask.scope.digest
        with self._lock:
            reserve = self._in_flight.get(digest)
            if reserve is not None and reserve.token == ask.token:
                self._kept.add(reserve, None)
                del self._in_flight[digest]

    # Under the lock.

    def _refuse_when_closed(self) -> None:
        if self._closed:
            raise Outage("the store is closed")

    def _answer_unknown(self, kept: Kept, response: Response) -> None:
        self._kept.forget(kept.reserve.scope.digest)
        self._kept.add(kept.reserve, response)

    def _purge_in_flight(self, at: float) -> None:
        # Every request settles its reservation; this is for those whose task was destroyed.
        oldest = islice(self._in_flight.items(), _PURGED_PER_RESERVE)
        for digest in [d for d, reserve in oldest if reserve.at + reserve.keep_s <= at]:
            del self._in_flight[digest]
