"""The laws of the stories: each transaction came to its state by permitted steps, and each step has
the posting and the webhook event it requires, no fewer and no more.

What belongs here: which posting and event each state requires, and the laws over them, as queries
for what breaks them (see `laws`).

Payments of the first version of the file (a posting `pix_cash_out`) were posted in one step and
told nobody: their first two steps require that posting and no event.
"""

from guarita.sandbox.books.transactions import MOVES, STARTS

# (kind of transaction, state): the posting made on reaching it, and the event (type, status).
# A transaction that fails while it is still queued holds nothing, so it releases nothing.
STEPS: dict[tuple[str, str], tuple[str | None, str, str]] = {
    ("payout", "queued"): (None, "pix.payout.queued", "queued"),
    ("payout", "processing"): ("hold", "pix.payout.processing", "processing"),
    ("payout", "settled"): ("settlement", "pix.payout.confirmed", "settled"),
    ("payout", "failed"): ("release", "pix.payout.failed", "rejected"),
    ("payout", "returned"): (None, "pix.payout.returned", "returned"),
    ("refund", "processing"): ("hold", "pix.refund.requested", "requested"),
    ("refund", "settled"): ("settlement", "pix.refund.completed", "settled"),
    ("refund", "failed"): ("release", "pix.refund.completed", "completed"),
    ("receipt", "settled"): ("receipt", "pix.charge.paid", "paid"),
    ("return", "settled"): ("return", "pix.return.received", "settled"),
}
# A paid charge's event is that of its receipt.
CHARGE_MOVES = {"active": ("paid", "expired", "cancelled")}
CHARGE_EVENTS = {
    "active": ("pix.charge.created", "created"),
    "expired": ("pix.charge.expired", "expired"),
}
DISPUTE_EVENTS = (
    "pix.infraction.created",
    "pix.infraction.defense_submitted",
    "pix.infraction.resolved",
)


def _rows(*rows: tuple[str | None, ...]) -> str:
    """Rows of fixed words as an SQL table."""
    cells = (", ".join("NULL" if v is None else f"'{v}'" for v in row) for row in rows)
    return "VALUES " + ", ".join(f"({row})" for row in cells)


_STARTS = _rows(
    *((kind, state) for kind, states in STARTS.items() for state in states), ("charge", "active")
)
_MOVES = _rows(
    *((old, new) for moves in (MOVES, CHARGE_MOVES) for old, news in moves.items() for new in news)
)
_STEPS = _rows(*(key + required for key, required in STEPS.items()))
_CHARGE_EVENTS = _rows(*((state, *event) for state, event in CHARGE_EVENTS.items()))
_EVENT_TYPES = ", ".join(
    sorted(
        {f"'{event}'" for _, event, _ in STEPS.values()}
        | {f"'{event}'" for event, _ in CHARGE_EVENTS.values()}
        | {f"'{event}'" for event in DISPUTE_EVENTS}
    )
)

_SUBJECTS = """
    subjects (subject, kind, status, created_at) AS (
        SELECT transaction_id, kind, status, created_at FROM transactions
        UNION ALL SELECT transaction_id, 'charge', status, created_at FROM charges
    )
"""

# Each step of a transaction with what it requires. `old`: posted by the first version of the file.
_REQUIRED = f"""
    steps (kind, status, posting, event, event_status) AS ({_STEPS}),
    required AS (
        SELECT t.transaction_id, t.account, steps.*, s.at,
            CASE t.kind WHEN 'receipt' THEN coalesce(t.charge, t.transaction_id)
                WHEN 'return' THEN t.original ELSE t.transaction_id END AS subject,
            t.transaction_id IN
                (SELECT transaction_id FROM postings WHERE kind = 'pix_cash_out') AS old
        FROM transactions t
        CROSS JOIN stories s ON s.subject = t.transaction_id
        CROSS JOIN steps ON steps.kind = t.kind AND steps.status = s.status
    )
"""  # noqa: S608 - fixed words

_REQUIRED_POSTINGS = """
    SELECT transaction_id, at,
        CASE WHEN old AND status = 'settled' THEN 'pix_cash_out' ELSE posting END AS posting
    FROM required r
    WHERE posting IS NOT NULL AND NOT (old AND status = 'processing')
        AND NOT (posting = 'release' AND NOT EXISTS (
            SELECT 1 FROM stories s WHERE s.subject = r.transaction_id AND s.status = 'processing'
        ))
"""

# The refund that a lost dispute caused was not requested: known by its reason, and by that.
_OF_DISPUTES = """
    of_disputes AS (
        SELECT * FROM transactions t WHERE kind = 'refund' AND reason = 'FR01' AND NOT EXISTS (
            SELECT 1 FROM events e
            WHERE e.subject = t.transaction_id AND e.event_type = 'pix.refund.requested'
        )
    )
"""

_DISPUTE_STEPS = """
    dispute_steps (transaction_id, event, event_status, at) AS (
        SELECT transaction_id, 'pix.infraction.created', 'ACKNOWLEDGED', created_at
        FROM infractions
        UNION ALL SELECT transaction_id, 'pix.infraction.resolved', status, resolved_at
        FROM infractions WHERE resolved_at IS NOT NULL
        UNION ALL SELECT i.transaction_id, 'pix.infraction.defense_submitted',
            'defense_submitted', d.submitted_at
        FROM defenses d JOIN infractions i ON i.id = d.infraction
    )
"""

