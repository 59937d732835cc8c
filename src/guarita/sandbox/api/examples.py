"""The examples of the documented answers: objects of the bank, rendered by the shapes that render
real ones. All names and numbers are invented.
"""

from dataclasses import replace

from guarita.sandbox.books.accounts import Balance, RegisteredKey
from guarita.sandbox.books.transactions import Transaction
from guarita.sandbox.pix.charges import Charge
from guarita.sandbox.pix.disputes import Defense, Infraction
from guarita.sandbox.pix.rules import Rules
from guarita.sandbox.text.brcode import BrCode
from guarita.sandbox.webhooks.subscriptions import Webhook

RULES = Rules()
BALANCE = Balance(balance=5_000_000, pending=800_000)

PAYOUT = Transaction(
    transaction_id="PIXOUT20260501k3v9t2c8w1m5x7z4",
    uuid="0d7e3c52-6f1b-4a1e-9a54-2f6f0f2f7c11",
    account="acc_1",
    kind="payout",
    direction="outbound",
    status="settled",
    in_review=False,
    amount=1_250_000,
    fee_amount=350,
    net_amount=1_250_350,
    end_to_end_id="E399292242026050112000a7c91f03b2",
    pix_key="52998224725",
    pix_key_type="cpf",
    description="Fornecedor",
    external_id="pay-77",
    counterparty_name="Ana Exemplo",
    counterparty_document="52998224725",
    counterparty_ispb="12345678",
    counterparty_bank="Banco Exemplo",
    original=None,
    charge=None,
    reason=None,
    scenario=None,
    due_ms=None,
    created_ms=1_777_636_830_000,
    created_at="2026-05-01T12:00:30Z",
    completed_at="2026-05-01T12:00:31Z",
)
PROCESSING = replace(PAYOUT, status="processing", completed_at=None)
QUEUED = replace(PROCESSING, status="queued", counterparty_name=None)

REFUND = replace(
    PAYOUT,
    transaction_id="PIXREF20260502p4d8s1j6h3g9f2a7",
    kind="refund",
    status="processing",
    amount=100_000,
    fee_amount=0,
    net_amount=100_000,
    original="PIXIN20260501q7m2x0c9v4b8n1k5",
    reason="MD06",
    completed_at=None,
)

CHARGE = Charge(
    transaction_id="q7m2x0c9v4b8n1k5h3d6f2j7l8",
    uuid="5b0c2d1e-8f3a-4c6b-9d7e-1a2b3c4d5e6f",
    account="acc_1",
    status="active",
    amount=459_000,
    description="Assinatura maio",
    external_id="sub-2041",
    pix_key="7f0c1a52-3b6d-4e8f-9a0b-1c2d3e4f5a6b",
    city="SAO PAULO",
    location="3f2a9c5e7b1d4f608a2c4e6b8d0f1a3c",
    qr_code=BrCode.dynamic(
        "pix.minhakonta.example/qr/v2/3f2a9c5e7b1d4f608a2c4e6b8d0f1a3c",
        merchant_name="Lojista 100731",
        city="SAO PAULO",
    ).text,
    scenario=None,
    due_ms=None,
    expires_ms=1_777_723_230_000,
    expires_at="2026-05-02T12:00:30Z",
    created_ms=1_777_636_830_000,
    created_at="2026-05-01T12:00:30Z",
    completed_at=None,
)

KEY = RegisteredKey(
    CHARGE.pix_key, "evp", account="acc_1", status="active", created_at="2026-04-30T09:00:00Z"
)

INFRACTION = Infraction(
    id="c2f4b0de-91a3-4c0e-8b6f-7d5e3a1f9b20",
    account="acc_1",
    transaction_id="PIXIN20260501q7m2x0c9v4b8n1k5",
    original_end_to_end_id="E123456782026050112000b8d02e14c3",
    type="REFUND_REQUEST",
    status="ACKNOWLEDGED",
    amount=50_000,
    blocked=50_000,
    reason="Golpe",
    analysis_result=None,
    scenario=None,
    due_ms=None,
    created_at="2026-05-02T10:00:00Z",
    resolved_at=None,
)

DEFENSE = Defense(
    infraction=INFRACTION.id,
    text="Cliente retirou o produto na loja.",
    evidence=({"type": "photo", "description": "Recibo assinado"},),
    submitted_at="2026-05-03T09:00:00Z",
)

WEBHOOK = Webhook(
    id="wh_3c9e5f0a7b2d4e6f8a1c3b5d7f9e0a2c",
    account="acc_1",
    url="https://loja.example/pix/events",
    events=("pix.charge.paid", "pix.payout.confirmed", "pix.payout.failed"),
    secret="whsec_example",  # noqa: S106 - nobody's
    description=None,
    allow_insecure=False,
    is_active=True,
    created_at="2026-05-01T08:00:00Z",
)
