"""An account's statement: its transactions, filtered and in pages (fact sheet §6.10).

What belongs here: the query and what its words mean.
"""

import sqlite3
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from guarita.sandbox.books import transactions
from guarita.sandbox.books.transactions import Transaction
from guarita.sandbox.text import timestamps

MAX_PER_PAGE = 100
_DAY_MS = 86_400_000
_MAX_OFFSET = 2**62  # beyond any file, within SQLite's integers

# From the filter's words to states: the three of the fact sheet, and each state's own word.
STATUSES: dict[str, tuple[str, ...]] = {
    "pending": ("queued", "processing"),
    "completed": ("settled", "returned"),
    "failed": ("failed",),
    "queued": ("queued",),
    "processing": ("processing",),
    "settled": ("settled",),
    "returned": ("returned",),
}
TYPES = ("pix", "ted", "internal")  # this bank does PIX alone: the others have no rows


@dataclass(frozen=True, slots=True)
class StatementQuery:
    """A page of a statement. `status` is a word of `STATUSES`, `type` of `TYPES`; the dates are
    days in UTC on which transactions were created, both included. `None` filters nothing.

    Raises `ValueError` for a page below 1, more than 100 a page, and unknown words.
    """

    page: int = 1
    per_page: int = 20
    status: str | None = None
    type: str | None = None
    date_from: date | None = None
    date_to: date | None = None

    def __post_init__(self) -> None:
        if self.page < 1:
            raise ValueError(f"page must be 1 or more, not {self.page}")
        if not 1 <= self.per_page <= MAX_PER_PAGE:
            raise ValueError(f"per_page must be from 1 to {MAX_PER_PAGE}, not {self.per_page}")
        if self.status is not None and self.status not in STATUSES:
            raise ValueError(f"status must be one of {', '.join(STATUSES)}, not {self.status!r}")
        if self.type is not None and self.type not in TYPES:
            raise ValueError(f"type must be one of {', '.join(TYPES)}, not {self.type!r}")


def statement(conn: sqlite3.Connection, account: str, query: StatementQuery) -> list[Transaction]:
    """The page asked for, newest first; empty past the last one."""
    offset = (query.page - 1) * query.per_page
    if query.type not in (None, "pix") or offset > _MAX_OFFSET:
        return []
    conditions: list[str] = ["account = ?"]
    values: list[str | int] = [account]
    if query.status is not None:
        states = STATUSES[query.status]
        conditions.append(f"status IN ({', '.join('?' * len(states))})")
        values += states
    if query.date_from is not None:
        conditions.append("created_ms >= ?")
        values.append(_start_ms(query.date_from))
    if query.date_to is not None:
        conditions.append("created_ms < ?")
        values.append(_start_ms(query.date_to) + _DAY_MS)
    # By number, which rises with time: the index gives the page without sorting the account.
    where = f"{' AND '.join(conditions)} ORDER BY number DESC LIMIT ? OFFSET ?"
    return transactions.select(conn, where, *values, query.per_page, offset)


def _start_ms(day: date) -> int:
    return timestamps.milliseconds(datetime.combine(day, time(), UTC))
