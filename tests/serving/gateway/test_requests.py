"""Every case of `tests/vectors/http1_requests.json` through a whole gateway: how many requests the
upstream saw, and that each is one that was meant. One site serves all cases, so that bytes left
over on a connection to the upstream would show in a later case.
"""

from typing import Any

import pytest

from tests.serving.gateway.support import PAID, Site, answer, request_bytes, site
from tests.serving.http1.support import Seen, cases, statuses
from tests.serving.upstream.support import Peer, until
from tests.serving.worlds import PAY, PAYMENT, World

CASES = cases()
NEXT = b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n"
FIRST = b"POST / HTTP/1.1\r\nHost: a\r\n"


class AllBut:
    """Stands for `Unguarded`: every path but one passes unchecked, so that the cases' own bytes can
    be sent as they are.
    """

    any = True

    def __init__(self, guarded: str | None = None) -> None:
        self.guarded = guarded

    def covers(self, path: str) -> bool:
        return path != self.guarded


async def play(peer: Peer) -> None:
    while True:
        await peer.request()
        await peer.say(answer())


def read(raw: bytes) -> Seen:
    """Method, target and body of a request as the upstream got it."""
    head, _, body = raw.partition(b"\r\n\r\n")
    method, target, version = head.split(b"\r\n")[0].split(b" ")
    assert version == b"HTTP/1.1"
    if b"\r\ntransfer-encoding: chunked" in head.lower():
        rest, body = body, b""
        while size := int(rest.partition(b"\r\n")[0], 16):
            rest = rest.partition(b"\r\n")[2]
            body += rest[:size]
            assert rest[size : size + 2] == b"\r\n"
            rest = rest[size + 2 :]
    return method.decode(), target, body


async def call(one: Site, data: bytes) -> list[int]:
    """The statuses that come back for these bytes and the end of sending."""
    client = await one.client()
    client.send(data)
    client.writer.write_eof()
    got = statuses(await client.rest())
    await until(lambda: not len(one.connections))
    return got


async def outcomes(one: Site, sent: dict[str, bytes]) -> dict[str, tuple[list[int], list[Seen]]]:
    """Case → the statuses, and the requests the upstream saw until all was over."""
    got = {}
    for name, data in sent.items():
        before = one.executed
        answered = await call(one, data)
        got[name] = (answered, [read(raw) for raw in one.upstream.seen[before:]])
    return got


async def nothing_is_left(one: Site, meant: int) -> None:
    """No request came late, and connections to the upstream serve a further request."""
    await until(lambda: not one.pool.calls)
    assert one.executed == meant
    one.gate.unguarded = AllBut()  # type: ignore[assignment]
    assert await call(one, NEXT) == [200]
    assert [read(raw) for raw in one.upstream.seen[meant:]] == [("GET", b"/next", b"")]


def differing(got: dict[str, Any], meant: dict[str, Any]) -> dict[str, Any]:
    return {name: (got[name], meant[name]) for name in meant if got[name] != meant[name]}


@pytest.mark.usefixtures("loop_hears_nothing")
async def test_the_upstream_sees_the_requests_that_were_meant(world: World) -> None:
    meant = {case["name"]: (case["statuses"], case["requests"]) for case in CASES}
    async with site(world, play) as one:
        one.gate.unguarded = AllBut()  # type: ignore[assignment]
        got = await outcomes(one, {case["name"]: case["bytes"] for case in CASES})
        assert differing(got, meant) == {}
        await nothing_is_left(one, sum(len(seen) for _, seen in meant.values()))


@pytest.mark.usefixtures("loop_hears_nothing")
async def test_a_payment_behind_an_ambiguous_request(world: World) -> None:
    """A good payment stands where the cases have their second request: it is executed where that
    request was meant, and nowhere else.
    """
    sent: dict[str, bytes] = {}
    meant: dict[str, Any] = {}
    paid = ("POST", PAY.encode(), PAYMENT)
    for number, case in enumerate(CASES):
        if NEXT not in case["bytes"]:
            continue
        payment = request_bytes(world, key=f"k-{number}")
        sent[case["name"]] = case["bytes"].replace(NEXT, payment)
        seen = [paid if one[1] == b"/next" else one for one in case["requests"]]
        meant[case["name"]] = (case["statuses"], seen)
    async with site(world, play) as one:
        one.gate.unguarded = AllBut(PAY)  # type: ignore[assignment]
        got = await outcomes(one, sent)
        assert differing(got, meant) == {}
        payments = sum(seen[-1:] == [paid] for _, seen in meant.values())
        assert (payments > 20, len(world.states())) == (True, payments)
        await nothing_is_left(one, sum(len(seen) for _, seen in meant.values()))


@pytest.mark.usefixtures("loop_hears_nothing")
async def test_an_ambiguous_payment(world: World) -> None:
    """A payment with good credentials whose bytes are refused reaches no upstream, and leaves no
    reservation; nor does the payment behind it.
    """
    sent: dict[str, bytes] = {}
    meant: dict[str, Any] = {}
    for case in CASES:
        if case["requests"] or not case["bytes"].startswith(FIRST):
            continue
        head, _, _ = request_bytes(world, key="first").partition(b"Content-Length")
        own = case["bytes"].removeprefix(FIRST).replace(NEXT, request_bytes(world, key="second"))
        sent[case["name"]] = head + own
        meant[case["name"]] = (case["statuses"], [])
    async with site(world, play) as one:
        got = await outcomes(one, sent)
        assert differing(got, meant) == {}
        assert (len(sent) > 100, world.states()) == (True, [])
        await nothing_is_left(one, 0)
        assert (await one.post("first")).body == PAID
