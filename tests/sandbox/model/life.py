"""The life of a payment in the model: what the other side does, and what time brings.

Everything due happens at its own millisecond: whoever drives the model moves time by distinct
amounts, so that no two things are due at once.
"""

from typing import Any

from tests.sandbox.model.books import (
    FEE,
    LIMIT_MS,
    RETRY_MS,
    REVIEW_MS,
    SETTLES_MS,
    SWEEP_MS,
    Books,
    same_id,
)
from tests.sandbox.model.records import Case, Charge, Merchant, Party, Payment
from tests.sandbox.model.values import Learned, end_to_end_id

GONE = ("settled", "returned")


class Life(Books):
    """What happens without an order of a merchant."""

    # --- the other side ---------------------------------------------------------------------------

    def receive(
        self,
        owner: Merchant,
        amount: int,
        party: Party,
        end_to_end: Any = None,
        *,
        charge: Charge | None = None,
        description: str | None = None,
    ) -> Payment:
        """Money comes in, for a charge or to the owner's key."""
        fee = min(FEE, amount)
        disputed = charge is not None and charge.scenario == "disputed"
        receipt = self.add(
            Payment(
                owner,
                "receipt",
                "settled",
                amount,
                fee,
                end_to_end or Learned(end_to_end_id("E", r"\d{8}", self.now), self.ids),
                self.now,
                party=party,
                key=owner.key,
                description=charge.description if charge else description,
                external_id=charge.external_id if charge else None,
                charge=charge,
                completed=self.now,
                due=self.now + REVIEW_MS if disputed else None,
            )
        )
        owner.free += receipt.net
        receipt.tell("pix.charge.paid", "paid", charge_id=charge.id if charge else None)
        if charge is not None:
            charge.paid, charge.status, charge.completed = receipt, "paid", self.now
            charge.due = None
        return receipt

    def expire(self, charge: Charge) -> None:
        charge.status, charge.completed, charge.due = "expired", self.now, None
        charge.tell("expired")

    def give_back(self, payout: Payment, amount: int, reason: str, own_id: Any = None) -> None:
        """Money of a settled payout comes back."""
        assert payout.party is not None
        left = self.returnable(payout)
        came = self.add(
            Payment(
                payout.owner,
                "return",
                "settled",
                amount,
                0,
                own_id or Learned(end_to_end_id("D", r"\d{8}", self.now), self.ids),
                self.now,
                party=payout.party,
                description="Devolução PIX",
                original=payout,
                reason=reason,
                completed=self.now,
            )
        )
        payout.owner.free += amount
        came.tell(
            "pix.return.received",
            "settled",
            original_transaction_id=payout.id,
            original_end_to_end_id=payout.end_to_end_id,
            reason=reason,
        )
        payout.owner.events[-1]["external_id"] = payout.external_id
        payout.due = None
        if amount == left:
            payout.status = "returned"
            payout.tell("pix.payout.returned", "returned")

    def dispute(self, receipt: Payment, reason: str) -> bool:
        """The payer's bank asks a payment back; false where nothing is left to ask for."""
        open_already = any(
            case.receipt is receipt and case.status == "ACKNOWLEDGED"
            for case in receipt.owner.cases
        )
        amount = self.refundable(receipt)
        if open_already or amount <= 0:
            return False
        whole = min(receipt.owner.free, amount) // 100 * 100  # refunds are in centavos
        case = Case(receipt, amount, whole, reason, self.now)
        receipt.owner.cases.append(case)
        receipt.owner.free -= case.blocked
        receipt.owner.held += case.blocked
        case.tell("created", "ACKNOWLEDGED")
        return True

    def resolve(self, case: Case, result: str) -> None:
        owner = case.receipt.owner
        owner.free += case.blocked
        owner.held -= case.blocked
        case.due = None
        if result == "CANCELLED":
            case.type, case.status = "REFUND_CANCELLED", "CANCELLED"
        else:
            case.status, case.result = "CLOSED", result
        case.tell("resolved", case.status)
        if result == "AGREED" and case.blocked:
            self.settle(
                self.begin_refund(case.receipt, case.blocked, "FR01", "Devolução PIX", None)
            )

    # --- the life of a payment --------------------------------------------------------------------

    def settle(self, payment: Payment) -> None:
        """The end of a payment that is processing, unless something stands against it."""
        owner = payment.owner
        if payment.kind == "refund" and payment.scenario == "refund-released":
            return self.fail(payment, payment.reason or "")
        if payment.kind == "payout":
            against = self._objection(payment)
            if against is not None:
                return self.fail(payment, against)
            if payment.receiver is not None:
                self.receive(
                    payment.receiver,
                    payment.amount,
                    owner.party,
                    payment.end_to_end_id,
                    charge=payment.charge,
                    description=payment.description,
                )
        owner.held -= payment.net
        payment.status, payment.completed, payment.in_review = "settled", self.now, False
        comes_back = payment.scenario in ("returned", "returned-partly")
        payment.due = self.now + REVIEW_MS if comes_back else None
        event = "payout.confirmed" if payment.kind == "payout" else "refund.completed"
        payment.tell(f"pix.{event}", "settled")
        if payment.kind == "refund":
            self._reach_the_payer(payment)
        return None

    def _objection(self, payout: Payment) -> str | None:
        """Why a payout cannot settle."""
        sent = payout.owner.payments
        if any(p.outbound and p.status in GONE and same_id(p, payout) for p in sent):
            return "DUPL"
        if payout.charge is not None and not payout.charge.payable(self.now):
            return "BE17"
        if payout.receiver is not None and any(
            not p.outbound and same_id(p, payout) for p in payout.receiver.payments
        ):
            return "DUPL"
        return None

    def fail(self, payment: Payment, reason: str) -> None:
        if payment.status == "processing":
            payment.owner.held -= payment.net
            payment.owner.free += payment.net
        payment.status, payment.completed, payment.in_review = "failed", self.now, False
        payment.due, payment.reason = None, reason
        if payment.kind == "refund":
            payment.tell("pix.refund.completed", "completed")
        else:
            payment.tell("pix.payout.failed", "rejected", failure_reason=reason)

    def review(self, payout: Payment) -> None:
        payout.in_review, payout.due = True, self.now + REVIEW_MS
        payout.tell("pix.payout.held", "processing")

    def _retry(self, payout: Payment) -> None:
        """A queued payout's turn."""
        waited = self.now - payout.created
        through = payout.scenario != "queued-expired" and (
            waited >= 2 * RETRY_MS if payout.scenario == "queued" else self.may_ask(payout.owner)
        )
        if waited >= LIMIT_MS:
            return self.fail(payout, "DICT")
        if not through:
            payout.due = self.now + RETRY_MS
            return None
        if payout.scenario != "queued":
            self.ask(payout.owner)
        if payout.key is not None:
            payout.party = self.to_key(payout.key).party
        if payout.owner.free < payout.net:
            return self.fail(payout, "AM04")
        self.hold(payout)
        payout.status, payout.due = "processing", self.now + SETTLES_MS
        payout.tell("pix.payout.processing", "processing")
        return None

    def _reach_the_payer(self, refund: Payment) -> None:
        """A refund whose payer is a merchant of this bank arrives there as a return."""
        receipt = refund.original
        assert receipt is not None
        for merchant in self.merchants:
            for payout in merchant.payments:
                if (
                    payout.kind == "payout"
                    and payout.status == "settled"
                    and payout.receiver is receipt.owner
                    and same_id(payout, receipt)
                ):
                    assert refund.reason is not None
                    self.give_back(payout, refund.amount, refund.reason, refund.end_to_end_id)
                    return

    # --- time -------------------------------------------------------------------------------------

    def next_due(self) -> int | None:
        times = [payment.due for m in self.merchants for payment in m.payments]
        times += [case.due for m in self.merchants for case in m.cases]
        for merchant in self.merchants:
            for charge in merchant.charges:
                if charge.status == "active":
                    swept = -(-charge.expires // SWEEP_MS) * SWEEP_MS
                    times += [charge.due, swept]
        return min((time for time in times if time is not None), default=None)

    def work(self) -> None:
        """Do what is due at this moment."""
        for merchant in self.merchants:
            for payment in list(merchant.payments):
                if payment.due is not None and payment.due <= self.now:
                    self._step(payment)
            for case in merchant.cases:
                if case.due is not None and case.due <= self.now:
                    assert case.scenario is not None
                    self.resolve(case, case.scenario.removeprefix("dispute-").upper())
            for charge in merchant.charges:
                if charge.due is not None and charge.due <= self.now:
                    self._act(charge)
        swept = self.now // SWEEP_MS * SWEEP_MS
        active = [c for m in self.merchants for c in m.charges if c.status == "active"]
        over = [charge for charge in active if charge.expires <= swept]
        for charge in sorted(over, key=lambda charge: charge.expires):
            self.expire(charge)

    def _step(self, payment: Payment) -> None:
        scenario = payment.scenario or ""
        if payment.kind == "receipt":
            payment.due = None
            self.dispute(payment, "Reported by the payer's bank as fraud")
        elif payment.status == "settled":
            half = -(-payment.amount // 100 // 2) * 100
            left = self.returnable(payment)
            self.give_back(payment, min(left, half) if "partly" in scenario else left, "MD06")
        elif payment.status == "queued":
            self._retry(payment)
        elif scenario in ("held", "held-rejected") and not payment.in_review:
            self.review(payment)
        elif scenario == "held-rejected":
            self.fail(payment, "DS04")
        elif scenario.startswith("rejected-"):
            self.fail(payment, scenario.removeprefix("rejected-").upper())
        else:
            self.settle(payment)

    def _act(self, charge: Charge) -> None:
        charge.due = None
        if charge.scenario == "expired":
            self.expire(charge)
        elif charge.payable(self.now):
            self.receive(charge.owner, charge.amount, Party.unknown(), charge=charge)
