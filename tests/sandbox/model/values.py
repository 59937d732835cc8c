"""What the model is made of: values the bank chooses, times, QR codes written by hand.

Nothing in this folder imports the sandbox: it says a second time, from the documentation, what the
bank should do.
"""

import binascii
import re
from datetime import UTC, datetime
from typing import Any

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
TRANSACTION_ID = r"[A-Za-z0-9]{16,40}"
TXID = r"[a-z0-9]{26,35}"
NAME = r"\S.*"
ISPB = r"[0-9]{8}"
DOCUMENT = r"[0-9]{11}|[0-9A-Z]{12}[0-9]{2}"


class Learned:
    """A text the bank chooses: any that fits the pattern at the first comparison, that one ever
    after. `among` are texts already chosen where no two may be equal.
    """

    def __init__(self, pattern: str, among: set[str] | None = None) -> None:
        self._pattern = pattern
        self._among = among
        self.value: str | None = None

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Learned):
            return self is other
        if self.value is None and isinstance(other, str) and re.fullmatch(self._pattern, other):
            if self._among is not None:
                if other in self._among:
                    return False
                self._among.add(other)
            self.value = other
        return self.value is not None and self.value == other

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return f"<like {self._pattern}>" if self.value is None else repr(self.value)

    def __str__(self) -> str:
        assert self.value is not None, f"nothing was ever seen like {self._pattern}"
        return self.value


class LearnedNumber:
    """An integer the bank chooses, at least as great as `least`."""

    def __init__(self, least: int) -> None:
        self._least = least
        self.value: int | None = None

    def __eq__(self, other: object) -> bool:
        if self.value is None and type(other) is int and other >= self._least:
            self.value = other
        return self.value is not None and self.value == other

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return f"<at least {self._least}>" if self.value is None else repr(self.value)


def iso(ms: int) -> str:
    """Milliseconds since 1970 as callers see times: in UTC, to the second."""
    return datetime.fromtimestamp(ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def minute(ms: int) -> str:
    return datetime.fromtimestamp(ms // 1000, UTC).strftime("%Y%m%d%H%M")


def end_to_end_id(letter: str, ispb: str, at_ms: int) -> str:
    """The pattern of an end-to-end id: letter, ISPB, minute, 11 letters or digits (§2)."""
    return f"{letter}{ispb}{minute(at_ms)}[0-9A-Za-z]{{11}}"


def tlv(*fields: tuple[str, str]) -> str:
    return "".join(f"{tag}{len(value):02}{value}" for tag, value in fields)


def static_code(key: str) -> str:
    """A static QR code that leads to the key, as any other bank writes it."""
    return _code([("26", tlv(("00", "br.gov.bcb.pix"), ("01", key)))])


def foreign_code(url: str, name: str) -> str:
    """A dynamic QR code of another bank."""
    return _code([("01", "12"), ("26", tlv(("00", "BR.GOV.BCB.PIX"), ("25", url)))], name)


def _code(fields: list[tuple[str, str]], name: str = "Loja da Esquina") -> str:
    rest = [("52", "0000"), ("53", "986"), ("58", "BR"), ("59", name), ("60", "RECIFE")]
    text = tlv(("00", "01"), *fields, *rest, ("62", tlv(("05", "***")))) + "6304"
    return text + f"{binascii.crc_hqx(text.encode(), 0xFFFF):04X}"


def reais(base_units: int) -> str:
    """An amount below R$ 1.000.000 as receipts word it (§6.9)."""
    whole, fraction = divmod(base_units, 10_000)
    digits = f"{fraction:04}"
    while len(digits) > 2 and digits[-1] == "0":
        digits = digits[:-1]
    thousands, ones = divmod(whole, 1000)
    return f"R$ {thousands}.{ones:03},{digits}" if thousands else f"R$ {ones},{digits}"


Body = dict[str, Any]
Answer = tuple[int, Body]


def refusal(status: int, detail: Any) -> Answer:
    """An answer of the business error family (§5)."""
    atoms = {400: "bad_request", 404: "not_found", 422: "unprocessable_entity"}
    return status, {"errors": {atoms[status]: detail}}
