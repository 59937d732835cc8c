"""Charges (cash-in): a dynamic QR code that is paid once, before it expires.

What belongs here: making, paying and expiring charges, and their QR codes. What does not: their
rows (`books.charges`; its queries can be reached from here too), the text of a code
(`text.brcode`) and the money that comes in (`receipts`).

A charge is told by its txid, of 26 to 35 letters and digits as PIX asks of dynamic codes; callers
see it as `transaction_id` (§6.1). Its state changes in steps of its own, but never past its end:
from `expires_ms` on it cannot be paid, although it becomes `expired` with the next sweep. Sweeps
happen at the whole multiples of `rules.sweep_s`, so any number of processes agree on them.
"""

import secrets
import sqlite3
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

import segno

from guarita.sandbox.books import accounts
from guarita.sandbox.books import charges as records
from guarita.sandbox.books.charges import Charge as Charge
from guarita.sandbox.books.charges import ChargeEnded as ChargeEnded
from guarita.sandbox.books.charges import by_external_id as by_external_id
from guarita.sandbox.books.charges import by_tag as by_tag
from guarita.sandbox.books.charges import due as due
from guarita.sandbox.books.charges import find as find
from guarita.sandbox.books.charges import get as get
from guarita.sandbox.books.transactions import Transaction
from guarita.sandbox.pix import directory, notices, receipts
from guarita.sandbox.pix.directory import Counterparty
from guarita.sandbox.pix.rules import BASE_UNITS_PER_CENTAVO, MAX_AMOUNT_CENTAVOS, Rules
from guarita.sandbox.refusals import Refused
from guarita.sandbox.text import identifiers, pix_keys, timestamps, tlv
from guarita.sandbox.text.brcode import MAX_CITY, BrCode
from guarita.sandbox.text.pix_keys import PixKey

DEFAULT_DESCRIPTION = "Cobranca PIX"
DEFAULT_CITY = "SAO PAULO"
LOCATIONS = "pix.minhakonta.example/qr/v2/"
"""Where the codes' URLs lead. In the real world a payer's bank fetches the charge from there."""

PAID, DISPUTED, EXPIRED = "paid", receipts.DISPUTED, "expired"
SCENARIOS = (PAID, DISPUTED, EXPIRED)
"""What a charge does by itself, `rules.settlement_delay_s` after it was made."""

SWEPT_AT_ONCE = 100

_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"
_TXID_LENGTH = 32
_PIXELS_PER_MODULE = 4


class UnknownCharge(Refused):
    """A code of this bank leads to no charge."""

    def __init__(self) -> None:
        super().__init__("Charge not found")


class NotPayable(Refused):
    """The charge was paid already, or its time is over."""


@dataclass(frozen=True, slots=True)
class CashIn:
    """An order to make a charge: `amount` in centavos, `external_id` valid or `None`. Description,
    key or city of `None` take their default, for the key the account's newest one (§6.1).

    A key given as text is first looked for as the account lists its keys, then read by its shape:
    eleven digits listed as a CPF may have the shape of a phone number.
    """

    amount: int
    description: str | None = None
    external_id: str | None = None
    pix_key: PixKey | str | None = None
    city: str | None = None
    scenario: str | None = None

    def __post_init__(self) -> None:
        if type(self.amount) is not int or not 0 < self.amount <= MAX_AMOUNT_CENTAVOS:
            raise ValueError(f"amount must be an integer from 1 to {MAX_AMOUNT_CENTAVOS} centavos")


def create(
    conn: sqlite3.Connection, account: str, order: CashIn, *, at: datetime, rules: Rules
) -> Charge:
    """Make a charge for the account, which opens if this is its first use. Announced by
    `pix.charge.created`.

    Raises `Refused` if the key is not one of the account's active ones, and
    `pix_keys.InvalidPixKey` for a text that is no key.
    """
    customer = accounts.open_customer(conn, account, balance=rules.opening_balance, at=at)
    early = order.scenario == EXPIRED
    lifetime = rules.settlement_delay_s if early else rules.charge_lifetime_s
    expires = at + timedelta(seconds=lifetime)
    acts = at + timedelta(seconds=rules.settlement_delay_s)
    location = uuid.uuid4().hex
    city = tlv.reduced(order.city or "", MAX_CITY) or DEFAULT_CITY
    code = BrCode.dynamic(LOCATIONS + location, merchant_name=customer.name, city=city)
    charge = Charge(
        transaction_id="".join(secrets.choice(_ALPHABET) for _ in range(_TXID_LENGTH)),
        uuid=str(uuid.uuid4()),
        account=account,
        status="active",
        amount=order.amount * BASE_UNITS_PER_CENTAVO,
        description=order.description or DEFAULT_DESCRIPTION,
        external_id=order.external_id,
        pix_key=_receiving_key(conn, account, order.pix_key),
        city=city,
        location=location,
        qr_code=code.text,
        scenario=order.scenario,
        due_ms=timestamps.milliseconds(acts) if order.scenario in SCENARIOS else None,
        expires_ms=timestamps.milliseconds(expires),
        expires_at=timestamps.iso(expires),
        created_ms=timestamps.milliseconds(at),
        created_at=timestamps.iso(at),
        completed_at=None,
    )
    records.record(conn, charge)
    _announce(conn, charge, "created", at=at)
    return charge


