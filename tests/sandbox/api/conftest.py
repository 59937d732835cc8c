"""The scene, made once for the tests of the API."""

import asyncio

import pytest

from tests.sandbox.api.scene import Scene, made


@pytest.fixture(scope="session")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return asyncio.run(made(tmp_path_factory.mktemp("scene")))
