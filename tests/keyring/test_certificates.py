"""Certificates registered for a key: rotation with an overlap, retirement, revocation."""

import re
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from guarita.keyring import BadValue, IssuedKey, Keyring, NotFound, Refused, Repository, Verifier
from guarita.keyring.pins import is_live
from guarita.records import ApiKey, CertificatePin
from guarita.stores.memory_keyring import MemoryKeyring
from tests.keyring.helpers import NOW, PEPPER, Clock, finds, pin

HOUR = 3600.0


@pytest.fixture
def issued(keyring: Keyring) -> IssuedKey:
    return keyring.create_key(keyring.create_account("Loja").account_id, profile="delfinance")


@pytest.fixture
def key_id(issued: IssuedKey) -> str:
    return issued.key.client_id


def live(key: ApiKey, at: float = NOW) -> list[str]:
    return [one.serial for one in key.certificates if is_live(one, at)]


def test_a_registered_certificate_is_kept_and_reaches_the_verifier(
    repository: Repository, keyring: Keyring, issued: IssuedKey, key_id: str
) -> None:
    verifier = Verifier(repository, PEPPER)
    registered = keyring.register_certificate(key_id, pin(1))
    assert registered.certificates == (pin(1),)
    assert keyring.key(key_id) == registered
    verifier.refresh()
    assert verifier.answer(finds(issued)).key == registered
    assert keyring.register_certificate(key_id, pin(1)) == registered


def test_two_are_live_during_a_rotation_and_the_former_one_ends(
    keyring: Keyring, key_id: str
) -> None:
    keyring.register_certificate(key_id, pin(1))
    key = keyring.register_certificate(key_id, pin(2), overlap_until=NOW + HOUR)
    assert key.certificates == (pin(2), replace(pin(1), valid_until=NOW + HOUR))
    assert live(key, NOW + HOUR - 0.001) == [pin(2).serial, pin(1).serial]
    assert live(key, NOW + HOUR) == [pin(2).serial]


def test_a_third_is_refused_until_one_has_ended(
    keyring: Keyring, clock: Clock, key_id: str
) -> None:
    keyring.register_certificate(key_id, pin(1))
    before = keyring.register_certificate(key_id, pin(2), overlap_until=NOW + HOUR)
    with pytest.raises(Refused, match="two live certificates until 2023-11-14T23:13:20") as raised:
        keyring.register_certificate(key_id, pin(3), overlap_until=NOW + 2 * HOUR)
    assert pin(1).serial in str(raised.value)
    assert keyring.key(key_id) == before
    clock.at = NOW + HOUR
    key = keyring.register_certificate(key_id, pin(3), overlap_until=NOW + 2 * HOUR)
    assert live(key, clock.at) == [pin(3).serial, pin(2).serial]
    assert len(key.certificates) == 2  # the first one is no longer shown


def test_without_an_overlap_all_former_ones_end_at_once(keyring: Keyring, key_id: str) -> None:
    keyring.register_certificate(key_id, pin(1))
    keyring.register_certificate(key_id, pin(2), overlap_until=NOW + HOUR)
    key = keyring.register_certificate(key_id, pin(3))
    assert live(key) == [pin(3).serial]
    assert [one.valid_until for one in key.certificates] == [None, NOW, NOW]


def test_an_overlap_never_lengthens_a_registration(keyring: Keyring, key_id: str) -> None:
    keyring.register_certificate(key_id, replace(pin(1), valid_until=NOW + 60))
    key = keyring.register_certificate(key_id, pin(2), overlap_until=NOW + HOUR)
    assert key.certificates[1].valid_until == NOW + 60


def test_a_rotation_is_taken_back_by_registering_the_former_one_again(
    keyring: Keyring, key_id: str
) -> None:
    keyring.register_certificate(key_id, pin(1))
    keyring.register_certificate(key_id, pin(2), overlap_until=NOW + HOUR)
    key = keyring.register_certificate(key_id, pin(1), overlap_until=NOW + HOUR)
    assert key.certificates == (pin(1), replace(pin(2), valid_until=NOW + HOUR))


