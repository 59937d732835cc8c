"""BR Codes: the text inside a PIX QR code, which payers copy and paste.

What belongs here: which fields a BR Code has and what they may hold. What does not: the notation
(`tlv`), which account a code leads to, and what it costs (`pix/`).

Sources: central bank, Manual do BR Code 2.0.1 ("BR") and Manual de Padrões para Iniciação do Pix
2.10.0 ("PIX"), both on top of EMV QRCPS-MPM 1.1 ("EMV"). Decisions where they leave room:

- A code is dynamic if it carries a URL, static if it carries a key. Field 01 does not tell: it is
  optional (PIX §2.7.2) and says whether a code may be paid once (12) or again (11, or absent).
- The amount and txid of a dynamic code are read and then ignored, as PIX §2.7 asks: the charge at
  the URL tells them.
- Texts read may hold any printable character (BR 2.0.0 lifted the restriction); texts made here
  are reduced to printable ASCII, which every reader knows.
- Nothing is trimmed or mended. Fields of no use to PIX (other schemes' accounts, tips, alternative
  languages) must be well formed and are left aside; the unreserved templates 80 to 99 are kept.
"""

import re
import unicodedata
from dataclasses import dataclass

from guarita.sandbox.text import pix_keys, tlv
from guarita.sandbox.text.pix_keys import PixKey

MAX_LENGTH = 512  # characters of the whole text, EMV
MAX_NAME = 25
MAX_CITY = 15
MAX_TXID = 25
MAX_URL = 77  # PIX §2.5.2
MAX_AMOUNT_CENTAVOS = 10**12 - 1  # 9999999999.99, the 13 characters of field 54

_GUI = "br.gov.bcb.pix"
_ACCOUNTS = range(26, 52)
_TEMPLATES = range(80, 100)
_MAX_AMOUNT = 13
_MAX_POSTAL_CODE = 10
_CATEGORY = re.compile(r"[0-9]{4}")
_AMOUNT = re.compile(r"([0-9]+)(?:\.([0-9]{0,2}))?")  # EMV: "98.73", "98", "98."
_CHECKSUM = re.compile(r"[0-9A-Fa-f]{4}")
_OWN_TXID = re.compile(r"[A-Za-z0-9]{1,25}")  # PIX §2.6.2
_URL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{1,5})?/[!-~]+")
_CPF = re.compile(r"[0-9]{11}")
_NO_TXID = "***"


class InvalidBrCode(ValueError):
    """The text is no BR Code for PIX. `text` says why."""

    def __init__(self, why: str) -> None:
        self.text = f"Invalid BR Code: {why}"
        super().__init__(self.text)


