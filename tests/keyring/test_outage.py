"""A verifier whose store is out of reach: reported once, tolerated for a while, not for ever."""

import logging

import pytest

from guarita.asks import Outage
from guarita.keyring import Keyring, Verifier
from guarita.records import KeyStatus
from guarita.stores.memory_keyring import MemoryKeyring
from tests.keyring.helpers import PEPPER, Clock, asks


class Unreliable(MemoryKeyring):
    """Out of reach whenever `problem` is set."""

    problem: Exception | None = None

    def touched(self) -> tuple[int, int]:
        if self.problem is not None:
            raise self.problem
        return super().touched()


def test_an_outage_is_reported_once_and_the_last_keys_stay(
    caplog: pytest.LogCaptureFixture,
) -> None:
    repository = Unreliable()
    ring = Keyring(repository, PEPPER)
    issued = ring.create_key(ring.create_account("Loja").account_id)
    verifier = Verifier(repository, PEPPER)
    repository.problem = Outage("disk I/O error")
    assert [verifier.refresh() for _ in range(3)] == [False] * 3
    assert verifier.answer(asks(issued)).key == issued.key
    ring.revoke(issued.key.client_id)
    repository.problem = None
    assert verifier.refresh()
    key = verifier.answer(asks(issued)).key
    assert key is not None
    assert key.status is KeyStatus.REVOKED
    assert [(r.name, r.levelno) for r in caplog.records] == [
        ("guarita.keyring", logging.ERROR),
        ("guarita.keyring", logging.WARNING),
    ]
    assert "disk I/O error" in caplog.messages[0]


def test_the_first_reading_must_succeed() -> None:
    repository = Unreliable()
    repository.problem = Outage("disk I/O error")
    with pytest.raises(Outage):
        Verifier(repository, PEPPER)


def test_keys_that_cannot_be_refreshed_go_out_of_force(caplog: pytest.LogCaptureFixture) -> None:
    repository, seconds = Unreliable(), Clock(1000.0)
    ring = Keyring(repository, PEPPER)
    issued = ring.create_key(ring.create_account("Loja").account_id)
    verifier = Verifier(repository, PEPPER, max_stale_s=60, monotonic=seconds)
    seconds.at = 5000.0
    assert verifier.answer(asks(issued)).key  # nobody promised to refresh it
    verifier.watch(interval_s=3600)
    try:
        seconds.at = 5050.0
        verifier.refresh()
        seconds.at = 5109.9
        repository.problem = Outage("disk I/O error")
        verifier.refresh()
        assert verifier.answer(asks(issued)).key == issued.key
        seconds.at = 5110.0
        with pytest.raises(Outage, match="could not be refreshed"):
            verifier.answer(asks(issued))
        assert "stay in force for 60 s" in caplog.text
        repository.problem = None
        verifier.refresh()
        assert verifier.answer(asks(issued)).key == issued.key
    finally:
        verifier.close()
