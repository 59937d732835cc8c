"""Keys that are one secret (Delfinance): issued, found, rotated, and never taken for a pair."""

import hmac
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

import guarita.crypto
from guarita.asks import FindKey, Verified, VerifyCredential
from guarita.crypto import MacState, secret_hash
from guarita.keyring import BadValue, IssuedKey, Keyring, Repository, Verifier
from guarita.keyring import verifier as verifier_module
from guarita.keyring.snapshot import secrets_of
from guarita.records import CertificateMode, KeyStatus
from guarita.stores.memory_keyring import MemoryKeyring
from tests.keyring.helpers import NOW, PEPPER, Clock, asks, finds


@pytest.fixture
def issued(keyring: Keyring) -> IssuedKey:
    return keyring.create_key(
        keyring.create_account("Loja").account_id,
        profile="delfinance",
        allowlist=["203.0.113.0/24"],
    )


def test_a_new_key_is_one_secret_of_256_bits(keyring: Keyring, issued: IssuedKey) -> None:
    key, text = issued.key, issued.secret.reveal()
    assert re.fullmatch("key_[0-9a-f]{16}", key.client_id)
    assert re.fullmatch("dk_[0-9a-f]{64}", text)
    assert (key.profile, key.shown) == ("delfinance", text[:6])
    assert [one.digest for one in key.secrets] == [secret_hash(PEPPER, text.encode())]
    assert (key.permissions, key.signs, key.certificates) == (frozenset(), False, ())
    assert key.certificate_mode is CertificateMode.STRICT
    assert keyring.key(key.client_id) == key


@pytest.mark.parametrize("mode", ["strict", "valid", "unsafe_off", "unsafe-off"])
def test_the_certificate_mode_is_chosen_and_changed(
    keyring: Keyring, issued: IssuedKey, mode: str
) -> None:
    account_id, chosen = issued.key.account.account_id, CertificateMode(mode.replace("-", "_"))
    made = keyring.create_key(account_id, profile="delfinance", certificate_mode=mode)
    assert made.key.certificate_mode is chosen
    assert keyring.set_certificate_mode(issued.key.client_id, mode).certificate_mode is chosen


Refused = Callable[[Keyring, str, str], object]
# What is wrong, what the message must say; called with a delfinance and a minhakonta key's ids.
WRONG: dict[str, tuple[Refused, str]] = {
    "permissions": (
        lambda r, d, _: new(r, d, profile="delfinance", permissions=["pix:read"]),
        "keys of the profile delfinance have no permissions",
    ),
    "grant": (lambda r, d, _: r.grant(d, "pix:read"), "have no permissions"),
    "deny": (lambda r, d, _: r.deny(d, "pix:read"), "have no permissions"),
    "forms": (
        lambda r, d, _: new(r, d, profile="delfinance", signature_forms=["raw"]),
        "sign nothing",
    ),
    "mode": (
        lambda r, d, _: r.set_certificate_mode(d, "strickt"),
        "there are strict, valid, unsafe_off",
    ),
    "mode at creation": (
        lambda r, d, _: new(r, d, profile="delfinance", certificate_mode="off"),
        "there are strict, valid, unsafe_off",
    ),
    "mode of a pair": (
        lambda r, d, _: new(r, d, certificate_mode="valid"),
        "keys of the profile minhakonta have no client certificates",
    ),
    "changed mode of a pair": (
        lambda r, _, m: r.set_certificate_mode(m, "valid"),
        "have no client certificates",
    ),
}


def new(ring: Keyring, client_id: str, **values: Any) -> IssuedKey:
    return ring.create_key(ring.key(client_id).account.account_id, **values)


@pytest.mark.parametrize(("act", "message"), WRONG.values(), ids=WRONG)
def test_what_a_kind_of_key_does_not_have_is_refused(
    keyring: Keyring, issued: IssuedKey, act: Refused, message: str
) -> None:
    pair = keyring.create_key(issued.key.account.account_id)
    before = keyring.keys()
    with pytest.raises(BadValue, match=re.escape(message)):
        act(keyring, issued.key.client_id, pair.key.client_id)
    assert keyring.keys() == before


