"""What the model keeps: accounts, payments, charges, cases, and how each is shown (fact sheet §6).

A payment here is any transaction: payout, receipt, refund or return. Amounts are base units, times
milliseconds since 1970.
"""

from dataclasses import dataclass, field
from typing import Any

from tests.sandbox.model.values import (
    DOCUMENT,
    ISPB,
    NAME,
    TRANSACTION_ID,
    TXID,
    UUID,
    Body,
    Learned,
    LearnedNumber,
    iso,
    reais,
)

OWN_ISPB = "39929224"  # §2
INSTITUTION = "Minha Konta Instituição de Pagamento"


@dataclass(eq=False)
class Party:
    """Who is at the other end of a payment."""

    name: Any
    document: Any
    ispb: Any
    bank: Any

    @classmethod
    def unknown(cls, document: str | None = None) -> "Party":
        """Somebody the bank makes up, always the same."""
        return cls(Learned(NAME), document or Learned(DOCUMENT), Learned(ISPB), Learned(NAME))


@dataclass(eq=False)
class Merchant:
    """An account. `free` and `held` make up its balance; `level` is how full its bucket is."""

    name: str
    free: int
    held: int = 0
    number: LearnedNumber = field(default_factory=lambda: LearnedNumber(1))
    key: str = ""
    party: Party = field(default_factory=lambda: Party(*[Learned(NAME) for _ in range(4)]))
    payments: list["Payment"] = field(default_factory=list)
    charges: list["Charge"] = field(default_factory=list)
    cases: list["Case"] = field(default_factory=list)
    hooks: list[Body] = field(default_factory=list)
    events: list[Body] = field(default_factory=list)

    def balance(self) -> Body:
        total = self.free + self.held
        return {"worked": True, "balance": total, "available": self.free, "pending": self.held,
                "currency": "BRL"}  # fmt: skip

    def tell(self, event: str, status: str, entity: Any, **members: Any) -> None:
        """An event as its webhooks carry it (§7.3)."""
        common = {"event_type": event, "status": status, "account_id": self.number}
        self.events.append(common | {"entity_id": entity} | members)


@dataclass(eq=False)
class Payment:
    """A transaction, as the documentation describes it."""

    owner: Merchant
    kind: str
    status: str
    amount: int
    fee: int
    end_to_end_id: Any
    created: int
    party: Party | None = None
    key: str | None = None
    description: str | None = None
    external_id: str | None = None
    original: "Payment | None" = None
    charge: "Charge | None" = None
    receiver: Merchant | None = None
    reason: str | None = None
    scenario: str | None = None
    due: int | None = None
    completed: int | None = None
    in_review: bool = False
    id: Learned = field(default_factory=lambda: Learned(TRANSACTION_ID))
    uuid: Learned = field(default_factory=lambda: Learned(UUID))

    @property
    def outbound(self) -> bool:
        return self.kind in ("payout", "refund")

    @property
    def net(self) -> int:
        return self.amount + self.fee if self.outbound else self.amount - self.fee

    @property
    def final(self) -> bool:
        return self.status not in ("queued", "processing")

    def tell(self, event: str, status: str, **more: Any) -> None:
        self.owner.tell(event, status, self.uuid, **self._ids(), **self._amounts(), **more)

    def _ids(self) -> Body:
        return {
            "transaction_id": self.id,
            "end_to_end_id": self.end_to_end_id,
            "external_id": self.external_id,
        }

    def _amounts(self) -> Body:
        return {"amount": self.amount, "fee_amount": self.fee, "net_amount": self.net}

    def _head(self) -> Body:
        direction = "outbound" if self.outbound else "inbound"
        return {**self._ids(), "type": "pix", "direction": direction, "status": self.status}

    def _story(self) -> Body:
        return {
            "description": self.description,
            "counterparty_name": self.party.name if self.party else None,
            "created_at": iso(self.created),
            "completed_at": None if self.completed is None else iso(self.completed),
        }

    def taken(self) -> Body:
        """The answer to a cash-out (§6.2)."""
        waits = "na fila" if self.status == "queued" else "enviado"
        detail = f"PIX {waits} para processamento"
        return {"worked": True, **self._ids(), **self._amounts(), "status": self.status,
                "detail": detail}  # fmt: skip

    def shown(self) -> Body:
        """In the list queries and by id (§6.5)."""
        shown = {"id": self.uuid, **self._head(), **self._amounts(), **self._story()}
        if self.outbound:
            shown["recipient_key"] = self.key
        if self.status == "failed":
            shown["failure_reason"] = self.reason if self.kind == "payout" else None
        return shown

    def detailed(self) -> Body:
        """By end-to-end id and external id (§6.6)."""
        other = self.party or Party(None, None, None, None)
        if self.outbound:
            sides: Body = {"payer_document": None, "recipient_document": other.document,
                     "payer_ispb": OWN_ISPB, "payer_bank_name": INSTITUTION}  # fmt: skip
        else:
            sides = {"payer_document": other.document, "recipient_document": None,
                     "payer_ispb": other.ispb, "payer_bank_name": other.bank}  # fmt: skip
        return self.shown() | sides

    def receipt(self) -> Body:
        """The receipt, of seventeen members (§6.9)."""
        return {
            **self._head(),
            **self._amounts(),
            **self._story(),
            "recipient_key": self.key,
            "amount_formatted": reais(self.amount),
            "fee_formatted": reais(self.fee),
            "institution": {
                "name": INSTITUTION,
                "cnpj": Learned(r"39929224[0-9]{6}"),
                "ispb": OWN_ISPB,
            },
        }


