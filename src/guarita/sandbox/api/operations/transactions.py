"""Looking transactions up: by id, end-to-end id, external id and tag, the list, the statement and
receipts (§6.5 to §6.10).

What belongs here: the queries, and the parameters of the list.
"""

from guarita.sandbox.api.bodies import Member, Query
from guarita.sandbox.api.endpoint import Call, Reply
from guarita.sandbox.api.fields import Choice, Day, Positive
from guarita.sandbox.api.shapes import DETAILED, RECEIPT, TRANSACTION, shown
from guarita.sandbox.books.statement import MAX_PER_PAGE, STATUSES, TYPES, StatementQuery

MAX_PAGE = 1_000_000_000

STATEMENT_QUERY = Query(
    (
        Member("page", Positive(MAX_PAGE), "Which page, from 1.", default=1),
        Member("per_page", Positive(MAX_PER_PAGE), "How many a page.", default=20),
        Member(
            "status",
            Choice(tuple(STATUSES)),
            "`pending`, `completed`, `failed`, or a state as transactions show it.",
        ),
        Member("type", Choice(TYPES), "This bank does `pix` alone: the others have no rows."),
        Member("date_from", Day(), "The first day (UTC) on which they were created."),
        Member("date_to", Day(), "The last day (UTC) on which they were created."),
    )
)


def by_id(call: Call) -> Reply:
    """The latest known state of a transaction or charge."""
    found = call.bank.transaction(call.account, call.path["id"])
    return Reply({"worked": True, "data": shown(found, call.rules)})


def by_end_to_end_id(call: Call) -> Reply:
    """A transaction by its end-to-end id; never a charge."""
    found = call.bank.by_end_to_end_id(call.account, call.path["e2e_id"])
    return Reply({"worked": True, "data": DETAILED.of(found, call.rules)})


def by_external_id(call: Call) -> Reply:
    """A transaction or charge by the caller's own id."""
    found = call.bank.by_external_id(call.account, call.path["external_id"])
    return Reply({"worked": True, "data": shown(found, call.rules, DETAILED)})


def by_tag(call: Call) -> Reply:
    """Transactions and charges whose id starts so, newest first, at most 50."""
    found = call.bank.by_tag(call.account, call.path["tag"])
    return Reply({"worked": True, "data": [shown(each, call.rules) for each in found]})


def receipt(call: Call) -> Reply:
    """The receipt of a transaction in a final state."""
    found = call.bank.receipt(call.account, call.path["id"])
    return Reply({"worked": True, "receipt": RECEIPT.of(found, call.rules)})


def statement(call: Call) -> Reply:
    """A page of the account's transactions, newest first."""
    query = StatementQuery(**call.values)
    page = call.bank.statement(call.account, query)
    data = [TRANSACTION.of(each, call.rules) for each in page]
    return Reply({"worked": True, "data": data, "page": query.page, "per_page": query.per_page})
