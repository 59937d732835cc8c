"""The law of the lockout, over the whole production profile and its reference store: a stranger who
knows a key cannot lock its owner out (DESIGN section 3; issue 3, "Blocking").
"""

from typing import Literal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec import Struct

from tests import vectors_delfinance as v
from tests.doors import DOORS, through_core
from tests.vectors_delfinance_world import NOW, OTHER_SERIAL, OTHER_SHA256, SERIAL, SHA256
from tests.worlds_delfinance import World

OWN = ("203.0.113.45", "2001:db8:0:1::5", "198.51.100.0/30")
OWNERS = ("203.0.113.45", "2001:db8:0:1::5", "198.51.100.2")
NEIGHBOURS = (
    "203.0.113.44",
    "203.0.113.46",
    "::ffff:203.0.113.44",
    "2001:db8:0:1::6",
    "2001:db8:0:1:ffff::",
    "2001:db8::",
    "198.51.100.4",
    "198.51.99.255",
    "unreadable",
)
WINDOW_S = 900


class Attempt(Struct, frozen=True):
    """What a stranger sends, `times` times, `after` seconds after the previous."""

    peer: str
    certificate: v.Certificate | None
    account: str | None
    times: int
    after: int


def strangers() -> st.SearchStrategy[str]:
    """Addresses that are not on the key's allowlist, many of them next to one that is."""
    anywhere = st.ip_addresses().map(str).filter(lambda one: one not in OWNERS)
    return st.sampled_from(NEIGHBOURS) | anywhere.filter(lambda one: "198.51.100." not in one)


def certificates() -> st.SearchStrategy[v.Certificate | None]:
    """Any, the owner's own included: it may have been stolen with the key."""
    kinds = st.sampled_from([None, "malformed", "expired", "revoked", "unknown_issuer"])
    return st.none() | st.builds(
        v.Certificate,
        fault=kinds,
        serial=st.sampled_from([SERIAL, OTHER_SERIAL]),
        sha256=st.sampled_from([SHA256, OTHER_SHA256]),
        lapsed=st.booleans(),
        verified_at=st.sampled_from([None, NOW - 10**6]),
    )


ATTEMPTS = st.builds(
    Attempt,
    peer=strangers(),
    certificate=certificates(),
    account=st.sampled_from([None, "", "acc_1", "acc_2"]) | st.text("ab_12", max_size=5),
    times=st.integers(1, 25),
    after=st.sampled_from([0, 1, 60, 300, WINDOW_S]),
)


def attempt(world: World, one: Attempt, door: Literal["core", "asgi"] = "core") -> None:
    headers = [("x-delbank-api-key", "{api_key}")]
    if one.account is not None:
        headers.append(("x-delfinance-account-id", one.account))
    request = v.Request(headers=tuple(headers), peer=one.peer, certificate=one.certificate)
    for _ in range(one.times):
        reply = DOORS[door](world, request.wire())
        assert reply.decision == "refuse", "a stranger is never admitted"


def owner_is_admitted(world: World) -> None:
    for address in OWNERS:
        reply = through_core(world, v.Request(peer=address).wire())
        assert (reply.status, reply.reason) == (200, None), address


@settings(deadline=None, max_examples=60)
@given(st.lists(ATTEMPTS, max_size=8), st.booleans())
@example([Attempt("2001:db8:0:1::6", None, None, 25, 0)], True)
@example([Attempt("203.0.113.46", v.Certificate(), "acc_1", 25, 0)], True)
@example([Attempt("unreadable", None, "acc_1", 25, 0)], True)
@example([Attempt(f"192.0.2.{n}", v.Certificate(), "acc_1", 10, 0) for n in range(30)], True)
def test_a_stranger_who_knows_a_key_cannot_lock_its_owner_out(
    attempts: list[Attempt], low_limits: bool
) -> None:
    """Whatever is sent from unlisted addresses, when, and how often: the owner, from any of his
    addresses and with his certificate, is admitted after every attempt, and nobody blocks the key.
    """
    limits = v.Settings(address_limit=2, key_limit=3, key_addresses=2)
    world = World(
        v.Given(key=v.KeyState(allowlist=OWN), settings=limits if low_limits else v.Settings())
    )
    owner_is_admitted(world)
    for one in attempts:
        world.at += one.after
        attempt(world, one)
        owner_is_admitted(world)
    assert world.blocks == []


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.sampled_from(OWNERS), st.integers(1, 4)), max_size=6), st.data())
def test_strangers_neither_add_to_nor_take_from_what_the_owner_did_himself(
    mistakes: list[tuple[str, int]], data: st.DataObject
) -> None:
    """With and without strangers, the owner's own mistakes have the same consequences."""
    alone, beset = (World(v.Given(key=v.KeyState(allowlist=OWN))) for _ in range(2))
    for address, times in mistakes:
        attempt(beset, data.draw(ATTEMPTS))
        request = v.Request(peer=address, certificate=None).wire()
        for _ in range(times):
            assert through_core(alone, request) == through_core(beset, request)
    for address in OWNERS:
        good = v.Request(peer=address).wire()
        assert through_core(alone, good) == through_core(beset, good)
    assert len(alone.blocks) == len(beset.blocks)


@pytest.mark.parametrize("peer", NEIGHBOURS)
def test_the_law_through_the_middleware(peer: str) -> None:
    world = World(v.Given(key=v.KeyState(allowlist=OWN)))
    attempt(world, Attempt(peer, v.Certificate(), "acc_1", 12, 0), "asgi")
    assert DOORS["asgi"](world, v.Request(peer="2001:db8:0:1::5").wire()).status == 200
    assert world.blocks == []
