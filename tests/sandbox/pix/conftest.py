"""Fixtures of the tests of PIX business."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from guarita.sandbox.database import Database
from guarita.sandbox.pix.rules import Rules
from tests.sandbox.pix.desks import Desk


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """Incoming business of one account without money."""
    database = Database(tmp_path / "bank.db")
    yield Desk(database, Rules(opening_balance=0))
    database.close()
