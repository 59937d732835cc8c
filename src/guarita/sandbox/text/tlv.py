"""The tag-length-value notation of merchant-presented QR codes, its checksum and its common set of
characters (EMV QRCPS-MPM 1.1).

What belongs here: reading and writing the notation. What its fields mean is `brcode`'s affair.

A field is a two-digit id, a two-digit length from 01 to 99 and a value. A length counts CHARACTERS
while the checksum is taken over the UTF-8 BYTES: the specification's own example, with Chinese
names in template 64, holds under this reading alone (a case of `tests/vectors/brcode.json`).
"""

import binascii
import re
import unicodedata
from collections.abc import Iterable, Iterator

MAX_VALUE = 99

_HEAD = re.compile(r"([0-9]{2})([0-9]{2})")


class InvalidTlv(ValueError):
    """The text is no sequence of fields, or a value does not fit into one. Tells where."""


def read(text: str) -> list[tuple[str, str]]:
    """The fields of a text as (id, value), in their order. Raises `InvalidTlv`.

    The fields have to fill the text exactly, and an id may appear once.
    """
    fields: dict[str, str] = {}
    for field_id, value in _fields(text):
        if field_id in fields:
            raise InvalidTlv(f"field {field_id} appears twice")
        fields[field_id] = value
    return list(fields.items())


def write(fields: Iterable[tuple[str, str]]) -> str:
    """The text of these fields. Raises `InvalidTlv` for a value that is empty or longer than 99
    characters.
    """
    return "".join(_field(field_id, value) for field_id, value in fields)


def checksum(text: str) -> str:
    """CRC-16/CCITT-FALSE (polynomial 0x1021, initial value 0xFFFF) of the text's UTF-8 bytes, as
    four upper-case hexadecimal digits.
    """
    return f"{binascii.crc_hqx(text.encode(), 0xFFFF):04X}"


def reduced(text: str, limit: int) -> str:
    """The text in printable ASCII, the set every reader knows: accents stripped, other characters
    left out, blanks run together, cut to `limit` characters. May become empty.
    """
    decomposed = unicodedata.normalize("NFKD", text)
    plain = "".join(c if c.isprintable() else " " for c in decomposed if c.isascii())
    return " ".join(plain.split())[:limit].rstrip()


def _fields(text: str) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(text):
        head = _HEAD.match(text, at)
        if head is None:
            raise InvalidTlv(_no_head(text[at : at + 4], at))
        field_id, length = head[1], int(head[2])
        value = text[at + 4 : at + 4 + length]
        if length == 0:
            raise InvalidTlv(f"field {field_id} has length 00; a field left empty is left out")
        if len(value) < length:
            raise InvalidTlv(
                f"field {field_id} should have {length} characters,"
                f" the text ends after {len(value)} of them"
            )
        yield field_id, value
        at += 4 + length


def _no_head(found: str, at: int) -> str:
    if len(found) < 4:
        return f"the text ends inside the id and length of the field at character {at + 1}"
    return (
        f"at character {at + 1} there should be two digits of an id and two of a length,"
        f" not {found!a}"
    )


def _field(field_id: str, value: str) -> str:
    if not 0 < len(value) <= MAX_VALUE:
        raise InvalidTlv(f"field {field_id} takes 1 to {MAX_VALUE} characters, not {len(value)}")
    return f"{field_id}{len(value):02}{value}"
