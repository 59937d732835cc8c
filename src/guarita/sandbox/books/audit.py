"""The proof that the books are right: every law, checked over the whole file.

What belongs here: running the laws and reporting what breaks them. The laws themselves stand in
`laws` (the money), `story_laws` (what became of each transaction) and `row_laws` (what rows and
events say of one another); a new kind of transaction adds its rows there.
"""

import sqlite3
from dataclasses import dataclass

from guarita.sandbox.books import laws, row_laws, story_laws

_REPORTED_PER_LAW = 20

# (law, query for what breaks it: one text column, no rows when the law holds)
LAWS: tuple[tuple[str, str], ...] = laws.LAWS + story_laws.LAWS + row_laws.LAWS


@dataclass(frozen=True, slots=True)
class Audit:
    """What `check_ledger` saw: how much it checked, and each broken law with an example ("law:
    row").
    """

    accounts: int
    transactions: int
    postings: int
    entries: int
    events: int
    violations: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return not self.violations


def check_ledger(conn: sqlite3.Connection) -> Audit:
    """Check every law of the books over the whole file. Reads only; at most 20 rows are reported
    per law.

    `conn` should be inside one transaction (`Database.reading`), so that all laws are checked on
    one state.
    """
    violations = [
        f"{law}: {row[0]}"
        for law, query in LAWS
        for row in conn.execute(query).fetchmany(_REPORTED_PER_LAW)
    ]
    accounts, transactions, postings, entries, events = (
        conn.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608 - fixed names
        for table in ("ledger_accounts", "transactions", "postings", "entries", "events")
    )
    return Audit(accounts, transactions, postings, entries, events, tuple(violations))
