"""Every test of the gateway runs on the event loop it is made for."""

import asyncio
from collections.abc import Callable, Mapping

import pytest
import uvloop

from tests.serving.worlds import World


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture
def world() -> World:
    return World()
