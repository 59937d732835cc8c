"""The orders of merchants in the model: what each is answered, and what it sets going."""

from tests.sandbox.model.books import FEE, LIFETIME_MS, RETRY_MS, SETTLES_MS, Target
from tests.sandbox.model.life import Life
from tests.sandbox.model.records import OWN_ISPB, Case, Charge, Merchant, Payment
from tests.sandbox.model.values import Answer, Learned, end_to_end_id, iso, refusal


class Model(Life):
    """The whole bank."""

    # --- orders -----------------------------------------------------------------------------------

    def cash_out(
        self,
        payer: Merchant,
        target: Target,
        amount: int,
        *,
        external_id: str | None = None,
        description: str | None = None,
        own_id: str | None = None,
        scenario: str | None = None,
    ) -> Answer:
        """POST /pix/cash-out (§6.2, §6.3); `amount` in centavos."""
        refused = self._refusal(payer, target, scenario)
        if refused is not None:
            return refusal(422, refused)
        amount = target.charge.amount if target.charge else amount * 100
        queued = scenario in ("queued", "queued-expired")
        asks = target.key is not None and not queued
        if asks and not self.may_ask(payer):
            queued = True
        if not queued and payer.free < amount + FEE:
            return refusal(422, "Insufficient balance")
        if asks and not queued:
            self.ask(payer)
        submission = (payer.name, self.now // 60_000, target.recipient, amount, external_id)
        derived = Learned(end_to_end_id("E", OWN_ISPB, self.now), self.ids)
        payment = self.add(
            Payment(
                payer,
                "payout",
                "queued" if queued else "processing",
                amount,
                FEE,
                own_id or self._submissions.setdefault(submission, derived),
                self.now,
                party=None if queued and target.key else target.party,
                key=target.key,
                description=description,
                external_id=external_id,
                charge=target.charge,
                receiver=target.receiver,
                scenario=scenario,
                due=self.now + (RETRY_MS if queued else SETTLES_MS),
            )
        )
        if queued:
            payment.tell("pix.payout.queued", "queued")
        else:
            self.hold(payment)
            payment.tell("pix.payout.processing", "processing")
        return (202 if queued else 200), payment.taken()

    def _refusal(self, payer: Merchant, target: Target, scenario: str | None) -> str | None:
        if target.charge is not None and not target.charge.payable(self.now):
            return (
                f"Charge {'was paid already' if target.charge.status == 'paid' else 'has expired'}"
            )
        if target.receiver is payer:
            return "Cannot pay to the same account"
        if scenario == "key-not-found":
            return "PIX key not found"
        if scenario == "insufficient-balance":
            return "Insufficient balance"
        if scenario in ("returned", "returned-partly") and target.receiver is not None:
            return f"Scenario {scenario} needs a recipient at another bank"
        return None

    def cash_in(
        self,
        owner: Merchant,
        amount: int,
        *,
        description: str | None,
        external_id: str | None,
        scenario: str | None,
    ) -> Answer:
        """POST /pix/cash-in (§6.1)."""
        acts = scenario in ("paid", "disputed", "expired")
        charge = Charge(
            owner,
            amount * 100,
            description or "Cobranca PIX",
            external_id,
            self.now,
            self.now + (SETTLES_MS if scenario == "expired" else LIFETIME_MS),
            scenario=scenario,
            due=self.now + SETTLES_MS if acts else None,
        )
        owner.charges.append(charge)
        charge.tell("created")
        return 200, charge.made()

    def refund(
        self,
        owner: Merchant,
        receipt: Payment | None,
        amount: int | None,
        *,
        reason: str,
        description: str | None,
        scenario: str | None,
    ) -> Answer:
        """POST /pix/refund (§6.4)."""
        if receipt is None or receipt.owner is not owner or receipt.kind != "receipt":
            return refusal(404, "original transaction not found")
        wanted = receipt.amount if amount is None else amount * 100
        if wanted > self.refundable(receipt):
            return refusal(422, "Refund exceeds the received amount")
        if wanted > owner.free:
            return refusal(422, "Insufficient balance for refund")
        refund = self.begin_refund(
            receipt, wanted, reason, description or "Devolução PIX", scenario
        )
        refund.due = self.now + SETTLES_MS
        refund.tell("pix.refund.requested", "requested")
        return 200, {
            "worked": True,
            "refund_id": refund.id,
            "transaction_id": receipt.id,
            "amount": wanted,
            "status": "processing",
        }

    def defend(
        self, owner: Merchant, case: Case | None, evidence: int, scenario: str | None
    ) -> Answer:
        """POST /med/:id/defense (§6.16)."""
        if case is None or case.receipt.owner is not owner:
            return refusal(404, "Infraction not found")
        if case.status != "ACKNOWLEDGED":
            return refusal(422, "Infraction is closed")
        if case.defended:
            return refusal(422, "Defense already submitted")
        case.defended = True
        if scenario is not None:
            case.scenario, case.due = scenario, self.now + SETTLES_MS
        case.tell("defense_submitted", "defense_submitted")
        return 200, {
            "worked": True,
            "status": "defense_submitted",
            "med_id": case.id,
            "block_id": case.id,
            "evidence_count": evidence,
            "defense_submitted_at": iso(self.now),
        }
