"""What the keyring needs of a store: the contract of `stores.memory_keyring` and
`stores.sqlite.keyring`, held together by one conformance suite.

Every change is one atomic transaction that moves a global revision up by one and stamps with it the
keys that read differently afterwards: the changed key, or all keys of a changed account. A reader
that knows revision n therefore asks for "what is newer than n" and misses nothing.
"""

from collections.abc import Callable
from typing import Protocol

from guarita.records import Account, ApiKey


class Repository(Protocol):
    """Accounts and keys, kept. Thread-safe. Every method raises `guarita.asks.Outage` where the
    store is out of reach."""

    def insert_account(self, account: Account) -> None:
        """Keeps a new account. Raises Refused where its id is taken."""
        ...

    def update_account(self, account_id: str, change: Callable[[Account], Account]) -> Account:
        """Replaces an account by what `change` makes of it, inside one transaction; returns it.

        Two callers never overwrite each other's change. What `change` raises, this raises, and
        nothing is changed; an equal record changes nothing either. `account_id` cannot be changed.

        Raises:
            NotFound: there is no such account.
        """
        ...

    def account(self, account_id: str) -> Account | None: ...

    def accounts(self) -> list[Account]:
        """All accounts, in the order they were made."""
        ...

    def insert_key(self, key: ApiKey) -> ApiKey:
        """Keeps a new key of the account `key.account.account_id`; returns it with the account as
        it is kept.

        Raises:
            NotFound: there is no such account.
            Refused: the client_id is taken.
        """
        ...

    def update_key(self, client_id: str, change: Callable[[ApiKey], ApiKey]) -> ApiKey:
        """As `update_account`, for a key; neither `client_id` nor `account` can be changed."""
        ...

    def key(self, client_id: str) -> ApiKey | None: ...

    def keys(self, account_id: str | None = None) -> list[ApiKey]:
        """All keys, or those of one account, in the order they were made."""
        ...

    def revision(self) -> int:
        """How many changes there have been; 0 in a new store."""
        ...

    def changed_since(self, revision: int) -> tuple[int, list[ApiKey]]:
        """The keys changed after `revision`, oldest change first, and the revision up to which the
        list is complete.

        A long list comes in parts: ask again with the revision returned, until it is the one given.
        """
        ...

    def touched(self) -> tuple[int, int]:
        """(generation, version), cheap to get: the version differs from the last one whenever
        anything may have changed; another generation may be another database altogether (a restored
        backup), of which everything is to be read anew."""
        ...

    def close(self) -> None: ...