_REQUIRED_EVENTS = f"""
    SELECT account, subject, event, event_status, at FROM required
    WHERE NOT (old AND status IN ('processing', 'settled'))
        AND NOT (event = 'pix.refund.requested'
            AND transaction_id IN (SELECT transaction_id FROM of_disputes))
    UNION ALL SELECT c.account, c.transaction_id, steps.event, steps.event_status, s.at
    FROM charges c JOIN stories s ON s.subject = c.transaction_id
    JOIN (SELECT column1 AS status, column2 AS event, column3 AS event_status
        FROM ({_CHARGE_EVENTS})) steps ON steps.status = s.status
    UNION ALL SELECT t.account, coalesce(t.charge, t.transaction_id), d.event, d.event_status, d.at
    FROM dispute_steps d JOIN transactions t ON t.transaction_id = d.transaction_id
"""  # noqa: S608 - fixed words

_FOUND_EVENTS = f"""
    SELECT account, subject, event_type AS event, status AS event_status, created_at AS at
    FROM events WHERE event_type IN ({_EVENT_TYPES})
"""  # noqa: S608 - fixed words


def _compare(columns: str, required: str, found: str, shown: str, tables: str = "") -> str:
    """A query for the rows required but not found, or found but not required, each as often."""
    return (
        f"{f'WITH {tables} ' if tables else ''}SELECT {shown} || CASE WHEN sum(surplus) < 0"  # noqa: S608
        " THEN ' is missing' ELSE ' is too many' END FROM ("
        f"SELECT {columns}, -1 AS surplus FROM ({required})"
        f" UNION ALL SELECT {columns}, 1 FROM ({found})"
        f") GROUP BY {columns} HAVING sum(surplus) <> 0"
    )


LAWS: tuple[tuple[str, str], ...] = (
    (
        "each story begins when its transaction or charge does, in a state it may begin in",
        f"WITH {_SUBJECTS} SELECT u.subject FROM subjects u"  # noqa: S608 - fixed words
        " LEFT JOIN stories s ON s.subject = u.subject AND s.step = 0"
        " WHERE s.at IS NOT u.created_at"
        f" OR (u.kind, s.status) NOT IN ({_STARTS})",
    ),
    (
        "each story goes by permitted moves, without gaps",
        "SELECT s.subject || ' step ' || s.step FROM stories s"  # noqa: S608 - fixed words
        " LEFT JOIN stories p ON p.subject = s.subject AND p.step = s.step - 1"
        " WHERE s.step > 0 AND (p.step IS NULL"
        f" OR (p.status, s.status) NOT IN ({_MOVES}))",
    ),
    (
        "each story ends in the state of today",
        _compare(
            "subject, status",
            "SELECT subject, status FROM subjects",
            "SELECT subject, status, max(step) FROM stories GROUP BY subject",
            "subject || ' ' || status",
            _SUBJECTS,
        ),
    ),
    (
        "no story goes back in time",
        "SELECT s.subject || ' step ' || s.step FROM stories s"
        " JOIN stories p ON p.subject = s.subject AND p.step = s.step - 1 WHERE s.at < p.at",
    ),
    (
        "each step of a transaction has its posting, made with it, and each posting its step",
        _compare(
            "transaction_id, posting, at",
            _REQUIRED_POSTINGS,
            "SELECT transaction_id, kind AS posting, posted_at AS at FROM postings"
            " WHERE infraction IS NULL AND transaction_id IS NOT NULL",
            "posting || ' of ' || transaction_id || ' at ' || at",
            _REQUIRED,
        ),
    ),
    (
        "each dispute blocks its money while it is open, and frees it when it is resolved",
        _compare(
            "id, transaction_id, kind, at",
            "SELECT id, transaction_id, 'block' AS kind, created_at AS at FROM infractions"
            " WHERE blocked > 0 UNION ALL SELECT id, transaction_id, 'unblock', resolved_at"
            " FROM infractions WHERE blocked > 0 AND status <> 'ACKNOWLEDGED'",
            "SELECT infraction AS id, transaction_id, kind, posted_at AS at FROM postings"
            " WHERE infraction IS NOT NULL",
            "kind || ' of ' || id || ' at ' || at",
        ),
    ),
    (
        "each dispute the payer won refunded what it had blocked, at once",
        _compare(
            "receipt, amount, at, status",
            "SELECT transaction_id AS receipt, blocked AS amount, resolved_at AS at,"
            " 'settled' AS status FROM infractions"
            " WHERE analysis_result = 'AGREED' AND blocked > 0",
            "SELECT original AS receipt, amount, created_at AS at, status FROM of_disputes",
            "'refund of ' || receipt || ' at ' || at",
            _OF_DISPUTES,
        ),
    ),
    (
        "each step has its webhook event, written with it, and each event its step",
        _compare(
            "account, subject, event, event_status, at",
            _REQUIRED_EVENTS,
            _FOUND_EVENTS,
            "event || ' of ' || subject || ' at ' || at",
            f"{_REQUIRED}, {_OF_DISPUTES}, {_DISPUTE_STEPS}",
        ),
    ),
    (
        "each payout under review was announced as held",
        "SELECT transaction_id FROM transactions t WHERE in_review AND NOT EXISTS (SELECT 1"
        " FROM events e WHERE e.subject = t.transaction_id AND e.event_type = 'pix.payout.held')",
    ),
)
