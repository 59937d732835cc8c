"""`guarita sandbox events|dead-letters|redeliver|webhook-test`: what the bank told its customers,
and what became of it."""

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from cyclopts.validators import Number

from guarita.cli import sandbox_bank
from guarita.cli.output import OK, MisuseError, RefusedError, emit, table
from guarita.cli.settings import current

if TYPE_CHECKING:
    from guarita.sandbox.webhooks.events import WrittenEvent

_LATEST = 50
_MOST = 1_000_000


def events(
    *,
    account: str | None = None,
    latest: Annotated[int, Parameter(validator=Number(gt=0, lte=_MOST))] = _LATEST,
) -> int:
    """List the webhook events the bank wrote, oldest first, and how many deliveries of each were
    made.

    An event is written whether or not a webhook subscribed to it. Waiting: an earlier event of the
    same payment is not delivered yet.

    Parameters
    ----------
    account
        Only events of this account_id.
    latest
        How many, counted from the newest.
    """
    with sandbox_bank.opened() as bank:
        from guarita.sandbox.webhooks import events as written

        if account is not None:
            sandbox_bank.require_account(bank, account)
        with bank.database.reading() as conn:
            found = written.latest(conn, account, latest)
    rows = [
        (
            *(one.event_id, one.created_at, one.event_type, one.status, one.subject),
            ", ".join(f"{count} {state}" for state, count in one.deliveries.items() if count),
        )
        for one in found
    ]
    columns = ("event_id", "at", "event", "status", "subject", "deliveries")
    text = table(columns, rows, "There are no events yet.")
    emit(current().json, [_event(one) for one in found], text)
    return OK


def dead_letters(*, account: str | None = None) -> int:
    """List deliveries that were given up after the last attempt, oldest event first.

    Parameters
    ----------
    account
        Only those of this account_id.
    """
    with sandbox_bank.opened() as bank:
        from guarita.sandbox.webhooks import dead_letters as letters

        if account is not None:
            sandbox_bank.require_account(bank, account)
        with bank.database.reading() as conn:
            found = letters.of(conn, account)
    documents = [
        {
            "event_id": one.event_id,
            "event_type": one.event_type,
            "account": one.account,
            "webhook": one.webhook,
            "subject": one.subject,
            "attempts": one.attempts,
            "last_status": one.last_status,
            "last_error": one.last_error,
            "finished_at": one.finished_at,
        }
        for one in found
    ]
    columns = ("event_id", "event_type", "webhook", "attempts", "last_status", "last_error")
    rows = [[document[name] for name in columns] for document in documents]
    emit(current().json, documents, table(columns, rows, "There are no dead letters."))
    return OK


def redeliver(
    event_id: str | None = None,
    /,
    *,
    every: Annotated[bool, Parameter(name="--all")] = False,
    account: str | None = None,
) -> int:
    """Send dead letters again, from the first attempt on. A running bank takes them up within a
    second.

    Parameters
    ----------
    event_id
        The event, as `guarita sandbox dead-letters` shows it.
    every
        All dead letters instead of one event's.
    account
        With --all: only those of this account_id.
    """
    if (event_id is None) != every or (account is not None and not every):
        raise MisuseError("say what to send again: an EVENT_ID, or --all (with --account or not)")
    with sandbox_bank.opened() as bank:
        from guarita.sandbox.webhooks import dead_letters as letters

        if account is not None:
            sandbox_bank.require_account(bank, account)
        with bank.database.writing() as conn:
            if every:
                sent = letters.redeliver_all(conn, account, at=bank.now())
            else:
                of_event = [one for one in letters.of(conn) if one.event_id == event_id]
                if not of_event:
                    raise RefusedError(f"there is no dead letter of event {event_id}")
                for letter in of_event:
                    letters.redeliver(conn, letter.number, at=bank.now())
                sent = len(of_event)
    emit(current().json, {"redelivered": sent}, f"Deliveries to make again: {sent}")
    return OK


def webhook_test(webhook_id: str, /) -> int:
    """Send a webhook the event webhook.test, whether it subscribed to it or not.

    Parameters
    ----------
    webhook_id
        As POST /webhooks answered it (wh_…).
    """
    with sandbox_bank.opened() as bank:
        from guarita.sandbox.webhooks import subscriptions

        with bank.database.writing() as conn:
            account = subscriptions.owner_of(conn, webhook_id)
            if account is None:
                raise RefusedError(
                    f"there is no webhook {webhook_id!r}: give the id that GET /webhooks shows"
                    " (wh_…)"
                )
            event_id = subscriptions.send_test(conn, account, webhook_id, at=bank.now())
    emit(current().json, {"event_id": event_id}, f"Event {event_id} is on its way.")
    return OK


def _event(event: "WrittenEvent") -> dict[str, Any]:
    return {
        "event_id": event.event_id,
        "event_type": event.event_type,
        "status": event.status,
        "account": event.account,
        "subject": event.subject,
        "created_at": event.created_at,
        "body": event.body,
        "deliveries": dict(event.deliveries),
    }