def test_a_retired_one_can_be_registered_again(keyring: Keyring, key_id: str) -> None:
    keyring.register_certificate(key_id, pin(1))
    key = keyring.retire_certificate(key_id, pin(1).serial)
    assert key.certificates == (replace(pin(1), valid_until=NOW),)
    assert keyring.retire_certificate(key_id, pin(1).serial) == key  # no error
    assert live(key) == []
    assert live(keyring.register_certificate(key_id, pin(1))) == [pin(1).serial]


def test_a_revoked_one_is_out_for_good(keyring: Keyring, clock: Clock, key_id: str) -> None:
    keyring.register_certificate(key_id, pin(1))
    gone = replace(pin(1), revoked_at=NOW, revoked_reason="chave vazada")
    key = keyring.revoke_certificate(key_id, pin(1).serial, "chave vazada")
    assert key.certificates == (gone,)
    clock.at += 1
    assert keyring.revoke_certificate(key_id, pin(1).serial, "outra") == key
    assert keyring.retire_certificate(key_id, pin(1).serial) == key
    with pytest.raises(Refused, match=r"was revoked .* on 2023-11-14T22:13:20"):
        keyring.register_certificate(key_id, pin(1))
    key = keyring.register_certificate(key_id, pin(2), overlap_until=NOW + HOUR)
    assert key.certificates == (pin(2), gone)
    # Kept until the certificate itself has expired.
    clock.at = gone.not_after
    fresh = pin(3, not_after=clock.at + HOUR)
    assert keyring.register_certificate(key_id, fresh).certificates == (fresh,)


@pytest.mark.parametrize(
    "named",
    [
        "00000000000000AB",
        "ab",
        "00:ab",
        pin(0xAB).sha256,
        pin(0xAB).sha256.lower().replace(":", " "),
    ],
)
def test_a_certificate_is_named_by_serial_or_sha256(
    keyring: Keyring, key_id: str, named: str
) -> None:
    sha256 = bytes(range(32)).hex(":").upper()
    keyring.register_certificate(key_id, replace(pin(0xAB), sha256=pin(0xAB).sha256))
    keyring.register_certificate(key_id, replace(pin(2), sha256=sha256), overlap_until=NOW + HOUR)
    key = keyring.revoke_certificate(key_id, named, "")
    assert [one.revoked_at for one in key.certificates] == [None, NOW]
    with pytest.raises(NotFound, match="has no certificate '0C'"):
        keyring.revoke_certificate(key_id, "0C", "")


def test_a_serial_of_two_issuers_does_not_say_which(keyring: Keyring, key_id: str) -> None:
    other = replace(pin(2), serial=pin(1).serial)
    keyring.register_certificate(key_id, pin(1))
    keyring.register_certificate(key_id, other, overlap_until=NOW + HOUR)
    with pytest.raises(Refused, match="name one by its SHA-256") as raised:
        keyring.retire_certificate(key_id, pin(1).serial)
    assert other.sha256 in str(raised.value)
    assert live(keyring.retire_certificate(key_id, other.sha256)) == [pin(1).serial]


BAD: dict[str, tuple[CertificatePin, str, str | None]] = {
    "odd serial": (replace(pin(), serial="ABC"), "as `openssl x509 -serial` prints", "0ABC"),
    "lower case": (replace(pin(), serial="ab:cd"), "upper-case", "ABCD"),
    "no serial": (replace(pin(), serial=""), "serial is pairs", None),
    "text": (replace(pin(), serial="serial=01"), "serial is pairs", None),
    "no colons": (
        replace(pin(), sha256=pin().sha256.replace(":", "")),
        "-fingerprint -sha256",
        pin().sha256,
    ),
    "sha1": (replace(pin(), sha256=":".join(["AB"] * 20)), "32 pairs", None),
    "expired": (pin(not_after=NOW), "has expired already", None),
    "backwards": (replace(pin(), not_before=NOW + 100, not_after=NOW + 50), "before it", None),
    "revoked": (replace(pin(), revoked_at=NOW), "is revoked", None),
    "ended": (replace(pin(), valid_until=NOW), "would have ended already", None),
    "subject": (replace(pin(), subject="x" * 2001), "at most 2000", None),
}


