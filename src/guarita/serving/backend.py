"""Who answers which ask: the keyring's verifier, the counters and the reservations put together for
an adapter.
"""

import logging
import time
from asyncio import Future
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Protocol

from guarita.asks import (
    Ask,
    BlockKey,
    CountFault,
    CountHit,
    FaultsOf,
    FindKey,
    LoseOutcome,
    Outage,
    Record,
    Release,
    Reserve,
    VerifyCertificate,
    VerifyCredential,
)
from guarita.serving.unsettled import Defer, Unsettled

if TYPE_CHECKING:
    from guarita.data_folder import DataFolder

log = logging.getLogger("guarita.backend")

RESERVATION_ASKS: tuple[type[Ask], ...] = (Reserve, Record, Release, LoseOutcome)
LOG_EVERY_S = 5.0


class Answerer(Protocol):
    """Answers some of the asks, with the answer itself or with an awaitable of it."""

    def answer(self, ask: Any, /) -> Any: ...


class _Nobody:
    """Stands in for an answerer that was not configured."""

    def __init__(self, why: str) -> None:
        self._why = why

    def answer(self, ask: Ask) -> Any:
        raise Outage(self._why)


class Backend:
    """Answers the asks that go to stores.

    Args:
        credentials: answers `VerifyCredential`.
        counters: answers `CountHit`.
        reservations: answers `Reserve`, `Record`, `Release` and `LoseOutcome`.
        blocker: answers `BlockKey`; without one it is an outage.
        certificates: answers `VerifyCertificate`; without one it is an outage.
        on_close: called by `close`, in order.
    """

    def __init__(
        self,
        credentials: Answerer,
        counters: Answerer,
        reservations: Answerer,
        *,
        blocker: Answerer | None = None,
        certificates: Answerer | None = None,
        on_close: tuple[Callable[[], object], ...] = (),
    ) -> None:
        self._on_close = on_close
        self._answerers: dict[type[Ask], Callable[[Any], Any]] = {
            VerifyCredential: credentials.answer,
            FindKey: credentials.answer,
            CountHit: counters.answer,
            CountFault: counters.answer,
            FaultsOf: counters.answer,
            BlockKey: (blocker or _Nobody("no key can be blocked here")).answer,
            VerifyCertificate: (certificates or _Nobody("no authority is configured")).answer,
        }
        settling = Unsettled(reservations)
        for kind in RESERVATION_ASKS:
            self._answerers[kind] = settling.answer
        self._deferring: dict[type[Ask], Defer] = {}
        counting: Defer | None = getattr(counters, "defer", None)
        if counting is not None:
            self._deferring = dict.fromkeys((CountHit, CountFault, FaultsOf), counting)
        if settling.defers:
            self._deferring |= dict.fromkeys(RESERVATION_ASKS, settling.defer)
        self._quiet_until = 0.0

    @classmethod
    def embedded(
        cls,
        folder: "DataFolder",
        *,
        shared_counters: bool = False,
        certificates: Answerer | None = None,
    ) -> "Backend":
        """The embedded default: keyring snapshot in memory (kept current by a watching thread),
        reservations durable in the folder's SQLite file with group commit, rate counters in the
        process or (`shared_counters`) in the SQLite file.
        """
        from guarita.keyring.blocker import KeyBlocker
        from guarita.keyring.verifier import Verifier
        from guarita.stores.group_commit import GroupCommit
        from guarita.stores.memory import MemoryStore

        verifier = Verifier(folder.repository, folder.pepper)
        verifier.watch()
        durable = GroupCommit(folder.store)
        counters: Answerer = durable if shared_counters else MemoryStore()
        return cls(
            verifier,
            counters,
            durable,
            blocker=KeyBlocker(folder.repository, verifier.refresh),
            certificates=certificates,
            on_close=(durable.close, verifier.close),
        )

    def answer(self, ask: Ask) -> Any:
        """The answer to `ask`, or an awaitable of it. Raises `Outage` (logged, at most every few
        seconds) or KeyError for an ask that is not a store's.
        """
        kind = type(ask)
        try:
            if kind in self._deferring:
                reply = self._deferring[kind](ask, self._report)
                if type(reply) is Future:
                    return reply
            else:
                reply = self._answerers[kind](ask)
        except Outage as outage:
            self._report(ask, outage)
            raise
        return self._awaited(ask, reply) if hasattr(reply, "__await__") else reply

    async def _awaited(self, ask: Ask, reply: Awaitable[Any]) -> Any:
        try:
            return await reply
        except Outage as outage:
            self._report(ask, outage)
            raise

    def _report(self, ask: Ask, outage: Outage) -> None:
        now = time.monotonic()
        if now >= self._quiet_until:
            self._quiet_until = now + LOG_EVERY_S
            log.error("%s cannot be answered: %s", type(ask).__name__, outage)

    def close(self) -> None:
        """Stop what `embedded` started, finishing what is queued."""
        for close in self._on_close:
            close()
