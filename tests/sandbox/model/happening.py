"""Steps in which the other side acts, and time passes."""

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.sandbox.model.driving import Driven
from tests.sandbox.model.ordering import AMOUNTS, NUMBERS
from tests.sandbox.model.records import Party

REASON = "Reported by the payer's bank as fraud"


class Happening(Driven):
    """What happens to merchants."""

    @rule(seconds=st.sampled_from([1, 2, 3, 11, 65]))
    def time_passes(self, seconds: int) -> None:
        self.pass_until(self.model.now + seconds * 1000)

    @precondition(Driven.has_charges)
    @rule(what=NUMBERS, by_code=st.booleans())
    def a_charge_is_paid(self, what: int, by_code: bool) -> None:
        self.tick()
        charge = self.choose(what, self.charges())
        if charge is not None:
            target = str(charge.code if by_code else charge.id)
            if self.happens(charge.payable(self.model.now), self.world.pay, target):
                self.model.receive(charge.owner, charge.amount, Party.unknown(), charge=charge)

    @rule(who=NUMBERS, amount=AMOUNTS)
    def a_key_is_paid(self, who: int, amount: int) -> None:
        self.tick()
        merchant = self.merchant(who)
        self.happens(True, self.world.pay, merchant.key, amount)
        self.model.receive(merchant, amount * 100, Party.unknown())

    @precondition(Driven.has_payments)
    @rule(what=NUMBERS)
    def settled_early(self, what: int) -> None:
        self.tick()
        payment = self.choose(what, self.payments())
        if payment is not None:
            possible = payment.outbound and payment.status == "processing"
            if self.happens(possible, self.world.settle, str(payment.id)):
                self.model.settle(payment)

    @precondition(Driven.has_payments)
    @rule(what=NUMBERS, reason=st.sampled_from(["AC03", "AB03"]))
    def rejected(self, what: int, reason: str) -> None:
        self.tick()
        in_flight = [payment for payment in self.payments() if not payment.final]
        payment = self.choose(what, in_flight if what % 5 else self.payments())
        if payment is not None:
            possible = payment.outbound and not payment.final
            if self.happens(possible, self.world.reject, str(payment.id), reason):
                refund = payment.kind == "refund"
                self.model.fail(payment, payment.reason or "" if refund else reason)

    @precondition(Driven.has_payments)
    @rule(what=NUMBERS)
    def held(self, what: int) -> None:
        self.tick()
        payment = self.choose(what, [p for p in self.payments() if p.status == "processing"])
        if payment is not None:
            possible = payment.kind == "payout" and not payment.in_review
            if self.happens(possible, self.world.hold, str(payment.id)):
                self.model.review(payment)

    @precondition(Driven.has_payments)
    @rule(what=NUMBERS, amount=st.none() | AMOUNTS)
    def given_back(self, what: int, amount: int | None) -> None:
        self.tick()
        settled = [p for p in self.payments() if (p.kind, p.status) == ("payout", "settled")]
        payment = self.choose(what, settled if what % 5 else self.payments())
        if payment is None:
            return
        left = self.model.returnable(payment)
        given = left if amount is None else amount * 100
        possible = (payment.kind, payment.status) == ("payout", "settled")
        possible = possible and payment.receiver is None and given <= left
        if self.happens(possible, self.world.give_back, str(payment.id), amount):
            self.model.give_back(payment, given, "MD06")

    @precondition(Driven.has_payments)
    @rule(what=NUMBERS)
    def disputed(self, what: int) -> None:
        self.tick()
        receipts = [payment for payment in self.payments() if payment.kind == "receipt"]
        payment = self.choose(what, receipts if what % 5 else self.payments())
        if payment is not None:
            possible = payment.kind == "receipt" and self.model.dispute(payment, REASON)
            self.happens(possible, self.world.infraction, str(payment.id))

    @precondition(Driven.has_cases)
    @rule(what=NUMBERS, result=st.sampled_from(["AGREED", "DISAGREED", "CANCELLED"]))
    def resolved(self, what: int, result: str) -> None:
        self.tick()
        case = self.choose(what, self.cases())
        if case is not None:
            possible = case.status == "ACKNOWLEDGED"
            if self.happens(possible, self.world.resolve, str(case.id), result):
                self.model.resolve(case, result)

    @precondition(Driven.has_charges)
    @rule(what=NUMBERS)
    def expired(self, what: int) -> None:
        self.tick()
        charge = self.choose(what, self.charges())
        if charge is not None and self.happens(
            charge.status == "active", self.world.expire, str(charge.id)
        ):
            self.model.expire(charge)
