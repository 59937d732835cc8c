"""`guarita account …`: the holders of API keys."""

from typing import Any

from cyclopts import App

from guarita.cli.output import OK, emit, fields, table
from guarita.cli.settings import current
from guarita.records import Account

app = App(name="account", help="Create, list, suspend and activate accounts.")


@app.command
def create(name: str, /) -> int:
    """Create an active account.

    Parameters
    ----------
    name
        What people call it; it need not be unique. Quote it if it contains blanks.
    """
    settings = current()
    with settings.folder(create=True) as folder:
        return _show(folder.keyring.create_account(name))


@app.command(name="list")
def list_() -> int:
    """List all accounts, oldest first."""
    settings = current()
    with settings.folder() as folder:
        accounts = folder.keyring.accounts()
    rows = [(account.account_id, account.status, account.name) for account in accounts]
    text = table(("account_id", "status", "name"), rows, "There are no accounts yet.")
    emit(settings.json, [_document(account) for account in accounts], text)
    return OK


@app.command
def show(account_id: str, /) -> int:
    """Show one account.

    Parameters
    ----------
    account_id
        As `guarita account list` shows it.
    """
    with current().folder() as folder:
        return _show(folder.keyring.account(account_id))


@app.command
def suspend(account_id: str, /) -> int:
    """Refuse every request of the account's keys until it is activated again.

    Parameters
    ----------
    account_id
        As `guarita account list` shows it.
    """
    with current().folder() as folder:
        return _show(folder.keyring.suspend_account(account_id))


@app.command
def activate(account_id: str, /) -> int:
    """End a suspension.

    Parameters
    ----------
    account_id
        As `guarita account list` shows it.
    """
    with current().folder() as folder:
        return _show(folder.keyring.activate_account(account_id))


def _document(account: Account) -> dict[str, Any]:
    return {
        "account_id": account.account_id,
        "name": account.name,
        "status": account.status.value,
    }


def _show(account: Account) -> int:
    document = _document(account)
    emit(current().json, document, fields(list(document.items())))
    return OK
