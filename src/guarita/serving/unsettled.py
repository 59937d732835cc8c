"""Settlements a store could not take: kept in the process and made up for, so that an outage at the
wrong moment does not leave a reservation "in flight" that nobody will end.
"""

import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from guarita.asks import Ask, LoseOutcome, Outage, Record, Release, Reserve

log = logging.getLogger("guarita.backend")

MOST_KEPT = 10_000
AT_ONCE = 8


Defer = Callable[[Ask, Callable[[Any, Outage], object]], Any]


class Answerer(Protocol):
    def answer(self, ask: Any, /) -> Any: ...


class Unsettled:
    """Answers as `source` does, and keeps every `Record`, `Release` and `LoseOutcome` that met an
    outage. Before each later `Reserve` the one of the same scope is made up for, and a few others;
    tokens see to it that a late settlement ends its own reservation and no other.

    At most `MOST_KEPT` are kept, the oldest dropped first: those stay in flight while the process
    lives, and their outcome is unknown afterwards.
    """

    def __init__(self, source: Answerer) -> None:
        self._source = source
        self._defer: Defer | None = getattr(source, "defer", None)
        self._kept: OrderedDict[tuple[bytes, str], Record | Release | LoseOutcome] = OrderedDict()

    def __len__(self) -> int:
        """How many settlements wait."""
        return len(self._kept)

    def defer(self, ask: Ask, failed: Callable[[Any, Outage], object]) -> Any:
        """As `answer`, of a source that answers with futures (`GroupCommit.defer`): `failed` is
        told of an outage that shows later.
        """
        if self._defer is None or (self._kept and isinstance(ask, Reserve)):
            return self.answer(ask)
        if isinstance(ask, Reserve):
            return self._defer(ask, failed)

        def keep(ask: Any, outage: Outage) -> None:
            self._keep(ask)
            failed(ask, outage)

        try:
            return self._defer(ask, keep)
        except Outage:
            self._keep(ask)  # type: ignore[arg-type]  # the three that are left
            raise

    @property
    def defers(self) -> bool:
        """Whether the source answers with futures."""
        return self._defer is not None

    def answer(self, ask: Ask) -> Any:
        """As the source's `answer`, with an answer or an awaitable of it. Raises `Outage`."""
        if isinstance(ask, Reserve):
            if self._kept:
                return self._reserve_late(ask)
            return self._source.answer(ask)
        if not isinstance(ask, Record | Release | LoseOutcome):
            return self._source.answer(ask)
        try:
            reply = self._source.answer(ask)
        except Outage:
            self._keep(ask)
            raise
        return self._watched(ask, reply) if hasattr(reply, "__await__") else reply

    async def _watched(self, ask: Record | Release | LoseOutcome, reply: Awaitable[Any]) -> Any:
        try:
            return await reply
        except Outage:
            self._keep(ask)
            raise

    def _keep(self, ask: Record | Release | LoseOutcome) -> None:
        # The first settlement is what happened; a LoseOutcome after it only says it failed.
        self._kept.setdefault((ask.scope.digest, ask.token), ask)
        if len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
            log.error("more than %d settlements wait for the store: one was dropped", MOST_KEPT)

    async def _reserve_late(self, reserve: Reserve) -> Any:
        """Make up for what waits, this scope's first, then reserve."""
        same = [key for key in self._kept if key[0] == reserve.scope.digest]
        for key in [*same, *list(self._kept)[:AT_ONCE]]:
            ask = self._kept.pop(key, None)
            if ask is None:
                continue
            try:
                await _settled(self._source.answer(ask))
            except Outage:
                self._keep(ask)
                raise
        return await _settled(self._source.answer(reserve))


async def _settled(reply: Any) -> Any:
    return await reply if hasattr(reply, "__await__") else reply
