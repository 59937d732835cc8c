"""One set of certificates for all tests here, and one server per event loop and module."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serving.tls.support import LOOPS, Served, World, serving


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder: Path = tmp_path_factory.mktemp("tls")
    return World(folder)


@pytest.fixture(scope="module", params=LOOPS)
def served(request: pytest.FixtureRequest, world: World) -> Iterator[Served]:
    with serving(world, request.param) as running:
        yield running
