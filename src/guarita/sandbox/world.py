"""The other side: what payers, other banks and the settlement system do to this bank's customers,
as commands for a developer.

What belongs here: one method per event of the outside world, each in one write transaction, and
clear errors. What does not: what then happens in the books (`pix/`).
"""

import re
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import get_args

from guarita.sandbox import named
from guarita.sandbox.bank import Bank
from guarita.sandbox.books import accounts
from guarita.sandbox.books.accounts import RegisteredKey
from guarita.sandbox.books.charges import Charge
from guarita.sandbox.books.transactions import IN_FLIGHT, Transaction
from guarita.sandbox.named import Impossible as Impossible
from guarita.sandbox.pix import (
    charges,
    directory,
    disputes,
    payouts,
    reasons,
    receipts,
    refunds,
    returns,
    settlement,
)
from guarita.sandbox.pix.disputes import Infraction, Result
from guarita.sandbox.pix.rules import BASE_UNITS_PER_CENTAVO, MAX_AMOUNT_CENTAVOS
from guarita.sandbox.refusals import Missing, Refused
from guarita.sandbox.text import identifiers
from guarita.sandbox.text.pix_keys import KeyType

TEXT_MAX = 140
"""Characters of a payer's name and of what the payer writes: Max140Text of the payment message."""
REASON_MAX = 2_000

RESULTS: tuple[Result, ...] = get_args(Result)
DEFAULT_REJECTION = "AC03"
DEFAULT_RETURN = reasons.AGREED_RETURN
DEFAULT_INFRACTION = settlement.DISPUTE_REASON

_CODE = re.compile(r"[A-Z0-9]{4}")


