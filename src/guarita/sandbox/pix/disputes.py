"""Disputes (MED): a payer's bank asks for a received payment back, and the money is blocked until
the case is resolved (fact sheet §6.14 to §6.16).

What belongs here: opening, defending and resolving a case, and finding it again. What does not: the
refund a lost case causes (`refunds`).
"""

import json
import sqlite3
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from guarita.sandbox.books import accounts, ledger, transactions
from guarita.sandbox.books.transactions import Transaction
from guarita.sandbox.pix import notices, refunds
from guarita.sandbox.pix.rules import BASE_UNITS_PER_CENTAVO, Rules
from guarita.sandbox.refusals import Missing, Refused
from guarita.sandbox.text import timestamps

Result = Literal["AGREED", "DISAGREED", "CANCELLED"]

OPEN = "ACKNOWLEDGED"
MAX_EVIDENCE = 10  # fact sheet §6.16
# How a case ends whose defense named the scenario.
OUTCOMES: dict[str, Result] = {
    "dispute-agreed": "AGREED",
    "dispute-disagreed": "DISAGREED",
    "dispute-cancelled": "CANCELLED",
}


@dataclass(frozen=True, slots=True)
class Infraction:
    """A case against a receipt. `amount` (base units) is what is asked back, `blocked` how much of
    it was available. `analysis_result` is `None` until the case is resolved, and where it was
    cancelled. `due_ms` is when a scenario resolves it, in milliseconds since 1970.
    """

    id: str
    account: str
    transaction_id: str
    original_end_to_end_id: str
    type: Literal["REFUND_REQUEST", "REFUND_CANCELLED"]
    status: Literal["ACKNOWLEDGED", "CLOSED", "CANCELLED"]
    amount: int
    blocked: int
    reason: str | None
    analysis_result: Literal["AGREED", "DISAGREED"] | None
    scenario: str | None
    due_ms: int | None
    created_at: str
    resolved_at: str | None


@dataclass(frozen=True, slots=True)
class DefenseOrder:
    """The receiver's answer to a case: a text, and up to ten pieces of evidence, each an object
    with `url` or `description` at least. Raises `ValueError` otherwise.
    """

    text: str
    evidence: tuple[dict[str, Any], ...] = ()
    scenario: str | None = None

    def __post_init__(self) -> None:
        if not self.text.strip():
            raise ValueError("a defense needs a text")
        if len(self.evidence) > MAX_EVIDENCE:
            raise ValueError(f"a defense takes {MAX_EVIDENCE} pieces of evidence at most")
        if not all(piece.get("url") or piece.get("description") for piece in self.evidence):
            raise ValueError("each piece of evidence needs a url or a description")


@dataclass(frozen=True, slots=True)
class Defense:
    """A defense as submitted. `infraction` is the id of the case and of its block."""

    infraction: str
    text: str
    evidence: tuple[dict[str, Any], ...]
    submitted_at: str


_SELECT = (
    "SELECT i.id, i.account, i.transaction_id, t.end_to_end_id AS original_end_to_end_id, i.type,"
    " i.status, i.amount, i.blocked, i.reason, i.analysis_result, i.scenario, i.due_ms,"
    " i.created_at, i.resolved_at"
    " FROM infractions i JOIN transactions t ON t.transaction_id = i.transaction_id"
)


def open_case(
    conn: sqlite3.Connection,
    receipt: Transaction,
    *,
    reason: str | None,
    at: datetime,
    rules: Rules,
) -> Infraction:
    """Open a case for what has not been refunded of a receipt, and block as much of it as is
    available, in whole centavos: a refund cannot give back less. Raises `Refused` where nothing is
    left to dispute, or a case is open already.
    """
    if receipt.kind != "receipt":
        raise Refused("Only a received payment can be disputed")
    if _select(conn, "i.transaction_id = ? AND i.status = ?", receipt.transaction_id, OPEN):
        raise Refused("The transaction is disputed already")
    amount = refunds.refundable(conn, receipt)
    if amount <= 0:
        raise Refused("The transaction was refunded already")
    money = accounts.balance(conn, receipt.account)
    assert money is not None  # noqa: S101 - it has received money
    blocked = min(money.available, amount) // BASE_UNITS_PER_CENTAVO * BASE_UNITS_PER_CENTAVO
    infraction_id, time = str(uuid.uuid4()), timestamps.iso(at)
    conn.execute(
        "INSERT INTO infractions (id, account, transaction_id, type, status, amount, blocked,"
        " reason, created_at) VALUES (?, ?, ?, 'REFUND_REQUEST', ?, ?, ?, ?, ?)",
        (
            infraction_id,
            receipt.account,
            receipt.transaction_id,
            OPEN,
            amount,
            blocked,
            reason,
            time,
        ),
    )
    infraction = find(conn, infraction_id)
    _block(conn, infraction, "block", at=at)
    _tell(conn, infraction, "pix.infraction.created", OPEN, at=at)
    return infraction


