"""The verifier: right answers, equal work, and a snapshot that follows the store."""

import hmac
from collections.abc import Callable
from threading import Thread
from types import SimpleNamespace

import pytest

import guarita.crypto
from guarita.asks import VerifyCredential
from guarita.crypto import MacState, mac_state
from guarita.keyring import IssuedKey, Keyring, Repository, Verifier
from guarita.keyring import verifier as verifier_module
from guarita.keyring.snapshot import secrets_of
from guarita.records import AccountStatus, ApiKey, KeyStatus, Verified
from guarita.stores.memory_keyring import MemoryKeyring
from tests.keyring.helpers import NOW, PEPPER, Clock, asks


@pytest.fixture
def issued(keyring: Keyring) -> IssuedKey:
    return keyring.create_key(
        keyring.create_account("Loja").account_id,
        permissions=["transfer:write"],
        allowlist=["203.0.113.0/24"],
    )


def mac_of(verified: Verified) -> MacState:
    assert verified.mac is not None
    return verified.mac


def test_a_right_secret_gives_the_key_and_its_mac(
    repository: Repository, issued: IssuedKey
) -> None:
    verifier = Verifier(repository, PEPPER)
    for _ in range(2):  # decoded, then cached
        verified = verifier.answer(asks(issued))
        assert verified.key == issued.key
        assert verified.client_id_known
        expected = mac_state(asks(issued).secret).digest(b'{"amount":1}')
        assert mac_of(verified).digest(b'{"amount":1}') == expected


def test_an_unknown_id_and_a_wrong_secret_give_no_key(
    repository: Repository, keyring: Keyring, issued: IssuedKey
) -> None:
    verifier = Verifier(repository, PEPPER)
    other = keyring.create_key(issued.key.account.account_id)
    verifier.refresh()
    right = asks(issued)
    wrong = [b"", right.secret[:-1], right.secret + b"0", right.secret.upper(), asks(other).secret]
    for secret in wrong:
        verified = verifier.answer(VerifyCredential(right.client_id, secret))
        assert (verified.key, verified.mac, verified.client_id_known) == (None, None, True)
    for client_id in (b"", b"cli_", right.client_id.upper(), right.client_id + b"\xff", b"\0" * 9):
        verified = verifier.answer(VerifyCredential(client_id, right.secret))
        assert (verified.key, verified.mac, verified.client_id_known) == (None, None, False)


def test_no_secret_hashes_to_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    # Were a secret ever to hash to NOBODY's digest, an unknown id still had no key.
    monkeypatch.setattr(MacState, "digest", lambda self, message: bytes(32))
    verified = Verifier(MemoryKeyring(), PEPPER).answer(VerifyCredential(b"cli_x", b"sk_x"))
    assert (verified.key, verified.client_id_known) == (None, False)


