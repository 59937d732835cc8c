"""Use cases of the keyring: what they do, what they refuse and what they say then."""

import re
from collections.abc import Callable

import pytest

from guarita.addresses import AddressSet
from guarita.keyring import AddressTest, BadValue, IssuedKey, Keyring, NotFound, Refused
from guarita.records import AccountStatus, ApiKey, KeyStatus
from guarita.stores.memory_keyring import MemoryKeyring
from tests.keyring.helpers import NOW, PEPPER, PERMISSIONS, Clock


@pytest.fixture
def issued(keyring: Keyring) -> IssuedKey:
    return keyring.create_key(keyring.create_account("Loja").account_id)


def test_an_account_is_made_found_suspended_and_activated(keyring: Keyring) -> None:
    made = keyring.create_account("Loja do João")
    assert re.fullmatch("acc_[0-9a-f]{16}", made.account_id)
    assert (made.name, made.status) == ("Loja do João", AccountStatus.ACTIVE)
    assert keyring.account(made.account_id) == made
    assert keyring.accounts() == [made]
    for _ in range(2):  # asking twice is no error
        assert keyring.suspend_account(made.account_id).status is AccountStatus.SUSPENDED
    for _ in range(2):
        assert keyring.activate_account(made.account_id) == made


def test_suspending_an_account_shows_in_its_keys(keyring: Keyring, issued: IssuedKey) -> None:
    suspended = keyring.suspend_account(issued.key.account.account_id)
    assert keyring.key(issued.key.client_id).account == suspended
    assert keyring.key(issued.key.client_id).status is KeyStatus.ACTIVE


def test_a_new_key_has_the_seeds_prefixes_and_safe_defaults(keyring: Keyring) -> None:
    account = keyring.create_account("Loja")
    issued = keyring.create_key(account.account_id)
    assert re.fullmatch("cli_[0-9a-f]{16}", issued.key.client_id)  # seed L58
    assert re.fullmatch("sk_[0-9a-f]{66}", issued.secret.reveal())  # seed L59
    key = issued.key
    assert (key.account, key.status, key.profile) == (account, KeyStatus.ACTIVE, "minhakonta")
    assert (key.permissions, key.allowlist, key.expires_at) == (frozenset(), AddressSet(), None)
    assert (key.signs, key.signature_forms, key.created_at) == (True, None, NOW)
    assert keyring.key(key.client_id) == key
    assert keyring.keys() == keyring.keys(account.account_id) == [key]


def test_a_key_is_made_with_everything_it_can_have(keyring: Keyring) -> None:
    key = keyring.create_key(
        keyring.create_account("Loja").account_id,
        permissions=["transfer:write", "transfer:read", "transfer:read"],
        allowlist=["::ffff:203.0.113.45", "2001:DB8::1"],
        expires_at=NOW + 1,
        signs=False,
        signature_forms=["raw"],
        label="caixa",
    ).key
    assert key.permissions == {"transfer:write", "transfer:read"}
    assert key.allowlist.entries == ("203.0.113.45", "2001:db8::1")
    assert (key.expires_at, key.signs, key.label) == (NOW + 1, False, "caixa")
    assert key.signature_forms == frozenset({"raw"})


def test_two_keys_share_nothing(keyring: Keyring, issued: IssuedKey) -> None:
    other = keyring.create_key(issued.key.account.account_id)
    assert other.key.client_id != issued.key.client_id
    assert other.secret.reveal() != issued.secret.reveal()
    assert other.key.secrets[0].digest != issued.key.secrets[0].digest


