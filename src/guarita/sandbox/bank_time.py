"""The bank's time: what its clock says, but never before what happened already.

What belongs here: the clock and that rule. What does not: where the newest time is kept
(`books.bank_row`).
"""

import logging
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from guarita.sandbox.books import bank_row

logger = logging.getLogger("guarita.sandbox")

_WORTH_TELLING = timedelta(minutes=1)


def utc_now() -> datetime:
    return datetime.now(UTC)


class BankTime:
    """Time for one file. Should the clock be put back, time stands still until the clock has caught
    up with what happened already: no story goes back in time.
    """

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._told = False

    def by_clock(self) -> datetime:
        """What the clock says, in UTC. Raises `ValueError` for a clock without a time zone."""
        at = self._clock()
        if at.tzinfo is None:
            raise ValueError("the bank's clock must give times with a time zone")
        return at.astimezone(UTC)

    def now(self, conn: sqlite3.Connection) -> datetime:
        """The time of what is looked at."""
        return max(self.by_clock(), bank_row.newest(conn))

    def act(self, conn: sqlite3.Connection) -> datetime:
        """The time of what happens in this write transaction."""
        clock = self.by_clock()
        at = bank_row.advance(conn, clock)
        if at - clock > _WORTH_TELLING and not self._told:
            self._told = True
            logger.warning(
                "the clock is %s behind the newest entry of the bank's file: its time stands still"
                " until then; to begin anew, use another data folder",
                at - clock,
            )
        return at
