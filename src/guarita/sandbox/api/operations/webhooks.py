"""Registering, listing and deleting webhooks (§6.17, §6.18)."""

from guarita.sandbox.api.bodies import Body, Member
from guarita.sandbox.api.composites import Items
from guarita.sandbox.api.endpoint import Call, Reply
from guarita.sandbox.api.fields import PRINTABLE, Flag, Named, Text
from guarita.sandbox.api.shapes import WEBHOOK, WEBHOOK_CREATED
from guarita.sandbox.webhooks.event_types import EVENT_TYPES
from guarita.sandbox.webhooks.subscriptions import SECRET_LENGTHS, WebhookOrder
from guarita.sandbox.webhooks.targets import MAX_URL

DESCRIPTION_MAX = 140
EVENTS_MAX = 64

WEBHOOK_BODY = Body(
    "WebhookRegistration",
    (
        Member(
            "url", Text(MAX_URL, minimum=1), "Where events are sent: an https URL.", required=True
        ),
        Member(
            "events",
            Items(Named(tuple(EVENT_TYPES)), EVENTS_MAX, minimum=1),
            "The events to send.",
            required=True,
        ),
        Member(
            "secret",
            Text(SECRET_LENGTHS.stop - 1, SECRET_LENGTHS.start, PRINTABLE),
            "The key deliveries are signed with; a random one where absent. Shown in this answer"
            " alone.",
        ),
        Member("description", Text(DESCRIPTION_MAX), "A note of the caller's own."),
        Member("allow_insecure", Flag(), "Accept an http URL.", default=False),
    ),
    example={
        "url": "https://loja.example/pix/events",
        "events": ["pix.charge.paid", "pix.payout.confirmed", "pix.payout.failed"],
    },
    missing="can't be blank",
    in_family=False,
)


def create(call: Call) -> Reply:
    """Register a webhook."""
    made = call.bank.create_webhook(call.account, WebhookOrder(**call.values))
    return Reply(WEBHOOK_CREATED.of(made, call.rules), 201)


def listed(call: Call) -> Reply:
    """The account's webhooks, without their secrets."""
    found = call.bank.webhooks(call.account)
    return Reply({"worked": True, "webhooks": [WEBHOOK.of(each, call.rules) for each in found]})


def delete(call: Call) -> Reply:
    """Delete a webhook: nothing is sent to it any more."""
    call.bank.delete_webhook(call.account, call.path["id"])
    return Reply({"worked": True})