Act = Callable[[Keyring, str], ApiKey]
ACTS: dict[str, Act] = {
    "activate": lambda ring, c: ring.activate(c),
    "deactivate": lambda ring, c: ring.deactivate(c),
    "block": lambda ring, c: ring.block(c, "fraude"),
    "unblock": lambda ring, c: ring.unblock(c),
    "revoke": lambda ring, c: ring.revoke(c),
}
LEADS_TO: dict[KeyStatus, list[str]] = {
    KeyStatus.ACTIVE: [],
    KeyStatus.INACTIVE: ["deactivate"],
    KeyStatus.BLOCKED: ["block"],
    KeyStatus.REVOKED: ["revoke"],
}
# What each act makes of each state; text = refused, with this in the message.
AFTER: dict[tuple[KeyStatus, str], KeyStatus | str] = {
    (KeyStatus.ACTIVE, "activate"): KeyStatus.ACTIVE,
    (KeyStatus.ACTIVE, "deactivate"): KeyStatus.INACTIVE,
    (KeyStatus.ACTIVE, "block"): KeyStatus.BLOCKED,
    (KeyStatus.ACTIVE, "unblock"): "is active, not blocked",
    (KeyStatus.ACTIVE, "revoke"): KeyStatus.REVOKED,
    (KeyStatus.INACTIVE, "activate"): KeyStatus.ACTIVE,
    (KeyStatus.INACTIVE, "deactivate"): KeyStatus.INACTIVE,
    (KeyStatus.INACTIVE, "block"): "is inactive and admits nobody already",
    (KeyStatus.INACTIVE, "unblock"): "is inactive, not blocked",
    (KeyStatus.INACTIVE, "revoke"): KeyStatus.REVOKED,
    (KeyStatus.BLOCKED, "activate"): "unblock it instead",
    (KeyStatus.BLOCKED, "deactivate"): "unblock it first, or revoke it",
    (KeyStatus.BLOCKED, "block"): KeyStatus.BLOCKED,
    (KeyStatus.BLOCKED, "unblock"): KeyStatus.ACTIVE,
    (KeyStatus.BLOCKED, "revoke"): KeyStatus.REVOKED,
    (KeyStatus.REVOKED, "activate"): "revoked, which is final",
    (KeyStatus.REVOKED, "deactivate"): "revoked, which is final",
    (KeyStatus.REVOKED, "block"): "revoked, which is final",
    (KeyStatus.REVOKED, "unblock"): "revoked, which is final",
    (KeyStatus.REVOKED, "revoke"): KeyStatus.REVOKED,
}


def test_the_table_of_states_is_whole() -> None:
    assert set(AFTER) == {(state, act) for state in KeyStatus for act in ACTS}


@pytest.mark.parametrize(("state", "act"), AFTER, ids=lambda x: str(x))
def test_states(keyring: Keyring, issued: IssuedKey, state: KeyStatus, act: str) -> None:
    client_id = issued.key.client_id
    for step in LEADS_TO[state]:
        ACTS[step](keyring, client_id)
    before, after = keyring.key(client_id), AFTER[state, act]
    assert before.status is state
    if not isinstance(after, KeyStatus):
        with pytest.raises(Refused, match=re.escape(after)):
            ACTS[act](keyring, client_id)
        assert keyring.key(client_id) == before
    else:
        changed = ACTS[act](keyring, client_id)
        assert changed.status is after
        assert changed.blocked_reason == ("fraude" if after is KeyStatus.BLOCKED else None)
        assert keyring.key(client_id) == changed


def test_blocking_again_replaces_the_reason(keyring: Keyring, issued: IssuedKey) -> None:
    keyring.block(issued.key.client_id, "fraude")
    assert keyring.block(issued.key.client_id, "a pedido").blocked_reason == "a pedido"


