"""`guarita sandbox …`: the sandbox bank in the data folder, and the world around it.

Here: the tree of commands, and those that only look at the bank. What all of them share is in
`sandbox_bank`; the bank itself is imported only when a command runs.
"""

from typing import Any

from cyclopts import App

from guarita.cli import (
    sandbox_bank,
    sandbox_disputes,
    sandbox_events,
    sandbox_keys,
    sandbox_listen,
    sandbox_serve,
    sandbox_world,
)
from guarita.cli.output import OK, REFUSED, emit, fields, note, table
from guarita.cli.settings import current

app = App(
    name="sandbox",
    help="The sandbox bank: drive its payers and other banks, look into its books.",
    help_epilogue="docs/sandbox.md is a tour of ten minutes.",
)

for _command in (
    *(sandbox_world.pay, sandbox_world.settle, sandbox_world.reject, sandbox_world.hold),
    *(sandbox_world.expire, sandbox_disputes.infraction, sandbox_disputes.resolve),
    *(sandbox_keys.keys, sandbox_keys.key_add, sandbox_keys.qr),
    *(sandbox_events.events, sandbox_events.dead_letters, sandbox_events.redeliver),
    *(sandbox_events.webhook_test, sandbox_listen.listen, sandbox_serve.serve),
):
    app.command(_command)
app.command(sandbox_world.give_back, name="return")


@app.command
def check_ledger() -> int:
    """Prove that the books are right: every law of the ledger, over the whole file.

    Exit status 1 where one is broken.
    """
    with sandbox_bank.opened() as bank:
        audit = bank.check_ledger()
    document: dict[str, Any] = {
        "ok": audit.ok,
        "accounts": audit.accounts,
        "postings": audit.postings,
        "entries": audit.entries,
        "violations": list(audit.violations),
    }
    text = fields([("books", "right" if audit.ok else "WRONG"), *list(document.items())[1:]])
    emit(current().json, document, text)
    if audit.ok:
        return OK
    note(f"the books are wrong: {audit.violations[0]}")
    return REFUSED


@app.command
def scenarios() -> int:
    """List the magic values that make the bank and its counterparties behave in a chosen way."""
    with sandbox_bank.refusals():
        from guarita.sandbox.pix.scenarios import SCENARIOS
    rows = [
        (one.name, ", ".join(one.operations), one.answer, one.text) for one in SCENARIOS.values()
    ]
    documents = [
        {
            "name": one.name,
            "operations": list(one.operations),
            "text": one.text,
            "answer": one.answer,
            "statuses": None if one.statuses is None else list(one.statuses),
            "events": None if one.events is None else list(one.events),
            "reason": one.reason,
        }
        for one in SCENARIOS.values()
    ]
    emit(
        current().json,
        documents,
        table(("scenario", "for", "answer", "what happens"), rows, "There are no scenarios."),
    )
    return OK


@app.command
def openapi(*, behind_gate: bool = False) -> int:
    """Print the OpenAPI document of the bank alone, as `guarita sandbox serve` serves it.

    Parameters
    ----------
    behind_gate
        That of the bank behind the gate, as a demo serves it: with credentials, signatures,
        idempotency keys and the gate's refusals.
    """
    import json

    with sandbox_bank.refusals():
        from guarita.cli import demo_description
        from guarita.sandbox.api.openapi import document
    described = demo_description.document() if behind_gate else document()
    emit(current().json, described, json.dumps(described, indent=2, ensure_ascii=False))
    return OK
