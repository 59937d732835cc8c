"""The shapes of the API's answers (fact sheet §6): members, schemas, where each value comes from.

What belongs here: one shape per kind of object. Amounts are base units (1/10,000 BRL).
"""

from typing import Any

from guarita.sandbox.api.composites import nullable
from guarita.sandbox.api.fields import END_TO_END_ID, Schema
from guarita.sandbox.api.shape import WORKED, Part, Shape, constant
from guarita.sandbox.books.transactions import Transaction
from guarita.sandbox.pix import charges
from guarita.sandbox.pix.charges import Charge
from guarita.sandbox.pix.rules import Rules
from guarita.sandbox.text import documents, money

INSTITUTION = "Minha Konta Instituição de Pagamento"  # seed L506
# Its first establishment; an ISPB is the start of its bank's CNPJ.
INSTITUTION_CNPJ = "399292240001" + documents.cnpj_check_digits("399292240001")

BASE_UNITS: Schema = {"type": "integer", "minimum": 0, "description": "Base units: 1/10,000 BRL."}
COUNT: Schema = {"type": "integer", "minimum": 0}
TEXT: Schema = {"type": "string"}
MAYBE_TEXT: Schema = nullable(TEXT)
TIME: Schema = {"type": "string", "format": "date-time"}
MAYBE_TIME: Schema = nullable(TIME)
UUID: Schema = {"type": "string", "format": "uuid"}
END_TO_END: Schema = {"type": "string", "pattern": "^[ED]" + END_TO_END_ID.expression[2:]}
DIRECTION: Schema = {"enum": ["inbound", "outbound"]}
STATUS: Schema = {"enum": ["queued", "processing", "settled", "failed", "returned"]}
FINAL_STATUS: Schema = {"enum": ["settled", "failed", "returned"]}

QUEUED_DETAIL = "PIX na fila para processamento"
TAKEN_DETAIL = "PIX enviado para processamento"  # fact sheet §6.2


def _outbound(transaction: Transaction) -> bool:
    return transaction.direction == "outbound"


def _failed(transaction: Transaction) -> bool:
    return transaction.status == "failed"


def _failure_reason(transaction: Transaction, _rules: Rules) -> str | None:
    # The reason of a refund is why it was asked for, not why it failed.
    return transaction.reason if transaction.kind == "payout" else None


BALANCE = Shape(
    "Balance",
    (
        WORKED,
        Part("balance", BASE_UNITS, "balance"),
        Part("available", BASE_UNITS, "available"),
        Part("pending", BASE_UNITS, "pending"),
        Part("currency", {"const": "BRL"}, constant("BRL")),
    ),
)

_IDS = (
    Part("transaction_id", TEXT, "transaction_id"),
    Part("end_to_end_id", END_TO_END, "end_to_end_id"),
    Part("external_id", MAYBE_TEXT, "external_id"),
)
_AMOUNTS = (
    Part("amount", BASE_UNITS, "amount"),
    Part("fee_amount", BASE_UNITS, "fee_amount"),
    Part("net_amount", BASE_UNITS, "net_amount"),
)

CASH_OUT = Shape(
    "CashOutTaken",
    (
        WORKED,
        *_IDS,
        *_AMOUNTS,
        Part("status", {"enum": ["processing", "queued"]}, "status"),
        Part(
            "detail",
            {"enum": [TAKEN_DETAIL, QUEUED_DETAIL]},
            lambda tx, _: QUEUED_DETAIL if tx.status == "queued" else TAKEN_DETAIL,
        ),
    ),
)

CASH_IN = Shape(
    "CashInMade",
    (
        WORKED,
        Part("transaction_id", TEXT, "transaction_id"),
        Part("qr_code", TEXT, "qr_code"),
        Part(
            "qr_code_image",
            {"type": "string", "pattern": "^data:image/png;base64,"},
            lambda charge, _: charges.png_data_url(charge.qr_code),
        ),
        Part("external_id", MAYBE_TEXT, "external_id"),
        Part("amount", BASE_UNITS, "amount"),
        Part("status", {"const": "active"}, "status"),
        Part("expires_at", TIME, "expires_at"),
    ),
)

REFUND = Shape(
    "RefundTaken",
    (
        WORKED,
        Part("refund_id", TEXT, "transaction_id"),
        Part("transaction_id", TEXT, "original"),
        Part("amount", BASE_UNITS, "amount"),
        Part("status", {"const": "processing"}, "status"),
    ),
)

_HEAD = (
    *_IDS,
    Part("type", {"const": "pix"}, constant("pix")),
    Part("direction", DIRECTION, "direction"),
    Part("status", STATUS, "status"),
)
_STORY = (
    Part("description", MAYBE_TEXT, "description"),
    Part("counterparty_name", MAYBE_TEXT, "counterparty_name"),
    Part("recipient_key", MAYBE_TEXT, "pix_key", when=_outbound),
    Part("created_at", TIME, "created_at"),
    Part("completed_at", MAYBE_TIME, "completed_at"),
    Part("failure_reason", MAYBE_TEXT, _failure_reason, when=_failed),
)

TRANSACTION = Shape("Transaction", (Part("id", UUID, "uuid"), *_HEAD, *_AMOUNTS, *_STORY))
"""A transaction in the list queries and by its id (§6.5)."""


def _payer(name: str, own: Any) -> Any:
    def value(transaction: Transaction, rules: Rules) -> Any:
        if transaction.direction == "inbound":
            return getattr(transaction, name)
        return own(rules)

    return value


