"""Bugs put into the gateway, and what is to be seen of each."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from guarita.serving.gateway.gate import Settings
from tests.serving.gateway.support import Site
from tests.serving.upstream.support import until

OPEN = Settings(unsafe_unguarded_paths=("/up/",))
SHORT = Settings(max_recorded_body=5)
"""Of a response longer than this the body is passed on as it comes."""

LOAD = b"POST /up/load HTTP/1.1\r\nHost: api.test\r\nTransfer-Encoding: chunked\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n12345678\r\n"
BUG = "says the test"


def broken(*_args: Any, **_more: Any) -> Any:
    raise RuntimeError(BUG)


def once(real: Callable[..., Any]) -> Callable[..., Any]:
    """Raises when it is called first; then `real`."""
    calls = 0

    def called(*args: Any, **more: Any) -> Any:
        nonlocal calls
        calls += 1
        return broken() if calls == 1 else real(*args, **more)

    return called


def bugs(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the log says could not be done, a line for each exception; all for one request."""
    lines = [one.getMessage() for one in caplog.records if one.exc_info is not None]
    assert len({line.partition("(Ray ID ")[2] for line in lines}) == 1
    assert all(re.search(r"\(Ray ID [0-9a-f]{20,}\)$", line) for line in lines)
    assert BUG in caplog.text
    return [line.removeprefix("a request could not be ").partition(" (")[0] for line in lines]


async def is_dropped(one: Site) -> None:
    """The upstream's connection is no longer at work on the request, and is not kept."""
    await until(lambda: not one.pool.connections)
    assert one.pool.calls == 0
