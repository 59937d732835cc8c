"""Amounts of money as a person reads them.

What belongs here: pure functions from base units (1/10,000 BRL) to text, in integers throughout.
"""

_BASE_UNITS = 10_000
_FRACTION_DIGITS = 4


def reais(base_units: int) -> str:
    """Base units as `R$ 1.234,56` (fact sheet §6.9): two digits after the comma, or as many as it
    takes to tell the amount exactly, such as `R$ 0,035`. A negative amount is `-R$ 30,00`.
    """
    whole, fraction = divmod(abs(base_units), _BASE_UNITS)
    digits = f"{fraction:0{_FRACTION_DIGITS}}"
    exact = digits[:2] + digits[2:].rstrip("0")
    sign = "-" if base_units < 0 else ""
    return f"{sign}R$ {whole:,}".replace(",", ".") + f",{exact}"