@dataclass(frozen=True, slots=True)
class BrCode:
    """What a BR Code says. Exactly one of `pix_key` (a static code) and `url` (a dynamic one: where
    the charge is described, without a scheme) is there; `amount_centavos` and `txid` (`None` for
    `***`) in static codes only. `templates` are the fields 80 to 99 as (id, value).

    Raises `InvalidBrCode` for what cannot be.
    """

    merchant_name: str
    city: str
    pix_key: PixKey | None = None
    url: str | None = None
    amount_centavos: int | None = None
    txid: str | None = None
    description: str | None = None
    point_of_initiation: str | None = None
    merchant_category: str = "0000"
    postal_code: str | None = None
    templates: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        if self.pix_key is not None and self.url is not None:
            raise InvalidBrCode("its PIX account has both a key and a URL")
        if self.pix_key is None and self.url is None:
            raise InvalidBrCode("its PIX account has neither a key nor a URL")
        if self.url is not None:
            _check_url(self.url)
        if self.url is not None and (self.amount_centavos, self.txid) != (None, None):
            raise InvalidBrCode("a dynamic code tells neither amount nor txid")
        if self.point_of_initiation not in (None, "11", "12"):
            raise InvalidBrCode("field 01, the point of initiation, must be 11 or 12")
        if self.amount_centavos is not None and not 0 < self.amount_centavos <= MAX_AMOUNT_CENTAVOS:
            raise InvalidBrCode("field 54, the amount, must be from 0.01 to 9999999999.99")
        if _CATEGORY.fullmatch(self.merchant_category) is None:
            raise InvalidBrCode("field 52, the merchant category, must be four digits")
        _check_length("59, the merchant name,", self.merchant_name, MAX_NAME)
        _check_length("60, the city,", self.city, MAX_CITY)
        _check_length("61, the postal code,", self.postal_code, _MAX_POSTAL_CODE)
        _check_length("62-05, the txid,", self.txid, MAX_TXID)

    @classmethod
    def static(
        cls,
        pix_key: PixKey,
        *,
        merchant_name: str,
        city: str,
        amount_centavos: int | None = None,
        txid: str | None = None,
        description: str | None = None,
    ) -> "BrCode":
        """A code that can be paid again and again. Name and city are reduced and cut, as is the
        description. Raises `InvalidBrCode`, also for a txid that is not 1 to 25 letters and digits.
        """
        if txid is not None and _OWN_TXID.fullmatch(txid) is None:
            raise InvalidBrCode(f"a txid must be 1 to {MAX_TXID} letters and digits")
        # GUI, key and description share the 99 characters of one field (PIX §2.6.1).
        room = tlv.MAX_VALUE - len(tlv.write([("00", _GUI), ("01", pix_key.value)])) - 4
        return cls(
            merchant_name=tlv.reduced(merchant_name, MAX_NAME),
            city=tlv.reduced(city, MAX_CITY),
            pix_key=pix_key,
            amount_centavos=amount_centavos,
            txid=txid,
            description=tlv.reduced(description or "", max(room, 0)) or None,
        )

    @classmethod
    def dynamic(cls, url: str, *, merchant_name: str, city: str) -> "BrCode":
        """A code for one payment, which `url` describes. Raises `InvalidBrCode`."""
        return cls(
            merchant_name=tlv.reduced(merchant_name, MAX_NAME),
            city=tlv.reduced(city, MAX_CITY),
            url=url,
            point_of_initiation="12",
        )

    @property
    def text(self) -> str:
        """The code, checksum included. Raises `InvalidBrCode` if it grows too long or a text in it
        has unprintable characters.
        """
        account = [
            ("00", _GUI),
            ("01", None if self.pix_key is None else self.pix_key.value),
            ("02", self.description),
            ("25", self.url),
        ]
        try:
            fields = [
                ("00", "01"),
                ("01", self.point_of_initiation),
                ("26", tlv.write(_present(account))),
                ("52", self.merchant_category),
                ("53", "986"),
                ("54", _amount_text(self.amount_centavos)),
                ("58", "BR"),
                ("59", self.merchant_name),
                ("60", self.city),
                ("61", self.postal_code),
                ("62", tlv.write([("05", self.txid or _NO_TXID)])),
                *self.templates,
            ]
            body = tlv.write(_present(fields)) + "6304"
        except tlv.InvalidTlv as error:
            raise InvalidBrCode(str(error)) from None
        _check_characters(body + "0000")
        return body + tlv.checksum(body)


def parse(text: str) -> BrCode:
    """Read a code. Raises `InvalidBrCode` with what is wrong: its form, then its checksum, then its
    fields in their order.
    """
    _check_characters(text)
    fields = _fields(text)
    _check_frame(text, fields)
    found = dict(fields)
    account = _pix_account(found)
    category = _required(found, "52", "the merchant category")
    for field_id, name, value in (("53", "the currency", "986"), ("58", "the country", "BR")):
        if _required(found, field_id, name) != value:
            raise InvalidBrCode(f"field {field_id}, {name}, must be {value}")
    additional = dict(_fields(_required(found, "62", "the additional data"), inside="62"))
    txid = _required(additional, "05", "the txid", inside="62")
    _check_length("62-05, the txid,", txid, MAX_TXID)
    amount = _centavos(found.get("54"))
    dynamic = "25" in account
    return BrCode(
        merchant_name=_required(found, "59", "the merchant name"),
        city=_required(found, "60", "the city"),
        pix_key=_key(account.get("01")),
        url=account.get("25"),
        amount_centavos=None if dynamic else amount,
        txid=None if dynamic or txid == _NO_TXID else txid,
        description=account.get("02"),
        point_of_initiation=found.get("01"),
        merchant_category=category,
        postal_code=found.get("61"),
        templates=tuple(field for field in fields if int(field[0]) in _TEMPLATES),
    )


