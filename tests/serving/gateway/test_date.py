"""Date (RFC 9110, 6.6.1): the upstream's own word where it gave one, else the gateway's."""

from email.utils import parsedate_to_datetime

import pytest

from guarita.layers.idempotency import KEPT_HEADERS
from tests.serving.gateway.support import PAID, answer, site
from tests.serving.upstream.support import answering
from tests.serving.worlds import World

OLD = b"Tue, 15 Nov 1994 08:12:31 GMT"
DATED = answer(fields=b"Date: %b\r\nContent-Type: application/json\r\n" % OLD)
STREAMED = b"HTTP/1.1 200 OK\r\n%bTransfer-Encoding: chunked\r\n\r\n"


def is_now(date: bytes | None) -> bool:
    """Whether it is this century's, and in the form to be sent."""
    assert date is not None
    assert date.endswith(b" GMT")
    return parsedate_to_datetime(date.decode()).year > 2020


@pytest.mark.parametrize("body", ["whole", "streamed"])
async def test_an_answer_of_the_upstream(world: World, body: str) -> None:
    said = [answer(), DATED]
    if body == "streamed":
        said = [STREAMED % field for field in (b"", b"Date: %b\r\n" % OLD)]
    end = b"" if body == "whole" else b"13\r\n%b\r\n0\r\n\r\n" % PAID
    async with site(
        world, *(answering(one, *([end] if end else []), close=True) for one in said)
    ) as one:
        first, second = await one.get(), await one.get()
        assert (first.body, second.body) == (PAID, PAID)
        assert is_now(first.get("date"))
        assert second.get("date") == OLD


async def test_a_replay_has_a_date_of_its_own(world: World) -> None:
    assert b"date" not in KEPT_HEADERS
    async with site(world, answering(DATED)) as one:
        assert (await one.post("k")).get("date") == OLD
        again = await one.post("k")
        assert again.get("x-idempotent-replay") == b"true"
        assert is_now(again.get("date"))


async def test_what_the_gate_says_itself(world: World) -> None:
    async with site(world, answering(close=True)) as one:
        for raw, status in (
            (b"GET / HTTP/1.1\r\n\r\n", 400),
            (one.request().replace(b"ApiKey", b"Bearer"), 401),
            (one.request(), 502),
        ):
            reply = await one.ask(raw)
            assert reply.status == status
            assert is_now(reply.get("date"))
