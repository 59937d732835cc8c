"""Rotation: the law of two secrets, over arbitrary histories."""

import math
import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guarita.crypto import find_secret, secret_hash
from guarita.keyring import Keyring, Refused, Secret
from guarita.records import SecretHash
from guarita.stores.memory_keyring import MemoryKeyring
from tests.keyring.helpers import NOW, PEPPER, Clock, asks

SECONDS = st.integers(0, 10) | st.floats(0, 10)
STEPS = st.lists(st.tuples(SECONDS, st.integers(0, 12)), max_size=12)


def accepted(secrets: tuple[SecretHash, ...], secret: Secret, at: float) -> bool:
    return find_secret(PEPPER, secret.reveal().encode(), secrets, at) is not None


@given(STEPS)
def test_a_former_secret_works_until_its_end_and_not_after(steps: list[tuple[float, int]]) -> None:
    clock = Clock()
    ring = Keyring(MemoryKeyring(), PEPPER, clock)
    first = ring.create_key(ring.create_account("Loja").account_id)
    client_id = first.key.client_id
    ends: dict[Secret, float] = {first.secret: math.inf}  # the model: when each secret ends
    for waited, overlap_s in steps:
        clock.at += waited
        alive = [secret for secret, end in ends.items() if end > clock.at]
        before = ring.key(client_id)
        try:
            issued = ring.rotate(client_id, overlap_s=overlap_s)
        except Refused:
            assert len(alive) == 2
            assert overlap_s > 0
            assert ring.key(client_id) == before
        else:
            assert len(alive) == 1 or overlap_s == 0
            ends |= {s: min(ends[s], clock.at + overlap_s) for s in alive}
            ends[issued.secret] = math.inf
            assert issued.key == ring.key(client_id)
        secrets = ring.key(client_id).secrets
        assert 1 <= len(secrets) <= 2
        moments = {clock.at, *(t for e in ends.values() if e < math.inf for t in around(e))}
        for at in sorted(t for t in moments if t >= clock.at):
            working = {s for s in ends if accepted(secrets, s, at)}
            assert working == {s for s, end in ends.items() if at < end}
            assert 1 <= len(working) <= 2


def around(at: float) -> tuple[float, float, float]:
    return math.nextafter(at, 0), at, math.nextafter(at, math.inf)


def test_the_refusal_says_until_when(keyring: Keyring, clock: Clock) -> None:
    client_id = keyring.create_key(keyring.create_account("Loja").account_id).key.client_id
    keyring.rotate(client_id)
    with pytest.raises(Refused, match=re.escape("until 2023-11-15T22:13:20+00:00; wait until")):
        keyring.rotate(client_id)
    clock.at += 86_400
    keyring.rotate(client_id)


def test_only_hashes_are_kept_and_the_newest_comes_first(keyring: Keyring) -> None:
    issued = keyring.create_key(keyring.create_account("Loja").account_id)
    rotated = keyring.rotate(issued.key.client_id, overlap_s=60)
    assert rotated.key.secrets == (
        SecretHash(secret_hash(PEPPER, asks(rotated).secret)),
        SecretHash(secret_hash(PEPPER, asks(issued).secret), NOW + 60),
    )


def test_rotation_changes_neither_state_nor_expiry(keyring: Keyring, clock: Clock) -> None:
    client_id = keyring.create_key(
        keyring.create_account("Loja").account_id, expires_at=NOW + 5
    ).key.client_id
    blocked = keyring.block(client_id, "vazou")
    clock.at += 10
    rotated = keyring.rotate(client_id, overlap_s=0).key
    assert (rotated.status, rotated.expires_at) == (blocked.status, NOW + 5)


def test_concurrent_rotations_leave_two_secrets(keyring: Keyring) -> None:
    from concurrent.futures import ThreadPoolExecutor

    client_id = keyring.create_key(keyring.create_account("Loja").account_id).key.client_id
    issued: list[Secret] = []

    def rotate(_: int) -> None:
        with suppress(Refused):
            issued.append(keyring.rotate(client_id).secret)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(rotate, range(6)))
    assert len(issued) == 1
    assert accepted(keyring.key(client_id).secrets, issued[0], NOW)
