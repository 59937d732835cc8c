"""What a use case of the keyring raises. Every message may be shown to the operator as it is."""

_LONGEST_SHOWN = 80


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
    if "sk_" in text:
        return "a value that looks like a client_secret (not repeated here)"
    cut = text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "…"
    return repr(cut) if isinstance(value, str) else cut


def no_key(client_id: object) -> NotFound:
    """The error for a client_id that no key has."""
    return NotFound(f"there is no key {shown(client_id)}")


def no_account(account_id: object) -> NotFound:
    """The error for an account_id that no account has."""
    return NotFound(f"there is no account {shown(account_id)}")
