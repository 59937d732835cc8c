"""The keyring in memory: the reference for every other keyring store, and enough for tests and for
an application whose keys come from its own configuration."""

from collections.abc import Callable
from threading import RLock

from msgspec.structs import replace

from guarita.keyring.errors import Refused, no_account, no_key
from guarita.records import Account, ApiKey

_PART = 2_000


class MemoryKeyring:
    """A `guarita.keyring.Repository` that lives and ends with its process."""

    def __init__(self, *, part: int = _PART) -> None:
        """`part`: about how many keys `changed_since` gives at a time."""
        self._lock = RLock()
        self._accounts: dict[str, Account] = {}
        self._keys: dict[str, ApiKey] = {}
        self._changed_in: dict[str, int] = {}
        self._revision = 0
        self._part = part

    def insert_account(self, account: Account) -> None:
        with self._lock:
            if account.account_id in self._accounts:
                raise Refused(f"there is an account {account.account_id} already")
            self._accounts[account.account_id] = account
            self._revision += 1

    def update_account(self, account_id: str, change: Callable[[Account], Account]) -> Account:
        with self._lock:
            before = self._accounts.get(account_id)
            if before is None:
                raise no_account(account_id)
            after = change(before)
            if after.account_id != account_id:
                raise ValueError("an account_id cannot be changed")
            if after != before:
                self._revision += 1
                self._accounts[account_id] = after
                for key in self.keys(account_id):
                    self._keys[key.client_id] = replace(key, account=after)
                    self._changed_in[key.client_id] = self._revision
            return after

    def account(self, account_id: str) -> Account | None:
        return self._accounts.get(account_id)

    def accounts(self) -> list[Account]:
        with self._lock:
            return list(self._accounts.values())

    def insert_key(self, key: ApiKey) -> ApiKey:
        with self._lock:
            account = self._accounts.get(key.account.account_id)
            if account is None:
                raise no_account(key.account.account_id)
            if key.client_id in self._keys:
                raise Refused(f"there is a key {key.client_id} already")
            return self._keep(replace(key, account=account))

    def update_key(self, client_id: str, change: Callable[[ApiKey], ApiKey]) -> ApiKey:
        with self._lock:
            before = self._keys.get(client_id)
            if before is None:
                raise no_key(client_id)
            after = change(before)
            if after.client_id != client_id or after.account != before.account:
                raise ValueError("client_id and account of a key cannot be changed")
            return after if after == before else self._keep(after)

    def _keep(self, key: ApiKey) -> ApiKey:
        self._revision += 1
        self._keys[key.client_id] = key
        self._changed_in[key.client_id] = self._revision
        return key

    def key(self, client_id: str) -> ApiKey | None:
        return self._keys.get(client_id)

    def keys(self, account_id: str | None = None) -> list[ApiKey]:
        with self._lock:
            keys = list(self._keys.values())
        return [k for k in keys if account_id in (None, k.account.account_id)]

    def revision(self) -> int:
        return self._revision

    def changed_since(self, revision: int) -> tuple[int, list[ApiKey]]:
        with self._lock:
            newer = sorted((n, c) for c, n in self._changed_in.items() if n > revision)
            # Whole revisions only: all keys of one suspended account come in one part.
            complete = newer[self._part - 1][0] if len(newer) >= self._part else self._revision
            return complete, [self._keys[c] for n, c in newer if n <= complete]

    def touched(self) -> tuple[int, int]:
        return 0, self._revision

    def close(self) -> None:
        """Nothing to close."""
