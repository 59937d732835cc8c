"""The bodies of webhook events as documented: which members each has (fact sheet §7.1, §7.3). The
tests compare them with the bodies the bank sends.

What belongs here: their schemas. What does not: when an event arises (`pix/`) and how it is sent
(`webhooks/`).
"""

from guarita.sandbox.api.composites import nullable
from guarita.sandbox.api.fields import Schema
from guarita.sandbox.api.shapes import BASE_UNITS, END_TO_END, MAYBE_TEXT, TEXT, TIME, UUID
from guarita.sandbox.webhooks.event_types import EVENT_TYPES, EventType

_COMMON: Schema = {"account_id": {"type": "integer"}, "entity_id": UUID}
_TRANSACTION: Schema = {
    "transaction_id": TEXT,
    "end_to_end_id": END_TO_END,
    "external_id": MAYBE_TEXT,
    "amount": BASE_UNITS,
    "fee_amount": BASE_UNITS,
    "net_amount": BASE_UNITS,
}
_CHARGE: Schema = {
    "transaction_id": TEXT,
    "end_to_end_id": {"type": "null"},
    "external_id": MAYBE_TEXT,
    "amount": BASE_UNITS,
    "charge_id": TEXT,
    "expires_at": TIME,
}
_INFRACTION: Schema = {
    "med_id": UUID,
    "original_end_to_end_id": END_TO_END,
    "analysis_result": {"enum": ["AGREED", "DISAGREED", None]},
    "transaction_id": TEXT,
    "amount": BASE_UNITS,
}
_MORE: dict[str, Schema] = {
    "pix.charge.paid": {"charge_id": nullable(TEXT)},
    "pix.payout.failed": {"failure_reason": TEXT},
    "pix.return.received": {
        "original_transaction_id": TEXT,
        "original_end_to_end_id": END_TO_END,
        "reason": TEXT,
    },
}


def schema(event: EventType) -> Schema:
    """The JSON schema of the event's body."""
    members = {
        "event_type": {"const": event.name},
        "status": {"enum": list(event.statuses)},
        **_COMMON,
        **_members(event.name),
        **_MORE.get(event.name, {}),
    }
    return {
        "type": "object",
        "properties": members,
        "required": list(members),
        "additionalProperties": False,
    }


def webhooks() -> Schema:
    """The `webhooks` section of the document: one request per event that is sent."""
    return {
        event.name: {
            "post": {
                "summary": event.remark,
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": schema(event)}},
                },
                "responses": {"2XX": {"description": "Taken; anything else is tried again."}},
            }
        }
        for event in EVENT_TYPES.values()
        if event.sent
    }


def _members(name: str) -> Schema:
    if name.startswith("pix.infraction."):
        return _INFRACTION
    if name == "pix.charge.paid":
        return _TRANSACTION
    if name.startswith("pix.charge."):
        return _CHARGE
    return _TRANSACTION if name.startswith("pix.") else {}
