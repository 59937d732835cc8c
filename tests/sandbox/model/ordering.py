"""Steps in which merchants order: pay, charge, refund, defend, and bodies nobody may send."""

from typing import Any, get_args

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from guarita.sandbox.pix.scenarios import SCENARIOS, Operation
from tests.sandbox.model.books import Target
from tests.sandbox.model.driving import TICK_MS, Driven
from tests.sandbox.model.records import Merchant, Payment
from tests.sandbox.model.values import foreign_code, refusal, static_code

NUMBERS = st.integers(0, 104)  # below 128, Hypothesis draws them evenly
AMOUNTS = st.sampled_from([1, 2, 100, 4_999, 15_000, 60_000]) | st.integers(1, 70_000)
EXTERNAL_IDS = st.sampled_from([None, None, "pedido-1", "pedido-2"])
DESCRIPTIONS = st.sampled_from([None, "Pedido 7, item: caneta"])
WAYS = st.sampled_from(["header", "text"])

# Key -> the document its counterparty must have, where the key tells it.
OTHER_KEYS = {
    "ana@exemplo.test": None,
    "52998224725": "52998224725",
    "12ABC34501DE35": "12ABC34501DE35",
    "+5511987654321": None,
    "0b4ff3a2-9d0e-4c5e-8f3b-2a7d9c1e6f10": None,
    "nobody@sandbox.example": None,
}
CHOSEN_IDS = ("E90000009202605011200abcdefghij1", "E90000009202605011200abcdefghij2")
FOREIGN = ("qr.outro-banco.example/v2/cob/7d2f", "Padaria Central")

REFUND_NAMES = (
    *("original_transaction_id", "original_e2e_id", "originalTransactionId"),
    *("transaction_id", "end_to_end_id"),
)


def scenarios(operation: Operation) -> st.SearchStrategy[str | None]:
    assert operation in get_args(Operation)
    names = [row.name for row in SCENARIOS.values() if row.operations == (operation,)]
    few = [name for name in names if name not in REJECTIONS[1:]]
    return st.sampled_from([*[None] * len(few), *few])


REJECTIONS = [row.name for row in SCENARIOS.values() if row.name.startswith("rejected-")]


def _present(**members: Any) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


