"""The one fixture of the conformance suite: `store`, each kind of store in turn."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from guarita.stores.reservations import ReservationStore
from tests.stores.harness import STORES


@pytest.fixture(params=STORES)
def open_store(request: pytest.FixtureRequest) -> Callable[[Path], ReservationStore]:
    return STORES[request.param]


@pytest.fixture
def store(
    open_store: Callable[[Path], ReservationStore], tmp_path: Path
) -> Iterator[ReservationStore]:
    opened = open_store(tmp_path / "guarita.db")
    yield opened
    opened.close()