def _check_characters(text: str) -> None:
    if len(text) > MAX_LENGTH:
        raise InvalidBrCode(f"it has {len(text)} characters, the most is {MAX_LENGTH}")
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in text):
        raise InvalidBrCode("it has control characters or halves of characters")


def _check_frame(text: str, fields: list[tuple[str, str]]) -> None:
    """The first and the last field, which hold the others together (EMV: 00 first, 63 last)."""
    if fields[:1] != [("00", "01")]:
        raise InvalidBrCode("it must begin with field 00 of value 01 (000201)")
    last, checksum = fields[-1]
    if last != "63" or _CHECKSUM.fullmatch(checksum) is None:
        raise InvalidBrCode("it must end with field 63, the CRC of four hexadecimal digits")
    if tlv.checksum(text[:-4]) != checksum.upper():
        raise InvalidBrCode("its CRC does not match its text")


def _fields(text: str, inside: str | None = None) -> list[tuple[str, str]]:
    try:
        return tlv.read(text)
    except tlv.InvalidTlv as error:
        where = "" if inside is None else f"inside field {inside}: "
        raise InvalidBrCode(f"{where}{error}") from None


def _pix_account(found: dict[str, str]) -> dict[str, str]:
    """The one account among fields 26 to 51 whose GUI is PIX's, in either case (BR §2.2 has it in
    upper case).
    """
    accounts = [
        dict(_fields(value, inside=field_id))
        for field_id, value in found.items()
        if int(field_id) in _ACCOUNTS
    ]
    of_pix = [account for account in accounts if account.get("00", "").lower() == _GUI]
    if len(of_pix) != 1:
        which = "no PIX account" if not of_pix else "more than one PIX account"
        raise InvalidBrCode(f"it has {which} (fields 26 to 51 with 00 = {_GUI})")
    if "03" in of_pix[0]:
        raise InvalidBrCode("it is for a withdrawal (Pix Saque), which is not served here")
    return of_pix[0]


def _key(text: str | None) -> PixKey | None:
    """A key as the directory writes it: phones with + and country, so 11 digits are a CPF (PIX
    §2.5.1).
    """
    if text is None:
        return None
    try:
        key = pix_keys.parse(text, "cpf" if _CPF.fullmatch(text) else None)
    except pix_keys.InvalidPixKey:
        raise InvalidBrCode("its PIX key has the shape of no PIX key") from None
    if key.type == "phone" and key.value != text:
        raise InvalidBrCode("its PIX key must be written +55 and so on if it is a phone number")
    return key


def _centavos(text: str | None) -> int | None:
    if text is None:
        return None
    match = _AMOUNT.fullmatch(text)
    if match is None or len(text) > _MAX_AMOUNT:
        raise InvalidBrCode(
            "field 54, the amount, must be digits with at most two decimals after a point, in at"
            f" most {_MAX_AMOUNT} characters"
        )
    return int(match[1]) * 100 + int((match[2] or "").ljust(2, "0"))


def _amount_text(centavos: int | None) -> str | None:
    return None if centavos is None else f"{centavos // 100}.{centavos % 100:02}"


def _required(fields: dict[str, str], field_id: str, name: str, inside: str | None = None) -> str:
    value = fields.get(field_id)
    if value is None:
        place = field_id if inside is None else f"{inside}-{field_id}"
        raise InvalidBrCode(f"it lacks field {place}, {name}")
    return value


def _present(fields: list[tuple[str, str | None]]) -> list[tuple[str, str]]:
    return [(field_id, value) for field_id, value in fields if value is not None]


def _check_length(what: str, value: str | None, limit: int) -> None:
    if value is not None and not 0 < len(value) <= limit:
        raise InvalidBrCode(f"field {what} takes 1 to {limit} characters, not {len(value)}")


def _check_url(url: str) -> None:
    if "://" in url:
        raise InvalidBrCode("its URL must be written without https://")
    if len(url) > MAX_URL or _URL.fullmatch(url) is None:
        raise InvalidBrCode(
            f"its URL must be a host, / and a path, in at most {MAX_URL} ASCII characters"
        )
