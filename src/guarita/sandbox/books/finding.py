"""Transactions and charges by the names callers have for them: ids, external ids, beginnings of ids
(fact sheet §6.5 to §6.9).

What belongs here: which of the two a name means. What does not: their rows (`transactions`,
`charges`).
"""

import sqlite3

from guarita.sandbox.books import charges, transactions
from guarita.sandbox.books.charges import Charge
from guarita.sandbox.books.transactions import Transaction, TransactionNotFound
from guarita.sandbox.text import identifiers


def by_id(conn: sqlite3.Connection, account: str, transaction_id: str) -> Transaction | Charge:
    """The account's transaction or charge with this id. Raises `TransactionNotFound`."""
    found: Transaction | Charge | None = None
    if identifiers.is_transaction_id(transaction_id):
        found = transactions.of_account(conn, account, transaction_id)
        found = found or charges.find(conn, account, transaction_id)
    return _found(found)


def by_end_to_end_id(conn: sqlite3.Connection, account: str, end_to_end_id: str) -> Transaction:
    """The account's transaction; never a charge. Raises `TransactionNotFound`."""
    found = None
    if identifiers.is_transaction_id(end_to_end_id):  # returns and refunds have ids of D…
        found = transactions.by_end_to_end_id(conn, account, end_to_end_id)
    if found is None:
        raise TransactionNotFound("Transaction not found")
    return found


def by_external_id(
    conn: sqlite3.Connection, account: str, external_id: str
) -> Transaction | Charge:
    """The account's latest transaction or charge with this external id, the receipt in place of a
    charge that is paid. Raises `TransactionNotFound`.
    """
    if identifiers.external_id(external_id) != external_id:
        return _found(None)
    transaction = transactions.by_external_id(conn, account, external_id)
    charge = charges.by_external_id(conn, account, external_id)
    if transaction is None or charge is None:
        return _found(transaction or charge)
    if (transaction.kind, transaction.charge) == ("receipt", charge.transaction_id):
        return transaction
    return transaction if transaction.created_ms >= charge.created_ms else charge


def by_tag(conn: sqlite3.Connection, account: str, prefix: str) -> list[Transaction | Charge]:
    """The account's transactions and charges whose id starts so, newest first, at most 50."""
    if prefix and not identifiers.is_transaction_id(prefix):
        return []
    found: list[Transaction | Charge] = [
        *transactions.by_tag(conn, account, prefix),
        *charges.by_tag(conn, account, prefix),
    ]
    found.sort(key=lambda each: each.created_ms, reverse=True)
    return found[: transactions.TAGGED_MAX]


def receipt(conn: sqlite3.Connection, account: str, transaction_id: str) -> Transaction:
    """The account's transaction once its outcome is known; a paid charge's id leads to its receipt.
    Raises `TransactionNotFound`.
    """
    found: Transaction | Charge | None = by_id(conn, account, transaction_id)
    if isinstance(found, Charge) and found.paid_transaction_id is not None:
        found = transactions.of_account(conn, account, found.paid_transaction_id)
    if not isinstance(found, Transaction) or not found.final:
        raise TransactionNotFound("Transaction not found")
    return found


def _found(found: Transaction | Charge | None) -> Transaction | Charge:
    if found is None:
        raise TransactionNotFound("Transaction not found")
    return found
