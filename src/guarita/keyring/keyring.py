"""The use cases that change accounts and keys, the same for the command line, the admin API and the
portal. Validates everything, decides through `changes`, keeps through a `Repository`."""

import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from msgspec.structs import replace

from guarita.addresses import AddressSet, canonical_address
from guarita.crypto import secret_hash
from guarita.keyring import changes, checks
from guarita.keyring.certificates import CertificateUseCases
from guarita.keyring.errors import BadValue, no_account, no_key
from guarita.keyring.kinds import kind_of, refuse_certificates, refuse_permissions
from guarita.keyring.repository import Repository
from guarita.keyring.secret import Secret
from guarita.records import Account, AccountStatus, ApiKey, CertificateMode, SecretHash

_DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A key with its new secret: the only time the secret is seen (seed L59, L61)."""

    key: ApiKey
    secret: Secret


@dataclass(frozen=True, slots=True)
class AddressTest:
    """What an allowlist says to one address.

    Attributes:
        address: its canonical spelling, or None where it is not an IP address.
        allowed: whether a request from there passes the allowlist.
        entry: the most specific entry that covers it.
        list_empty: the allowlist has no entry at all, which refuses everybody (seed L75).
    """

    address: str | None
    allowed: bool
    entry: str | None
    list_empty: bool


class Keyring(CertificateUseCases):
    """Accounts and keys of one installation. Thread-safe; several processes may share a store.

    Every change returns the new record. All methods raise `NotFound`, `Refused` or `BadValue`
    (`KeyringError`), having changed nothing, and `guarita.asks.Outage` where the store is out of
    reach. Which state follows which is written in `guarita.keyring.changes`.
    """

    def __init__(
        self,
        repository: Repository,
        pepper: bytes,
        clock: Callable[[], float] = time.time,
        permissions: frozenset[str] | None = None,
    ) -> None:
        """`pepper` keys the hashes of secrets, `clock` gives Unix seconds, `permissions` are the
        names that may be granted (None: any "noun:verb")."""
        super().__init__(repository, clock)
        self._pepper = pepper
        self._permissions = permissions

    # Accounts

    def create_account(self, name: str) -> Account:
        """A new, active account. Names need not differ."""
        account = Account("acc_" + secrets.token_hex(8), checks.text(name, "an account's name"))
        self._repository.insert_account(account)
        return account

    def accounts(self) -> list[Account]:
        return self._repository.accounts()

    def account(self, account_id: str) -> Account:
        account = self._repository.account(account_id)
        if account is None:
            raise no_account(account_id)
        return account

    def suspend_account(self, account_id: str) -> Account:
        """All keys of the account are refused from now on. No error where it is suspended."""
        return self._set_account(account_id, AccountStatus.SUSPENDED)

    def activate_account(self, account_id: str) -> Account:
        """Ends a suspension. No error where the account is active."""
        return self._set_account(account_id, AccountStatus.ACTIVE)

    def _set_account(self, account_id: str, status: AccountStatus) -> Account:
        return self._repository.update_account(account_id, lambda a: replace(a, status=status))

    # Keys

    def create_key(
        self,
        account_id: str,
        *,
        profile: str = "minhakonta",
        permissions: Iterable[str] = (),
        allowlist: Iterable[str] = (),
        expires_at: float | None = None,
        signs: bool = True,
        signature_forms: Iterable[str] | None = None,
        certificate_mode: str | None = None,
        label: str = "",
    ) -> IssuedKey:
        """A new, active key. Without `allowlist` it is refused until an address is allowed
        (seed L75); entries are canonical addresses or networks, `expires_at` is Unix seconds.

        Which of the others a key can have at all depends on its profile (`guarita.keyring.kinds`):
        BadValue where one is given that it cannot. `certificate_mode` None means "strict".
        """
        now = self._clock()
        kind = kind_of(checks.profile(profile))
        permissions = checks.several(permissions, "permissions")
        if permissions:
            refuse_permissions(profile)
        if kind.found_by_secret:
            signs = False
            if signature_forms is not None:
                raise BadValue(f"keys of the profile {profile} sign nothing: no signature_forms")
        if certificate_mode is not None:
            refuse_certificates(profile)
        secret = Secret.generate(kind)
        key = ApiKey(
            client_id=kind.id_prefix + secrets.token_hex(8),
            account=self.account(account_id),
            secrets=(SecretHash(self._hash(secret)),),
            profile=profile,
            expires_at=checks.expiry(expires_at, now),
            permissions=checks.permissions(permissions, self._permissions),
            allowlist=AddressSet(checks.addresses(allowlist)),
            signs=bool(signs),
            signature_forms=checks.signature_forms(signature_forms),
            label=checks.text(label, "a key's label", may_be_empty=True),
            created_at=float(int(now)),
            certificate_mode=checks.certificate_mode(certificate_mode or CertificateMode.STRICT),
            shown=secret.reveal()[: kind.shown],
        )
        return IssuedKey(self._repository.insert_key(key), secret)

    def keys(self, account_id: str | None = None) -> list[ApiKey]:
        """All keys, or those of one account."""
        if account_id is not None:
            self.account(account_id)
        return self._repository.keys(account_id)

    def key(self, client_id: str) -> ApiKey:
        key = self._repository.key(client_id)
        if key is None:
            raise no_key(client_id)
        return key

    def deactivate(self, client_id: str) -> ApiKey:
        """The key is refused until `activate`."""
        return self._repository.update_key(client_id, changes.deactivated)

    def activate(self, client_id: str) -> ApiKey:
        return self._repository.update_key(client_id, changes.activated)

    def revoke(self, client_id: str) -> ApiKey:
        """The key is refused for good. No error where it is revoked."""
        return self._repository.update_key(client_id, changes.revoked)

    def block(self, client_id: str, reason: str) -> ApiKey:
        """The key is refused until `unblock`; `reason` is for the operators."""
        reason = checks.text(reason, "the reason of a block")
        return self._repository.update_key(client_id, lambda k: changes.blocked(k, reason))

    def unblock(self, client_id: str) -> ApiKey:
        return self._repository.update_key(client_id, changes.unblocked)

    def rotate(self, client_id: str, *, overlap_s: int = _DAY_S) -> IssuedKey:
        """A new secret; the former one stays valid for `overlap_s` seconds more.

        Raises Refused while two secrets are valid, unless `overlap_s` is 0: then all former
        secrets end at once. A key that is inactive, blocked or expired stays so.
        """
        overlap_s = checks.overlap(overlap_s)
        kind = kind_of(self.key(client_id).profile)
        secret = Secret.generate(kind)
        digest, shown = self._hash(secret), secret.reveal()[: kind.shown]
        now = self._clock()
        key = self._repository.update_key(
            client_id,
            lambda k: replace(changes.rotated(k, digest, now, overlap_s), shown=shown),
        )
        return IssuedKey(key, secret)

    def set_expiry(self, client_id: str, at: float | None) -> ApiKey:
        """The key ends at `at` (Unix seconds, in the future), or never (None)."""
        at = checks.expiry(at, self._clock())
        return self._repository.update_key(client_id, lambda k: changes.changed(k, expires_at=at))

    # Permissions and addresses

    def grant(self, client_id: str, *permissions: str) -> ApiKey:
        names = checks.permissions(_some(permissions, "permission"), self._permissions)

        def granted(key: ApiKey) -> ApiKey:
            refuse_permissions(key.profile)
            return changes.changed(key, permissions=key.permissions | names)

        return self._repository.update_key(client_id, granted)

    def deny(self, client_id: str, *permissions: str) -> ApiKey:
        """Takes permissions away. A known one that the key does not hold is no error."""
        _some(permissions, "permission")

        def denied(key: ApiKey) -> ApiKey:
            refuse_permissions(key.profile)
            # A name the key holds can go even if no profile knows it any more.
            names = checks.permissions(permissions, (self._permissions or set()) | key.permissions)
            return changes.changed(key, permissions=key.permissions - names)

        return self._repository.update_key(client_id, denied)

    def allow_address(self, client_id: str, *entries: str, unsafe_any: bool = False) -> ApiKey:
        """Adds addresses or networks; all or none. `unsafe_any` admits '0.0.0.0/0' and '::/0'."""
        new = checks.addresses(_some(entries, "allowlist entry"), unsafe_any=unsafe_any)

        def allowed(key: ApiKey) -> ApiKey:
            both = (*key.allowlist.entries, *new)
            return changes.changed(key, allowlist=AddressSet(both, unsafe_any=True))

        return self._repository.update_key(client_id, allowed)

    def disallow_address(self, client_id: str, *entries: str) -> ApiKey:
        """Removes entries; all or none. One that is not in the list is an error: somebody believes
        that they have just closed a door."""
        gone = checks.addresses(_some(entries, "allowlist entry"), unsafe_any=True)

        def disallowed(key: ApiKey) -> ApiKey:
            kept = key.allowlist.entries
            for entry in gone:
                if entry not in kept:
                    raise _not_listed(key, entry)
            left = [entry for entry in kept if entry not in gone]
            return changes.changed(key, allowlist=AddressSet(left, unsafe_any=True))

        return self._repository.update_key(client_id, disallowed)

    def test_address(self, client_id: str, address: str) -> AddressTest:
        """What the key's allowlist says to `address` (seed L110: test before going to production).

        Where no entry covers it, `entry` is None; what is not an IP address is never allowed.
        """
        allowlist = self.key(client_id).allowlist
        canonical = canonical_address(address)
        entry = allowlist.match(canonical) if canonical is not None else None
        return AddressTest(canonical, entry is not None, entry, not allowlist)

    def _hash(self, secret: Secret) -> bytes:
        return secret_hash(self._pepper, secret.reveal().encode())


def _some(values: tuple[str, ...], what: str) -> tuple[str, ...]:
    if not values:
        raise BadValue(f"give at least one {what}")
    return values


def _not_listed(key: ApiKey, entry: str) -> BadValue:
    covering = key.allowlist.match(entry) if "/" not in entry else None
    near = [covering] if covering else get_close_matches(entry, key.allowlist.entries, n=1)
    if covering:
        advice = f"; it is allowed through the entry {covering!r}"
    elif near:
        advice = f"; the nearest entry is {near[0]!r}"
    else:
        advice = ""
    message = f"{entry!r} is not in the allowlist of key {key.client_id}{advice}"
    return BadValue(message, near[0] if near else None)
