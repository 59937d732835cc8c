"""Moving money: POST /pix/cash-out (§6.2, §6.3), /pix/cash-in (§6.1) and /pix/refund (§6.4).

What belongs here: their bodies, and from a body to an order.
"""

from guarita.sandbox.api.bodies import Body, Member, Variants
from guarita.sandbox.api.endpoint import Call, Reply
from guarita.sandbox.api.fields import END_TO_END_ID, Choice, ExternalId, Positive, Text
from guarita.sandbox.api.shapes import CASH_IN, CASH_OUT, REFUND
from guarita.sandbox.pix import charges, refunds
from guarita.sandbox.pix.charges import CashIn
from guarita.sandbox.pix.payouts import CashOut
from guarita.sandbox.pix.refunds import RefundOrder
from guarita.sandbox.pix.rules import MAX_AMOUNT_CENTAVOS
from guarita.sandbox.text import brcode, pix_keys
from guarita.sandbox.text.pix_keys import PixKey

DESCRIPTION_MAX = 140  # fact sheet §6.1 to §6.4
CITY_MAX = 140
REASON_MAX = 35  # the longest code of ISO 20022's code sets; the fact sheet checks none

AMOUNT = Member(
    "amount", Positive(MAX_AMOUNT_CENTAVOS), "Centavos: R$ 30,00 is 3000.", required=True
)
DESCRIPTION = Member("description", Text(DESCRIPTION_MAX), "What the payer is told.")
EXTERNAL_ID = Member(
    "external_id",
    ExternalId(),
    "The caller's own id: 1 to 128 of `a-z A-Z 0-9 . _ : -` after trimming. Anything else is"
    " dropped, and the request goes on without it.",
)
EMV = Member(
    "emv",
    Text(minimum=1),
    "The text of a QR code (copy and paste). The amount of a dynamic one replaces `amount`.",
    required=True,
    aliases=("codigo_copia_cola",),
)

BY_KEY = Body(
    "CashOutByKey",
    (
        AMOUNT,
        Member("pix_key", Text(minimum=1), "Whom to pay.", required=True),
        Member(
            "pix_key_type",
            Choice(pix_keys.KEY_TYPES),
            "The key's type; told from its shape where absent.",
        ),
        DESCRIPTION,
        EXTERNAL_ID,
    ),
    others=frozenset({*EMV.names, "end_to_end_id"}),
    elsewhere="goes only with emv",
    # Seed L153.
    example={
        "amount": 3000,
        "description": "Pagamento",
        "pix_key": "12345678901",
        "pix_key_type": "cpf",
    },
)
BY_EMV = Body(
    "CashOutByEmv",
    (
        AMOUNT,
        EMV,
        DESCRIPTION,
        EXTERNAL_ID,
        Member(
            "end_to_end_id",
            Text(pattern=END_TO_END_ID),
            "In place of the id the bank would derive; better left out.",
        ),
    ),
    others=frozenset({"pix_key", "pix_key_type"}),
    elsewhere="cannot be combined with emv",
    example={
        "amount": 2500,
        "emv": brcode.BrCode.static(
            PixKey("email", "ana@exemplo.test"), merchant_name="Ana", city="SAO PAULO"
        ).text,
        "external_id": "pay-78",
    },
)
CASH_OUT_BODY = Variants(BY_KEY, BY_EMV, by=EMV)

CASH_IN_BODY = Body(
    "CashIn",
    (
        AMOUNT,
        Member(
            "description",
            Text(DESCRIPTION_MAX),
            "What the payer is told.",
            default=charges.DEFAULT_DESCRIPTION,
        ),
        EXTERNAL_ID,
        Member("pix_key", Text(), "One of the account's keys; its newest where absent."),
        Member(
            "city",
            Text(CITY_MAX),
            "The receiver's city, cut to 15 characters.",
            default=charges.DEFAULT_CITY,
        ),
    ),
    example={"amount": 4590, "description": "Assinatura maio", "external_id": "sub-2041"},
)

REFUND_BODY = Body(
    "Refund",
    (
        Member(
            "original_transaction_id",
            Text(minimum=1),
            "The received payment: its transaction id, its end-to-end id, or the id of the charge"
            " it paid.",
            required=True,
            aliases=(
                "original_e2e_id",
                "originalTransactionId",
                "transaction_id",
                "end_to_end_id",
            ),
        ),
        Member(
            "amount", Positive(MAX_AMOUNT_CENTAVOS), "Centavos; what was received where absent."
        ),
        Member(
            "reason",
            Text(REASON_MAX),
            "Why: MD06 agreed, BE08 fraud, AM09 wrong amount, SL02 settlement error, RR04 not"
            " recognised. Not checked.",
            default=refunds.DEFAULT_REASON,
            aliases=("return_code",),
        ),
        Member(
            "description",
            Text(DESCRIPTION_MAX),
            "What the payer is told.",
            default=refunds.DEFAULT_DESCRIPTION,
        ),
    ),
    example={
        "amount": 1000,
        "original_transaction_id": "q7m2x0c9v4b8n1k5h3d6f2j7l8",
        "reason": "MD06",
    },
)


def cash_out(call: Call) -> Reply:
    """Take a payment in: 200 `processing`, or 202 `queued`."""
    values = call.values
    emv = None if values["emv"] is None else brcode.parse(values["emv"])
    key = values["pix_key"]
    if values["pix_key_type"] is not None:
        key = pix_keys.parse(key, values["pix_key_type"])
    order = CashOut(
        amount=values["amount"],
        pix_key=key,
        emv=emv,
        description=values["description"],
        external_id=values["external_id"],
        end_to_end_id=values["end_to_end_id"],
        scenario=call.scenario,
    )
    taken = call.bank.cash_out(call.account, order)
    return Reply(CASH_OUT.of(taken, call.rules), 202 if taken.status == "queued" else 200)


def cash_in(call: Call) -> Reply:
    """Make a QR code."""
    values = call.values
    key = values["pix_key"]
    order = CashIn(
        amount=values["amount"],
        description=values["description"],
        external_id=values["external_id"],
        pix_key=key or None,
        city=values["city"],
        scenario=call.scenario,
    )
    return Reply(CASH_IN.of(call.bank.cash_in(call.account, order), call.rules))


def refund(call: Call) -> Reply:
    """Give a received payment back."""
    values = call.values
    order = RefundOrder(
        original=values["original_transaction_id"],
        amount=values["amount"],
        reason=values["reason"],
        description=values["description"],
        scenario=call.scenario,
    )
    return Reply(REFUND.of(call.bank.refund(call.account, order), call.rules))