def test_it_is_found_by_its_secret_alone(repository: Repository, issued: IssuedKey) -> None:
    verifier = Verifier(repository, PEPPER)
    for _ in range(2):  # decoded, then cached
        assert verifier.answer(finds(issued)) == Verified(issued.key, None, client_id_known=True)
    text = finds(issued).api_key
    for wrong in (b"", text[:-1], text + b"0", text.upper(), text[3:], b"\xff" * 67):
        assert verifier.answer(FindKey(wrong)) == Verified(None)


def test_neither_kind_passes_for_the_other(
    repository: Repository, keyring: Keyring, issued: IssuedKey
) -> None:
    pair = keyring.create_key(issued.key.account.account_id)
    verifier = Verifier(repository, PEPPER)
    for _ in range(2):  # before and after both are cached
        assert verifier.answer(FindKey(asks(pair).secret)).key is None
        assert verifier.answer(FindKey(asks(pair).client_id)).key is None
        crossed = verifier.answer(asks(issued))
        assert (crossed.key, crossed.client_id_known) == (None, False)
        assert verifier.answer(VerifyCredential(asks(pair).client_id, asks(issued).secret)) == (
            Verified(None, client_id_known=True)
        )
        assert verifier.answer(asks(pair)).key == pair.key
        assert verifier.answer(finds(issued)).key == issued.key
    assert len(verifier) == 2


def test_the_work_does_not_tell_known_keys_from_unknown_ones(
    repository: Repository, issued: IssuedKey, keyring: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    rotated = keyring.rotate(issued.key.client_id, overlap_s=60)
    blocked = new(keyring, issued.key.client_id, profile="delfinance")
    keyring.block(blocked.key.client_id, "fraude")
    pair = new(keyring, issued.key.client_id)
    clock = Clock()
    verifier = Verifier(repository, PEPPER, clock)
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
    questions = {
        "unknown": FindKey(b"dk_" + b"0" * 64),
        "empty": FindKey(b""),
        "a pair's secret": FindKey(asks(pair).secret),
        "known, never seen": finds(rotated),
        "known, cached": finds(rotated),
        "former": finds(issued),
        "blocked": finds(blocked),
    }
    done = {}
    for name, ask in questions.items():
        work.clear()
        verifier.answer(ask)
        done[name] = list(work)
    clock.at = NOW + 60
    work.clear()
    assert verifier.answer(finds(issued)).key is None
    done["former, ended"] = list(work)
    assert len({tuple(one) for one in done.values()}) == 1, done
    assert done["unknown"].count("compare") == 2


def test_no_secret_hashes_to_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MacState, "digest", lambda self, message: bytes(32))
    assert Verifier(MemoryKeyring(), PEPPER).answer(FindKey(b"dk_x")) == Verified(None)


def test_rotation_keeps_the_former_key_for_the_overlap(
    repository: Repository, keyring: Keyring, clock: Clock, issued: IssuedKey
) -> None:
    verifier = Verifier(repository, PEPPER, clock)
    assert verifier.answer(finds(issued)).key is not None
    rotated = keyring.rotate(issued.key.client_id, overlap_s=60)
    assert re.fullmatch("dk_[0-9a-f]{64}", rotated.secret.reveal())
    assert rotated.key.shown == rotated.secret.reveal()[:6]
    verifier.refresh()
    for one in (issued, rotated):
        assert verifier.answer(finds(one)).key == rotated.key
    clock.at = NOW + 60
    assert verifier.answer(finds(issued)).key is None
    assert verifier.answer(finds(rotated)).key == rotated.key
    last = keyring.rotate(issued.key.client_id, overlap_s=0)
    verifier.refresh()
    assert [verifier.answer(finds(one)).key for one in (issued, rotated, last)] == [
        None,
        None,
        last.key,
    ]
    assert verifier._snapshot.digests() == {last.key.secrets[0].digest}


def test_a_change_is_seen_after_a_refresh_and_reads_that_key_only(
    repository: Repository, keyring: Keyring, issued: IssuedKey
) -> None:
    other = new(keyring, issued.key.client_id, profile="delfinance")
    verifier = Verifier(repository, PEPPER)
    kept = verifier.answer(finds(other))
    assert verifier.answer(finds(issued)).key == issued.key
    blocked = keyring.block(issued.key.client_id, "fraude")
    assert verifier.refresh()
    assert verifier.answer(finds(issued)).key == blocked
    assert blocked.status is KeyStatus.BLOCKED
    assert verifier.answer(finds(other)) is kept
