"""Amounts of money on the command line."""

from collections.abc import Sequence
from typing import Annotated

from cyclopts import Parameter, Token


def _centavos(_type: type, tokens: Sequence[Token]) -> int:
    # Not the usual conversion, which takes 30.00 (reais, as a person means it) for 30 centavos.
    (token,) = tokens
    text = token.value
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise ValueError(
            f"{text!r} is no amount: write whole centavos, more than 0 (R$ 30,00 is 3000)"
        )
    return int(text)


Centavos = Annotated[int, Parameter(converter=_centavos)]
"""An option's value in whole centavos, more than 0."""