DETAILED = Shape(
    "DetailedTransaction",
    (
        *TRANSACTION.parts,
        Part("payer_document", MAYBE_TEXT, _payer("counterparty_document", lambda _: None)),
        Part(
            "recipient_document",
            MAYBE_TEXT,
            lambda tx, _: tx.counterparty_document if _outbound(tx) else None,
        ),
        Part("payer_ispb", MAYBE_TEXT, _payer("counterparty_ispb", lambda rules: rules.ispb)),
        Part("payer_bank_name", MAYBE_TEXT, _payer("counterparty_bank", lambda _: INSTITUTION)),
    ),
)
"""A transaction by its end-to-end id or external id: with both sides (§6.6)."""

CHARGE = Shape(
    "Charge",
    (
        Part("id", UUID, "uuid"),
        Part("transaction_id", TEXT, "transaction_id"),
        Part("external_id", MAYBE_TEXT, "external_id"),
        Part("type", {"const": "pix"}, constant("pix")),
        Part("direction", {"const": "inbound"}, constant("inbound")),
        Part("status", {"enum": ["active", "paid", "expired"]}, "status"),
        Part("amount", BASE_UNITS, "amount"),
        Part("description", TEXT, "description"),
        Part("qr_code", TEXT, "qr_code"),
        Part("created_at", TIME, "created_at"),
        Part("completed_at", MAYBE_TIME, "completed_at"),
        Part("expires_at", TIME, "expires_at"),
        Part("paid_transaction_id", MAYBE_TEXT, "paid_transaction_id"),
    ),
)
"""A QR code that waits, was paid, or has ended (§6.1, §6.7)."""

RECEIPT = Shape(
    "Receipt",
    (
        *_IDS,
        Part("type", {"const": "pix"}, constant("pix")),
        Part("direction", DIRECTION, "direction"),
        Part("status", FINAL_STATUS, "status"),
        Part("amount", BASE_UNITS, "amount"),
        Part("amount_formatted", TEXT, lambda tx, _: money.reais(tx.amount)),
        Part("fee_amount", BASE_UNITS, "fee_amount"),
        Part("fee_formatted", TEXT, lambda tx, _: money.reais(tx.fee_amount)),
        Part("net_amount", BASE_UNITS, "net_amount"),
        Part("description", MAYBE_TEXT, "description"),
        Part("counterparty_name", MAYBE_TEXT, "counterparty_name"),
        Part("recipient_key", MAYBE_TEXT, "pix_key"),
        Part("created_at", TIME, "created_at"),
        Part("completed_at", TIME, "completed_at"),
        Part(
            "institution",
            {
                "type": "object",
                "properties": {"name": TEXT, "cnpj": TEXT, "ispb": TEXT},
                "required": ["name", "cnpj", "ispb"],
                "additionalProperties": False,
            },
            lambda _, rules: {
                "name": INSTITUTION,
                "cnpj": INSTITUTION_CNPJ,
                "ispb": rules.ispb,
            },
        ),
    ),
)
"""The seventeen members of §6.9."""

PIX_KEY = Shape(
    "PixKey",
    (
        Part("key", TEXT, "key"),
        Part("key_type", {"enum": ["cpf", "cnpj", "email", "phone", "evp"]}, "key_type"),
        Part("status", {"enum": ["active", "pending", "portability"]}, "status"),
        Part("created_at", TIME, "created_at"),
    ),
)

_CASE = (
    Part("id", UUID, "id"),
    Part("type", {"enum": ["REFUND_REQUEST", "REFUND_CANCELLED"]}, "type"),
    Part("status", {"enum": ["ACKNOWLEDGED", "CLOSED", "CANCELLED"]}, "status"),
    Part("amount", BASE_UNITS, "amount"),
    Part("original_end_to_end_id", END_TO_END, "original_end_to_end_id"),
)
_CASE_CREATED = Part("created_at", TIME, "created_at")

MED = Shape("Med", (*_CASE, _CASE_CREATED))
MED_DETAIL = Shape("MedDetail", (*_CASE, Part("reason", MAYBE_TEXT, "reason"), _CASE_CREATED))

DEFENSE = Shape(
    "DefenseSubmitted",
    (
        WORKED,
        Part("status", {"const": "defense_submitted"}, constant("defense_submitted")),
        Part("med_id", UUID, "infraction"),
        Part("block_id", UUID, "infraction"),
        Part("evidence_count", COUNT, lambda defense, _: len(defense.evidence)),
        Part("defense_submitted_at", TIME, "submitted_at"),
    ),
)

_WEBHOOK = (
    Part("id", TEXT, "id"),
    Part("url", TEXT, "url"),
    Part("events", {"type": "array", "items": TEXT, "minItems": 1}, lambda hook, _: [*hook.events]),
)
_WEBHOOK_STATE = (
    Part("description", MAYBE_TEXT, "description"),
    Part("is_active", {"type": "boolean"}, "is_active"),
    Part("created_at", TIME, "created_at"),
)

WEBHOOK = Shape("Webhook", (*_WEBHOOK, *_WEBHOOK_STATE))
WEBHOOK_CREATED = Shape(
    "WebhookCreated", (WORKED, *_WEBHOOK, Part("secret", TEXT, "secret"), *_WEBHOOK_STATE)
)

SHAPES = (
    BALANCE,
    CASH_OUT,
    CASH_IN,
    REFUND,
    TRANSACTION,
    DETAILED,
    CHARGE,
    RECEIPT,
    PIX_KEY,
    MED,
    MED_DETAIL,
    DEFENSE,
    WEBHOOK,
    WEBHOOK_CREATED,
)


def shown(found: Transaction | Charge, rules: Rules, shape: Shape = TRANSACTION) -> dict[str, Any]:
    """A transaction in the shape given, or a charge in its own."""
    return (CHARGE if isinstance(found, Charge) else shape).of(found, rules)