@pytest.mark.parametrize(("given_pin", "message", "suggestion"), BAD.values(), ids=BAD)
def test_a_bad_certificate_is_explained(
    keyring: Keyring, key_id: str, given_pin: CertificatePin, message: str, suggestion: str | None
) -> None:
    with pytest.raises(BadValue, match=re.escape(message)) as raised:
        keyring.register_certificate(key_id, given_pin)
    assert raised.value.suggestion == suggestion
    assert keyring.key(key_id).certificates == ()


@pytest.mark.parametrize("until", [NOW, NOW - 1, float("nan"), float("inf"), "2030", True])
def test_an_overlap_ends_in_the_future(keyring: Keyring, key_id: str, until: float) -> None:
    with pytest.raises(BadValue, match="overlap_until must be a time in the future"):
        keyring.register_certificate(key_id, pin(), overlap_until=until)


ACTS: dict[str, Callable[[Keyring, str], ApiKey]] = {
    "register": lambda r, c: r.register_certificate(c, pin(2), overlap_until=NOW + 1),
    "retire": lambda r, c: r.retire_certificate(c, pin(1).serial),
    "revoke": lambda r, c: r.revoke_certificate(c, pin(1).serial, ""),
    "mode": lambda r, c: r.set_certificate_mode(c, "valid"),
}


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
def test_only_living_keys_with_certificates_can_be_changed(
    keyring: Keyring, issued: IssuedKey, act: Callable[[Keyring, str], ApiKey]
) -> None:
    pair = keyring.create_key(issued.key.account.account_id)
    with pytest.raises(BadValue, match="keys of the profile minhakonta have no client"):
        act(keyring, pair.key.client_id)
    with pytest.raises(NotFound, match="no key 'key_none'"):
        act(keyring, "key_none")
    keyring.register_certificate(issued.key.client_id, pin(1))
    keyring.revoke(issued.key.client_id)
    with pytest.raises(Refused, match="revoked, which is final"):
        act(keyring, issued.key.client_id)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["register", "replace", "retire", "revoke"]),
        st.integers(1, 5),
        st.floats(0, 10),
        st.floats(0.5, 15),
    ),
    max_size=15,
)


@given(STEPS)
def test_never_more_than_two_are_live_and_none_comes_back(
    steps: list[tuple[str, int, float, float]],
) -> None:
    clock = Clock()
    ring = Keyring(MemoryKeyring(), PEPPER, clock)
    account_id = ring.create_account("Loja").account_id
    key_id = ring.create_key(account_id, profile="delfinance").key.client_id
    revoked: set[str] = set()
    for act, number, waited, overlap in steps:
        clock.at += waited
        before = ring.key(key_id)
        chosen = pin(number)
        with suppress(Refused, NotFound):
            if act == "register":
                ring.register_certificate(key_id, chosen, overlap_until=clock.at + overlap)
            elif act == "replace":
                ring.register_certificate(key_id, chosen)
                assert live(ring.key(key_id), clock.at) == [chosen.serial]
            elif act == "retire":
                ring.retire_certificate(key_id, chosen.serial)
            else:
                ring.revoke_certificate(key_id, chosen.serial, "")
                revoked.add(chosen.serial)
        now = live(ring.key(key_id), clock.at)
        assert len(now) <= 2
        assert not revoked.intersection(now)
        assert len(set(now)) == len(now)
        # What was refused changed nothing; what was not ended by the step lives on.
        if act in ("retire", "revoke"):
            assert set(live(before, clock.at)) - {chosen.serial} == set(now)
        at_most_one_without_end = [
            one
            for one in ring.key(key_id).certificates
            if is_live(one, clock.at) and one.valid_until is None
        ]
        assert len(at_most_one_without_end) <= 1
