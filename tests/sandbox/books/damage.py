"""What hands other than the bank's could do to its file, and the law the audit must name then.

Each damage is SQL that drops the trigger or index protecting what it changes; the constraints of
tables are not checked meanwhile. A name in braces stands for an id of `made.everything`.
"""

ENTRIES = "DROP TRIGGER entries_are_never_changed; DROP TRIGGER entries_are_never_deleted;"
POSTINGS = "DROP TRIGGER postings_are_never_changed; DROP TRIGGER postings_are_never_deleted;"
SEALS = "DROP TRIGGER seals_are_never_deleted;"
STORIES = "DROP TRIGGER stories_are_never_changed; DROP TRIGGER stories_are_never_deleted;"
EVENTS = "DROP TRIGGER events_are_never_changed; DROP TRIGGER events_are_never_deleted;"
ENDS = "DROP INDEX one_posting_per_step; DROP INDEX one_end_of_a_hold;"


def account(name: str, kind: str = "customer") -> str:
    return f"(SELECT id FROM ledger_accounts WHERE kind = '{kind}' AND name = '{name}')"


def posting(kind: str, of: str) -> str:
    return f"(SELECT id FROM postings WHERE kind = '{kind}' AND transaction_id = '{{{of}}}')"


def entries(changes: str, of: str, only: str = "1") -> str:
    return ENTRIES + f"UPDATE entries SET {changes} WHERE posting_id IN {of} AND {only}"


def post(kind: str, transaction: str, payer: str, payee: str, amount: int = 350) -> str:
    """A sealed and balanced posting that the bank did not make."""
    return (
        f"INSERT INTO postings VALUES (999, '{kind}', {transaction}, NULL, 'now');"
        f"INSERT INTO entries VALUES (999, {payer}, {-amount}), (999, {payee}, {amount});"
        "INSERT INTO posting_seals VALUES (999);"
    )


def transaction(changes: str, name: str) -> str:
    return f"UPDATE transactions SET {changes} WHERE transaction_id = '{{{name}}}'"


def infraction(changes: str, name: str) -> str:
    return f"UPDATE infractions SET {changes} WHERE id = '{{{name}}}'"


def repost(changes: str, of: str) -> str:
    return POSTINGS + f"UPDATE postings SET {changes} WHERE id = {of}"


def story(changes: str, of: str, step: int) -> str:
    return STORIES + f"UPDATE stories SET {changes} WHERE subject = '{{{of}}}' AND step = {step}"


def lost(event_type: str) -> str:
    return EVENTS + f"DELETE FROM events WHERE event_type = '{event_type}'"


ALICE, HELD = account("alice"), account("alice", "hold")

