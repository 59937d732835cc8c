"""PIX keys: which type a key is, and its normal form.

What belongs here: pure functions over key text. A key is checked by its SHAPE only, as the seed's
own example key `12345678901` with type `cpf` (seed L153) fails the CPF check digits. Check digits
serve one purpose here: without a given type, 11 digits are a CPF if its check digits hold, else a
phone number.

Shapes follow the published key patterns of the central bank's directory (DICT); their sources stand
beside the cases in `tests/vectors/pix_keys.json`.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeGuard

from guarita.sandbox.text.documents import has_cpf_check_digits

KeyType = Literal["cpf", "cnpj", "email", "phone", "evp"]
KEY_TYPES: tuple[KeyType, ...] = ("cpf", "cnpj", "email", "phone", "evp")

_EMAIL_MAX = 77
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_CPF = re.compile(r"[0-9]{11}")
# 14 digits, or the form given out from July 2026: 12 letters or digits and two check digits.
_CNPJ = re.compile(r"[0-9A-Z]{12}[0-9]{2}")
_EMAIL = re.compile(rf"[a-z0-9.!#$&'*+/=?^_`{{|}}~-]+@{_LABEL}(?:\.{_LABEL})*")
_PHONE_E164 = re.compile(r"\+[1-9][0-9]{2,15}")
_PHONE_WITH_COUNTRY = re.compile(r"55[0-9]{10,11}")
_PHONE_NATIONAL = re.compile(r"[0-9]{10,11}")  # area code + number, fact sheet §6.12
_EVP = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


class InvalidPixKey(ValueError):
    """The text has the shape of no PIX key, or not that of the type it was given with."""


@dataclass(frozen=True, slots=True)
class PixKey:
    """A key in normal form: digits for CPF, upper case for CNPJ, lower case for e-mail and EVP,
    `+55…` for phones.
    """

    type: KeyType
    value: str


def parse(text: str, key_type: KeyType | None = None) -> PixKey:
    """Read a key of the given type, or of the type its shape tells. Raises `InvalidPixKey`."""
    found = key_type or detect(text)
    value = _NORMALISE[found](text) if found else None
    if found is None or value is None:
        raise InvalidPixKey("not the shape of a PIX key" + (f" of type {found}" if found else ""))
    return PixKey(found, value)


def detect(text: str) -> KeyType | None:
    """The type a key's shape tells, or `None`. The shapes do not overlap, save 11 digits: see the
    module's text.
    """
    if _CPF.fullmatch(text):
        return "cpf" if has_cpf_check_digits(text) else "phone"
    for key_type in KEY_TYPES:
        if _NORMALISE[key_type](text) is not None:
            return key_type
    return None


def is_key_type(value: object) -> TypeGuard[KeyType]:
    """Whether the value is one of `KEY_TYPES`, written exactly so."""
    return isinstance(value, str) and value in KEY_TYPES


def _cpf(text: str) -> str | None:
    return text if _CPF.fullmatch(text) else None


def _cnpj(text: str) -> str | None:
    return upper if text.isascii() and _CNPJ.fullmatch(upper := text.upper()) else None


def _email(text: str) -> str | None:
    lower = text.lower()
    fits = text.isascii() and len(lower) <= _EMAIL_MAX and _EMAIL.fullmatch(lower)
    return lower if fits else None


def _phone(text: str) -> str | None:
    if _PHONE_E164.fullmatch(text):
        return text
    if _PHONE_WITH_COUNTRY.fullmatch(text):
        return "+" + text
    return "+55" + text if _PHONE_NATIONAL.fullmatch(text) else None


def _evp(text: str) -> str | None:
    return lower if text.isascii() and _EVP.fullmatch(lower := text.lower()) else None


_NORMALISE: dict[KeyType, Callable[[str], str | None]] = {
    "cpf": _cpf,
    "cnpj": _cnpj,
    "email": _email,
    "phone": _phone,
    "evp": _evp,
}
