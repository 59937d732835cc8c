"""Packed keys are read back as they were."""

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
def test_a_packed_key_is_read_back(key: ApiKey) -> None:
    snapshot = Snapshot()
    assert snapshot.put(key) is None
    client_id = key.client_id.encode()
    packed = snapshot.packed(client_id)
    assert packed is not None
    found = snapshot.unpack(client_id, packed)
    assert found == key
    assert isinstance(found.created_at, float)
    assert snapshot.put(key) is packed
    assert len(snapshot) == 1


def test_a_key_is_found_by_all_its_secrets_and_by_no_former_one() -> None:
    snapshot = Snapshot()
    single = replace(FULL, profile="delfinance")
    snapshot.put(single)
    snapshot.put(replace(FULL, client_id="cli_2", secrets=(SecretHash(b"p" * 32),)))
    assert set(snapshot.by_digest) == {b"n" * 32, b"o" * 32}
    assert set(snapshot.by_id) == {b"cli_2"}
    snapshot.put(replace(single, secrets=(SecretHash(b"q" * 32), SecretHash(b"n" * 32, 1.0))))
    assert set(snapshot.by_digest) == {b"q" * 32, b"n" * 32}
    for client_id, packed in snapshot.by_digest.values():
        assert snapshot.packed(client_id) is packed
    assert len(snapshot) == 2


def test_nobody_is_packed_like_a_key() -> None:
    assert secrets_of(NOBODY) == (SecretHash(bytes(32)),)


@pytest.mark.parametrize("count", [0, 3])
def test_a_key_has_one_or_two_secrets(count: int) -> None:
    with pytest.raises(ValueError, match=f"one or two secrets, not {count}"):
        packed_secrets((SecretHash(bytes(32)),) * count)