@dataclass(eq=False)
class Charge:
    """A QR code (§6.1)."""

    owner: Merchant
    amount: int
    description: str
    external_id: str | None
    created: int
    expires: int
    scenario: str | None = None
    due: int | None = None
    status: str = "active"
    completed: int | None = None
    paid: Payment | None = None
    id: Learned = field(default_factory=lambda: Learned(TXID))
    uuid: Learned = field(default_factory=lambda: Learned(UUID))
    code: Learned = field(default_factory=lambda: Learned(r"000201.*6304[0-9A-F]{4}"))

    def payable(self, at: int) -> bool:
        return self.status == "active" and at < self.expires

    def tell(self, status: str) -> None:
        self.owner.tell(
            f"pix.charge.{status}",
            status,
            self.uuid,
            transaction_id=self.id,
            end_to_end_id=None,
            external_id=self.external_id,
            amount=self.amount,
            charge_id=self.id,
            expires_at=iso(self.expires),
        )

    def made(self) -> Body:
        """The answer to a cash-in (§6.1)."""
        image = Learned(r"data:image/png;base64,[A-Za-z0-9+/]+=*")
        return {"worked": True, "transaction_id": self.id, "qr_code": self.code,
                "qr_code_image": image, "external_id": self.external_id, "amount": self.amount,
                "status": "active", "expires_at": iso(self.expires)}  # fmt: skip

    def shown(self) -> Body:
        return {
            "id": self.uuid,
            "transaction_id": self.id,
            "external_id": self.external_id,
            "type": "pix",
            "direction": "inbound",
            "status": self.status,
            "amount": self.amount,
            "description": self.description,
            "qr_code": self.code,
            "created_at": iso(self.created),
            "completed_at": None if self.completed is None else iso(self.completed),
            "expires_at": iso(self.expires),
            "paid_transaction_id": None if self.paid is None else self.paid.id,
        }


@dataclass(eq=False)
class Case:
    """A dispute (§6.14)."""

    receipt: Payment
    amount: int
    blocked: int
    reason: str
    created: int
    type: str = "REFUND_REQUEST"
    status: str = "ACKNOWLEDGED"
    result: str | None = None
    defended: bool = False
    scenario: str | None = None
    due: int | None = None
    id: Learned = field(default_factory=lambda: Learned(UUID))

    def tell(self, event: str, status: str) -> None:
        self.receipt.owner.tell(
            f"pix.infraction.{event}",
            status,
            self.id,
            med_id=self.id,
            original_end_to_end_id=self.receipt.end_to_end_id,
            analysis_result=self.result,
            transaction_id=self.receipt.id,
            amount=self.amount,
        )

    def shown(self) -> Body:
        return {"id": self.id, "type": self.type, "status": self.status, "amount": self.amount,
                "original_end_to_end_id": self.receipt.end_to_end_id,
                "created_at": iso(self.created)}  # fmt: skip

    def detailed(self) -> Body:
        return self.shown() | {"reason": self.reason}