class Ordering(Driven):
    """What merchants ask for."""

    @rule(
        who=NUMBERS,
        to=NUMBERS,
        amount=AMOUNTS,
        external_id=EXTERNAL_IDS,
        description=DESCRIPTIONS,
        scenario=scenarios("cash-out"),
        way=st.sampled_from(["header", "text", "key"]),
        times=st.sampled_from([1, 1, 2, 6]),
    )
    def pay_a_key(
        self,
        who: int,
        to: int,
        amount: int,
        external_id: str | None,
        description: str | None,
        scenario: str | None,
        way: str,
        times: int = 1,
    ) -> None:
        """By key: of another bank, of a merchant here, of oneself, or one that is a scenario. Sent
        again, it is the same payment to the settlement system.
        """
        self.tick()
        payer = self.merchant(who)
        keys = [*OTHER_KEYS, *(merchant.key for merchant in self.model.merchants * 2)]
        key = keys[to % len(keys)]
        if scenario is not None and way == "key":
            key = f"{scenario}@sandbox.example"
        if scenario is not None and way == "text":
            description = f"sandbox:{scenario}"
        body = _present(
            amount=amount, pix_key=key, external_id=external_id, description=description
        )
        header = scenario if way == "header" else None
        for _ in range(times):
            actual = self.ask(payer, "POST", "/pix/cash-out", body, scenario=header)
            target = self.model.to_key(key, OTHER_KEYS.get(key))
            self._pay(payer, target, body, scenario, actual)
            self.pass_until(self.model.now + TICK_MS)

    @rule(
        who=NUMBERS,
        to=NUMBERS,
        amount=AMOUNTS,
        external_id=EXTERNAL_IDS,
        own_id=st.sampled_from([None, None, *CHOSEN_IDS]),
        scenario=scenarios("cash-out"),
        name=st.sampled_from(["emv", "codigo_copia_cola"]),
    )
    def pay_a_code(
        self,
        who: int,
        to: int,
        amount: int,
        external_id: str | None,
        own_id: str | None,
        scenario: str | None,
        name: str,
    ) -> None:
        """By QR code: a charge of this bank, or a static or dynamic code of another."""
        self.tick()
        payer = self.merchant(who)
        charge = self.choose(to, self.charges())
        if charge is not None and to % 4 != 0:
            target, code = self.model.to_charge(charge), str(charge.code)
        elif to % 8 == 0:
            target, code = self.model.to_url(*FOREIGN), foreign_code(*FOREIGN)
        else:
            key = [*OTHER_KEYS, self.merchant(to).key][to % (len(OTHER_KEYS) + 1)]
            target, code = self.model.to_key(key, OTHER_KEYS.get(key)), static_code(key)
        body = _present(
            amount=amount, external_id=external_id, end_to_end_id=own_id, **{name: code}
        )
        actual = self.ask(payer, "POST", "/pix/cash-out", body, scenario=scenario)
        self._pay(payer, target, body, scenario, actual)

    def _pay(
        self,
        payer: Merchant,
        target: Target,
        body: dict[str, Any],
        scenario: str | None,
        actual: Any,
    ) -> None:
        expected = self.model.cash_out(
            payer,
            target,
            body["amount"],
            external_id=body.get("external_id"),
            description=body.get("description"),
            own_id=body.get("end_to_end_id"),
            scenario=scenario,
        )
        self.compare(expected, actual)

    @rule(
        who=NUMBERS,
        amount=AMOUNTS,
        external_id=EXTERNAL_IDS,
        description=DESCRIPTIONS,
        scenario=scenarios("cash-in"),
        way=WAYS,
    )
    def make_a_charge(
        self,
        who: int,
        amount: int,
        external_id: str | None,
        description: str | None,
        scenario: str | None,
        way: str,
    ) -> None:
        self.tick()
        if scenario is not None and way == "text":
            description = f"sandbox:{scenario}"
        body = _present(amount=amount, external_id=external_id, description=description)
        header = scenario if way == "header" else None
        actual = self.ask(self.merchant(who), "POST", "/pix/cash-in", body, scenario=header)
        expected = self.model.cash_in(
            self.merchant(who),
            amount,
            description=description,
            external_id=external_id,
            scenario=scenario,
        )
        self.compare(expected, actual)

    @precondition(Driven.has_payments)
    @rule(
        who=NUMBERS,
        what=NUMBERS,
        form=st.sampled_from(["id", "end_to_end_id", "charge"]),
        name=st.sampled_from(REFUND_NAMES),
        amount=st.none() | AMOUNTS,
        reason=st.sampled_from([None, "BE08", "MD06"]),
        scenario=scenarios("refund"),
    )
    def refund(
        self,
        who: int,
        what: int,
        form: str,
        name: str,
        amount: int | None,
        reason: str | None,
        scenario: str | None,
    ) -> None:
        """One's own receipt for the most part; also somebody else's, or what is no receipt."""
        self.tick()
        receipts = [payment for payment in self.payments() if payment.kind == "receipt"]
        parties = [merchant.party for merchant in self.model.merchants]
        from_here = [receipt for receipt in receipts if receipt.party in parties]
        among = (self.payments(), from_here or receipts, receipts)[what % 3]
        chosen = self.choose(what, among)
        owner = chosen.owner if chosen is not None and what % 7 else self.merchant(who)
        asked = "q7m2x0c9v4b8n1k5h3"
        if chosen is not None:
            by_charge = form == "charge" and chosen.charge is not None
            asked = str(chosen.charge.id if by_charge and chosen.charge else getattr(
                chosen, "end_to_end_id" if form == "end_to_end_id" else "id"))  # fmt: skip
        body = _present(amount=amount, reason=reason, **{name: asked})
        actual = self.ask(owner, "POST", "/pix/refund", body, scenario=scenario)
        expected = self.model.refund(
            owner,
            _receipt(owner, asked),
            amount,
            reason=reason or "MD06",
            description=None,
            scenario=scenario,
        )
        self.compare(expected, actual)

    @precondition(Driven.has_cases)
    @rule(
        who=NUMBERS,
        what=NUMBERS,
        evidence=st.integers(0, 10),
        scenario=scenarios("defense"),
        way=WAYS,
    )
    def defend(self, who: int, what: int, evidence: int, scenario: str | None, way: str) -> None:
        self.tick()
        case = self.choose(what, self.cases())
        owner = case.receipt.owner if case is not None and what % 5 else self.merchant(who)
        by_text = scenario is not None and way == "text"
        body: dict[str, Any] = {"defense_text": f"sandbox:{scenario}" if by_text else "Entregue."}
        if evidence:
            body["evidence"] = [{"description": "Recibo"}] * evidence
        path = "/med/{id}/defense"
        actual = self.ask(
            owner,
            "POST",
            path,
            body,
            scenario=None if by_text else scenario,
            id=case.id if case else "none",
        )
        self.compare(self.model.defend(owner, case, evidence, scenario), actual)

    @rule(
        who=NUMBERS,
        path=st.sampled_from(["/pix/cash-out", "/pix/cash-in"]),
        amount=st.sampled_from([0, -1, 1.5, "3000", True, [], 10**30]),
    )
    def order_nonsense(self, who: int, path: str, amount: Any) -> None:
        """The invariants then show that nothing moved."""
        self.tick()
        body = {"amount": amount, "description": "x"}
        if path == "/pix/cash-out":
            body["pix_key"] = "ana@exemplo.test"
        problem = "must be a positive integer"
        if amount == 10**30:
            problem = "must be at most 999999999999"
        self.compare(
            refusal(400, {"amount": [problem]}), self.ask(self.merchant(who), "POST", path, body)
        )


def _receipt(owner: Merchant, asked: str) -> Payment | None:
    for payment in owner.payments:
        if payment.kind == "receipt" and asked in (
            str(payment.id),
            str(payment.end_to_end_id),
            str(payment.charge.id) if payment.charge else None,
        ):
            return payment
    return None
