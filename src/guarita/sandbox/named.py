"""What a developer's command names: transactions, charges, keys, codes, amounts.

What belongs here: finding and checking them, and what to say where there is none. What then happens
is `world`'s affair.
"""

import sqlite3

from guarita.sandbox.books import accounts, transactions
from guarita.sandbox.books import charges as charge_records
from guarita.sandbox.books.charges import Charge
from guarita.sandbox.books.transactions import Kind, Status, Transaction
from guarita.sandbox.pix import charges, destinations
from guarita.sandbox.pix.rules import BASE_UNITS_PER_CENTAVO
from guarita.sandbox.text import brcode, identifiers, pix_keys
from guarita.sandbox.text.brcode import BrCode, InvalidBrCode
from guarita.sandbox.text.pix_keys import InvalidPixKey, KeyType, PixKey


class Impossible(ValueError):
    """What was asked of the world cannot happen. The text says why, and what would be right."""


def in_state(
    conn: sqlite3.Connection,
    transaction_id: str,
    kinds: tuple[Kind, ...],
    states: tuple[Status, ...],
) -> Transaction:
    """The transaction of one of these kinds and states; a paid charge stands for its receipt."""
    found = None
    if identifiers.is_transaction_id(transaction_id):
        found = transactions.find(conn, transaction_id)
        charge = charge_of_txid(conn, transaction_id)
        if charge is not None and charge.paid_transaction_id is not None:
            found = transactions.find(conn, charge.paid_transaction_id)
    if found is None:
        raise Impossible(
            f"there is no transaction {transaction_id!r}: give the transaction_id of a"
            f" {' or '.join(kinds)}"
        )
    if found.kind not in kinds or found.status not in states:
        raise Impossible(
            f"{transaction_id} is a {found.status} {found.kind}: this takes a"
            f" {' or '.join(states)} {' or '.join(kinds)}"
        )
    return found


def charge(conn: sqlite3.Connection, target: str, code: BrCode | None) -> Charge | None:
    """The charge a txid or the code of one names, `None` for what names a key."""
    if code is None:
        return charge_of_txid(conn, target)
    if code.url is None:
        return None
    try:
        charge = charges.by_location(conn, code.url)
    except charges.UnknownCharge:
        charge = None
    if charge is None:
        raise Impossible(
            f"the code leads to {code.url}, which is no charge of this bank: use the qr_code of a"
            " cash-in"
        )
    return charge


def charge_of_txid(conn: sqlite3.Connection, txid: str) -> Charge | None:
    """The charge with this txid, of whatever account."""
    if not identifiers.is_transaction_id(txid):
        return None
    try:
        return charge_records.get(conn, txid)
    except LookupError:
        return None


def check_whole(amount: object) -> None:
    """A command line may hand over anything."""
    if amount is not None and type(amount) is not int:
        raise Impossible(
            f"an amount is a whole number of centavos, not {amount!r}: R$ 30,00 is 3000"
        )


def check_amount(amount: int | None, charge: Charge) -> None:
    """An amount given with a charge must be the charge's."""
    if amount is not None and amount * BASE_UNITS_PER_CENTAVO != charge.amount:
        raise Impossible(
            f"the charge is over {charge.amount // BASE_UNITS_PER_CENTAVO} centavos, not {amount}:"
            " leave the amount out"
        )


def check_length(what: str, text: str | None, longest: int) -> None:
    """`what` names the text in the error."""
    if text is not None and len(text) > longest:
        raise Impossible(f"{what} has at most {longest} characters, not {len(text)}")


def code(text: str) -> BrCode | None:
    """The code a text is, `None` for a text that does not begin as one."""
    if not text.startswith("0002"):
        return None
    try:
        return brcode.parse(text)
    except InvalidBrCode as error:
        raise Impossible(str(error)) from error


def paid_key(conn: sqlite3.Connection, text: str) -> PixKey:
    """The key a text means to a payer."""
    try:
        return destinations.read_key(conn, text)
    except InvalidPixKey as error:
        raise Impossible(
            f"{text!r} is no PIX key, no text of a QR code and no charge of this bank"
        ) from error


def key(text: str, key_type: KeyType | None) -> PixKey:
    """The key a text is, by its shape or of the type given."""
    try:
        return pix_keys.parse(text, key_type)
    except InvalidPixKey as error:
        of_type = "" if key_type is None else f" of type {key_type}"
        raise Impossible(f"{text!r} is no PIX key{of_type}") from error


def owner(conn: sqlite3.Connection, key: PixKey) -> str:
    """The account of this bank a key leads to."""
    owner = accounts.owner_of(conn, key.value)
    if owner is None:
        raise Impossible(
            f"the key {key.value} leads to no account of this bank: register it with one, or pay a"
            " key that GET /pix/keys shows"
        )
    return owner
