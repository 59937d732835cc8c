"""What `guarita sandbox …` prints of transactions, charges and disputes: members of JSON documents,
and the same for a person, with amounts in R$."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from guarita.cli.output import emit, fields
from guarita.cli.settings import current

if TYPE_CHECKING:
    from guarita.sandbox.books.transactions import Transaction
    from guarita.sandbox.pix.charges import Charge
    from guarita.sandbox.pix.disputes import Infraction

_TRANSACTION = (
    *("transaction_id", "account", "kind", "status", "in_review"),
    *("amount", "fee_amount", "net_amount", "end_to_end_id", "pix_key", "external_id"),
    *("description", "counterparty_name", "original", "charge", "reason", "scenario"),
    *("created_at", "completed_at"),
)
_CHARGE = (
    *("transaction_id", "account", "status", "amount", "external_id", "description", "pix_key"),
    *("qr_code", "scenario", "created_at", "expires_at", "completed_at", "paid_transaction_id"),
)
_INFRACTION = (
    *("id", "account", "transaction_id", "original_end_to_end_id", "type", "status", "amount"),
    *("blocked", "reason", "analysis_result", "created_at", "resolved_at"),
)
_MONEY = ("amount", "fee_amount", "net_amount", "blocked")
"""Members in base units (1/10,000 BRL)."""


def show_transaction(transaction: "Transaction") -> None:
    """Print a transaction. `original` and `charge` are the ids of what it gives back or pays."""
    _show({name: getattr(transaction, name) for name in _TRANSACTION})


def show_charge(charge: "Charge") -> None:
    """Print a charge; its `transaction_id` is the txid."""
    _show({name: getattr(charge, name) for name in _CHARGE})


def show_infraction(infraction: "Infraction") -> None:
    """Print a dispute; its `id` is what `guarita sandbox resolve` takes."""
    _show({name: getattr(infraction, name) for name in _INFRACTION})


def _show(document: Mapping[str, Any]) -> None:
    from guarita.sandbox.text.money import reais

    lines = [
        (name, reais(value) if name in _MONEY else value)
        for name, value in document.items()
        if value is not None
    ]
    emit(current().json, dict(document), fields(lines))
