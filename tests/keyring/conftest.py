"""Keyrings on both stores, with a clock that is driven by hand."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from guarita.keyring import Keyring, Repository
from guarita.stores.memory_keyring import MemoryKeyring
from guarita.stores.sqlite.keyring import SqliteKeyring
from tests.keyring.helpers import PEPPER, PERMISSIONS, Clock


@pytest.fixture(params=["memory", "sqlite"])
def repository(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Repository]:
    store: Repository
    if request.param == "memory":
        store = MemoryKeyring(part=3)
    else:
        store = SqliteKeyring(tmp_path / "guarita.db", part=3)
    yield store
    store.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keyring(repository: Repository, clock: Clock) -> Keyring:
    return Keyring(repository, PEPPER, clock, PERMISSIONS)
