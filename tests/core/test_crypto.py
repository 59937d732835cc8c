"""Cryptographic comparisons: published vectors, and equal work for unknown keys."""

import hmac
import json
from collections.abc import Iterator
from hashlib import sha512
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guarita import crypto
from guarita.crypto import (
    MacState,
    find_secret,
    mac_state,
    secret_hash,
    signature,
    signature_matches,
)
from guarita.records import SecretHash
from tests.core.made import BODY, NOW, PEPPER, SECRET
from tests.shared_vectors import shared

# --- HMAC ----------------------------------------------------------------------------------------

RFC_4231 = [  # sections 4.2 to 4.8: key, data, HMAC-SHA-256, HMAC-SHA-512; 4.6 is truncated
    (
        b"\x0b" * 20,
        b"Hi There",
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
        "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde"
        "daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854",
    ),
    (
        b"Jefe",
        b"what do ya want for nothing?",
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
        "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
    ),
    (
        b"\xaa" * 20,
        b"\xdd" * 50,
        "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
        "fa73b0089d56a284efb0f0756c890be9b1b5dbdd8ee81a3655f83e33b2279d39"
        "bf3e848279a722c806b485a47e67c807b946a337bee8942674278859e13292fb",
    ),
    (
        bytes(range(1, 26)),
        b"\xcd" * 50,
        "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
        "b0ba465637458c6990e5a8c5f61d4af7e576d97ff94b872de76f8050361ee3db"
        "a91ca5c11aa25eb4d679275cc5788063a5f19741120c4f2de2adebeb10a298dd",
    ),
    (
        b"\x0c" * 20,
        b"Test With Truncation",
        "a3b6167473100ee06e0c796c2955552b",
        "415fad6271580a531d4179bc891d87a6",
    ),
    (
        b"\xaa" * 131,
        b"Test Using Larger Than Block-Size Key - Hash Key First",
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f352"
        "6b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598",
    ),
    (
        b"\xaa" * 131,
        b"This is a test using a larger than block-size key and a larger than block-size data. "
        b"The key needs to be hashed before being used by the HMAC algorithm.",
        "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
        "e37b6a775dc87dbaa4dfa9f96e5e3ffddebd71f8867289865df5a32d20cdc944"
        "b6022cac3c4982b10d5eeb55c3e4de15134676fb6de0446065c97440fa8c6a58",
    ),
]


@pytest.mark.parametrize(("key", "data", "with_sha256", "with_sha512"), RFC_4231)
def test_rfc_4231(key: bytes, data: bytes, with_sha256: str, with_sha512: str) -> None:
    assert MacState(key, "sha256").digest(data).hex().startswith(with_sha256)
    assert MacState(key, "sha512").digest(data).hex().startswith(with_sha512)
    if len(with_sha512) == 128:
        assert signature(key, data) == with_sha512
        assert signature_matches(mac_state(key), data, with_sha512.encode())


def wycheproof() -> Iterator[tuple[int, dict[str, Any]]]:
    path = shared("hmac_sha512", "wycheproof_hmac_sha512.json")
    for group in json.loads(path.read_text())["testGroups"]:
        for test in group["tests"]:
            yield group["tagSize"], test


def test_all_wycheproof_cases() -> None:
    """Full tags match where they are valid; truncated tags never do, in either letter case."""
    counted = 0
    for size, test in wycheproof():
        key, message = bytes.fromhex(test["key"]), bytes.fromhex(test["msg"])
        right = size == 512 and test["result"] == "valid"
        for tag in (test["tag"], test["tag"].upper()):
            assert signature_matches(mac_state(key), message, tag.encode()) is right, test["tcId"]
        counted += 1
    assert counted == 174


