"""Every case of `tests/vectors/http1_requests.json`: over a raw socket against a front on uvloop,
and in pieces of every size over a transport of memory.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from guarita.serving.http1.connections import Connections
from tests.serving.http1.support import Client, Recorder, call, cases, listening, statuses

CASES = cases()
NAMES = [case["name"] for case in CASES]


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[int, Recorder]]:
    handler = Recorder()
    with listening(handler) as (port, _):
        yield port, handler


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_over_a_socket(served: tuple[int, Recorder], case: dict[str, Any]) -> None:
    port, handler = served
    handler.seen.clear()
    answer = call(port, case["bytes"])
    assert (statuses(answer), handler.seen) == (case["statuses"], case["requests"])
    if answer and case["statuses"][-1] != 200:
        head = answer[answer.rindex(b"HTTP/1.1 ") :].partition(b"\r\n\r\n")[0]
        assert b"\r\nconnection: close" in head


@pytest.mark.parametrize("size", [1, 2, 7, 64])
@pytest.mark.parametrize("case", CASES, ids=NAMES)
async def test_in_pieces(case: dict[str, Any], size: int) -> None:
    data = case["bytes"]
    if len(data) > 2000:
        size *= 500
    handler = Recorder()
    client = Client(Connections(handler))
    await client.send(*(data[at : at + size] for at in range(0, len(data), size)))
    await client.end()
    assert (client.statuses, handler.seen) == (case["statuses"], case["requests"])
    assert client.lost or client.wire.ended


def test_cases_name_their_source() -> None:
    assert len(set(NAMES)) == len(NAMES)
    for case in CASES:
        assert any(word in case["source"] for word in ("RFC ", "stricter", "not HTTP"))
