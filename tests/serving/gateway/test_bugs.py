"""Bugs of our own on the way of a request: whoever asked is answered, what was reserved ends."""

import asyncio
from typing import Any

import pytest

from guarita.asks import Record, Reserve
from guarita.serving.edge import TrustedProxies
from guarita.serving.gateway.answering import Answering
from guarita.serving.gateway.failures import Failures
from guarita.serving.gateway.gate import Settings
from guarita.serving.upstream.call import Problem
from guarita.stores.reservations import State
from tests.serving.gateway.support import (
    PAID,
    answer,
    executes_again,
    is_the_gates,
    is_unknown,
    site,
)
from tests.serving.upstream.support import answering
from tests.serving.worlds import PAY, World


def later(world: World, kind: type) -> None:
    """Answers to asks of this kind have to be awaited."""

    async def answered(ask: Any) -> Any:
        await asyncio.sleep(0)
        return world.plainly(ask)

    world.intercept = lambda ask: answered(ask) if isinstance(ask, kind) else None


def broken(*_args: Any, **_more: Any) -> Any:
    raise RuntimeError("says the test")


@pytest.mark.parametrize("awaited", [False, True])
@pytest.mark.parametrize("where", ["note", "head"])
async def test_a_bug_before_anything_is_sent_releases(
    world: World, awaited: bool, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if awaited:
        later(world, Reserve)
    async with site(world, answering(answer())) as one:
        with monkeypatch.context() as patch:
            if where == "note":
                patch.setattr(Answering, "note", broken)
            else:
                patch.setattr("guarita.serving.gateway.exchange.framing_of", broken)
            assert is_the_gates(await one.post("k"), 500)
        assert (world.states(), one.executed) == ([], 0)
        assert await executes_again(one)


@pytest.mark.parametrize("awaited", [False, True])
async def test_a_bug_while_it_is_sent_is_unknown(
    world: World, awaited: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if awaited:
        later(world, Reserve)
    async with site(world, answering(answer())) as one:
        with monkeypatch.context() as patch:
            patch.setattr(one.pool, "send", broken)
            assert is_the_gates(await one.post("k"), 500)
        assert await is_unknown(one)


@pytest.mark.parametrize("awaited", [False, True])
async def test_a_bug_after_the_settlement_is_answered(
    world: World, awaited: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if awaited:
        later(world, Record)
    real, calls = Answering.marked, 0

    def first_broken(self: Answering, *args: Any) -> Any:
        nonlocal calls
        calls += 1
        return broken() if calls == 1 else real(self, *args)

    async with site(world, answering(answer())) as one:
        monkeypatch.setattr(Answering, "marked", first_broken)
        assert is_the_gates(await one.post("k"), 500)
        assert world.states() == [State.STORED]


@pytest.mark.parametrize("awaited", [False, True])
async def test_a_bug_that_cannot_be_answered_ends_the_connection(
    world: World, awaited: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if awaited:
        later(world, Reserve)
    async with site(world, answering(answer())) as one:
        client = await one.client()
        with monkeypatch.context() as patch:
            patch.setattr(Answering, "marked", broken)
            client.send(one.request(key="k"))
            with pytest.raises(ConnectionResetError):
                await client.rest()
        assert world.states() == [State.STORED]


async def test_a_gate_that_cannot_begin_answers_500(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with site(world, answering(answer())) as one:
        with monkeypatch.context() as patch:
            patch.setattr("guarita.serving.gateway.gate.facts_of", broken)
            reply = await one.post("k")
        assert is_the_gates(reply, 500)
        assert reply.get("connection") == b"close"
        assert reply.body == b'{"errors":{"internal_server_error":"Internal server error"}}'
        assert (await one.post("k")).body == PAID


# --- answers too long to be converted


LONG = b'{"data":{"pix_key":"%b"}}' % (b"x" * 2000)


@pytest.mark.parametrize("status", [201, 404])
@pytest.mark.parametrize("parts", [1, 3])
@pytest.mark.parametrize("announced", [False, True])
async def test_too_long_to_be_converted(
    world: World, status: int, parts: int, announced: bool
) -> None:
    """502 and unknown; nothing of it is passed on, and the rest is not collected."""
    head = b"HTTP/1.1 %d S\r\nContent-Type: application/json\r\n" % status
    whole = b"%bTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (head, len(LONG), LONG)
    if announced:
        whole = answer(status, LONG)
    size = -(-len(whole) // parts)
    play = answering(*(whole[at : at + size] for at in range(0, len(whole), size)))
    async with site(world, play, settings=Settings(max_recorded_body=1000)) as one:
        reply = await one.post("k", path=PAY, more=[("X-Key-Case", "camelCase")])
        assert is_the_gates(reply, 502)
        assert b"xxx" not in reply.body
        assert world.states() == [State.OUTCOME_UNKNOWN]
        assert one.pool.calls == 0


# --- what the log says of an upstream that fails


async def test_failures_are_counted_not_told_one_by_one(caplog: pytest.LogCaptureFixture) -> None:
    failures = Failures("up:1")
    for _ in range(1000):
        failures.add(Problem.TIMEOUT, "r")
    failures.add(Problem.BROKEN, "r")
    assert len(caplog.records) == 1
    failures.tell()
    assert [one.getMessage().rpartition(": ")[2] for one in caplog.records[1:]] == [
        "999 more in 5 s",
        "1 more in 5 s",
    ]
    failures.tell()  # nothing since
    failures.add(Problem.TIMEOUT, "again")
    assert len(caplog.records) == 4
    assert "Ray ID again" in caplog.text


# --- Strict-Transport-Security


@pytest.mark.parametrize("guarded", [False, True])
@pytest.mark.parametrize("proxied", ["https", "http"])
async def test_only_one_hsts(world: World, guarded: bool, proxied: str) -> None:
    """The gate's own over TLS; else the upstream's, which clients ignore there."""
    settings = Settings(
        trusted_proxies=TrustedProxies(["127.0.0.1"]), unsafe_unguarded_paths=("/up/",)
    )
    raw = answer(fields=b"Strict-Transport-Security: max-age=0\r\n")
    async with site(world, answering(raw), settings=settings) as one:
        more = [("X-Forwarded-For", "127.0.0.1"), ("X-Forwarded-Proto", proxied)]
        reply = await (one.post(more=more) if guarded else one.get("/up/", more=more))
        assert reply.status == 200
        own = b"max-age=31536000" if proxied == "https" else b"max-age=0"
        assert reply.get("strict-transport-security") == own
