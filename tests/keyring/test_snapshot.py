"""Packed keys are read back as they were."""

import gc
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from guarita.keyring.snapshot import NOBODY, Snapshot, packed_secrets, secrets_of
from guarita.records import (
    Account,
    AccountStatus,
    ApiKey,
    CertificateMode,
    CertificatePin,
    KeyStatus,
    SecretHash,
)
from tests.keyring.helpers import key
from tests.keyring.test_repository import FULL

ENDS = st.none() | st.floats(0, 4e9)
PINS = st.builds(
    CertificatePin,
    st.text(),
    st.text(),
    st.text(),
    st.floats(0, 4e9),
    st.floats(0, 4e9),
    ENDS,
    ENDS,
    st.text(),
)
HASHES = st.builds(SecretHash, st.binary(min_size=32, max_size=32), ENDS)


@given(st.lists(HASHES, min_size=1, max_size=2).map(tuple))
def test_packed_secrets_are_read_back(secrets: tuple[SecretHash, ...]) -> None:
    assert secrets_of(packed_secrets(secrets) + b"rest") == secrets


@given(
    st.builds(
        ApiKey,
        client_id=st.text(st.characters(codec="ascii")),
        account=st.builds(Account, st.text(), st.text(), st.sampled_from(AccountStatus)),
        secrets=st.lists(HASHES, min_size=1, max_size=2).map(tuple),
        profile=st.sampled_from(["minhakonta", "delfinance"]),
        status=st.sampled_from(KeyStatus),
        blocked_reason=st.none() | st.text(),
        expires_at=st.none() | st.floats(0, 4e9),
        permissions=st.frozensets(st.sampled_from(["pix:read", "pix:write"])),
        allowlist=st.sampled_from([FULL.allowlist]),
        signs=st.booleans(),
        signature_forms=st.none() | st.just(frozenset({"raw"})),
        label=st.text(),
        created_at=st.floats(0, 4e9) | st.integers(0, 4_000_000_000).map(float),
        certificate_mode=st.sampled_from(CertificateMode),
        certificates=st.lists(PINS, max_size=3).map(tuple),
        shown=st.text(max_size=6),
    )
)
def test_a_packed_key_is_read_back(one: ApiKey) -> None:
    snapshot = Snapshot()
    assert snapshot.put(one) is None
    client_id = one.client_id.encode()
    packed = snapshot.packed(client_id)
    assert packed is not None
    found = snapshot.unpack(packed)
    assert found == one
    assert isinstance(found.created_at, float)
    assert snapshot.put(one) is packed
    assert len(snapshot) == 1


def test_a_key_is_found_by_all_its_secrets_and_by_no_former_one() -> None:
    snapshot = Snapshot()
    single = replace(FULL, profile="delfinance")
    snapshot.put(single)
    snapshot.put(replace(FULL, client_id="cli_2", secrets=(SecretHash(b"p" * 32),)))
    assert snapshot.digests() == {b"n" * 32, b"o" * 32}
    assert set(snapshot.by_id) == {b"cli_2"}
    snapshot.put(replace(single, secrets=(SecretHash(b"q" * 32), SecretHash(b"n" * 32, 1.0))))
    assert snapshot.digests() == {b"q" * 32, b"n" * 32}
    packed = snapshot.packed(single.client_id.encode())
    assert packed is not None
    for letter in (b"q", b"n"):
        assert snapshot.by_digest(letter * 32) is packed
    for letter in (b"o", b"p"):
        assert snapshot.by_digest(letter * 32) is None
    assert len(snapshot) == 2


def test_nobody_is_packed_like_a_key() -> None:
    assert secrets_of(NOBODY) == (SecretHash(bytes(32)),)


@pytest.mark.parametrize("count", [0, 3])
def test_a_key_has_one_or_two_secrets(count: int) -> None:
    with pytest.raises(ValueError, match=f"one or two secrets, not {count}"):
        packed_secrets((SecretHash(bytes(32)),) * count)


def test_a_key_takes_little_more_than_what_it_says() -> None:
    # Of a digest, an id, an account with its name, two addresses: 110 bytes in all.
    gc.collect()
    tracemalloc.start()
    try:
        snapshot = Snapshot()
        for number in range(20_000):
            snapshot.put(key(number, number))
        gc.collect()
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(snapshot) == 20_000
    assert taken < 20_000 * 250


def test_packed_keys_are_nothing_to_the_garbage_collector() -> None:
    snapshot = Snapshot()
    gc.collect()
    before = len(gc.get_objects())
    for number in range(2_000):
        snapshot.put(replace(key(number), profile="delfinance" if number % 2 else "minhakonta"))
    gc.collect()
    assert len(gc.get_objects()) - before < 100
