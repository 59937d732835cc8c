"""Scenarios: the magic values that make the simulated counterparties, or the bank itself, behave in
a documented way, as the test cards of card companies do.

What belongs here: the one table of them, how a request chooses one, the table as Markdown. What
does not: carrying them out (`payouts`, `charges`, `refunds`, `disputes`, `settlement`; faults:
`api/faults`).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

from guarita.sandbox.pix.reasons import REASONS

Operation = Literal["cash-out", "cash-in", "refund", "defense", "other"]
"""What a request asks for; `other` is every endpoint that moves nothing."""

ANY: tuple[Operation, ...] = get_args(Operation)

HEADER = "Sandbox-Scenario"
TEXT_PREFIX = "sandbox:"
KEY_DOMAIN = "@sandbox.example"
PAGE = "docs/sandbox.md"


@dataclass(frozen=True, slots=True)
class Scenario:
    """One row of the table.

    Attributes:
        name: what a request says to choose it.
        operations: the operations it can be chosen for.
        text: what happens.
        answer: the HTTP status; `None` where it is the operation's own, or no answer comes.
        statuses: the `status` of the answer's body, then those that queries show, in order (of the
            infraction, for a defense). `None`: as without the scenario.
        events: the webhook events, in order. `None`: as without the scenario.
        reason: the `failure_reason` of what fails.
    """

    name: str
    operations: tuple[Operation, ...]
    text: str
    answer: int | None
    statuses: tuple[str, ...] | None
    events: tuple[str, ...] | None
    reason: str | None = None


class UnknownScenario(ValueError):
    """A request asks for a scenario that does not exist, or not for its operation. `where` is the
    header or the member of the body that did; the text is what the caller is told.
    """

    def __init__(self, where: str, name: str) -> None:
        known = SCENARIOS.get(name)
        problem = (
            f"unknown scenario {name[:64] or repr(name)}"
            if known is None
            else f"scenario {name} is for {' and '.join(known.operations)}"
        )
        super().__init__(f"{problem}; see {PAGE}")
        self.where = where


def _payout(
    name: str, text: str, answer: int, statuses: str, events: str, reason: str | None = None
) -> Scenario:
    of_payouts = tuple(
        event if event.startswith("pix.") else f"pix.payout.{event}" for event in events.split()
    )
    return Scenario(name, ("cash-out",), text, answer, tuple(statuses.split()), of_payouts, reason)


def _charge(name: str, text: str, statuses: str, *events: str) -> Scenario:
    created = ("pix.charge.created", *events)
    return Scenario(name, ("cash-in",), text, 200, tuple(statuses.split()), created)


def _defense(name: str, text: str, status: str, *events: str) -> Scenario:
    submitted = ("pix.infraction.defense_submitted", "pix.infraction.resolved", *events)
    return Scenario(name, ("defense",), text, 200, ("defense_submitted", status), submitted)


_PAYOUTS = (
    _payout(
        "settled",
        "The receiving bank takes the payment: what happens without a scenario.",
        200,
        "processing settled",
        "processing confirmed",
    ),
    *(
        _payout(
            f"rejected-{code.lower()}",
            f"Rejected at settlement; the held money is released. {code}: {meaning}.",
            200,
            "processing failed",
            "processing failed",
            code,
        )
        for code, meaning in REASONS.items()
    ),
    _payout(
        "held",
        "Held for review at the settlement agent, then settled.",
        200,
        "processing settled",
        "processing held confirmed",
    ),
    _payout(
        "held-rejected",
        "Held for review at the settlement agent, then rejected, and the held money released.",
        200,
        "processing failed",
        "processing held failed",
    ),
    _payout(
        "queued",
        "Queued by the protection of the key directory, without a debit; let through at the second"
        " retry, then settled.",
        202,
        "queued processing settled",
        "queued processing confirmed",
    ),
    _payout(
        "queued-expired",
        "Queued, never let through, and given up at the end of the retries.",
        202,
        "queued failed",
        "queued failed",
        "DICT",
    ),
    _payout(
        "returned",
        "Settled, and after a while given back in full by the receiver.",
        200,
        "processing settled returned",
        "processing confirmed pix.return.received returned",
    ),
    _payout(
        "returned-partly",
        "Settled, and after a while half of it given back by the receiver.",
        200,
        "processing settled",
        "processing confirmed pix.return.received",
    ),
    _payout("key-not-found", "No account has the key: refused, nothing is recorded.", 422, "", ""),
    _payout(
        "insufficient-balance",
        "Refused as if the account had too little money; nothing is recorded.",
        422,
        "",
        "",
    ),
)

_CHARGES = (
    _charge("paid", "Paid soon after.", "active paid", "pix.charge.paid"),
    _charge(
        "disputed",
        "Paid soon after; later the payer's bank reports an infraction, which blocks the money.",
        "active paid",
        "pix.charge.paid",
        "pix.infraction.created",
    ),
    _charge(
        "expired", "Expires soon after, without a payment.", "active expired", "pix.charge.expired"
    ),
)

_REFUNDS = (
    Scenario(
        "refund-released",
        ("refund",),
        "Not executed: the held money is released to the account.",
        200,
        ("processing", "failed"),
        ("pix.refund.requested", "pix.refund.completed"),
    ),
)

_DEFENSES = (
    _defense(
        "dispute-agreed",
        "The defense fails: the infraction is accepted, the blocked money refunded to the payer.",
        "CLOSED",
        "pix.refund.completed",
    ),
    _defense(
        "dispute-disagreed",
        "The defense holds: the infraction is rejected, the blocked money freed.",
        "CLOSED",
    ),
    _defense(
        "dispute-cancelled",
        "The payer's bank withdraws the infraction: the blocked money is freed.",
        "CANCELLED",
    ),
)

_ERRORS = {
    400: "Refused as malformed",
    401: "Refused as unauthorized",
    404: "Refused as not found",
    422: "Refused as impossible",
    500: "The bank fails",
    503: "The bank is out of service",
}

_FAULTS = (
    *(
        Scenario(f"error-{status}", ANY, f"{meaning}; nothing is executed.", status, (), ())
        for status, meaning in _ERRORS.items()
    ),
    *(Scenario(f"slow-{s}s", ANY, f"Served, {s} s late.", None, None, None) for s in (1, 5, 30)),
    Scenario(
        "drop-before",
        ANY,
        "The connection ends within the answer; nothing is executed.",
        None,
        (),
        (),
    ),
    Scenario(
        "drop-after",
        ANY,
        "Executed in full, then the connection ends within the answer.",
        None,
        None,
        None,
    ),
)

SCENARIOS: dict[str, Scenario] = {
    scenario.name: scenario for scenario in (*_PAYOUTS, *_CHARGES, *_REFUNDS, *_DEFENSES, *_FAULTS)
}


def choose(
    operation: Operation,
    *,
    header: str | None = None,
    text: str | None = None,
    key: str | None = None,
) -> str | None:
    """The name of the scenario a request asks for, or `None`.

    The first that asks counts: the value of the header `Sandbox-Scenario`, then `text` (the member
    `description`, or `defense_text`) that begins with `sandbox:`, then, for a cash-out, its PIX key
    `NAME@sandbox.example`. Raises `UnknownScenario` for a header or text that names no scenario of
    the operation; such a key is an ordinary key.
    """
    if header is not None:
        return _known(operation, HEADER, header.strip())
    if text is not None and text.startswith(TEXT_PREFIX):
        member = "defense_text" if operation == "defense" else "description"
        return _known(operation, member, text.removeprefix(TEXT_PREFIX))
    if operation == "cash-out" and key is not None and key.lower().endswith(KEY_DOMAIN):
        name = key.lower().removesuffix(KEY_DOMAIN)
        return name if _is_of(operation, name) else None
    return None


def _known(operation: Operation, where: str, name: str) -> str:
    if not _is_of(operation, name):
        raise UnknownScenario(where, name)
    return name


def _is_of(operation: Operation, name: str) -> bool:
    return name in SCENARIOS and operation in SCENARIOS[name].operations


def markdown() -> str:
    """The table as the documentation shows it."""
    header = ("scenario", "for", "what happens", "answer", "`status`, in order", "webhooks")
    lines = ["| " + " | ".join(header) + " |", "|---" * len(header) + "|"]
    lines += ["| " + " | ".join(_cells(scenario)) + " |" for scenario in SCENARIOS.values()]
    return "\n".join(lines)


def _cells(scenario: Scenario) -> tuple[str, ...]:
    operations = "any" if scenario.operations == ANY else ", ".join(scenario.operations)
    answer = str(scenario.answer or ("none" if scenario.name.startswith("drop-") else "its own"))
    return (
        f"`{scenario.name}`",
        operations,
        scenario.text,
        answer,
        _listed(scenario.statuses),
        _listed(scenario.events),
    )


def _listed(names: Iterable[str] | None) -> str:
    if names is None:
        return "as without it"
    return ", ".join(f"`{name}`" for name in names) or "–"