def test_the_work_does_not_tell_known_ids_from_unknown_ones(
    repository: Repository, issued: IssuedKey, keyring: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    keyring.rotate(keyring.create_key(issued.key.account.account_id).key.client_id)
    verifier = Verifier(repository, PEPPER)
    work: list[str] = []

    def counted(name: str, function: Callable[..., object]) -> Callable[..., object]:
        def count(*args: object) -> object:
            work.append(name)
            return function(*args)

        return count

    compare = SimpleNamespace(compare_digest=counted("compare", hmac.compare_digest))
    monkeypatch.setattr(guarita.crypto, "hmac", compare)
    monkeypatch.setattr(MacState, "digest", counted("hash", MacState.digest))
    monkeypatch.setattr(verifier_module, "secrets_of", counted("look", secrets_of))
    right = asks(issued)
    questions = {
        "unknown id": VerifyCredential(b"cli_0000000000000000", right.secret),
        "wrong secret, never seen": VerifyCredential(right.client_id, b"sk_wrong"),
        "right secret, never seen": right,
        "right secret, cached": right,
        "wrong secret, cached": VerifyCredential(right.client_id, b"sk_wrong"),
        "unknown id, no secret": VerifyCredential(b"", b""),
    }
    done = {}
    for name, ask in questions.items():
        work.clear()
        verifier.answer(ask)
        done[name] = list(work)
    assert done == {name: ["look", "hash", "compare", "compare"] for name in questions}


def test_a_former_secret_is_accepted_until_its_end(
    repository: Repository, keyring: Keyring, clock: Clock, issued: IssuedKey
) -> None:
    verifier = Verifier(repository, PEPPER, clock)
    assert verifier.answer(asks(issued)).key is not None
    rotated = keyring.rotate(issued.key.client_id, overlap_s=60)
    verifier.refresh()
    old, new = verifier.answer(asks(issued)), verifier.answer(asks(rotated))
    assert old.key == new.key == rotated.key
    assert mac_of(old).digest(b"x") == mac_state(asks(issued).secret).digest(b"x")
    assert mac_of(new).digest(b"x") == mac_state(asks(rotated).secret).digest(b"x")
    clock.at = NOW + 60
    assert verifier.answer(asks(issued)).key is None
    assert verifier.answer(asks(rotated)).key == rotated.key


def test_states_are_told_to_a_right_secret_only(
    repository: Repository, keyring: Keyring, issued: IssuedKey
) -> None:
    verifier = Verifier(repository, PEPPER)
    keyring.block(issued.key.client_id, "fraude")
    keyring.suspend_account(issued.key.account.account_id)
    assert verifier.refresh()
    key = verifier.answer(asks(issued)).key
    assert key is not None
    assert (key.status, key.account.status) == (KeyStatus.BLOCKED, AccountStatus.SUSPENDED)
    assert verifier.answer(VerifyCredential(asks(issued).client_id, b"sk_wrong")).key is None


def test_refreshing_reads_only_what_changed(
    repository: Repository, keyring: Keyring, issued: IssuedKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    account_id = issued.key.account.account_id
    for _ in range(5):
        keyring.create_key(account_id)
    verifier = Verifier(repository, PEPPER)
    assert len(verifier) == 6
    read: list[str] = []
    real = repository.changed_since

    def noted(revision: int) -> tuple[int, list[ApiKey]]:
        complete, keys = real(revision)
        read.extend(key.client_id for key in keys)
        return complete, keys

    monkeypatch.setattr(repository, "changed_since", noted)
    assert not verifier.refresh()
    keyring.grant(issued.key.client_id, "pix:read")
    assert verifier.refresh()
    assert not verifier.refresh()
    assert read == [issued.key.client_id]
    found = verifier.answer(asks(issued)).key
    assert found is not None
    assert found.permissions == {"transfer:write", "pix:read"}
    keyring.suspend_account(account_id)
    assert verifier.refresh()
    assert len(read) == 1 + 6
    assert len(verifier) == 6


def test_a_changed_key_leaves_the_cache_and_others_stay(
    repository: Repository, keyring: Keyring, issued: IssuedKey
) -> None:
    other = keyring.create_key(issued.key.account.account_id)
    verifier = Verifier(repository, PEPPER)
    before = verifier.answer(asks(other))
    assert verifier.answer(asks(other)) is before
    verifier.answer(asks(issued))
    keyring.rotate(issued.key.client_id, overlap_s=0)
    verifier.refresh()
    assert list(verifier._hot) == [other.key.secrets[0].digest]
    assert verifier.answer(asks(other)) is before
    assert verifier.answer(asks(issued)).key is None


def test_a_cached_answer_counts_for_the_record_it_was_made_of_only(
    repository: Repository, keyring: Keyring, issued: IssuedKey
) -> None:
    verifier = Verifier(repository, PEPPER)
    verifier.answer(asks(issued))
    stale = dict(verifier._hot)
    keyring.revoke(issued.key.client_id)
    verifier.refresh()
    # As another thread sees it between the two halves of a refresh.
    verifier._hot.update(stale)
    key = verifier.answer(asks(issued)).key
    assert key is not None
    assert key.status is KeyStatus.REVOKED


def test_the_cache_is_bounded(repository: Repository, keyring: Keyring) -> None:
    account_id = keyring.create_account("Loja").account_id
    issued = [keyring.create_key(account_id) for _ in range(5)]
    verifier = Verifier(repository, PEPPER, hot_keys=2)
    for one in issued * 2:
        assert verifier.answer(asks(one)).key == one.key
        assert len(verifier._hot) <= 2
    for one in issued:
        verifier.answer(VerifyCredential(asks(one).client_id, b"sk_wrong"))
    assert list(verifier._hot) == [one.key.secrets[0].digest for one in issued[-2:]]


def test_a_store_set_back_to_an_earlier_state_is_read_anew(clock: Clock) -> None:
    repository = MemoryKeyring()
    ring = Keyring(repository, PEPPER, clock)
    kept = ring.create_key(ring.create_account("Loja").account_id)
    backup = dict(repository.__dict__, _keys=dict(repository._keys))
    gone = ring.create_key(kept.key.account.account_id)
    verifier = Verifier(repository, PEPPER)
    assert verifier.answer(asks(gone)).key is not None
    repository.__dict__.update(backup)
    repository._changed_in.pop(gone.key.client_id)
    assert verifier.refresh()
    assert verifier._hot == {}
    assert verifier.answer(asks(gone)).key is None
    assert verifier.answer(asks(kept)).key == kept.key


def test_answers_given_while_keys_change_are_never_mixed(clock: Clock) -> None:
    repository = MemoryKeyring()
    ring = Keyring(repository, PEPPER, clock)
    account_id = ring.create_account("Loja").account_id
    issued = [ring.create_key(account_id, label=f"k{n}") for n in range(4)]
    verifier = Verifier(repository, PEPPER, clock, hot_keys=2)
    wrong: list[object] = []

    def ask() -> None:
        for _ in range(1500):
            for n, one in enumerate(issued):
                key = verifier.answer(asks(one)).key
                # Each change sets both fields: a mixture would show.
                if (
                    key is None
                    or key.label != f"k{n}"
                    or len(key.permissions) != len(key.allowlist)
                ):
                    wrong.append(key)

    def change(n: int) -> Callable[[ApiKey], ApiKey]:
        entries = [f"10.0.0.{i}" for i in range(n)]

        def to(key: ApiKey) -> ApiKey:
            from msgspec.structs import replace

            from guarita.addresses import AddressSet

            names = frozenset(f"p{i}:read" for i in range(n))
            return replace(key, permissions=names, allowlist=AddressSet(entries))

        return to

    threads = [Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    n = 0
    while any(thread.is_alive() for thread in threads):
        n += 1
        repository.update_key(issued[n % 4].key.client_id, change(n % 7))
        verifier.refresh()
        if n % 5 == 0:
            with verifier._refreshing:
                verifier._read_anew()
    assert wrong == []
    assert n > 5
