"""The proof that the books are right: each law as a query for the rows that break it.

What belongs here: laws over the whole file. A new kind of transaction adds its law as one row of
`LAWS`.
"""

import sqlite3
from dataclasses import dataclass

_REPORTED_PER_LAW = 20

# (law, query for what breaks it: one text column, no rows when the law holds)
LAWS: tuple[tuple[str, str], ...] = (
    (
        "all entries together sum to zero",
        "SELECT 'sum ' || sum(amount) FROM entries HAVING sum(amount) <> 0",
    ),
    (
        "the entries of each posting sum to zero, and there are two or more",
        "SELECT 'posting ' || p.id FROM postings p LEFT JOIN entries e ON e.posting_id = p.id"
        " GROUP BY p.id HAVING count(e.amount) < 2 OR sum(e.amount) <> 0",
    ),
    (
        "each posting is sealed",
        "SELECT 'posting ' || id FROM postings"
        " WHERE id NOT IN (SELECT posting_id FROM posting_seals)",
    ),
    (
        "the balance of each account is the sum of its entries",
        "SELECT a.kind || ':' || a.name || ' shows ' || a.balance || ', entries give '"
        " || coalesce(sum(e.amount), 0)"
        " FROM ledger_accounts a LEFT JOIN entries e ON e.ledger_account_id = a.id"
        " GROUP BY a.id HAVING a.balance <> coalesce(sum(e.amount), 0)",
    ),
    (
        "no customer's entries sum to less than zero",
        "SELECT a.name || ' ' || sum(e.amount)"
        " FROM ledger_accounts a JOIN entries e ON e.ledger_account_id = a.id"
        " WHERE a.kind = 'customer' GROUP BY a.id HAVING sum(e.amount) < 0",
    ),
    (
        "each settled payment has one posting: net off its account, amount cleared, fee earned",
        "SELECT t.transaction_id FROM transactions t WHERE 1 <> ("
        " SELECT count(*) FROM postings p WHERE p.transaction_id = t.transaction_id"
        " AND p.kind = 'pix_cash_out'"
        " AND -t.net_amount = (SELECT sum(e.amount) FROM entries e JOIN ledger_accounts a"
        "  ON a.id = e.ledger_account_id"
        "  WHERE e.posting_id = p.id AND a.kind = 'customer' AND a.name = t.account)"
        " AND t.amount = (SELECT sum(e.amount) FROM entries e JOIN ledger_accounts a"
        "  ON a.id = e.ledger_account_id WHERE e.posting_id = p.id AND a.kind = 'clearing')"
        " AND t.fee_amount = (SELECT coalesce(sum(e.amount), 0) FROM entries e"
        "  JOIN ledger_accounts a ON a.id = e.ledger_account_id"
        "  WHERE e.posting_id = p.id AND a.kind = 'income'))",
    ),
    (
        "every reference has its row",
        "SELECT \"table\" || ' row ' || coalesce(rowid, '?') || ' lacks its ' || parent"
        " FROM pragma_foreign_key_check",
    ),
)


@dataclass(frozen=True, slots=True)
class Audit:
    """What `check_ledger` saw: how much it checked, and each broken law with an example ("law:
    row").
    """

    accounts: int
    postings: int
    entries: int
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
    counts = conn.execute(
        "SELECT (SELECT count(*) FROM ledger_accounts), (SELECT count(*) FROM postings),"
        " (SELECT count(*) FROM entries)"
    ).fetchone()
    return Audit(counts[0], counts[1], counts[2], tuple(violations))
