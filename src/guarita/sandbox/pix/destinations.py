"""Where a payout leads: a key or QR code resolved to who gets the money.

What belongs here: resolving. What does not: whether the directory may be asked (`directory`),
moving the money (`payouts`).
"""

import sqlite3
from dataclasses import dataclass
from datetime import datetime

from guarita.sandbox.books import accounts
from guarita.sandbox.books.transactions import Transaction
from guarita.sandbox.pix import charges, directory
from guarita.sandbox.pix.charges import Charge
from guarita.sandbox.pix.directory import Counterparty
from guarita.sandbox.pix.rules import Rules
from guarita.sandbox.text import pix_keys
from guarita.sandbox.text.brcode import BrCode
from guarita.sandbox.text.pix_keys import PixKey


@dataclass(frozen=True, slots=True)
class Destination:
    """Who gets the money. `recipient` is what the end-to-end id derives from (the key, or the
    code's URL), `account` the receiver if it is one of this bank, `charge` the charge to be paid if
    it is one of this bank, and `key` what the directory is asked for (`None`: it is not asked).
    """

    recipient: str
    counterparty: Counterparty
    account: str | None = None
    key: PixKey | None = None
    charge: Charge | None = None


def read_key(conn: sqlite3.Connection, text: str) -> PixKey:
    """The key a text means: the one an account of this bank lists so, else what its shape tells.
    Eleven digits listed as a CPF may have the shape of a phone number. Raises
    `pix_keys.InvalidPixKey`.
    """
    listed = accounts.registered(conn, text)
    if listed is not None and pix_keys.is_key_type(listed.key_type):
        return PixKey(listed.key_type, listed.key)
    return pix_keys.parse(text)


def of_key(conn: sqlite3.Connection, key: PixKey, *, rules: Rules) -> Destination:
    """Where a key leads. Every key leads somewhere: if to no account of this bank, to another
    bank.
    """
    owner = accounts.owner_of(conn, key.value)
    if owner is None:
        return Destination(key.value, directory.look_up(key), key=key)
    return Destination(key.value, of_account(conn, owner, rules=rules), account=owner, key=key)


def of_code(conn: sqlite3.Connection, code: BrCode, *, at: datetime, rules: Rules) -> Destination:
    """Where a QR code leads: a static one to its key, a dynamic one to its charge, of this bank or
    another. Raises `charges.UnknownCharge` for a code of this bank that leads to no charge, and
    `charges.NotPayable` for a charge that has ended.
    """
    if code.pix_key is not None:
        return of_key(conn, code.pix_key, rules=rules)
    assert code.url is not None  # noqa: S101 - a code without a key has a URL
    charge = charges.by_location(conn, code.url)
    if charge is None:
        elsewhere = directory.someone(code.url, name=code.merchant_name)
        return Destination(code.url, elsewhere)
    charges.check_payable(charge, at=at)
    payee = of_account(conn, charge.account, rules=rules)
    url = charges.LOCATIONS + charge.location  # the same payment, however its host is spelled
    return Destination(url, payee, account=charge.account, charge=charge)


def of_account(conn: sqlite3.Connection, account: str, *, rules: Rules) -> Counterparty:
    """An open account of this bank, as the other side of a payment sees it."""
    customer = accounts.customer(conn, account)
    assert customer is not None  # noqa: S101 - an account with keys, charges or payouts is open
    return directory.of_customer(customer, rules=rules)


def key_of(payout: Transaction) -> PixKey | None:
    """The key a payout was ordered to, or `None` if it pays a dynamic code."""
    if payout.pix_key is None or not pix_keys.is_key_type(payout.pix_key_type):
        return None
    return PixKey(payout.pix_key_type, payout.pix_key)
