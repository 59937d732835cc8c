"""The laws of the rows: what one row says, another that tells of the same confirms. Both sides of a
payment inside the bank, the outcome of each transaction and case, the bodies of webhook events.

What belongs here: such laws, as queries for what breaks them (see `laws`).
"""

from guarita.sandbox.books.transactions import IN_FLIGHT

_FLYING = ", ".join(f"'{state}'" for state in IN_FLIGHT)

# The event's body, beside what its account and the transaction it names say. SQLite reads a BLOB as
# its own binary JSON, hence the cast.
_TOLD = """
    told AS (
        SELECT e.*, c.number AS account_number,
            CASE WHEN json_valid(CAST(e.body AS TEXT)) THEN CAST(e.body AS TEXT) ELSE '{}' END
                AS text
        FROM events e LEFT JOIN customers c ON c.account = e.account
        WHERE e.event_type LIKE 'pix.%'
    ),
    bodies AS (
        SELECT told.*, json_extract(text, '$.transaction_id') AS named,
            json_extract(text, '$.entity_id') AS entity,
            json_extract(text, '$.amount') AS amount FROM told
    )
"""

_INSIDE = """
    SELECT p.transaction_id FROM transactions p
    LEFT JOIN charges c ON c.transaction_id = p.charge
    WHERE p.kind = 'payout' AND (
        (p.charge IS NOT NULL AND p.receiver IS NOT c.account)
        OR (p.receiver IS NOT NULL AND p.status IN ('settled', 'returned') AND NOT EXISTS (
            SELECT 1 FROM transactions r
            WHERE r.end_to_end_id = p.end_to_end_id AND r.account = p.receiver
                AND r.kind = 'receipt' AND r.amount = p.amount AND r.charge IS p.charge
                AND r.created_at = p.completed_at
        ))
    )
"""

# A refund whose payer is an account of this bank, and the return that arrived there.
_REFUNDED_INSIDE = """
    WITH given AS (
        SELECT p.transaction_id AS payout, f.end_to_end_id, f.amount, f.completed_at AS at
        FROM transactions f
        JOIN transactions r ON r.transaction_id = f.original
        JOIN transactions p ON p.end_to_end_id = r.end_to_end_id AND p.kind = 'payout'
            AND p.receiver = r.account AND p.status IN ('settled', 'returned')
        WHERE f.kind = 'refund' AND f.status = 'settled'
    ),
    arrived AS (
        SELECT p.transaction_id AS payout, b.end_to_end_id, b.amount, b.created_at AS at
        FROM transactions b JOIN transactions p ON p.transaction_id = b.original
        WHERE b.kind = 'return' AND p.receiver IS NOT NULL
    )
    SELECT payout || ': ' || end_to_end_id FROM (
        SELECT *, 1 AS side FROM given UNION ALL SELECT *, -1 FROM arrived
    ) GROUP BY payout, end_to_end_id, amount, at HAVING sum(side) <> 0
"""

_COMPLETED = """
    WITH subjects (subject, completed_at) AS (
        SELECT transaction_id, completed_at FROM transactions
        UNION ALL SELECT transaction_id, completed_at FROM charges
    )
    SELECT u.subject FROM subjects u LEFT JOIN stories s ON s.subject = u.subject
        AND s.status NOT IN ('queued', 'processing', 'active')
    GROUP BY u.subject HAVING u.completed_at IS NOT min(s.at)
"""

_WRONG_BODIES = f"""
    WITH {_TOLD}
    SELECT b.event_type || ' ' || b.id FROM bodies b
    LEFT JOIN transactions t ON t.transaction_id = b.named AND t.account = b.account
    LEFT JOIN charges c ON c.transaction_id = b.named AND c.account = b.account
    LEFT JOIN infractions i ON i.id = b.entity AND i.account = b.account
    WHERE (json_extract(text, '$.event_type'), json_extract(text, '$.status'),
            json_extract(text, '$.account_id')) IS NOT (b.event_type, b.status, b.account_number)
        OR CASE
            WHEN b.event_type LIKE 'pix.infraction.%' THEN
                (b.named, b.amount, json_extract(text, '$.original_end_to_end_id'), b.subject)
                IS NOT (i.transaction_id, i.amount, t.end_to_end_id,
                    coalesce(t.charge, t.transaction_id))
            WHEN b.event_type IN ('pix.charge.created', 'pix.charge.expired') THEN
                (b.entity, b.amount, json_extract(text, '$.external_id'), b.subject)
                IS NOT (c.uuid, c.amount, c.external_id, c.transaction_id)
            ELSE
                (b.entity, b.amount, json_extract(text, '$.fee_amount'),
                    json_extract(text, '$.net_amount'), json_extract(text, '$.end_to_end_id'),
                    b.subject)
                IS NOT (t.uuid, t.amount, t.fee_amount, t.net_amount, t.end_to_end_id,
                    CASE t.kind WHEN 'receipt' THEN coalesce(t.charge, t.transaction_id)
                        WHEN 'return' THEN t.original ELSE t.transaction_id END)
        END
"""  # noqa: S608 - fixed words

LAWS: tuple[tuple[str, str], ...] = (
    ("each payout to an account of this bank arrived there as it settled", _INSIDE),
    (
        "each refund to an account of this bank came back there as it settled, and no more",
        _REFUNDED_INSIDE,
    ),
    (
        "what is in flight is due some time",
        "SELECT transaction_id FROM transactions"  # noqa: S608 - fixed words
        f" WHERE status IN ({_FLYING}) AND due_ms IS NULL",
    ),
    (
        "each payout that failed says why",
        "SELECT transaction_id FROM transactions"
        " WHERE kind = 'payout' AND status = 'failed' AND reason IS NULL",
    ),
    (
        "each closed dispute has its result, no other has any",
        "SELECT id FROM infractions WHERE (status = 'CLOSED') <> (analysis_result IS NOT NULL)"
        " OR (status = 'CANCELLED') <> (type = 'REFUND_CANCELLED')",
    ),
    ("each transaction and charge was completed when its story says", _COMPLETED),
    ("each event's body tells what the books say", _WRONG_BODIES),
)
