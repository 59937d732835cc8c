"""The books of the model: balances, where payouts lead, what may still be given back, the
protection of the key directory. Written from the fact sheet (§6, §7) and the documented rules, not
from the sandbox.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from tests.sandbox.model.records import OWN_ISPB, Charge, Merchant, Party, Payment
from tests.sandbox.model.values import Learned, end_to_end_id

OPENING = 8_000_000
FEE = 350
SETTLES_MS, REVIEW_MS, RETRY_MS, LIMIT_MS = 1_000, 10_000, 3_000, 12_000
LIFETIME_MS, SWEEP_MS = 60_000, 30_000
OWN_BUCKET, ALL_BUCKET = (3, Fraction(1, 2)), (5, Fraction(1))  # capacity, leaked a second


@dataclass
class Target:
    """Where a payout leads: a key or a QR code (`charge` is this bank's own), or why it leads
    nowhere.
    """

    recipient: Any
    party: Party
    key: str | None = None
    charge: Charge | None = None
    receiver: Merchant | None = None


@dataclass
class Bucket:
    level: Fraction = Fraction(0)
    at: int = 0

    def now(self, at: int, leak: Fraction) -> Fraction:
        return max(Fraction(0), self.level - leak * (at - self.at) / 1000)


class Books:
    """The bank of these merchants; `now` is its clock, moved from outside."""

    def __init__(self, merchants: list[Merchant], now: int) -> None:
        self.merchants = merchants
        self.now = now
        self.ids: set[str] = set()
        self._parties: dict[str, Party] = {}
        self._submissions: dict[Any, Learned] = {}
        self._buckets: dict[str, Bucket] = {}

    # --- what payouts lead to ---------------------------------------------------------------------

    def to_key(self, key: str, document: str | None = None) -> Target:
        owner = next((merchant for merchant in self.merchants if merchant.key == key), None)
        if owner is not None:
            return Target(key, owner.party, key=key, receiver=owner)
        party = self._parties.setdefault(key, Party.unknown(document))
        return Target(key, party, key=key)

    def to_charge(self, charge: Charge) -> Target:
        return Target(charge, charge.owner.party, charge=charge, receiver=charge.owner)

    def to_url(self, url: str, name: str) -> Target:
        party = self._parties.setdefault(url, Party.unknown())
        party.name = name
        return Target(url, party)

    # --- sums -------------------------------------------------------------------------------------

    def refundable(self, receipt: Payment) -> int:
        """What of a receipt is neither refunded, being refunded, nor blocked."""
        given = [p for p in receipt.owner.payments if p.kind == "refund" and p.original is receipt]
        blocked = [c for c in receipt.owner.cases if c.receipt is receipt]
        return (
            receipt.amount
            - sum(refund.amount for refund in given if refund.status != "failed")
            - sum(case.blocked for case in blocked if case.status == "ACKNOWLEDGED")
        )

    def returnable(self, payout: Payment) -> int:
        came = [p for p in payout.owner.payments if p.kind == "return" and p.original is payout]
        return payout.amount - sum(each.amount for each in came)

    def begin_refund(
        self, receipt: Payment, amount: int, reason: str, description: str, scenario: str | None
    ) -> Payment:
        refund = self.add(
            Payment(
                receipt.owner,
                "refund",
                "processing",
                amount,
                0,
                Learned(end_to_end_id("D", OWN_ISPB, self.now), self.ids),
                self.now,
                party=receipt.party,
                description=description,
                original=receipt,
                reason=reason,
                scenario=scenario,
            )
        )
        self.hold(refund)
        return refund

    def add(self, payment: Payment) -> Payment:
        payment.owner.payments.append(payment)
        return payment

    def hold(self, payment: Payment) -> None:
        payment.owner.free -= payment.net
        payment.owner.held += payment.net

    def may_ask(self, payer: Merchant) -> bool:
        return all(
            self._bucket(name).now(self.now, leak) + 1 <= capacity
            for name, (capacity, leak) in ((payer.name, OWN_BUCKET), ("", ALL_BUCKET))
        )

    def ask(self, payer: Merchant) -> None:
        for name, (_, leak) in ((payer.name, OWN_BUCKET), ("", ALL_BUCKET)):
            bucket = self._bucket(name)
            bucket.level, bucket.at = bucket.now(self.now, leak) + 1, self.now

    def _bucket(self, name: str) -> Bucket:
        return self._buckets.setdefault(name, Bucket(at=self.now))


def same_id(one: Payment, other: Payment) -> bool:
    """Whether two payments have the same end-to-end id. Derived ids are one object each."""
    mine, theirs = one.end_to_end_id, other.end_to_end_id
    return mine is theirs or (isinstance(mine, str) and mine == theirs)
