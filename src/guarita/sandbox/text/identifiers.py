"""The ids the bank gives out: transaction ids, end-to-end ids, and the shape of ids it accepts.

What belongs here: pure functions over ids. Uniqueness is the database's affair.
"""

import hashlib
import hmac
import json
import re
import secrets
import string
from datetime import UTC, datetime

ISPB = "39929224"  # the institution's own, fact sheet §2
END_TO_END_ID = re.compile(r"E[0-9]{8}[a-zA-Z0-9]{22,26}")  # fact sheet §2

# Callers must not read these prefixes (§6.5); the tag query matches them like any text (§6.8).
PREFIXES = {"payout": "PIXOUT", "receipt": "PIXIN", "refund": "PIXREF", "return": "PIXRET"}

_ALPHANUMERIC = string.digits + string.ascii_uppercase + string.ascii_lowercase
_LOWER = string.ascii_lowercase + string.digits
_SUFFIX_LENGTH = 11
_TRANSACTION_ID = re.compile(r"[A-Za-z0-9-]{1,64}")
_EXTERNAL_ID = re.compile(r"[a-zA-Z0-9._:-]{1,128}")
_ACCOUNT_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")


def new_transaction_id(at: datetime, kind: str = "payout") -> str:
    """A fresh id of a kind of `PREFIXES`: prefix + yyyyMMdd (UTC) + 16 random characters (83
    bits).
    """
    return f"{PREFIXES[kind]}{_utc(at):%Y%m%d}" + "".join(secrets.choice(_LOWER) for _ in range(16))


def is_transaction_id(text: str) -> bool:
    """Whether the text could be a transaction id at all."""
    return _TRANSACTION_ID.fullmatch(text) is not None


def is_account_id(text: str) -> bool:
    """Whether the text can name an account: 1 to 128 characters of `A-Z a-z 0-9 . _ : -`."""
    return _ACCOUNT_ID.fullmatch(text) is not None


def is_end_to_end_id(text: str) -> bool:
    """Whether the text has the form of a payment's end-to-end id (fact sheet §2)."""
    return END_TO_END_ID.fullmatch(text) is not None


def external_id(value: object) -> str | None:
    """The caller's `external_id`, trimmed, or `None` where it is absent or breaks the rule.

    Rule (fact sheet §6.2): 1 to 128 characters of `a-z A-Z 0-9 . _ : -` after trimming; anything
    else is dropped without an error.
    """
    trimmed = value.strip() if isinstance(value, str) else ""
    return trimmed if _EXTERNAL_ID.fullmatch(trimmed) else None


def submission(
    *,
    account: str,
    at: datetime,
    recipient: str,
    amount: int,
    external_id: str | None,
    secret: bytes,
) -> str:
    """What makes two submissions the same payment: account, minute (UTC), recipient, amount and
    external id, as one digest.

    `recipient` is the key in normal form, or the location of a dynamic QR code; `amount` is in base
    units. `secret` is the bank's: who does not know it cannot foresee the id of another account's
    payment, and so cannot use it up first. Returns 64 hexadecimal digits.
    """
    # A JSON array keeps the fields apart: no choice of values can imitate another payment.
    fields = json.dumps([account, f"{_utc(at):%Y%m%d%H%M}", recipient, amount, external_id])
    return hmac.digest(secret, fields.encode(), "sha256").hex()


def end_to_end_id(of: str, *, at: datetime, ispb: str = ISPB) -> str:
    """The end-to-end id of a submission: `E` + ISPB (8) + yyyyMMddHHmm (UTC) + 11 alphanumerics, 32
    in all.

    `of` is the `submission` digest. The same arguments give the same id (fact sheet §3.4: the id is
    deterministic).
    """
    return f"E{ispb}{_utc(at):%Y%m%d%H%M}{_derived_suffix(of)}"


def new_end_to_end_id(at: datetime, *, ispb: str) -> str:
    """A fresh id of a payment that another bank (`ispb`, 8 digits) sends to this one."""
    suffix = "".join(secrets.choice(_ALPHANUMERIC) for _ in range(_SUFFIX_LENGTH))
    return f"E{ispb}{_utc(at):%Y%m%d%H%M}{suffix}"


def return_id(of: str, number: int, *, at: datetime, ispb: str = ISPB) -> str:
    """The id of money given back (a refund or a return) by the bank `ispb`: `D` + ISPB (8) +
    yyyyMMddHHmm (UTC) + 11 alphanumerics.

    `of` is the end-to-end id of what is given back, `number` (from 0) tells its parts apart.
    """
    return f"D{ispb}{_utc(at):%Y%m%d%H%M}{_derived_suffix(f'{of}/{number}')}"


def _derived_suffix(of: str) -> str:
    value = int.from_bytes(hashlib.sha256(of.encode()).digest(), "big")
    suffix = ""
    for _ in range(_SUFFIX_LENGTH):
        value, digit = divmod(value, len(_ALPHANUMERIC))
        suffix += _ALPHANUMERIC[digit]
    return suffix


def _utc(at: datetime) -> datetime:
    return at.astimezone(UTC)
