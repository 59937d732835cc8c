"""What an account has and may ask: its balance (§6.11), its PIX keys (§6.12), whether a CPF is
valid (§6.13).
"""

from guarita.sandbox.api.bodies import Body, Member
from guarita.sandbox.api.endpoint import Call, Reply
from guarita.sandbox.api.fields import Text
from guarita.sandbox.api.shapes import BALANCE, PIX_KEY
from guarita.sandbox.text import documents

CPF_BODY = Body(
    "CpfValidate",
    (
        Member(
            "cpf",
            Text(minimum=1),
            "11 digits, with or without punctuation.",
            required=True,
            aliases=("document_number",),
        ),
    ),
    example={"cpf": "52998224725"},
)


def balance(call: Call) -> Reply:
    """The account's money. It is never limited in rate (§6.11)."""
    return Reply(BALANCE.of(call.bank.balance(call.account), call.rules))


def keys(call: Call) -> Reply:
    """The account's keys, oldest first. Parameters are ignored."""
    found = call.bank.pix_keys(call.account)
    return Reply({"worked": True, "keys": [PIX_KEY.of(each, call.rules) for each in found]})


def validate_cpf(call: Call) -> Reply:
    """Whether a CPF's form and check digits are right. Nobody is asked whether it was given out."""
    digits = documents.read_cpf(call.values["cpf"])
    formatted = None if digits is None else documents.format_cpf(digits)
    return Reply({"worked": True, "valid": digits is not None, "formatted": formatted})
