"""What a use case of the keyring raises. Every message may be shown to the operator as it is."""

import re

_LONGEST_SHOWN = 80
_SECRET = re.compile(r"sk_|(?<![0-9A-Za-z])dk_[0-9A-Za-z]{4}")
"""Where a client_secret begins; where an API key does that is more than the part kept for
display."""


class KeyringError(Exception):
    """Base of all errors of the keyring: nothing was changed."""


class NotFound(KeyringError):
    """There is no such account or key."""


class Refused(KeyringError):
    """A rule forbids the change, e.g. activating a revoked key."""


class BadValue(KeyringError):
    """A value is wrong; the message says what is wrong with it and what would be right.

    Attributes:
        suggestion: the value that was probably meant, where there is one.
    """

    def __init__(self, message: str, suggestion: str | None = None) -> None:
        super().__init__(message)
        self.suggestion = suggestion


def shown(value: object) -> str:
    """`value` for an error message: cut where it is long, hidden where it may be a secret that was
    pasted into the wrong place."""
    text = value if isinstance(value, str) else repr(value)
    if looks_secret(text):
        return "a value that looks like a client_secret or an API key (not repeated here)"
    cut = text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "…"
    return repr(cut) if isinstance(value, str) else cut


def looks_secret(text: str) -> bool:
    """Whether `text` may hold a client_secret or an API key."""
    return _SECRET.search(text) is not None


def no_key(client_id: object) -> NotFound:
    """The error for a client_id that no key has."""
    return NotFound(f"there is no key {shown(client_id)}")


def no_account(account_id: object) -> NotFound:
    """The error for an account_id that no account has."""
    return NotFound(f"there is no account {shown(account_id)}")
