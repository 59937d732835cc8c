"""The table of webhook events: their names, the `status` each body may carry, whether money is
settled by then (fact sheet §7.1).

What belongs here: the table. What does not: bodies (`pix.notices`) and delivery.
"""

from dataclasses import dataclass

WEBHOOK_TEST = "webhook.test"


@dataclass(frozen=True, slots=True)
class EventType:
    """One kind of event. `settled` is whether the money it tells of has moved for good: `None`
    where that does not apply. `sent` is false for an event that can be subscribed to but does not
    happen yet.
    """

    name: str
    statuses: tuple[str, ...]
    settled: bool | None
    remark: str
    sent: bool = True


EVENT_TYPES: dict[str, EventType] = {
    row.name: row
    for row in (
        EventType("pix.charge.created", ("created",), False, "a QR code waits to be paid"),
        EventType("pix.charge.paid", ("paid",), True, "money came in, less the fee"),
        EventType("pix.charge.expired", ("expired",), None, "nobody paid in time"),
        EventType("pix.charge.cancelled", ("cancelled",), None, "reserved", sent=False),
        EventType("pix.payout.queued", ("queued",), False, "tried again by itself; no debit yet"),
        EventType("pix.payout.processing", ("processing",), False, "the money is on hold"),
        EventType("pix.payout.held", ("processing",), False, "under review; do not resubmit"),
        EventType("pix.payout.confirmed", ("settled",), True, "the money has left"),
        EventType("pix.payout.failed", ("rejected",), False, "the hold is released"),
        EventType("pix.payout.returned", ("returned",), True, "the receiver gave it all back"),
        EventType("pix.refund.requested", ("requested",), False, "the money is on hold"),
        EventType("pix.refund.completed", ("settled", "completed"), True, "executed or released"),
        EventType("pix.return.received", ("settled",), True, "money of a payout came back"),
        EventType("pix.infraction.created", ("ACKNOWLEDGED",), False, "money may be blocked"),
        EventType(
            "pix.infraction.defense_submitted", ("defense_submitted",), None, "a defense arrived"
        ),
        EventType("pix.infraction.resolved", ("CLOSED", "CANCELLED"), None, "the case is closed"),
        EventType(WEBHOOK_TEST, ("test",), None, "sent on demand, to one webhook"),
    )
}
