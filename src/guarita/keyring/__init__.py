"""Accounts and API keys, and the use cases that change them. Public names only; see each module."""

from guarita.keyring.blocker import KeyBlocker
from guarita.keyring.errors import BadValue, KeyringError, NotFound, Refused
from guarita.keyring.keyring import AddressTest, IssuedKey, Keyring
from guarita.keyring.repository import Repository
from guarita.keyring.secret import Secret
from guarita.keyring.verifier import Verifier

__all__ = [
    "AddressTest",
    "BadValue",
    "IssuedKey",
    "KeyBlocker",
    "Keyring",
    "KeyringError",
    "NotFound",
    "Refused",
    "Repository",
    "Secret",
    "Verifier",
]