def by_location(conn: sqlite3.Connection, url: str) -> Charge | None:
    """The charge of this bank that a code's URL (field 25) leads to, or `None` if it leads to
    another bank. The case of the host does not matter (RFC 3986 §3.2.2), nor does a port.

    Raises `UnknownCharge` for a URL of this bank's host that leads to no charge.
    """
    host, _, path = url.partition("/")
    own_host, _, own_path = LOCATIONS.partition("/")
    if host.partition(":")[0].lower() != own_host:
        return None
    location = path.removeprefix(own_path)
    charge = None if location == path else records.by_location(conn, location)
    if charge is None:
        raise UnknownCharge
    return charge


def check_payable(charge: Charge, *, at: datetime) -> None:
    """Raises `NotPayable` unless a payment at this time would be accepted."""
    if charge.status == "paid":
        raise NotPayable("Charge was paid already")
    if not charge.payable(at):
        raise NotPayable("Charge has expired")


def pay(
    conn: sqlite3.Connection,
    charge: Charge,
    payer: Counterparty,
    *,
    end_to_end_id: str,
    at: datetime,
    rules: Rules,
) -> Transaction:
    """Receive the payment of a charge, which is paid by it. Returns the receipt.

    Raises `NotPayable`, `receipts.AlreadyReceived` and `receipts.NoRoom`, and has written nothing
    then.
    """
    current = get(conn, charge.transaction_id)
    check_payable(current, at=at)
    receipt = receipts.receive(
        conn,
        charge.account,
        amount=charge.amount,
        end_to_end_id=end_to_end_id,
        payer=payer,
        at=at,
        rules=rules,
        charge=charge.transaction_id,
        pix_key=_key_of(conn, charge),
        description=charge.description,
        external_id=charge.external_id,
        scenario=DISPUTED if charge.scenario == DISPUTED else None,
    )
    records.end(conn, current, "paid", at=at)
    return receipt


def expire(conn: sqlite3.Connection, charge: Charge, *, at: datetime) -> Charge:
    """End a charge that nobody paid. Announced by `pix.charge.expired`. Raises
    `ChargeEnded` if it has ended already.
    """
    expired = records.end(conn, charge, "expired", at=at)
    _announce(conn, expired, "expired", at=at)
    return expired


def over(conn: sqlite3.Connection, *, at: datetime, rules: Rules) -> list[Charge]:
    """The charges the sweep before `at` finds over, at most 100 of them: then there may be more."""
    every = _sweep_ms(rules)
    swept_at = timestamps.milliseconds(at) // every * every
    return records.over(conn, swept_at, SWEPT_AT_ONCE)


def sweep(conn: sqlite3.Connection, *, at: datetime, rules: Rules) -> int:
    """Expire charges whose time was over at the last sweep, at most 100 of them. Returns how many:
    100 means there may be more.
    """
    found = over(conn, at=at, rules=rules)
    for charge in found:
        expire(conn, charge, at=at)
    return len(found)


def next_due(conn: sqlite3.Connection, *, rules: Rules) -> int | None:
    """When `advance` or the sweep has something to do next, in milliseconds since 1970."""
    step_ms, end_ms = records.earliest(conn)
    every = _sweep_ms(rules)
    sweep_ms = None if end_ms is None else -(-end_ms // every) * every
    return min((ms for ms in (step_ms, sweep_ms) if ms is not None), default=None)


def advance(conn: sqlite3.Connection, charge: Charge, *, at: datetime, rules: Rules) -> None:
    """Let the scenario of a due charge act: somebody pays it, or its time is over. A charge that
    ended before it could be paid, or whose account can take no more money, is left to the sweep.
    """
    if charge.scenario == EXPIRED:
        expire(conn, charge, at=at)
        return
    payer = directory.someone(charge.transaction_id)
    end_to_end_id = identifiers.new_end_to_end_id(at, ispb=payer.ispb)  # nobody can use it up first
    try:
        pay(conn, charge, payer, end_to_end_id=end_to_end_id, at=at, rules=rules)
    except (NotPayable, receipts.NoRoom):
        records.no_longer_due(conn, charge)


def png_data_url(text: str) -> str:
    """The QR code of a text as a PNG data URL, with error correction level M (15 %)."""
    code = segno.make(text, error="m", boost_error=False, micro=False)
    return code.png_data_uri(scale=_PIXELS_PER_MODULE)


def _receiving_key(conn: sqlite3.Connection, account: str, asked: PixKey | str | None) -> str:
    """The key asked for, or the account's newest one (§6.1)."""
    active = [key.key for key in accounts.keys(conn, account) if key.status == "active"]
    if asked is None and active:
        return active[-1]
    if isinstance(asked, str) and asked not in active:
        asked = pix_keys.parse(asked)
    value = asked.value if isinstance(asked, PixKey) else asked
    if value is None or value not in active:
        raise Refused("PIX key not found")
    return value


def _key_of(conn: sqlite3.Connection, charge: Charge) -> PixKey | None:
    for key in accounts.keys(conn, charge.account):
        if key.key == charge.pix_key and pix_keys.is_key_type(key.key_type):
            return PixKey(key.key_type, key.key)
    return None


def _announce(conn: sqlite3.Connection, charge: Charge, status: str, *, at: datetime) -> None:
    """Its events before and beside payment, of which `receipts` tells."""
    notices.emit(
        conn,
        charge.account,
        f"pix.charge.{status}",
        status,
        subject=charge.transaction_id,
        entity_id=charge.uuid,
        at=at,
        transaction_id=charge.transaction_id,
        end_to_end_id=None,
        external_id=charge.external_id,
        amount=charge.amount,
        charge_id=charge.transaction_id,
        expires_at=charge.expires_at,
    )


def _sweep_ms(rules: Rules) -> int:
    return max(1, round(rules.sweep_s * 1000))
