"""What the log says of failed calls to an upstream: the first at once, then how many."""

import asyncio
import logging
from collections import Counter

from guarita.serving.upstream.call import Problem

log = logging.getLogger("guarita.serving")

LOG_EVERY_S = 5.0


class Failures:
    """Failed calls to the upstream at `authority`. An upstream that fails every call must not fill
    the log: after a warning the further failures are counted, and told every `LOG_EVERY_S`.
    """

    __slots__ = ("_authority", "_counts", "_timer")

    def __init__(self, authority: str) -> None:
        self._authority = authority
        self._counts: Counter[Problem] = Counter()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, problem: Problem, ray: str) -> None:
        """A call failed. Called on the event loop."""
        if self._timer is None:
            log.warning("upstream %s %s (Ray ID %s)", self._authority, problem.value, ray)
            self._wait()
        else:
            self._counts[problem] += 1

    def tell(self) -> None:
        """Log how many calls have failed since the last line; none ends the counting."""
        self._timer = None
        if self._counts:
            for problem, count in self._counts.items():
                log.warning(
                    "upstream %s %s: %d more in %g s",
                    *(self._authority, problem.value, count, LOG_EVERY_S),
                )
            self._counts.clear()
            self._wait()

    def _wait(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(LOG_EVERY_S, self.tell)
