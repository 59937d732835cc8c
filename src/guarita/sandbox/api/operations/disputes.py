"""Disputes (MED): the account's cases and their defense (§6.14 to §6.16)."""

from guarita.sandbox.api.bodies import Body, Member
from guarita.sandbox.api.composites import Items, Record
from guarita.sandbox.api.endpoint import Call, Reply
from guarita.sandbox.api.fields import NOT_BLANK, Text, Time
from guarita.sandbox.api.shapes import DEFENSE, MED, MED_DETAIL
from guarita.sandbox.pix.disputes import MAX_EVIDENCE, DefenseOrder

TEXT_MAX = 10_000
LINE_MAX = 2_000

_LINE = Text(LINE_MAX, minimum=1)

DEFENSE_BODY = Body(
    "Defense",
    (
        Member(
            "defense_text",
            Text(TEXT_MAX, minimum=1, pattern=NOT_BLANK),
            "Why the money was rightly received.",
            required=True,
        ),
        Member(
            "evidence",
            Items(
                Record(
                    {
                        "type": _LINE,
                        "url": _LINE,
                        "description": _LINE,
                        "source": _LINE,
                        "filename": _LINE,
                        "received_at": Time(),
                    },
                    any_of=("url", "description"),
                ),
                MAX_EVIDENCE,
            ),
            "At most ten pieces, each with `url` or `description` at least.",
        ),
    ),
    example={
        "defense_text": "Cliente retirou o produto na loja.",
        "evidence": [{"type": "photo", "description": "Recibo assinado"}],
    },
)


def cases(call: Call) -> Reply:
    """All cases of the account."""
    found = call.bank.infractions(call.account)
    return Reply({"worked": True, "meds": [MED.of(each, call.rules) for each in found]})


def case(call: Call) -> Reply:
    """One case. Its decision comes by webhook."""
    found = call.bank.infraction(call.account, call.path["id"])
    return Reply({"worked": True, "med": MED_DETAIL.of(found, call.rules)})


def defend(call: Call) -> Reply:
    """Submit the one defense of a case."""
    order = DefenseOrder(
        text=call.values["defense_text"],
        evidence=call.values["evidence"] or (),
        scenario=call.scenario,
    )
    submitted = call.bank.defend(call.account, call.path["id"], order)
    return Reply(DEFENSE.of(submitted, call.rules))
