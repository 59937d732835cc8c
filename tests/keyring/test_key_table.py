"""Tables of packed keys go as dicts do, whatever collides, and packed addresses are read back."""

from ipaddress import IPv4Network, IPv6Network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from guarita.addresses import AddressSet
from guarita.keyring.key_table import ByDigest, ById, id_of
from guarita.keyring.packed_addresses import packed_entries, unpacked_entries
from guarita.keyring.snapshot import Snapshot, packed_secrets, secrets_of
from guarita.records import SecretHash
from tests.keyring.helpers import key

IDS = st.binary(max_size=3) | st.binary(min_size=250, max_size=255)
STEPS = st.lists(st.tuples(IDS, st.booleans(), st.binary(max_size=3)), max_size=60)


def packed_key(client_id: bytes, rest: bytes = b"", digest: bytes = bytes(32)) -> bytes:
    return packed_secrets((SecretHash(digest),)) + rest + client_id + bytes([len(client_id)])


@given(STEPS)
def test_keys_by_id_go_as_in_a_dict(steps: list[tuple[bytes, bool, bytes]]) -> None:
    table, model = ById(), dict[bytes, bytes]()
    for client_id, puts, rest in steps:
        if puts:
            model[client_id] = packed_key(client_id, rest)
            table.put(model[client_id])
        else:
            model.pop(client_id, None)
            table.remove(client_id)
        assert len(table) == len(model)
        assert table.get(client_id) is model.get(client_id)
    assert sorted(table) == sorted(model)
    for client_id, packed in model.items():
        assert table.get(client_id) is packed
        assert id_of(packed) == client_id
    for client_id, _, rest in steps:
        # What ends as a packed key does, or begins so, is not its id.
        for other in (rest + client_id, client_id[1:], client_id + bytes([len(client_id)])):
            assert table.get(other) is model.get(other)


@given(st.lists(st.tuples(st.integers(0, 40), st.booleans()), max_size=80))
def test_keys_by_digest_go_as_in_a_dict(steps: list[tuple[int, bool]]) -> None:
    table, model = ByDigest(), dict[bytes, bytes]()
    for number, puts in steps:
        digest = number.to_bytes(32)
        if puts:
            model[digest] = packed_key(b"key", digest=digest)
            table.put(model[digest])
        else:
            model.pop(digest, None)
            table.remove(digest)
        assert table.get(digest) is model.get(digest)
    assert sorted(table) == sorted(model)
    assert len(table) == len(model)


def test_removed_entries_do_not_fill_a_table() -> None:
    table = ByDigest()
    for number in range(10_000):
        table.put(packed_key(b"key", digest=number.to_bytes(32)))
        if number >= 10:
            table.remove((number - 10).to_bytes(32))
    assert sorted(table) == [number.to_bytes(32) for number in range(9_990, 10_000)]
    assert len(table._table[1]) <= 64


@pytest.mark.parametrize("profile", ["minhakonta", "delfinance"])
def test_an_id_is_255_bytes_at_most(profile: str) -> None:
    snapshot = Snapshot()
    longest = replace(key(), client_id="c" * 255, profile=profile)
    snapshot.put(longest)
    packed = snapshot.packed(b"c" * 255)
    assert packed is not None
    assert snapshot.unpack(packed) == longest
    assert snapshot.packed(b"c" * 256) is None
    with pytest.raises(ValueError, match="at most 255 bytes, this one 256"):
        snapshot.put(replace(longest, client_id="c" * 256))


ROTATIONS = st.lists(
    st.tuples(st.integers(0, 3), st.lists(st.integers(0, 9), min_size=1, max_size=2, unique=True)),
    max_size=30,
)


@given(ROTATIONS)
def test_a_single_key_is_found_by_what_it_has_now_only(
    rotations: list[tuple[int, list[int]]],
) -> None:
    snapshot, now = Snapshot(), dict[str, set[bytes]]()
    for owner, numbers in rotations:
        # No two keys have a secret in common.
        digests = [(10 * owner + number).to_bytes(32) for number in numbers]
        one = replace(key(owner), profile="delfinance", secrets=tuple(map(SecretHash, digests)))
        snapshot.put(one)
        now[one.client_id] = set(digests)
        assert snapshot.digests() == set().union(*now.values())
        for number in range(40):
            digest = number.to_bytes(32)
            packed = snapshot.by_digest(digest)
            assert (packed is not None) is (digest in snapshot.digests())
            if packed is not None:
                assert digest in {secret.digest for secret in secrets_of(packed)}
                assert snapshot.packed(id_of(packed)) is packed


NETWORKS = st.tuples(st.ip_addresses(v=4), st.integers(0, 32)).map(
    lambda pair: str(IPv4Network(pair, strict=False))
) | st.tuples(st.ip_addresses(v=6), st.integers(0, 128)).map(
    lambda pair: str(IPv6Network(pair, strict=False))
)


@given(st.lists(st.ip_addresses().map(str) | NETWORKS, max_size=6))
def test_packed_addresses_are_read_back(entries: list[str]) -> None:
    try:
        canonical = AddressSet(entries, unsafe_any=True).entries
    except ValueError:  # a network of IPv4-mapped addresses that is not one of IPv4
        return
    assert tuple(unpacked_entries(packed_entries(canonical))) == canonical


def test_packed_addresses_are_short() -> None:
    entries = ("10.1.2.3", "203.0.113.0/24", "2001:db8::/32", "2001:db8::1", "0.0.0.0/0", "::/0")
    packed = packed_entries(entries)
    assert len(packed) == 3 * 5 + 3 * 17
    assert tuple(unpacked_entries(packed)) == entries
