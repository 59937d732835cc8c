"""Fixtures: an upstream, a configuration in front of it, and a key that it accepts."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.serve.gateways import Files, Merchant, Upstream


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    one = Upstream()
    yield one
    one.close()


@pytest.fixture
def files(tmp_path: Path, upstream: Upstream) -> Files:
    return Files(tmp_path, upstream)


@pytest.fixture
def merchant(files: Files) -> Merchant:
    return Merchant(files.file, "minhakonta", "--all-permissions")
