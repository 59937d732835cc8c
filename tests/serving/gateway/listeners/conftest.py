"""Listeners are tested on both event loops: accepting is the loop's work."""

import asyncio
from collections.abc import Callable, Mapping

import pytest
import uvloop

from tests.serving.tls.support import World


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("listeners"))
