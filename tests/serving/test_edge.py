"""The client address behind trusted proxies. Cases, sources: tests/vectors/forwarded.json."""

import ipaddress
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guarita.addresses import BadEntry, canonical_address
from guarita.serving.edge import MOST_HOPS, NO_PROXIES, TrustedProxies, hop_address

Row = dict[str, Any]
CASES: list[Row] = json.loads(
    Path(__file__).parents[1].joinpath("vectors", "forwarded.json").read_text(encoding="utf-8")
)["cases"]
PROXIES = TrustedProxies(["10.0.0.0/8"])


@pytest.mark.parametrize("row", [pytest.param(row, id=row["name"]) for row in CASES])
def test_client(row: Row) -> None:
    proxies = TrustedProxies(
        row["proxies"], unix_peer_is_trusted=row.get("unix_peer_is_trusted", False)
    )
    fields = [field.encode() for field in row["forwarded_for"]]
    assert proxies.client(row["peer"], fields) == row["client"]


def test_believes() -> None:
    assert PROXIES.believes("10.1.2.3")
    assert PROXIES.believes("::ffff:10.1.2.3")
    assert not PROXIES.believes("11.1.2.3")
    assert not PROXIES.believes("testclient")
    assert not PROXIES.believes("")
    assert not PROXIES.believes(None)
    assert TrustedProxies(unix_peer_is_trusted=True).believes(None)
    assert not TrustedProxies(unix_peer_is_trusted=True).believes("10.1.2.3")
    assert not NO_PROXIES.believes("127.0.0.1")
    assert not NO_PROXIES.believes(None)


def test_proxies_are_validated() -> None:
    with pytest.raises(BadEntry, match=r"write '10\.0\.0\.0/8'"):
        TrustedProxies(["10.0.0.1/8"])
    with pytest.raises(BadEntry, match="unsafe_any"):
        TrustedProxies(["0.0.0.0/0"])
    everybody = TrustedProxies(["0.0.0.0/0"], unsafe_any=True)
    assert everybody.client("203.0.113.9", [b"198.51.100.1"]) == "198.51.100.1"
    assert PROXIES.entries == ("10.0.0.0/8",)
    assert "10.0.0.0/8" in repr(PROXIES)


def chain(trusted_hops: int) -> bytes:
    return b", ".join([b"198.51.100.1"] + [b"10.0.0.2"] * trusted_hops)


def test_the_walk_is_bounded() -> None:
    assert PROXIES.client("10.0.0.1", [chain(MOST_HOPS - 1)]) == "198.51.100.1"
    assert PROXIES.client("10.0.0.1", [chain(MOST_HOPS)]) is None
    assert PROXIES.client("10.0.0.1", [chain(MOST_HOPS + 1)]) is None
    assert PROXIES.client("10.0.0.1", [b"10.0.0.2"] * MOST_HOPS) == "10.0.0.2"
    assert PROXIES.client("10.0.0.1", [b"10.0.0.2"] * (MOST_HOPS + 1)) is None
    # Length left of the first untrusted hop is nobody's concern.
    assert PROXIES.client("10.0.0.1", [b"x," * 50_000, b"198.51.100.1"]) == "198.51.100.1"


hops = st.one_of(
    st.binary(max_size=30).map(lambda b: b.replace(b",", b"")),
    st.ip_addresses().map(lambda a: str(a).encode()),
    st.ip_addresses(network="10.0.0.0/8").map(lambda a: str(a).encode()),
    st.sampled_from([b"", b" ", b"unknown", b"[::1]:1", b"10.0.0.1:80", b"::ffff:10.0.0.1"]),
)


@given(st.lists(hops, min_size=1, max_size=8))
def test_the_walk_agrees_with_its_definition(elements: list[bytes]) -> None:
    trusted = ipaddress.ip_network("10.0.0.0/8")
    expected = None
    for element in reversed(elements):
        expected = hop_address(element)
        if expected is None or ipaddress.ip_address(expected) not in trusted:
            break
    assert PROXIES.client("10.0.0.1", [b",".join(elements)]) == expected
    assert PROXIES.client("10.0.0.1", elements) == expected
    assert PROXIES.client("203.0.113.9", elements) == "203.0.113.9"


@given(st.ip_addresses(), st.integers(0, 65_535))
def test_ports_and_brackets_change_nothing(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address, port: int
) -> None:
    plain = canonical_address(str(address))
    assert plain is not None
    bracketed = f"[{address}]" if address.version == 6 else str(address)
    for hop in (f"{address}", f" {bracketed}\t", f"{bracketed}:{port}"):
        assert hop_address(hop.encode()) == plain


@given(st.binary())
def test_a_hop_is_a_canonical_address_or_nothing(hop: bytes) -> None:
    address = hop_address(hop)
    assert address is None or canonical_address(address) == address