CHANGES: dict[str, Callable[[Keyring, str], object]] = {
    "rotate": lambda ring, c: ring.rotate(c),
    "rotate at once": lambda ring, c: ring.rotate(c, overlap_s=0),
    "grant": lambda ring, c: ring.grant(c, "pix:read"),
    "deny": lambda ring, c: ring.deny(c, "pix:read"),
    "allow": lambda ring, c: ring.allow_address(c, "203.0.113.45"),
    "expiry": lambda ring, c: ring.set_expiry(c, None),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_revoked_key_is_never_changed(
    keyring: Keyring, issued: IssuedKey, change: Callable[[Keyring, str], object]
) -> None:
    revoked = keyring.revoke(issued.key.client_id)
    with pytest.raises(Refused, match="revoked, which is final"):
        change(keyring, issued.key.client_id)
    assert keyring.key(issued.key.client_id) == revoked


def test_permissions_are_granted_and_denied(keyring: Keyring, issued: IssuedKey) -> None:
    client_id = issued.key.client_id
    assert keyring.grant(client_id, "pix:read", "pix:write").permissions == {
        "pix:read",
        "pix:write",
    }
    assert keyring.deny(client_id, "pix:read", "account:read").permissions == {"pix:write"}


def test_a_permission_no_profile_knows_any_more_can_be_denied(clock: Clock) -> None:
    repository = MemoryKeyring()
    before = Keyring(repository, PEPPER, clock)
    client_id = before.create_key(
        before.create_account("Loja").account_id, permissions=["boleto:read"]
    ).key.client_id
    now = Keyring(repository, PEPPER, clock, PERMISSIONS)
    assert now.deny(client_id, "boleto:read").permissions == frozenset()
    with pytest.raises(BadValue):
        now.deny(client_id, "boleto:read")


def test_addresses_are_allowed_and_disallowed(keyring: Keyring, issued: IssuedKey) -> None:
    client_id = issued.key.client_id
    key = keyring.allow_address(client_id, "203.0.113.0/24", "::ffff:10.0.0.1", "10.0.0.1/32")
    assert key.allowlist.entries == ("203.0.113.0/24", "10.0.0.1")
    key = keyring.allow_address(client_id, "0.0.0.0/0", unsafe_any=True)
    key = keyring.allow_address(client_id, "2001:db8::1")  # keeps the unsafe one
    assert key.allowlist.entries == ("203.0.113.0/24", "10.0.0.1", "0.0.0.0/0", "2001:db8::1")
    key = keyring.disallow_address(client_id, "0.0.0.0/0", "10.0.0.1/32")
    assert key.allowlist.entries == ("203.0.113.0/24", "2001:db8::1")


def test_several_addresses_are_allowed_or_disallowed_all_or_none(
    keyring: Keyring, issued: IssuedKey
) -> None:
    client_id = issued.key.client_id
    before = keyring.allow_address(client_id, "203.0.113.45")
    with pytest.raises(BadValue):
        keyring.allow_address(client_id, "10.0.0.1", "10.0.0.300")
    with pytest.raises(BadValue):
        keyring.disallow_address(client_id, "203.0.113.45", "10.0.0.1")
    assert keyring.key(client_id) == before


def test_an_address_is_tested_against_the_list(keyring: Keyring, issued: IssuedKey) -> None:
    client_id = issued.key.client_id
    assert keyring.test_address(client_id, "203.0.113.7") == AddressTest(
        "203.0.113.7", allowed=False, entry=None, list_empty=True
    )
    keyring.allow_address(client_id, "203.0.113.0/24", "203.0.113.7")
    expected = {
        "203.0.113.7": AddressTest("203.0.113.7", True, "203.0.113.7", False),
        "::FFFF:203.0.113.8": AddressTest("203.0.113.8", True, "203.0.113.0/24", False),
        "198.51.100.1": AddressTest("198.51.100.1", False, None, False),
        "203.000.113.045": AddressTest(None, False, None, False),
        " 203.0.113.7": AddressTest(None, False, None, False),
    }
    assert {a: keyring.test_address(client_id, a) for a in expected} == expected


def test_expiry_is_set_and_lifted(keyring: Keyring, issued: IssuedKey) -> None:
    assert keyring.set_expiry(issued.key.client_id, NOW + 60).expires_at == NOW + 60
    assert keyring.set_expiry(issued.key.client_id, None).expires_at is None


MISSING: dict[str, Callable[[Keyring], object]] = {
    "account": lambda r: r.account("none"),
    "suspend": lambda r: r.suspend_account("none"),
    "activate account": lambda r: r.activate_account("none"),
    "create key": lambda r: r.create_key("none"),
    "keys": lambda r: r.keys("none"),
    "key": lambda r: r.key("none"),
    "test address": lambda r: r.test_address("none", "10.0.0.1"),
}


@pytest.mark.parametrize("act", MISSING.values(), ids=MISSING)
def test_what_is_not_there_is_named(keyring: Keyring, act: Callable[[Keyring], object]) -> None:
    with pytest.raises(NotFound, match=r"there is no (account|key) 'none'"):
        act(keyring)
    assert (keyring.keys(), keyring.accounts()) == ([], [])


ON_KEYS: dict[str, Callable[[Keyring, str], object]] = {**ACTS, **CHANGES}


@pytest.mark.parametrize("act", ON_KEYS.values(), ids=ON_KEYS)
def test_a_key_that_is_not_there_is_named(
    keyring: Keyring, act: Callable[[Keyring, str], object]
) -> None:
    with pytest.raises(NotFound, match="there is no key 'none'"):
        act(keyring, "none")
