"""`BlockKey` written down: durable, once, off the event loop, and over nobody's decision."""

import asyncio
import logging
import threading
from collections.abc import Callable

import pytest

from guarita.asks import BlockKey, Outage
from guarita.keyring import IssuedKey, KeyBlocker, Keyring, Repository, Verifier
from guarita.records import ApiKey, KeyStatus
from guarita.stores.memory_keyring import MemoryKeyring
from tests.keyring.helpers import PEPPER, finds

REASON = "too many invalid attempts"


@pytest.fixture
def issued(keyring: Keyring) -> IssuedKey:
    return keyring.create_key(keyring.create_account("Loja").account_id, profile="delfinance")


def block(key_id: str) -> BlockKey:
    return BlockKey(key_id, REASON)


async def test_a_key_is_blocked_and_this_process_knows_at_once(
    repository: Repository, keyring: Keyring, issued: IssuedKey
) -> None:
    verifier = Verifier(repository, PEPPER)
    blocker = KeyBlocker(repository, verifier.refresh)
    await blocker.answer(block(issued.key.client_id))
    key = keyring.key(issued.key.client_id)
    assert (key.status, key.blocked_reason) == (KeyStatus.BLOCKED, REASON)
    assert verifier.answer(finds(issued)).key == key
    assert keyring.unblock(key.client_id) == issued.key


async def test_blocking_again_writes_nothing(
    repository: Repository, keyring: Keyring, issued: IssuedKey, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    blocker = KeyBlocker(repository)
    key_id = issued.key.client_id
    before = repository.revision()
    await asyncio.gather(*(blocker.answer(BlockKey(key_id, f"r{n}")) for n in range(8)))
    assert repository.revision() == before + 1
    assert keyring.key(key_id).blocked_reason in {f"r{n}" for n in range(8)}
    await blocker.answer(block(key_id))
    assert keyring.key(key_id).blocked_reason != REASON
    assert key_id in caplog.text


LEFT_ALONE: dict[str, Callable[[Keyring, str], ApiKey]] = {
    "revoked": lambda ring, c: ring.revoke(c),
    "inactive": lambda ring, c: ring.deactivate(c),
    "blocked": lambda ring, c: ring.block(c, "by hand"),
}


@pytest.mark.parametrize("change", LEFT_ALONE.values(), ids=LEFT_ALONE)
def test_an_operators_decision_is_not_overwritten(
    repository: Repository,
    keyring: Keyring,
    issued: IssuedKey,
    change: Callable[[Keyring, str], ApiKey],
) -> None:
    key = change(keyring, issued.key.client_id)
    KeyBlocker(repository).block(block(key.client_id))
    assert keyring.key(key.client_id) == key


def test_a_decision_made_between_looking_and_writing_is_not_overwritten() -> None:
    class Raced(MemoryKeyring):
        def key(self, client_id: str) -> ApiKey | None:
            seen = super().key(client_id)
            if racing:
                racing.pop()
                ring.revoke(client_id)
            return seen

    racing: list[bool] = []
    repository = Raced()
    ring = Keyring(repository, PEPPER)
    key_id = ring.create_key(ring.create_account("Loja").account_id).key.client_id
    racing.append(True)
    KeyBlocker(repository).block(block(key_id))
    assert ring.key(key_id).status is KeyStatus.REVOKED


def test_an_unknown_key_is_logged(repository: Repository, caplog: pytest.LogCaptureFixture) -> None:
    KeyBlocker(repository).block(block("key_none"))
    assert "not in the keyring: key_none" in caplog.text


async def test_no_event_loop_waits_and_an_outage_reaches_the_caller() -> None:
    class Slow(MemoryKeyring):
        def key(self, client_id: str) -> ApiKey | None:
            asked_in.append(threading.get_ident())
            loop.call_soon_threadsafe(asked.set)
            assert go_on.wait(30)
            raise Outage("disk full")

    asked_in: list[int] = []
    go_on, asked, loop = threading.Event(), asyncio.Event(), asyncio.get_running_loop()
    waiting = asyncio.ensure_future(KeyBlocker(Slow()).answer(block("key_1")))
    await asked.wait()  # the loop runs on
    assert asked_in != [threading.get_ident()]
    go_on.set()
    with pytest.raises(Outage, match="disk full"):
        await waiting