def test_rfc_4231_as_published() -> None:
    """The file holds Len, Key, Msg and MD lines, as the CAVP does."""
    text = shared("hmac_sha512", "rfc-4231-sha512.txt").read_text()
    fields = [line.split(" = ") for line in text.splitlines() if " = " in line]
    names = ["Len", "Key", "Msg", "MD"]
    cases = [fields[at : at + 4] for at in range(0, len(fields), 4)]
    assert [[name for name, _ in case] for case in cases] == [names] * 6
    for case in cases:
        length, key, message, digest = (value.strip() for _, value in case)
        data = bytes.fromhex(message)[: int(length) // 8]
        assert mac_state(bytes.fromhex(key)).digest(data).hex() == digest


@given(st.binary(max_size=300), st.lists(st.binary(max_size=300), min_size=1, max_size=3))
def test_a_mac_state_is_hmac_however_often_it_is_used(key: bytes, messages: list[bytes]) -> None:
    small, large = MacState(key, "sha256"), MacState(key, "sha512")
    for message in messages:
        assert small.digest(message) == hmac.digest(key, message, "sha256")
        assert large.digest(message) == hmac.digest(key, message, "sha512")


@pytest.mark.parametrize("length", [0, 63, 64, 65, 127, 128, 129, 1000])
def test_keys_around_the_block_size(length: int) -> None:
    key = bytes(range(256)) * 4
    assert MacState(key[:length], "sha256").digest(b"m") == hmac.digest(
        key[:length], b"m", "sha256"
    )
    assert mac_state(key[:length]).digest(b"m") == hmac.digest(key[:length], b"m", "sha512")


def test_the_secret_signs_with_its_prefix() -> None:
    """Seed L154: `openssl dgst -sha512 -hmac "$CLIENT_SECRET"`, "sk_" included."""
    assert signature(SECRET, BODY) == hmac.new(SECRET, BODY, sha512).hexdigest()
    assert not signature_matches(mac_state(SECRET[3:]), BODY, signature(SECRET, BODY).encode())


# --- signature_matches ---------------------------------------------------------------------------

RIGHT = signature(SECRET, BODY).encode()


def test_either_letter_case_is_accepted() -> None:
    mixed = bytes(c - 32 if 97 <= c <= 102 and i % 2 else c for i, c in enumerate(RIGHT))
    for presented in (RIGHT, RIGHT.upper(), mixed):
        assert signature_matches(mac_state(SECRET), BODY, presented)


@pytest.mark.parametrize(
    "presented",
    [
        b"",
        b"0" * 128,
        RIGHT[:-1],
        RIGHT[:64],
        RIGHT + b"0",
        RIGHT * 2,
        b" " + RIGHT,
        RIGHT + b"\n",
        b"0x" + RIGHT,
        b"sha512=" + RIGHT,
        b"\xff" * 128,
        "é".encode() * 64,
        b"\0" * 128,
        b"z" + RIGHT[1:],
        RIGHT[::-1],
        bytes.fromhex(RIGHT.decode()),
    ],
)
def test_anything_else_is_not(presented: bytes) -> None:
    assert signature_matches(mac_state(SECRET), BODY, presented) is False


@given(st.integers(0, 127), st.integers(0, 255))
def test_no_other_byte_anywhere(at: int, byte: int) -> None:
    changed = RIGHT[:at] + bytes([byte]) + RIGHT[at + 1 :]
    assert signature_matches(mac_state(SECRET), BODY, changed) is (changed.lower() == RIGHT)


# --- find_secret ---------------------------------------------------------------------------------

OLD = b"sk_old"
NEW = b"sk_new"


def hashed(secret: bytes, valid_until: float | None = None) -> SecretHash:
    return SecretHash(secret_hash(PEPPER, secret), valid_until)


@pytest.mark.parametrize(
    ("hashes", "secret", "found"),
    [
        ([], NEW, None),
        ([], b"", None),
        ([hashed(NEW)], NEW, 0),
        ([hashed(NEW)], OLD, None),
        ([hashed(NEW)], b"", None),
        ([hashed(NEW), hashed(OLD, NOW + 1)], NEW, 0),
        ([hashed(NEW), hashed(OLD, NOW + 1)], OLD, 1),
        ([hashed(NEW), hashed(OLD, NOW)], OLD, None),
        ([hashed(NEW), hashed(OLD, NOW - 1)], OLD, None),
        ([hashed(NEW), hashed(OLD, NOW - 1)], NEW, 0),
        ([hashed(OLD, NOW - 1), hashed(NEW)], OLD, None),
        ([hashed(OLD, NOW - 1), hashed(NEW)], NEW, 1),
        ([hashed(NEW, NOW - 1), hashed(NEW)], NEW, 1),
    ],
)
def test_find_secret(hashes: list[SecretHash], secret: bytes, found: int | None) -> None:
    answer = find_secret(PEPPER, secret, hashes, NOW)
    assert answer is (None if found is None else hashes[found])


@pytest.mark.parametrize("zeros", [bytes(32), b""])
def test_an_all_zero_digest_does_not_match_where_there_are_no_hashes(
    monkeypatch: pytest.MonkeyPatch, zeros: bytes
) -> None:
    """Should a secret ever hash to the stand-in of a missing hash, it is still nobody's."""
    old = hashed(OLD)
    monkeypatch.setattr(crypto, "_peppered", lambda pepper: SimpleNamespace(digest=lambda _: zeros))
    assert find_secret(PEPPER, NEW, [], NOW) is None
    assert find_secret(PEPPER, NEW, [old], NOW) is None


@pytest.mark.parametrize(
    ("hashes", "secret"),
    [
        ([], NEW),
        ([hashed(NEW)], OLD),
        ([hashed(NEW)], NEW),
        ([hashed(NEW), hashed(OLD)], NEW),
        ([hashed(NEW), hashed(OLD)], OLD),
        ([hashed(NEW), hashed(OLD, NOW - 1)], OLD),
        ([hashed(NEW), hashed(OLD)], b"neither"),
    ],
)
def test_the_work_is_the_same_whatever_is_known(
    monkeypatch: pytest.MonkeyPatch, hashes: list[SecretHash], secret: bytes
) -> None:
    work: list[tuple[Any, ...]] = []
    state = MacState(PEPPER, "sha256")

    def digest(message: bytes) -> bytes:
        work.append(("hash",))
        return state.digest(message)

    def compare(one: bytes, other: bytes) -> bool:
        work.append(("compare", len(one), len(other)))
        return hmac.compare_digest(one, other)

    monkeypatch.setattr(crypto, "_peppered", lambda pepper: SimpleNamespace(digest=digest))
    monkeypatch.setattr(crypto, "hmac", SimpleNamespace(compare_digest=compare))
    find_secret(PEPPER, secret, hashes, NOW)
    assert work == [("hash",), ("compare", 32, 32), ("compare", 32, 32)]


def test_another_pepper_finds_nothing() -> None:
    assert find_secret(b"another", NEW, [hashed(NEW)], NOW) is None
