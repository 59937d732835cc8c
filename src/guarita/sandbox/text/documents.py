"""CPF and CNPJ, the numbers of Brazilian taxpayers: check digits and the written form.

What belongs here: pure functions over document texts. Whether a number was ever given out is known
to no one here.

Both end in two check digits: 11 less the weighted sum of what stands before, modulo 11 (0 where
that gives 10 or 11). CPF: fact sheet §6.13. CNPJ: IN RFB 2.229/2024, whose form from July 2026 has
12 letters or digits before the check digits; a character counts as its ASCII code minus 48, so
digits count as themselves.
"""

import re

_CPF = re.compile(r"([0-9]{3})\.?([0-9]{3})\.?([0-9]{3})-?([0-9]{2})")
_CPF_BODY = re.compile(r"[0-9]{9}")
_CNPJ = re.compile(r"([0-9A-Z]{2})\.?([0-9A-Z]{3})\.?([0-9A-Z]{3})/?([0-9A-Z]{4})-?([0-9]{2})")
_CNPJ_BODY = re.compile(r"[0-9A-Z]{12}")

_CPF_WEIGHTS = range(2, 12)
_CNPJ_WEIGHTS = (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5, 6)


def read_cpf(text: str) -> str | None:
    """The 11 digits of a valid CPF written with or without its punctuation, or `None` (§6.13)."""
    parts = _CPF.fullmatch(text)
    digits = "".join(parts.groups()) if parts else ""
    return digits if digits and has_cpf_check_digits(digits) else None


def has_cpf_check_digits(digits: str) -> bool:
    """Whether 11 digits, not all equal, end in the CPF's check digits (fact sheet §6.13)."""
    return len(set(digits)) > 1 and digits[9:] == cpf_check_digits(digits[:9])


def cpf_check_digits(body: str) -> str:
    """The two check digits of a CPF's first 9 digits. Raises `ValueError` for another shape."""
    if _CPF_BODY.fullmatch(body) is None:
        raise ValueError(f"a CPF has 9 digits before its check digits, not {body!r}")
    return _check_digits(body, _CPF_WEIGHTS)


def format_cpf(digits: str) -> str:
    """11 digits as `529.982.247-25`. Raises `ValueError` for another shape."""
    if len(digits) != 11 or (parts := _CPF.fullmatch(digits)) is None:
        raise ValueError(f"a CPF has 11 digits, not {digits!r}")
    return "{}.{}.{}-{}".format(*parts.groups())


def read_cnpj(text: str) -> str | None:
    """The 14 characters, in upper case, of a valid CNPJ (numeric or of the form of 2026) written
    with or without its punctuation, or `None`.
    """
    parts = _CNPJ.fullmatch(text.upper()) if text.isascii() else None
    characters = "".join(parts.groups()) if parts else ""
    return characters if characters and has_cnpj_check_digits(characters) else None


def has_cnpj_check_digits(characters: str) -> bool:
    """Whether 14 characters of `0-9 A-Z`, not all zero, end in the CNPJ's check digits."""
    return len(set(characters)) > 1 and characters[12:] == cnpj_check_digits(characters[:12])


def cnpj_check_digits(body: str) -> str:
    """The two check digits of a CNPJ's first 12 characters (`0-9 A-Z`). Raises `ValueError` for
    another shape.
    """
    if _CNPJ_BODY.fullmatch(body) is None:
        raise ValueError(
            f"a CNPJ has 12 digits or capital letters before its check digits, not {body!r}"
        )
    return _check_digits(body, _CNPJ_WEIGHTS)


def format_cnpj(characters: str) -> str:
    """14 characters as `12.ABC.345/01DE-35`. Raises `ValueError` for another shape."""
    if len(characters) != 14 or (parts := _CNPJ.fullmatch(characters)) is None:
        raise ValueError(
            f"a CNPJ has 12 digits or capital letters and 2 check digits, not {characters!r}"
        )
    return "{}.{}.{}/{}-{}".format(*parts.groups())


def _check_digits(body: str, weights: range | tuple[int, ...]) -> str:
    """`weights` of the characters from the right on."""
    for _ in range(2):
        total = sum(
            (ord(character) - 48) * weight
            for character, weight in zip(reversed(body), weights, strict=False)
        )
        body += str((11 - total % 11) % 11 % 10)
    return body[-2:]
