"""The bank of the data folder, open for one command; which of its errors a user can do something
about."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from guarita.cli.output import RefusedError
from guarita.cli.settings import DATABASE as GATE_DATABASE
from guarita.cli.settings import current

if TYPE_CHECKING:
    from guarita.sandbox.bank import Bank
    from guarita.sandbox.world import World

DATABASE = "bank.db"


@contextmanager
def opened() -> Iterator["Bank"]:
    """The bank of `--data`, with the rules it is served with; what it refuses inside the block
    becomes a `RefusedError`.

    Raises:
        RefusedError: there is none. Otherwise a mistyped path would look like an empty bank.
    """
    data = current().data
    if not (data / DATABASE).is_file():
        raise RefusedError(
            f"there is no bank at {data}: it has no {DATABASE}; name another folder with --data"
            " DIR, or make a bank with `guarita demo` or `guarita sandbox serve`"
        )
    with refusals():
        from guarita.sandbox.bank import Bank

        with opening():
            bank = Bank(data)
        with bank:
            yield bank


@contextmanager
def opening() -> Iterator[None]:
    """Around what opens a bank.db: one of a newer version, or that cannot be migrated, becomes a
    `RefusedError`."""
    try:
        yield
    except RuntimeError as error:
        raise RefusedError(str(error)) from None


@contextmanager
def refusals() -> Iterator[None]:
    """Errors of the bank that a user can do something about, as `RefusedError`."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("guarita"):
            raise
        raise RefusedError(f"the sandbox needs {error.name}: pip install 'guarita[demo]'") from None
    except sqlite3.DatabaseError as error:
        raise RefusedError(f"cannot use {current().data / DATABASE}: {error}") from None
    except Exception as error:
        told = _told(error)
        if told is None:
            raise
        raise RefusedError(told) from None


@contextmanager
def world() -> Iterator["World"]:
    """What can happen to the bank of `--data` from outside; as `opened`."""
    with opened() as bank:
        from guarita.sandbox.world import World

        yield World(bank)


def require_account(bank: "Bank", account: str) -> None:
    """Raises RefusedError for an account that neither bank nor keyring knows: looking at a mistyped
    one must not open it, with money."""
    from guarita.sandbox.books import accounts

    with bank.database.reading() as conn:
        known = accounts.customer(conn, account) is not None
    settings = current()
    if not known and (settings.data / GATE_DATABASE).exists():
        with settings.folder() as folder:
            known = any(one.account_id == account for one in folder.keyring.accounts())
    if not known:
        raise RefusedError(
            f"there is no account {account} in this bank: see `guarita account list`, or open it"
            " with a first request, such as GET /balance"
        )


def _told(error: Exception) -> str | None:
    """What a refusal of the bank says; None for an error that is a bug."""
    from guarita.sandbox.books.accounts import KeyTaken, TooManyKeys
    from guarita.sandbox.refusals import Missing, Refused
    from guarita.sandbox.text.brcode import InvalidBrCode
    from guarita.sandbox.world import Impossible

    known = (Impossible, Refused, Missing, KeyTaken, TooManyKeys, InvalidBrCode)
    return str(error) if isinstance(error, known) else None
