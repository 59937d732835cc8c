"""`guarita sandbox infraction|resolve`: disputes (MED), from the payer's bank's side."""

from typing import Literal

from guarita.cli import sandbox_bank, sandbox_text
from guarita.cli.output import OK


def infraction(transaction_id: str, /, *, reason: str | None = None) -> int:
    """Let the payer's bank dispute a received payment: what is available of it is blocked.

    Parameters
    ----------
    transaction_id
        The receipt's transaction_id, or that of the charge it paid.
    reason
        What the payer says, in words.
    """
    with sandbox_bank.world() as world:
        opened = world.infraction(transaction_id, reason)
    sandbox_text.show_infraction(opened)
    return OK


def resolve(med_id: str, result: Literal["agreed", "disagreed", "cancelled"], /) -> int:
    """Decide an open dispute, which frees what it blocked.

    Parameters
    ----------
    med_id
        The id of the case, as GET /med shows it.
    result
        agreed: the payer was right, and what was blocked is refunded; disagreed: the merchant was
        right; cancelled: the payer's bank withdraws the case.
    """
    with sandbox_bank.world() as world:
        resolved = world.resolve(med_id, result.upper())
    sandbox_text.show_infraction(resolved)
    return OK
