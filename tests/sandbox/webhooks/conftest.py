"""A bank file for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sandbox.webhooks.support import Books


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Books]:
    made = Books(tmp_path)
    yield made
    made.database.close()
