"""The contract of `guarita.keyring.repository`, held against every store alike."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from msgspec.structs import replace

from guarita.addresses import AddressSet
from guarita.keyring import NotFound, Refused, Repository
from guarita.records import (
    Account,
    AccountStatus,
    ApiKey,
    CertificateMode,
    CertificatePin,
    KeyStatus,
    SecretHash,
)
from tests.keyring.helpers import NOW, account, key, pin

FULL = replace(
    key(),
    secrets=(SecretHash(b"n" * 32), SecretHash(b"o" * 32, NOW + 60.5)),
    status=KeyStatus.BLOCKED,
    blocked_reason="pagamento suspeito: “ação”",
    expires_at=NOW + 0.25,
    permissions=frozenset(),
    allowlist=AddressSet(["0.0.0.0/0", "::1", "10.0.0.0/8"], unsafe_any=True),
    signs=False,
    signature_forms=frozenset({"raw"}),
    label="caixa 1",
    certificate_mode=CertificateMode.VALID,
    certificates=(
        pin(1),
        replace(pin(2), valid_until=NOW + 0.125),
        CertificatePin("0F", "AB", revoked_at=NOW, revoked_reason="chave “vazada”"),
    ),
    shown="dk_0a1",
)


def all_changes(repository: Repository, since: int = 0) -> tuple[int, list[ApiKey]]:
    keys: list[ApiKey] = []
    while True:
        revision, part = repository.changed_since(since)
        keys += part
        if revision == since:
            assert part == []
            return revision, keys
        since = revision


@pytest.mark.parametrize("kept", [key(), FULL], ids=["plain", "full"])
def test_a_key_is_read_back_as_it_was_kept(repository: Repository, kept: ApiKey) -> None:
    repository.insert_account(account())
    assert repository.insert_key(kept) == kept
    assert repository.key(kept.client_id) == kept
    assert repository.keys() == [kept]
    assert all_changes(repository)[1] == [kept]
    found = repository.key(kept.client_id)
    assert found is not None
    assert found.allowlist.entries == kept.allowlist.entries


@pytest.mark.parametrize("after", [key(), FULL], ids=["plain", "full"])
def test_every_field_of_a_key_can_be_changed(repository: Repository, after: ApiKey) -> None:
    repository.insert_account(account())
    repository.insert_key(FULL if after == key() else key())
    assert repository.update_key(after.client_id, lambda _: after) == after
    assert repository.key(after.client_id) == after


def test_accounts_are_read_back_in_the_order_they_were_made(repository: Repository) -> None:
    made = [account(n) for n in (3, 1, 2)]
    for one in made:
        repository.insert_account(one)
    assert repository.accounts() == made
    assert repository.account(made[0].account_id) == made[0]
    assert repository.account("acc_none") is None
    assert repository.key("cli_none") is None


def test_keys_are_listed_in_the_order_they_were_made_and_by_account(repository: Repository) -> None:
    repository.insert_account(account(1))
    repository.insert_account(account(2))
    made = [key(9, 1), key(3, 2), key(5, 1)]
    for one in made:
        repository.insert_key(one)
    assert repository.keys() == made
    assert repository.keys(account(1).account_id) == [made[0], made[2]]
    assert repository.keys("acc_none") == []


def test_ids_are_unique_and_accounts_must_exist(repository: Repository) -> None:
    with pytest.raises(NotFound, match="no account 'acc_0000000000000001'"):
        repository.insert_key(key())
    repository.insert_account(account())
    repository.insert_key(key())
    before = repository.revision()
    with pytest.raises(Refused, match="already"):
        repository.insert_account(account())
    with pytest.raises(Refused, match="already"):
        repository.insert_key(replace(FULL, client_id=key().client_id))
    with pytest.raises(NotFound):
        repository.update_key("cli_none", lambda k: k)
    with pytest.raises(NotFound):
        repository.update_account("acc_none", lambda a: a)
    assert repository.revision() == before
    assert repository.keys() == [key()]


def test_a_new_key_gets_the_account_as_it_is_kept(repository: Repository) -> None:
    suspended = replace(account(), status=AccountStatus.SUSPENDED)
    repository.insert_account(suspended)
    assert repository.insert_key(key()).account == suspended


def test_ids_cannot_be_changed(repository: Repository) -> None:
    repository.insert_account(account(1))
    repository.insert_account(account(2))
    repository.insert_key(key())
    with pytest.raises(ValueError, match="cannot be changed"):
        repository.update_key(key().client_id, lambda k: replace(k, client_id="cli_other"))
    with pytest.raises(ValueError, match="cannot be changed"):
        repository.update_key(key().client_id, lambda k: replace(k, account=account(2)))
    with pytest.raises(ValueError, match="cannot be changed"):
        repository.update_account(account(1).account_id, lambda _: account(3))
    assert repository.keys() == [key()]


def test_each_change_moves_the_revision_and_stamps_its_key(repository: Repository) -> None:
    assert (repository.revision(), all_changes(repository)) == (0, (0, []))
    repository.insert_account(account())
    for n in (1, 2):
        repository.insert_key(key(n))
    assert repository.revision() == 3
    after = repository.update_key(key(1).client_id, lambda k: replace(k, label="x"))
    assert all_changes(repository, 3) == (4, [after])
    assert all_changes(repository, 0) == (4, [key(2), after])
    assert all_changes(repository, 4) == (4, [])


def test_what_changes_nothing_moves_nothing(repository: Repository) -> None:
    repository.insert_account(account())
    repository.insert_key(key())
    before, touched = repository.revision(), repository.touched()
    assert repository.update_key(key().client_id, lambda _: key()) == key()
    assert repository.update_account(account().account_id, lambda a: a) == account()
    assert (repository.revision(), repository.touched()[0]) == (before, touched[0])


def test_a_change_that_raises_changes_nothing(repository: Repository) -> None:
    repository.insert_account(account())
    repository.insert_key(key())
    before = repository.revision()

    def refuse(_: ApiKey | Account) -> ApiKey:
        raise Refused("no")

    with pytest.raises(Refused, match="no"):
        repository.update_key(key().client_id, refuse)
    assert repository.revision() == before
    after = repository.update_key(key().client_id, lambda k: replace(k, label="after"))
    assert repository.key(key().client_id) == after


def test_a_changed_account_stamps_all_its_keys_and_no_others(repository: Repository) -> None:
    for n in (1, 2):
        repository.insert_account(account(n))
    for n in range(1, 9):
        repository.insert_key(key(n, owner=1 + (n == 8)))
    before = repository.revision()
    suspended = repository.update_account(
        account(1).account_id, lambda a: replace(a, status=AccountStatus.SUSPENDED)
    )
    revision, keys = repository.changed_since(before)
    # One revision is one part, however long (`part` is 3 here): nobody sees half a suspension.
    assert revision == before + 1
    assert sorted(k.client_id for k in keys) == [key(n).client_id for n in range(1, 8)]
    assert {k.account for k in keys} == {suspended}
    other = repository.key(key(8).client_id)
    assert other is not None
    assert other.account == account(2)


def test_long_lists_of_changes_come_in_parts(repository: Repository) -> None:
    repository.insert_account(account())
    for n in range(1, 9):
        repository.insert_key(key(n))
    revision, part = repository.changed_since(0)
    assert part == [key(n) for n in (1, 2, 3)]
    assert revision == 4
    assert all_changes(repository) == (9, [key(n) for n in range(1, 9)])


def test_touched_differs_after_every_change(repository: Repository) -> None:
    seen = [repository.touched()]
    repository.insert_account(account())
    seen.append(repository.touched())
    repository.insert_key(key())
    seen.append(repository.touched())
    repository.update_key(key().client_id, lambda k: replace(k, signs=False))
    seen.append(repository.touched())
    assert len(set(seen)) == 4
    assert len({generation for generation, _ in seen}) == 1
    assert repository.touched() == seen[-1]


def test_concurrent_changes_of_one_key_lose_nothing(repository: Repository) -> None:
    repository.insert_account(account())
    repository.insert_key(key())
    client_id = key().client_id

    def add(n: int) -> None:
        repository.update_key(
            client_id, lambda k: replace(k, permissions=k.permissions | {f"p{n}:read"})
        )

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(24)))
    found = repository.key(client_id)
    assert found is not None
    assert found.permissions == key().permissions | {f"p{n}:read" for n in range(24)}
    assert repository.revision() == 2 + 24
