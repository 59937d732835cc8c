"""`guarita sandbox pay|settle|reject|hold|return|expire`: what payers, other banks and the
settlement system do to a payment, on command."""

from typing import Annotated

from cyclopts import Parameter

from guarita.cli import sandbox_bank, sandbox_text
from guarita.cli.output import OK
from guarita.cli.sandbox_amount import Centavos

TransactionId = Annotated[
    str, Parameter(help="The transaction_id, as the API and the webhooks tell it.")
]


def pay(
    target: str,
    /,
    *,
    amount: Centavos | None = None,
    payer_name: str | None = None,
    description: str | None = None,
) -> int:
    """Let somebody at another bank pay an account of this one. Prints the receipt.

    Parameters
    ----------
    target
        What is paid: a charge (the transaction_id that POST /pix/cash-in answered), the text of a
        QR code, or a PIX key of an account of this bank.
    amount
        In centavos. A charge has its own amount, a QR code may have one, a key has none.
    payer_name
        Who pays. Default: an invented person.
    description
        What the payer writes; a charge keeps its own description.
    """
    with sandbox_bank.world() as world:
        receipt = world.pay(target, amount, payer=payer_name, description=description)
    sandbox_text.show_transaction(receipt)
    return OK


def settle(transaction_id: TransactionId, /) -> int:
    """Settle a processing payout or refund now."""
    with sandbox_bank.world() as world:
        settled = world.settle(transaction_id)
    sandbox_text.show_transaction(settled)
    return OK


def reject(transaction_id: TransactionId, /, *, reason: str = "AC03") -> int:
    """Reject a queued or processing payout, or a processing refund: what was on hold is released.

    Parameters
    ----------
    reason
        The reason code, which becomes the failure_reason of a payout.
    """
    with sandbox_bank.world() as world:
        rejected = world.reject(transaction_id, reason)
    sandbox_text.show_transaction(rejected)
    return OK


def hold(transaction_id: TransactionId, /) -> int:
    """Put a processing payout under review at the settlement agent. It settles a while later,
    unless a command ends it before."""
    with sandbox_bank.world() as world:
        held = world.hold(transaction_id)
    sandbox_text.show_transaction(held)
    return OK


def give_back(
    transaction_id: TransactionId, /, *, amount: Centavos | None = None, reason: str = "MD06"
) -> int:
    """Let the receiver of a settled payout give it back. Prints the return.

    Parameters
    ----------
    amount
        In centavos; default: all that has not come back yet.
    reason
        The reason code of the return.
    """
    with sandbox_bank.world() as world:
        returned = world.give_back(transaction_id, amount, reason)
    sandbox_text.show_transaction(returned)
    return OK


def expire(txid: str, /) -> int:
    """Let the time of an active charge be over now.

    Parameters
    ----------
    txid
        The transaction_id that POST /pix/cash-in answered.
    """
    with sandbox_bank.world() as world:
        expired = world.expire(txid)
    sandbox_text.show_charge(expired)
    return OK
