"""Steps in which merchants look: every query, for what is theirs and what is not; and webhooks."""

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.sandbox.model.driving import Driven
from tests.sandbox.model.life import GONE
from tests.sandbox.model.ordering import NUMBERS
from tests.sandbox.model.records import Merchant
from tests.sandbox.model.values import Answer, Learned, iso, refusal

NO_TRANSACTION = refusal(404, "Transaction not found")
STATES = {
    "pending": ("queued", "processing"),
    "completed": ("settled", "returned"),
    "failed": ("failed",),
    "queued": ("queued",),
    "settled": ("settled",),
}
EVENTS = ["pix.charge.paid", "pix.payout.confirmed", "pix.payout.failed"]


class Looking(Driven):
    """What merchants read."""

    @precondition(Driven.has_payments)
    @rule(who=NUMBERS, what=NUMBERS)
    def one_payment(self, who: int, what: int) -> None:
        """By id and by end-to-end id, and its receipt."""
        self.tick()
        payment = self.choose(what, self.payments())
        if payment is None:
            return
        asking = payment.owner if what % 4 else self.merchant(who)
        mine = payment in asking.payments
        self.compare(
            (200, {"worked": True, "data": payment.shown()}) if mine else NO_TRANSACTION,
            self.ask(asking, "GET", "/transactions/{id}", id=payment.id),
        )
        self.compare(
            (200, {"worked": True, "receipt": payment.receipt()})
            if mine and payment.final
            else NO_TRANSACTION,
            self.ask(asking, "GET", "/transactions/{id}/receipt", id=payment.id),
        )
        path = "/transactions/e2e/{e2e_id}"
        self.compare(
            _by_end_to_end_id(asking, str(payment.end_to_end_id)),
            self.ask(asking, "GET", path, e2e_id=payment.end_to_end_id),
        )

    @precondition(Driven.has_charges)
    @rule(who=NUMBERS, what=NUMBERS)
    def one_charge(self, who: int, what: int) -> None:
        self.tick()
        charge = self.choose(what, self.charges())
        if charge is None:
            return
        asking = charge.owner if what % 4 else self.merchant(who)
        mine = charge.owner is asking
        self.compare(
            (200, {"worked": True, "data": charge.shown()}) if mine else NO_TRANSACTION,
            self.ask(asking, "GET", "/transactions/{id}", id=charge.id),
        )
        paid = charge.paid if mine else None
        self.compare(
            (200, {"worked": True, "receipt": paid.receipt()}) if paid else NO_TRANSACTION,
            self.ask(asking, "GET", "/transactions/{id}/receipt", id=charge.id),
        )

    @rule(who=NUMBERS, external_id=st.sampled_from(["pedido-1", "pedido-2", "pedido-3"]))
    def by_external_id(self, who: int, external_id: str) -> None:
        self.tick()
        merchant = self.merchant(who)
        path = "/transactions/ref/{external_id}"
        actual = self.ask(merchant, "GET", path, external_id=external_id)
        self.compare(_by_external_id(merchant, external_id), actual)

    @rule(who=NUMBERS, what=NUMBERS, length=st.integers(1, 40))
    def by_tag(self, who: int, what: int, length: int) -> None:
        self.tick()
        merchant = self.merchant(who)
        everything: list[Any] = [*merchant.payments, *merchant.charges]
        chosen = self.choose(what, everything)
        tag = "PIX" if chosen is None else str(chosen.id)[:length]
        found = [each for each in everything if str(each.id).startswith(tag)]
        found.sort(key=lambda each: -each.created)
        data = [each.shown() for each in found[:50]]
        actual = self.ask(merchant, "GET", "/transactions/tag/{tag}", tag=tag)
        self.compare((200, {"worked": True, "data": data}), actual)

    @rule(
        who=NUMBERS,
        path=st.sampled_from(["/transactions", "/statement"]),
        status=st.sampled_from([None, *STATES]),
        page=st.integers(1, 3),
        per_page=st.sampled_from([1, 3, 20, 100]),
        kind=st.sampled_from([None, "pix", "ted"]),
        day=st.sampled_from([None, "2026-04-30", "2026-05-01", "2026-05-02"]),
    )
    def a_statement(
        self,
        who: int,
        path: str,
        status: str | None,
        page: int,
        per_page: int,
        kind: str | None,
        day: str | None,
    ) -> None:
        self.tick()
        merchant = self.merchant(who)
        query = {"page": str(page), "per_page": str(per_page)}
        found = [] if kind == "ted" else merchant.payments[::-1]
        if status is not None:
            query["status"] = status
            found = [payment for payment in found if payment.status in STATES[status]]
        if kind is not None:
            query["type"] = kind
        if day is not None:
            query["date_from"] = query["date_to"] = day
            found = [payment for payment in found if iso(payment.created).startswith(day)]
        data = [payment.shown() for payment in found[(page - 1) * per_page : page * per_page]]
        self.compare(
            (200, {"worked": True, "data": data, "page": page, "per_page": per_page}),
            self.ask(merchant, "GET", path, query=query),
        )

    @rule(who=NUMBERS, what=NUMBERS)
    def disputes(self, who: int, what: int) -> None:
        self.tick()
        merchant = self.merchant(who)
        meds = [case.shown() for case in merchant.cases[::-1]]
        self.compare((200, {"worked": True, "meds": meds}), self.ask(merchant, "GET", "/med"))
        case = self.choose(what, self.cases())
        mine = case is not None and case.receipt.owner is merchant
        self.compare(
            (200, {"worked": True, "med": case.detailed()})
            if case is not None and mine
            else refusal(404, "Infraction not found"),
            self.ask(merchant, "GET", "/med/{id}", id=case.id if case else "none"),
        )

    def keys(self, who: int) -> None:
        merchant = self.merchant(who)
        [key] = self.ask(merchant, "GET", "/pix/keys")[1]["keys"]
        assert (key["key"], key["key_type"]) == (merchant.key, "evp")

    @rule(
        who=NUMBERS,
        name=st.sampled_from(["cpf", "document_number"]),
        text=st.sampled_from(["52998224725", "529.982.247-25", "12345678901", "11111111111", "x"]),
    )
    def a_cpf(self, who: int, name: str, text: str) -> None:
        self.tick()
        self.keys(who)
        valid = text.startswith("529")
        formatted = "529.982.247-25" if valid else None
        self.compare(
            (200, {"worked": True, "valid": valid, "formatted": formatted}),
            self.ask(self.merchant(who), "POST", "/cpf/validate", {name: text}),
        )

    def a_webhook(self, who: int, count: int, secret: str | None) -> None:
        merchant = self.merchant(who)
        body: dict[str, Any] = {"url": "https://loja.example/pix", "events": EVENTS[:count]}
        if secret is not None:
            body["secret"] = secret
        actual = self.ask(merchant, "POST", "/webhooks", body)
        if len(merchant.hooks) == 5:
            return self.compare(refusal(422, "At most 5 webhooks per account"), actual)
        hook = {
            "id": Learned(r"wh_[0-9a-f]{16,}", self.model.ids),
            "url": body["url"],
            "events": body["events"],
            "description": None,
            "is_active": True,
            "created_at": iso(self.model.now),
        }
        shown = {"worked": True, **hook, "secret": secret or Learned(r"whsec_\S{32,}")}
        self.compare((201, shown), actual)
        merchant.hooks.append(hook)
        return None

    @rule(
        who=NUMBERS,
        whose=NUMBERS,
        delete=st.booleans(),
        count=st.integers(0, 3),
        secret=st.sampled_from([None, "segredo-1"]),
    )
    def webhooks(
        self, who: int, whose: int, delete: bool, count: int = 0, secret: str | None = None
    ) -> None:
        self.tick()
        if count:
            self.a_webhook(who, count, secret)
        merchant, owner = self.merchant(who), self.merchant(whose)
        if delete:
            hook = self.choose(whose, owner.hooks)
            mine = hook is not None and owner is merchant
            self.compare(
                (200, {"worked": True}) if mine else refusal(404, "Webhook not found"),
                self.ask(merchant, "DELETE", "/webhooks/{id}", id=hook["id"] if hook else "none"),
            )
            if hook is not None and mine:
                merchant.hooks.remove(hook)
        expected = {"worked": True, "webhooks": merchant.hooks}
        self.compare((200, expected), self.ask(merchant, "GET", "/webhooks"))


def _by_end_to_end_id(merchant: Merchant, asked: str) -> Answer:
    """A settled one first, then one in flight, then the latest that failed (§6.6)."""
    found = [each for each in merchant.payments[::-1] if str(each.end_to_end_id) == asked]
    if not found:
        return NO_TRANSACTION
    first = min(found, key=lambda each: 0 if each.status in GONE else 1 if not each.final else 2)
    return 200, {"worked": True, "data": first.detailed()}


def _by_external_id(merchant: Merchant, asked: str) -> Answer:
    """The latest, the receipt in place of the charge it paid (§6.7)."""
    payments = [each for each in merchant.payments if each.external_id == asked]
    charges = [each for each in merchant.charges if each.external_id == asked]
    last = payments[-1] if payments else None
    charge = charges[-1] if charges else None
    if last is not None and (
        charge is None or last.charge is charge or last.created >= charge.created
    ):
        return 200, {"worked": True, "data": last.detailed()}
    if charge is not None:
        return 200, {"worked": True, "data": charge.shown()}
    return NO_TRANSACTION