def defend(
    conn: sqlite3.Connection,
    account: str,
    infraction_id: str,
    order: DefenseOrder,
    *,
    at: datetime,
    rules: Rules,
) -> Defense:
    """Submit the one defense of an open case of the account. A scenario resolves the case
    `rules.settlement_delay_s` later.

    Raises `Missing` where the account has no such case, and `Refused` where it is resolved or
    defended already.
    """
    infraction = find(conn, infraction_id, account)
    if infraction.status != OPEN:
        raise Refused("Infraction is closed")
    if defense(conn, infraction.id) is not None:
        raise Refused("Defense already submitted")
    made = Defense(infraction.id, order.text, order.evidence, timestamps.iso(at))
    conn.execute(
        "INSERT INTO defenses (infraction, text, evidence, submitted_at) VALUES (?, ?, ?, ?)",
        (made.infraction, made.text, json.dumps(made.evidence), made.submitted_at),
    )
    if order.scenario in OUTCOMES:
        due_ms = timestamps.milliseconds(at) + round(rules.settlement_delay_s * 1000)
        conn.execute(
            "UPDATE infractions SET scenario = ?, due_ms = ? WHERE id = ?",
            (order.scenario, due_ms, infraction.id),
        )
    status = "defense_submitted"
    _tell(conn, infraction, "pix.infraction.defense_submitted", status, at=at)
    return made


def resolve(
    conn: sqlite3.Connection,
    infraction: Infraction,
    result: Result,
    *,
    at: datetime,
    rules: Rules,
) -> Infraction:
    """End an open case and free what it blocked; if the payer was right (`AGREED`), that money is
    refunded at once. Raises `Refused` for a case resolved already.
    """
    cancelled = result == "CANCELLED"
    changed = conn.execute(
        "UPDATE infractions SET type = ?, status = ?, analysis_result = ?, due_ms = NULL,"
        " resolved_at = ? WHERE id = ? AND status = ?",
        (
            "REFUND_CANCELLED" if cancelled else infraction.type,
            "CANCELLED" if cancelled else "CLOSED",
            None if cancelled else result,
            timestamps.iso(at),
            infraction.id,
            OPEN,
        ),
    ).rowcount
    if changed != 1:
        raise Refused("Infraction is closed")
    resolved = find(conn, infraction.id)
    _block(conn, resolved, "unblock", at=at)
    _tell(conn, resolved, "pix.infraction.resolved", resolved.status, at=at)
    if result == "AGREED" and resolved.blocked:
        receipt = _receipt(conn, resolved)
        refunds.of_dispute(conn, receipt, resolved.blocked, at=at, rules=rules)
    return resolved


def of_account(conn: sqlite3.Connection, account: str) -> list[Infraction]:
    """The account's cases, newest first (§6.14)."""
    return _select(conn, "i.account = ? ORDER BY i.number DESC", account)


def find(conn: sqlite3.Connection, infraction_id: str, account: str | None = None) -> Infraction:
    """The case with this id: the account's, or (`None`) whosever. Raises `Missing`, also for
    another account's.
    """
    found = _select(conn, "i.id = ?", infraction_id) if infraction_id.isascii() else []
    if not found or account not in (None, found[0].account):
        raise Missing("Infraction not found")
    return found[0]


def defense(conn: sqlite3.Connection, infraction_id: str) -> Defense | None:
    """The defense submitted for a case, or `None`."""
    row = conn.execute(
        "SELECT text, evidence, submitted_at FROM defenses WHERE infraction = ?", (infraction_id,)
    ).fetchone()
    if row is None:
        return None
    return Defense(infraction_id, row[0], tuple(json.loads(row[1])), row[2])


def due(conn: sqlite3.Connection, now_ms: int, limit: int) -> list[Infraction]:
    """Cases a scenario resolves now, the longest due first."""
    return _select(conn, "i.due_ms <= ? ORDER BY i.due_ms, i.number LIMIT ?", now_ms, limit)


def put_off(conn: sqlite3.Connection, infraction: Infraction, until_ms: int) -> None:
    """Let the scenario of a case wait until then."""
    conn.execute("UPDATE infractions SET due_ms = ? WHERE id = ?", (until_ms, infraction.id))


def _block(
    conn: sqlite3.Connection,
    infraction: Infraction,
    kind: Literal["block", "unblock"],
    *,
    at: datetime,
) -> None:
    """Move the blocked money out of the account's reach, or back. Nothing was blocked of an account
    that had nothing.
    """
    if not infraction.blocked:
        return
    held = infraction.blocked if kind == "block" else -infraction.blocked
    ledger.post(
        conn,
        {ledger.customer(infraction.account): -held, ledger.hold(infraction.account): held},
        kind=kind,
        at=timestamps.iso(at),
        transaction_id=infraction.transaction_id,
        infraction=infraction.id,
    )


def _tell(
    conn: sqlite3.Connection, infraction: Infraction, event_type: str, status: str, *, at: datetime
) -> None:
    # In the order of the payment's own events: nobody hears of a dispute before the payment.
    receipt = _receipt(conn, infraction)
    notices.emit(
        conn,
        infraction.account,
        event_type,
        status,
        subject=receipt.charge or receipt.transaction_id,
        entity_id=infraction.id,
        at=at,
        med_id=infraction.id,
        original_end_to_end_id=infraction.original_end_to_end_id,
        analysis_result=infraction.analysis_result,
        transaction_id=infraction.transaction_id,
        amount=infraction.amount,
    )


def _receipt(conn: sqlite3.Connection, infraction: Infraction) -> Transaction:
    receipt = transactions.find(conn, infraction.transaction_id)
    assert receipt is not None  # noqa: S101 - a foreign key
    return receipt


def _select(conn: sqlite3.Connection, where: str, *values: object) -> list[Infraction]:
    return [Infraction(**row) for row in conn.execute(f"{_SELECT} WHERE {where}", values)]
