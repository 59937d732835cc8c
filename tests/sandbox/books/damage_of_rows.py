"""What hands other than the bank's could do to rows that tell of one another (see `damage`): here
both sides of a payment inside the bank, outcomes, and the bodies of events.
"""

from tests.sandbox.books.damage import EVENTS, STORIES, account, infraction, transaction

POSTED = "".join(
    f"DROP TRIGGER {table}_are_never_deleted;" for table in ("postings", "entries", "seals")
)


def unmade(transaction_id: str) -> str:
    """A settled inbound transaction disappears with its money, its story and its event, as if it
    had never been.
    """
    posting = f"(SELECT id FROM postings WHERE transaction_id = {transaction_id})"
    return (
        POSTED
        + STORIES
        + EVENTS
        + "UPDATE ledger_accounts SET balance = balance - coalesce((SELECT amount FROM entries"
        f" WHERE ledger_account_id = id AND posting_id = {posting}), 0);"
        f"DELETE FROM entries WHERE posting_id = {posting};"
        f"DELETE FROM posting_seals WHERE posting_id = {posting};"
        f"DELETE FROM stories WHERE subject = {transaction_id};"
        "DELETE FROM events WHERE json_extract(CAST(body AS TEXT), '$.transaction_id')"
        f" = {transaction_id};"
        f"DELETE FROM postings WHERE transaction_id = {transaction_id};"
        f"DELETE FROM transactions WHERE transaction_id = {transaction_id}"
    )


def other_side(kind: str, of: str) -> str:
    """The transaction with the end-to-end id of another one."""
    return (
        f"(SELECT transaction_id FROM transactions WHERE kind = '{kind}' AND end_to_end_id ="
        f" (SELECT end_to_end_id FROM transactions WHERE transaction_id = '{{{of}}}'))"
    )


def body(member: str, value: str, only: str) -> str:
    return (
        f"{EVENTS}UPDATE events SET body = CAST(json_set(CAST(body AS TEXT), '$.{member}', {value})"
        f" AS BLOB) WHERE {only}"
    )


_CHARGE_UNPAID = (
    "UPDATE charges SET status = 'active', completed_at = NULL WHERE transaction_id ="
    " (SELECT charge FROM transactions WHERE transaction_id = '{inside by code}');"
    "DELETE FROM stories WHERE status = 'paid' AND subject ="
    " (SELECT charge FROM transactions WHERE transaction_id = '{inside by code}')"
)

# By the law it breaks and what was done.
DAMAGE: dict[str, dict[str, str]] = {
    "each payout to an account of this bank arrived there as it settled": {
        "it never arrived": unmade(other_side("receipt", "inside")),
        "its charge was never paid": unmade(other_side("receipt", "inside by code"))
        + ";"
        + _CHARGE_UNPAID,
        "less arrived than was sent": "UPDATE transactions SET amount = amount - 100"
        f" WHERE transaction_id = {other_side('receipt', 'inside')}",
        "it arrived at another account": "UPDATE transactions SET account = 'poor'"
        f" WHERE transaction_id = {other_side('receipt', 'inside')}",
        "it arrived later": "UPDATE transactions SET created_at = '2026-06-01T00:00:00Z'"
        f" WHERE transaction_id = {other_side('receipt', 'inside')}",
        "it paid another charge": transaction("charge = NULL", "inside by code"),
        "a charge's payout leads elsewhere": transaction("receiver = 'poor'", "inside by code"),
        "a payout to another bank is called one inside": transaction("receiver = 'bob'", "settled"),
    },
    "each refund to an account of this bank came back there as it settled, and no more": {
        "it never came back": unmade(other_side("return", "refund inside")),
        "less came back than was refunded": "UPDATE transactions SET amount = amount - 1"
        f" WHERE transaction_id = {other_side('return', 'refund inside')}",
        "a refund is called released": transaction("status = 'failed'", "refund inside"),
        "it came back for another payout": "UPDATE transactions SET original = '{inside by code}'"
        f" WHERE transaction_id = {other_side('return', 'refund inside')}",
    },
    "what is in flight is due some time": {
        "a payout is forgotten": transaction("due_ms = NULL", "processing"),
        "a queued payout is forgotten": transaction("due_ms = NULL", "queued"),
        "a refund is forgotten": transaction("due_ms = NULL", "refunding"),
    },
    "each payout that failed says why": {
        "a reason is lost": transaction("reason = NULL", "failed"),
    },
    "each closed dispute has its result, no other has any": {
        "a result is lost": infraction("analysis_result = NULL", "disagreed"),
        "an open dispute has a result": infraction("analysis_result = 'AGREED'", "open"),
        "a cancelled dispute stays a request": infraction("type = 'REFUND_REQUEST'", "cancelled"),
    },
    "each transaction and charge was completed when its story says": {
        "a payout was completed earlier": transaction(
            "completed_at = '2020-01-01T00:00:00Z'", "settled"
        ),
        "a payout in flight is complete": transaction(
            "completed_at = '2026-05-01T12:30:00Z'", "processing"
        ),
        "a charge was completed later": "UPDATE charges SET completed_at = '2026-06-01T00:00:00Z'"
        " WHERE status = 'expired'",
    },
    "each event's body tells what the books say": {
        "of another amount": body("amount", "5", "subject = '{settled}'"),
        "of another fee": body("fee_amount", "0", "event_type = 'pix.payout.failed'"),
        "of another payment": body("end_to_end_id", "'E1'", "subject = '{receipt}'"),
        "of another account": body("account_id", "100999", "subject = '{processing}'"),
        "of another status": body("status", "'settled'", "subject = '{processing}'"),
        "of another kind": body("event_type", "'pix.refund.completed'", "subject = '{returned}'"),
        "of another transaction": body("transaction_id", "'{settled}'", "subject = '{failed}'"),
        "of another charge's amount": body("amount", "1", "event_type = 'pix.charge.expired'"),
        "of another dispute's amount": body("amount", "1", "event_type LIKE 'pix.infraction.%'"),
        "under review, of another amount": body("amount", "1", "event_type = 'pix.payout.held'"),
        "two payments told in one another's place": EVENTS
        + "UPDATE events SET body = (SELECT e.body FROM events e WHERE e.subject = '{processing}')"
        " WHERE subject = '{held}' AND event_type = 'pix.payout.processing'",
        "of one customer to the other": EVENTS
        + "UPDATE events SET account = CASE account WHEN 'alice' THEN 'bob' ELSE 'alice' END"
        " WHERE account IN ('alice', 'bob')",
        "of nothing": EVENTS + "UPDATE events SET body = x'ff' WHERE subject = '{settled}'",
    },
    # Two accounts' books at once, each of which adds up.
    "each posting moves its transaction's money, between its account and the bank's": {
        "two accounts swap their money": "DROP TRIGGER entries_are_never_changed;"
        "UPDATE entries SET ledger_account_id = CASE ledger_account_id"
        f" WHEN {account('alice')} THEN {account('bob')} ELSE {account('alice')} END"
        f" WHERE ledger_account_id IN ({account('alice')}, {account('bob')});"
        "UPDATE ledger_accounts SET balance = (SELECT coalesce(sum(amount), 0) FROM entries"
        " WHERE ledger_account_id = id)",
    },
}
