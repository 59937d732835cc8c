"""Amounts in words for people."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guarita.sandbox.text.money import reais


@pytest.mark.parametrize(
    ("base_units", "text"),
    [
        (300_000, "R$ 30,00"),  # fact sheet §6.9
        (350, "R$ 0,035"),  # fact sheet §6.9
        (12_345_600, "R$ 1.234,56"),
        (0, "R$ 0,00"),
        (1, "R$ 0,0001"),
        (10, "R$ 0,001"),
        (100, "R$ 0,01"),
        (1_000, "R$ 0,10"),
        (1_010, "R$ 0,101"),
        (10_000, "R$ 1,00"),
        (9_999_999, "R$ 999,9999"),
        (10_000_000, "R$ 1.000,00"),
        (10**19 + 1, "R$ 1.000.000.000.000.000,0001"),
        (-300_000, "-R$ 30,00"),
        (-1, "-R$ 0,0001"),
    ],
)
def test_amount(base_units: int, text: str) -> None:
    assert reais(base_units) == text


@given(base_units=st.integers())
def test_the_text_tells_the_amount_exactly(base_units: int) -> None:
    text = reais(base_units)
    sign, _, number = text.partition("R$ ")
    whole, _, fraction = number.partition(",")
    assert sign == ("-" if base_units < 0 else "")
    assert len(fraction) == 2 or not fraction.endswith("0")
    assert [len(group) for group in whole.split(".")][1:] == [3] * whole.count(".")
    assert 1 <= len(whole.split(".")[0]) <= 3
    value = int(whole.replace(".", "")) * 10_000 + int(fraction.ljust(4, "0"))
    assert value == abs(base_units)