# By the law it breaks and what was done.
DAMAGE: dict[str, dict[str, str]] = {
    "all entries together sum to zero": {
        "an entry grows": entries("amount = amount + 1", posting("hold", "settled"), "amount > 0"),
    },
    "the entries of each posting sum to zero, and there are two or more": {
        "entries are lost": ENTRIES
        + f"DELETE FROM entries WHERE posting_id = {posting('hold', 'settled')}",
        "an entry shrinks": entries("amount = 1", posting("hold", "settled"), "amount > 0"),
    },
    "each posting is sealed": {
        "a seal is lost": SEALS + "DELETE FROM posting_seals WHERE posting_id = 3",
    },
    "the balance of each account is the sum of its entries": {
        "a balance rises": "UPDATE ledger_accounts SET balance = balance + 1 WHERE kind = 'income'",
    },
    "no customer's money, available or on hold, sums to less than zero": {
        "an account is overdrawn": entries(
            "amount = -amount", "(SELECT id FROM postings WHERE kind = 'opening_balance')"
        ),
        "a hold is overdrawn": entries(
            "amount = -amount", "(SELECT id FROM postings WHERE kind IN ('hold', 'block'))"
        ),
    },
    "each hold is what is in flight and what open disputes block": {
        "a payout in flight is called settled": transaction("status = 'settled'", "processing"),
        "a queued payout is called processing": transaction("status = 'processing'", "queued"),
        "a dispute forgets what it blocks": infraction("blocked = blocked - 1", "open"),
        "money is held for nothing": post("opening_balance", "NULL", ALICE, HELD),
    },
    "what belongs to no transaction is an opening balance, from equity to customers": {
        "one customer's money opens another's account": post(
            "opening_balance", "NULL", ALICE, account("bob")
        ),
        "money comes in for no transaction": post(
            "receipt", "NULL", account("pix-settlement", "clearing"), ALICE
        ),
    },
    "an account is opened once": {
        "an account is opened again": post(
            "opening_balance", "NULL", account("opening-balances", "equity"), ALICE
        ),
    },
    "each posting moves its transaction's money, between its account and the bank's": {
        "a payout is charged to another account": entries(
            f"ledger_account_id = {account('bob')}", posting("hold", "settled"), "amount < 0"
        ),
        "too high a fee is earned": entries(
            "amount = amount + CASE amount WHEN 350 THEN 1 ELSE -1 END",
            posting("settlement", "settled"),
            "amount > 0",
        ),
        "a refund costs a fee": transaction("fee_amount = 1, net_amount = amount + 1", "refund"),
        "an old payment grows": transaction("amount = 3001, net_amount = 3351", "old"),
        "a dispute blocked more than it says": infraction("blocked = 1", "cancelled"),
        **{
            f"a {kind} runs backwards": entries("amount = -amount", posting(kind, of))
            for kind, of in (
                ("hold", "settled"),
                ("settlement", "refund"),
                ("release", "failed"),
                ("receipt", "receipt"),
                ("return", "part"),
                ("pix_cash_out", "old"),
            )
        },
    },
    "an account sends, and receives, an end-to-end id once": {
        "a payment settles twice": "DROP INDEX one_settlement_per_end_to_end_id;"
        "UPDATE transactions SET end_to_end_id = 'E1' WHERE kind = 'payout'",
    },
    "each paid charge has one settled receipt of its amount, and no other charge has any": {
        "a charge is called paid": "UPDATE charges SET status = 'paid' WHERE status = 'active'",
        "a paid charge is called active": "UPDATE charges SET status = 'active'",
        "a charge loses its receipt": transaction("charge = NULL", "paid charge"),
        "a charge is paid twice": "DROP INDEX one_receipt_per_charge;"
        "UPDATE transactions SET charge = (SELECT charge FROM transactions"
        " WHERE transaction_id = '{paid charge}') WHERE transaction_id = '{receipt}'",
        "a charge is paid in part": "UPDATE charges SET amount = amount + 1",
        "a charge is paid to another account": "UPDATE charges SET account = 'poor'",
    },
    "a refund gives back a receipt, a return a payout, of the same account": {
        "a refund gives back a payout": transaction("original = '{settled}'", "refund"),
        "a return gives back nothing": transaction("original = NULL", "return"),
        "a payout gives something back": transaction("original = '{receipt}'", "settled"),
        "a return goes to another account": transaction("account = 'bob'", "part"),
    },
    "what is given back of a transaction is at most its amount": {
        "more is refunded than was received": transaction("amount = 50001", "refund"),
        "more is returned than was paid": transaction("amount = 100001", "part"),
    },
    "a payout is returned when, and only when, all of it came back": {
        "a payout is returned in part": transaction("status = 'returned'", "partly"),
        "a payout that came back stays settled": transaction("status = 'settled'", "returned"),
        "a receipt is returned": transaction("status = 'returned'", "receipt"),
    },
    "each dispute is about a receipt of its account": {
        "a payout is disputed": infraction("transaction_id = '{settled}'", "open"),
        "a dispute asks for more than was paid": infraction("amount = 50001", "open"),
        "another account is disputed": infraction("account = 'bob'", "open"),
    },
    "every reference has its row": {
        "an account is lost": "DELETE FROM ledger_accounts WHERE kind = 'income'",
    },
    "each story begins when its transaction or charge does, in a state it may begin in": {
        "a story begins in the middle": story("status = 'settled'", "queued", 0),
        "a receipt begins in flight": story("status = 'processing'", "receipt", 0),
        "a story begins late": story("at = '2026-06-01T00:00:00Z'", "queued", 0),
        "a story is lost": STORIES + "DELETE FROM stories WHERE subject = '{receipt}'",
        "the stories of charges are lost": STORIES
        + "DELETE FROM stories WHERE subject IN (SELECT transaction_id FROM charges)",
    },
    "each story goes by permitted moves, without gaps": {
        "a payout settles from the queue": story("status = 'queued'", "settled", 0),
        "a payout fails after settling": story("status = 'failed'", "returned", 2),
        "a story has a gap": story("step = 5", "settled", 1),
    },
    "each story ends in the state of today": {
        "a failed payout is called settled": transaction("status = 'settled'", "failed"),
        "a story tells of nothing": "INSERT INTO stories VALUES ('nothing', 0, 'settled', 'now')",
    },
    "no story goes back in time": {
        "a payout settles before it began": story("at = '2026-04-30T12:00:00Z'", "settled", 1),
    },
    "each step of a transaction has its posting, made with it, and each posting its step": {
        "a payout settled without a settlement": repost(
            "transaction_id = '{processing}'", posting("settlement", "settled")
        ),
        "a queued payout holds money": post("hold", "'{queued}'", ALICE, HELD, 100_350),
        "a payout that failed in the queue releases money": post(
            "release", "'{expired}'", HELD, ALICE
        ),
        "a hold ends twice": ENDS + post("release", "'{settled}'", HELD, ALICE),
        "a posting is made at another time": repost(
            "posted_at = '2026-06-01T00:00:00Z'", posting("settlement", "settled")
        ),
        "a receipt is posted as a return": repost("kind = 'return'", posting("receipt", "receipt")),
        "an old payment loses its posting": POSTINGS
        + "DELETE FROM postings WHERE transaction_id = '{old}'",
    },
    "each dispute blocks its money while it is open, and frees it when it is resolved": {
        "a resolved dispute keeps the money": POSTINGS
        + "DELETE FROM postings WHERE kind = 'unblock' AND infraction = '{cancelled}'",
        "an open dispute blocks nothing": POSTINGS
        + "DELETE FROM postings WHERE infraction = '{open}'",
        "a dispute blocks another receipt's money": POSTINGS
        + "UPDATE postings SET transaction_id = '{receipt}' WHERE infraction = '{open}'",
    },
    "each dispute the payer won refunded what it had blocked, at once": {
        "a lost dispute is called won": infraction("analysis_result = 'DISAGREED'", "agreed"),
        "a lost dispute refunds another amount": "UPDATE transactions SET amount = amount - 1"
        " WHERE kind = 'refund' AND reason = 'FR01'",
        "a refund nobody requested passes for a dispute's": transaction("reason = 'FR01'", "refund")
        + ";"
        + lost("pix.refund.requested"),
    },
    "each step has its webhook event, written with it, and each event its step": {
        "an event is told twice": "INSERT INTO events SELECT 999, 'evt_again', account, subject,"
        " event_type, status, body, created_at FROM events LIMIT 1",
        "events are told to another account": EVENTS + "UPDATE events SET account = 'bob'",
        "an event tells another status": EVENTS
        + "UPDATE events SET status = 'completed' WHERE subject = '{refund}'",
        "an event is told later": EVENTS
        + "UPDATE events SET created_at = '2026-06-01T00:00:00Z' WHERE subject = '{refund}'",
        "an event of an old payment is made up": "INSERT INTO events VALUES (999, 'evt_new',"
        " 'alice', '{old}', 'pix.payout.confirmed', 'settled', x'7b7d', '2026-04-01T09:00:00Z')",
        **{
            f"{event} is lost": lost(event)
            for event in (
                "pix.charge.created",
                "pix.charge.expired",
                "pix.charge.paid",
                "pix.infraction.created",
                "pix.infraction.defense_submitted",
                "pix.infraction.resolved",
                "pix.payout.confirmed",
                "pix.payout.failed",
                "pix.payout.processing",
                "pix.payout.queued",
                "pix.payout.returned",
                "pix.refund.completed",
                "pix.refund.requested",
                "pix.return.received",
            )
        },
    },
    "each payout under review was announced as held": {
        "a review is not announced": lost("pix.payout.held"),
    },
}
