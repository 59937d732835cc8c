"""The nineteen operations of the API: one table (seed L471-492, fact sheet §6).

What belongs here: method, path, what each takes and answers. What does not: how it does it
(`operations/`), and how the table becomes routes (`app`) or a document (`openapi`).
"""

from guarita.sandbox.api import examples, shapes
from guarita.sandbox.api.answers import answer, found, many, one, page, queries
from guarita.sandbox.api.endpoint import Answer, Endpoint, Link
from guarita.sandbox.api.operations import account, disputes, payments, transactions, webhooks
from guarita.sandbox.api.shape import envelope

PREFIX = "/api/external"

_ID = "^[A-Za-z0-9_-]{1,64}$"
_TRANSACTION_ID = "A transaction id, or the id of a charge."
_NO_TRANSACTION = {404: ("Transaction not found",)}

_BY_END_TO_END_ID = "/transactions/e2e/{e2e_id}"
_VALID = {"worked": True, "valid": True, "formatted": "529.982.247-25"}

ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        method="POST",
        path="/pix/cash-in",
        permission="pix:write",
        summary="Receive: make a QR code",
        handler=payments.cash_in,
        operation="cash-in",
        body=payments.CASH_IN_BODY,
        answers=answer(shapes.CASH_IN, examples.CHARGE, "A QR code that waits to be paid."),
        refusals={422: ("Invalid PIX key format", "PIX key not found")},
        events=("pix.charge.created", "pix.charge.paid", "pix.charge.expired"),
        links=queries(200),
    ),
    Endpoint(
        method="POST",
        path="/pix/cash-out",
        permission="transfer:write",
        summary="Pay, to a PIX key or a QR code",
        handler=payments.cash_out,
        operation="cash-out",
        body=payments.CASH_OUT_BODY,
        answers=(
            *answer(
                shapes.CASH_OUT,
                examples.PROCESSING,
                "Taken in; the money is on hold until it settles.",
            ),
            *answer(
                shapes.CASH_OUT,
                examples.QUEUED,
                "Queued by the protection of the key directory, without a debit; retried by itself"
                " for up to two hours.",
                202,
            ),
        ),
        refusals={
            422: (
                "Invalid PIX key format",
                "Insufficient balance",
                "PIX key not found",
                "Cannot pay to the same account",
                "Charge not found",
                "Too many queued payments",
            )
        },
        events=(
            "pix.payout.queued",
            "pix.payout.processing",
            "pix.payout.held",
            "pix.payout.confirmed",
            "pix.payout.failed",
            "pix.payout.returned",
            "pix.return.received",
        ),
        links=(
            *queries(200),
            *queries(202),
            Link(200, "GET", _BY_END_TO_END_ID, "/end_to_end_id"),
            Link(202, "GET", _BY_END_TO_END_ID, "/end_to_end_id"),
        ),
    ),
    Endpoint(
        method="POST",
        path="/pix/refund",
        permission="payment:write",
        summary="Give a received payment back, in whole or in part",
        handler=payments.refund,
        operation="refund",
        body=payments.REFUND_BODY,
        answers=answer(
            shapes.REFUND, examples.REFUND, "Taken in; the money is on hold until it settles."
        ),
        refusals={
            404: ("original transaction not found",),
            422: ("Refund exceeds the received amount", "Insufficient balance for refund"),
        },
        events=("pix.refund.requested", "pix.refund.completed"),
        links=(Link(200, "GET", "/transactions/{id}", "/refund_id"),),
    ),
    Endpoint(
        method="POST",
        path="/med/{id}/defense",
        permission="payment:write",
        summary="Defend a dispute",
        handler=disputes.defend,
        operation="defense",
        path_text="The id of the case.",
        path_pattern=_ID,
        body=disputes.DEFENSE_BODY,
        answers=answer(
            shapes.DEFENSE, examples.DEFENSE, "Submitted; the outcome comes by webhook."
        ),
        refusals={
            404: ("Infraction not found",),
            422: ("Infraction is closed", "Defense already submitted"),
        },
        events=("pix.infraction.defense_submitted", "pix.infraction.resolved"),
    ),
    Endpoint(
        method="POST",
        path="/cpf/validate",
        permission="account:read",
        summary="Check the form and check digits of a CPF",
        handler=account.validate_cpf,
        body=account.CPF_BODY,
        answers=(
            Answer(
                200,
                "Whether it is valid, and how it is written if so.",
                envelope({"valid": {"type": "boolean"}, "formatted": shapes.MAYBE_TEXT}),
                _VALID,
            ),
        ),
    ),
    Endpoint(
        method="POST",
        path="/webhooks",
        permission="account:write",
        summary="Register a webhook",
        handler=webhooks.create,
        body=webhooks.WEBHOOK_BODY,
        answers=answer(
            shapes.WEBHOOK_CREATED, examples.WEBHOOK, "Registered. The secret is shown once.", 201
        ),
        refusals={
            422: (
                "URL must use HTTPS",
                "events: contains invalid events: ...",
                "At most 5 webhooks per account",
            )
        },
        links=(Link(201, "DELETE", "/webhooks/{id}", "/id"),),
    ),
    Endpoint(
        method="GET",
        path="/webhooks",
        permission="account:read",
        summary="List the webhooks",
        handler=webhooks.listed,
        answers=many("webhooks", shapes.WEBHOOK, examples.WEBHOOK, "Oldest first, no secrets."),
    ),
    Endpoint(
        method="DELETE",
        path="/webhooks/{id}",
        permission="account:write",
        summary="Delete a webhook",
        handler=webhooks.delete,
        path_text="The webhook's id.",
        path_pattern=_ID,
        answers=(Answer(200, "Deleted.", envelope({}), {"worked": True}),),
        refusals={404: ("Webhook not found",)},
    ),
    Endpoint(
        method="GET",
        path="/balance",
        permission="account:read",
        summary="The account's money",
        handler=account.balance,
        answers=answer(
            shapes.BALANCE, examples.BALANCE, "`pending` is in flight or blocked by a dispute."
        ),
    ),
    Endpoint(
        method="GET",
        path="/transactions",
        permission="transfer:read",
        summary="The account's transactions",
        handler=transactions.statement,
        query=transactions.STATEMENT_QUERY,
        answers=page("A page, newest first; empty past the last one."),
    ),
    Endpoint(
        method="GET",
        path="/transactions/{id}",
        permission="transfer:read",
        summary="A transaction by its id",
        handler=transactions.by_id,
        path_text=_TRANSACTION_ID,
        path_pattern=_ID,
        answers=found(shapes.TRANSACTION, "Its latest known state."),
        refusals=_NO_TRANSACTION,
    ),
    Endpoint(
        method="GET",
        path="/transactions/e2e/{e2e_id}",
        permission="transfer:read",
        summary="A transaction by its end-to-end id",
        handler=transactions.by_end_to_end_id,
        path_text="An end-to-end id.",
        path_pattern=_ID,
        answers=one(
            "data",
            shapes.DETAILED,
            examples.PAYOUT,
            "A settled one first, then one in flight, then the latest that failed. Never a charge.",
        ),
        refusals=_NO_TRANSACTION,
    ),
    Endpoint(
        method="GET",
        path="/transactions/tag/{tag}",
        permission="transfer:read",
        summary="Transactions by the start of their ids",
        handler=transactions.by_tag,
        path_text="How the ids start.",
        answers=many(
            "data",
            shapes.TRANSACTION,
            examples.PAYOUT,
            "Newest first, at most 50; empty where none starts so.",
            (shapes.CHARGE, examples.CHARGE),
        ),
    ),
    Endpoint(
        method="GET",
        path="/transactions/ref/{external_id}",
        permission="transfer:read",
        summary="A transaction by the caller's own id",
        handler=transactions.by_external_id,
        path_text="An `external_id`.",
        path_pattern="^[a-zA-Z0-9._:-]{1,128}$",
        answers=found(
            shapes.DETAILED, "The latest with this id: a transaction, or a charge that is not paid."
        ),
        refusals=_NO_TRANSACTION,
    ),
    Endpoint(
        method="GET",
        path="/transactions/{id}/receipt",
        permission="transfer:read",
        summary="The receipt of a transaction",
        handler=transactions.receipt,
        path_text=_TRANSACTION_ID,
        path_pattern=_ID,
        answers=one("receipt", shapes.RECEIPT, examples.PAYOUT, "Once the outcome is known."),
        refusals=_NO_TRANSACTION,
    ),
    Endpoint(
        method="GET",
        path="/pix/keys",
        permission="pix:read",
        summary="The account's PIX keys",
        handler=account.keys,
        answers=many("keys", shapes.PIX_KEY, examples.KEY, "Oldest first."),
    ),
    Endpoint(
        method="GET",
        path="/med",
        permission="payment:read",
        summary="The account's disputes",
        handler=disputes.cases,
        answers=many("meds", shapes.MED, examples.INFRACTION, "All of them."),
        links=(
            Link(200, "GET", "/med/{id}", "/meds/0/id"),
            Link(200, "POST", "/med/{id}/defense", "/meds/0/id"),
        ),
    ),
    Endpoint(
        method="GET",
        path="/med/{id}",
        permission="payment:read",
        summary="A dispute",
        handler=disputes.case,
        path_text="The id of the case.",
        path_pattern=_ID,
        answers=one("med", shapes.MED_DETAIL, examples.INFRACTION, "The case."),
        refusals={404: ("Infraction not found",)},
    ),
    Endpoint(
        method="GET",
        path="/statement",
        permission="statement:read",
        summary="The account's statement",
        handler=transactions.statement,
        query=transactions.STATEMENT_QUERY,
        answers=page("A page, newest first; empty past the last one."),
    ),
)