class World:
    """The counterparts of a bank's customers. Amounts in centavos. Transactions are named by their
    id, whosever they are; charges by their txid. Every method raises `Impossible`, and has then
    changed nothing.
    """

    def __init__(self, bank: Bank) -> None:
        self._bank = bank

    def pay(
        self,
        target: str,
        amount: int | None = None,
        *,
        payer: str | None = None,
        description: str | None = None,
    ) -> Transaction:
        """Somebody at another bank pays a charge (its txid, or the text of its QR code), or a PIX
        key or static QR code of an account of this bank. Returns the receipt.

        `amount` may be left out where the charge or code tells it. `payer` is the payer's name.
        """
        named.check_whole(amount)
        if amount is not None and not 0 < amount <= MAX_AMOUNT_CENTAVOS:
            raise Impossible(
                f"an amount is 1 to {MAX_AMOUNT_CENTAVOS} centavos, not {amount}: R$ 30,00 is 3000"
            )
        named.check_length("a payer's name", payer, TEXT_MAX)
        named.check_length("a description", description, TEXT_MAX)
        someone = directory.someone(payer or secrets.token_hex(8), name=payer)
        rules = self._bank.rules
        code = named.code(target)
        with self._happening() as (conn, at):
            end_to_end_id = identifiers.new_end_to_end_id(at, ispb=someone.ispb)
            charge = named.charge(conn, target, code)
            if charge is not None:
                named.check_amount(amount, charge)
                return charges.pay(
                    conn, charge, someone, end_to_end_id=end_to_end_id, at=at, rules=rules
                )
            key = (
                named.paid_key(conn, target)
                if code is None or code.pix_key is None
                else code.pix_key
            )
            if amount is None and code is not None:
                amount = code.amount_centavos
            if amount is None:
                raise Impossible(f"a payment to the key {key.value} needs an amount in centavos")
            return receipts.receive(
                conn,
                named.owner(conn, key),
                amount=amount * BASE_UNITS_PER_CENTAVO,
                end_to_end_id=end_to_end_id,
                payer=someone,
                at=at,
                rules=rules,
                pix_key=key,
                description=description,
            )

    def settle(self, transaction_id: str) -> Transaction:
        """The settlement system settles a processing payout or refund now."""
        with self._happening() as (conn, at):
            found = named.in_state(conn, transaction_id, ("payout", "refund"), ("processing",))
            step = payouts.settle if found.kind == "payout" else settlement.settle_refund
            return step(conn, found, at=at, rules=self._bank.rules)

    def reject(self, transaction_id: str, reason: str = DEFAULT_REJECTION) -> Transaction:
        """The other side refuses a payout or refund in flight; what was on hold is released.
        `reason` is a code of `reasons.REASONS`; a refund shows none.
        """
        code = reason.upper()
        if code not in reasons.REASONS:
            raise Impossible(
                f"{reason!r} is no reason for a rejection: use one of {', '.join(reasons.REASONS)}"
            )
        with self._happening() as (conn, at):
            found = named.in_state(conn, transaction_id, ("payout", "refund"), IN_FLIGHT)
            if found.kind == "refund":
                return refunds.release(conn, found, at=at)
            return payouts.fail(conn, found, code, at=at)

    def hold(self, transaction_id: str) -> Transaction:
        """The settlement agent puts a processing payout under review; it settles after
        `rules.review_s`, unless it is settled or rejected before.
        """
        with self._happening() as (conn, at):
            found = named.in_state(conn, transaction_id, ("payout",), ("processing",))
            if found.in_review:
                raise Impossible(f"{transaction_id} is under review already: settle or reject it")
            return payouts.hold_for_review(conn, found, at=at, rules=self._bank.rules)

    def give_back(
        self, transaction_id: str, amount: int | None = None, reason: str = DEFAULT_RETURN
    ) -> Transaction:
        """The receiver of a settled payout gives it back, in whole (`None`) or in part. Returns the
        return. `reason` is a code of four letters or digits, usually of `reasons.RETURN_REASONS`.
        """
        code = reason.upper()
        if _CODE.fullmatch(code) is None:
            known = ", ".join(reasons.RETURN_REASONS)
            raise Impossible(f"a reason is a code of four letters or digits such as {known}")
        named.check_whole(amount)
        with self._happening() as (conn, at):
            rules = self._bank.rules
            found = named.in_state(conn, transaction_id, ("payout",), ("settled",))
            if found.receiver is not None:
                raise Impossible(
                    f"{transaction_id} went to an account of this bank: give it back from there, by"
                    " POST /pix/refund"
                )
            left = returns.returnable(conn, found)
            given = left if amount is None else amount * BASE_UNITS_PER_CENTAVO
            if not 0 < given <= left:
                raise Impossible(
                    f"of {transaction_id}, {left // BASE_UNITS_PER_CENTAVO} centavos can be given"
                    f" back, not {amount}"
                )
            return returns.give_back(conn, found, given, reason=code, at=at, rules=rules)

    def infraction(self, transaction_id: str, reason: str | None = None) -> Infraction:
        """The payer's bank disputes a receipt (or the receipt of a paid charge)."""
        named.check_length("the reason of a dispute", reason, REASON_MAX)
        with self._happening() as (conn, at):
            found = named.in_state(conn, transaction_id, ("receipt",), ("settled",))
            return disputes.open_case(
                conn, found, reason=reason or DEFAULT_INFRACTION, at=at, rules=self._bank.rules
            )

    def resolve(self, infraction_id: str, result: str) -> Infraction:
        """The dispute ends: `AGREED` (the payer was right), `DISAGREED` or `CANCELLED`."""
        chosen = next((known for known in RESULTS if known == result.upper()), None)
        if chosen is None:
            raise Impossible(
                f"{result!r} is no result of a dispute: use one of {', '.join(RESULTS)}"
            )
        with self._happening() as (conn, at):
            try:
                case = disputes.find(conn, infraction_id)
            except Missing:
                raise Impossible(
                    f"there is no dispute {infraction_id!r}: give the id that GET /med shows"
                ) from None
            return settlement.resolve(conn, case, chosen, at=at, rules=self._bank.rules)

    def expire(self, txid: str) -> Charge:
        """The time of an active charge is over now."""
        with self._happening() as (conn, at):
            charge = named.charge_of_txid(conn, txid)
            if charge is None:
                raise Impossible(
                    f"there is no charge {txid!r}: give the transaction_id of a cash-in"
                )
            if charge.status != "active":
                raise Impossible(f"{txid} is {charge.status}: only an active charge can expire")
            return charges.expire(conn, charge, at=at)

    def add_key(self, account: str, key: str, key_type: KeyType | None = None) -> RegisteredKey:
        """An account of this bank (opened if this is its first use) registers a PIX key."""
        parsed = named.key(key, key_type)
        with self._errors(), self._bank.customer(account) as (conn, at):
            return accounts.add_key(conn, account, parsed, at=at)

    @contextmanager
    def _happening(self) -> Iterator[tuple[sqlite3.Connection, datetime]]:
        with self._errors(), self._bank.acting() as (conn, at):
            yield conn, at

    @staticmethod
    @contextmanager
    def _errors() -> Iterator[None]:
        try:
            yield
        except (Refused, Missing, accounts.KeyTaken, accounts.TooManyKeys) as error:
            raise Impossible(str(error)) from error
