"""The laws of the money: entries and postings add up, each posting moves what its kind says, and
what is given back was there.

What belongs here: laws as queries for what breaks them (one text column, no rows when the law
holds), over the whole file at once. What a transaction's states require stands in `story_laws`.
"""

# What the entries of each kind of posting sum to on the account's own money, its hold, the PIX
# clearing and the fees, in terms of the transaction `t` or the infraction `i`.
MOVEMENTS: dict[str, tuple[str, str, str, str]] = {
    "hold": ("-t.net_amount", "t.net_amount", "0", "0"),
    "settlement": ("0", "-t.net_amount", "t.amount", "t.fee_amount"),
    "release": ("t.net_amount", "-t.net_amount", "0", "0"),
    "receipt": ("t.net_amount", "0", "-t.amount", "t.fee_amount"),
    "return": ("t.net_amount", "0", "-t.amount", "t.fee_amount"),
    "block": ("-i.blocked", "i.blocked", "0", "0"),
    "unblock": ("i.blocked", "-i.blocked", "0", "0"),
    # The first version of the file posted a payment in one step.
    "pix_cash_out": ("-t.net_amount", "0", "t.amount", "t.fee_amount"),
}

# What each posting moved, and between whose accounts (`first` and `last` by name).
_MOVED = """
    WITH moved AS (
        SELECT e.posting_id,
            min(CASE WHEN a.kind IN ('customer', 'hold') THEN a.name END) AS first,
            max(CASE WHEN a.kind IN ('customer', 'hold') THEN a.name END) AS last,
            sum(e.amount * (a.kind = 'customer')) AS own,
            sum(e.amount * (a.kind = 'hold')) AS held,
            sum(e.amount * (a.kind = 'clearing')) AS cleared,
            sum(e.amount * (a.kind = 'income')) AS earned
        FROM entries e JOIN ledger_accounts a ON a.id = e.ledger_account_id
        GROUP BY e.posting_id
    )
"""
_WRONG_MOVEMENT = " ".join(
    f"WHEN '{kind}' THEN (m.own, m.held, m.cleared, m.earned) IS NOT ({', '.join(amounts)})"
    for kind, amounts in MOVEMENTS.items()
)

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
        "no customer's money, available or on hold, sums to less than zero",
        "SELECT a.kind || ':' || a.name || ' ' || sum(e.amount)"
        " FROM ledger_accounts a JOIN entries e ON e.ledger_account_id = a.id"
        " WHERE a.kind IN ('customer', 'hold') GROUP BY a.id HAVING sum(e.amount) < 0",
    ),
    (
        "each hold is what is in flight and what open disputes block",
        "SELECT account || ' holds ' || sum(held) || ', its business ' || sum(due) FROM ("
        "SELECT name AS account, balance AS held, 0 AS due FROM ledger_accounts WHERE kind = 'hold'"
        " UNION ALL SELECT account, 0, net_amount FROM transactions"
        " WHERE direction = 'outbound' AND status = 'processing'"
        " UNION ALL SELECT account, 0, blocked FROM infractions WHERE status = 'ACKNOWLEDGED'"
        ") GROUP BY account HAVING sum(held) <> sum(due)",
    ),
    (
        "what belongs to no transaction is an opening balance, from equity to customers",
        "SELECT DISTINCT 'posting ' || p.id FROM postings p JOIN entries e ON e.posting_id = p.id"
        " JOIN ledger_accounts a ON a.id = e.ledger_account_id WHERE p.transaction_id IS NULL"
        " AND (p.kind <> 'opening_balance'"
        " OR a.kind <> CASE WHEN e.amount < 0 THEN 'equity' ELSE 'customer' END)",
    ),
    (
        "an account is opened once",
        "SELECT a.name FROM postings p JOIN entries e ON e.posting_id = p.id"
        " JOIN ledger_accounts a ON a.id = e.ledger_account_id"
        " WHERE p.kind = 'opening_balance' AND a.kind = 'customer'"
        " GROUP BY a.id HAVING count(*) > 1",
    ),
    (
        "each posting moves its transaction's money, between its account and the bank's",
        f"{_MOVED} SELECT p.kind || ' of ' || p.transaction_id FROM postings p"  # noqa: S608 - fixed
        " JOIN transactions t ON t.transaction_id = p.transaction_id"
        " JOIN moved m ON m.posting_id = p.id LEFT JOIN infractions i ON i.id = p.infraction"
        " WHERE m.first <> t.account OR m.last <> t.account"
        f" OR CASE p.kind {_WRONG_MOVEMENT} ELSE 1 END",
    ),
    (
        "an account sends, and receives, an end-to-end id once",
        "SELECT direction || ' ' || end_to_end_id || ' of ' || account FROM transactions"
        " WHERE status IN ('settled', 'returned')"
        " GROUP BY end_to_end_id, account, direction HAVING count(*) > 1",
    ),
    (
        "each paid charge has one settled receipt of its amount, and no other charge has any",
        "SELECT c.transaction_id FROM charges c"
        " LEFT JOIN transactions t ON t.charge = c.transaction_id AND t.kind = 'receipt'"
        " GROUP BY c.transaction_id HAVING (c.status = 'paid') <> count(t.transaction_id)"
        " OR max((t.account, t.amount, t.status) IS NOT (c.account, c.amount, 'settled'))"
        " AND count(t.transaction_id)",
    ),
    (
        "a refund gives back a receipt, a return a payout, of the same account",
        "SELECT t.transaction_id FROM transactions t"
        " LEFT JOIN transactions o ON o.transaction_id = t.original"
        " WHERE CASE t.kind WHEN 'refund' THEN (o.kind, o.account) IS NOT ('receipt', t.account)"
        " WHEN 'return' THEN (o.kind, o.account) IS NOT ('payout', t.account)"
        " ELSE t.original IS NOT NULL END",
    ),
    (
        "what is given back of a transaction is at most its amount",
        "SELECT o.transaction_id || ': ' || sum(t.amount) || ' of ' || o.amount"
        " FROM transactions t JOIN transactions o ON o.transaction_id = t.original"
        " WHERE t.status <> 'failed' GROUP BY o.transaction_id HAVING sum(t.amount) > o.amount",
    ),
    (
        "a payout is returned when, and only when, all of it came back",
        "SELECT o.transaction_id FROM transactions o"
        " LEFT JOIN transactions t ON t.original = o.transaction_id AND t.kind = 'return'"
        " WHERE o.kind = 'payout' OR o.status = 'returned' GROUP BY o.transaction_id"
        " HAVING (o.status = 'returned') <> (coalesce(sum(t.amount), 0) = o.amount)",
    ),
    (
        "each dispute is about a receipt of its account",
        "SELECT i.id FROM infractions i JOIN transactions t ON t.transaction_id = i.transaction_id"
        " WHERE (t.kind, t.account) <> ('receipt', i.account) OR i.amount > t.amount",
    ),
    (
        "every reference has its row",
        "SELECT \"table\" || ' row ' || coalesce(rowid, '?') || ' lacks its ' || parent"
        " FROM pragma_foreign_key_check",
    ),
)
