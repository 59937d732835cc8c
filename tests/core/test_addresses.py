"""Addresses and allowlist entries: how they are spelled, which are refused, which allows whom.

Cases with their sources: tests/vectors/addresses.json.
"""

import ipaddress
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guarita.addresses import (
    AddressSet,
    BadEntry,
    canonical_address,
    covers,
    grouped,
    parse_entry,
)

Row = dict[str, Any]
VECTORS = json.loads(Path(__file__).parents[1].joinpath("vectors", "addresses.json").read_text())


def rows(section: str) -> pytest.MarkDecorator:
    cases = VECTORS[section]
    return pytest.mark.parametrize("row", cases, ids=[str(i) for i in range(1, len(cases) + 1)])


@rows("canonical")
def test_canonical_address(row: Row) -> None:
    assert canonical_address(row["text"]) == row["canonical"]


@rows("accepted")
def test_accepted_entry(row: Row) -> None:
    assert parse_entry(row["text"]) == row["entry"]
    assert covers(row["text"]) == row["covers"]


@rows("refused")
def test_refused_entry(row: Row) -> None:
    with pytest.raises(BadEntry, match=re.escape(row["problem"])) as caught:
        parse_entry(row["text"])
    assert caught.value.suggestion == row["suggestion"]
    assert caught.value.entry == row["text"]
    if row["suggestion"]:
        assert repr(row["suggestion"]) in str(caught.value)


@rows("matches")
def test_match(row: Row) -> None:
    allowlist = AddressSet(row["entries"])
    for _ in range(2):  # the second answer comes from memory
        assert allowlist.match(row["address"]) == row["match"]
        assert allowlist.allows(row["address"]) is (row["match"] is not None)


@rows("grouped")
def test_grouped(row: Row) -> None:
    assert grouped(row["address"], row["ipv6_prefix"]) == row["key"]


def test_everybody_takes_the_unsafe_option() -> None:
    assert parse_entry("0.0.0.0/0", unsafe_any=True) == "0.0.0.0/0"
    assert parse_entry("::0/0", unsafe_any=True) == "::/0"
    assert covers("::/0") == 2**128
    with pytest.raises(BadEntry, match="unsafe_any"):
        AddressSet(["0.0.0.0/0"])
    everybody = AddressSet(["0.0.0.0/0"], unsafe_any=True)
    assert everybody.allows("198.51.100.1")
    assert not everybody.allows("2001:db8::1")
    assert not everybody.allows("unknown")


def test_a_long_text_is_not_repeated_in_the_error() -> None:
    secret = "sk_" + "5ec4e7" * 11
    with pytest.raises(BadEntry, match="69 characters long") as caught:
        parse_entry(secret)
    assert "5ec4e7" not in f"{caught.value} {caught.value!r} {vars(caught.value)}"


def test_a_set_is_a_value() -> None:
    allowlist = AddressSet(["10.0.0.0/8", "::ffff:10.0.0.0/104", "2001:DB8::1"])
    assert allowlist.entries == ("10.0.0.0/8", "2001:db8::1")
    assert len(allowlist) == 2
    assert allowlist
    assert not AddressSet()
    assert allowlist == AddressSet(["10.0.0.0/8", "2001:db8::1"])
    assert hash(allowlist) == hash(AddressSet(allowlist.entries))
    assert allowlist != AddressSet(["10.0.0.0/8"])
    assert allowlist != ("10.0.0.0/8", "2001:db8::1")
    assert repr(allowlist) == "AddressSet(['10.0.0.0/8', '2001:db8::1'])"


@pytest.mark.parametrize("others", [0, 10])
def test_answers_stay_right_for_more_addresses_than_are_remembered(others: int) -> None:
    more = [f"198.51.100.{i}" for i in range(others)]
    allowlist = AddressSet(["203.0.113.0/25", *more])
    for _ in range(2):
        allowed = [i for i in range(256) if allowlist.allows(f"203.0.113.{i}")]
        assert allowed == list(range(128))


def test_what_a_set_remembers_is_bounded() -> None:
    allowlist = AddressSet(["203.0.113.0/24"])
    for i in range(1000):
        allowlist.allows(f"10.0.{i // 256}.{i % 256}")
        allowlist.allows(f"no address {i}")
    assert 1 <= len(allowlist._verdicts) <= 64


def test_sets_do_not_share_what_they_remember() -> None:
    first, second = AddressSet(["203.0.113.1"]), AddressSet(["203.0.113.2"])
    assert first.allows("203.0.113.1")
    assert not second.allows("203.0.113.1")
    assert not AddressSet().allows("203.0.113.1")


def test_grouping_refuses_nonsense() -> None:
    with pytest.raises(ValueError, match="1 to 128, not 0"):
        grouped("2001:db8::1", 0)
    with pytest.raises(ValueError, match="'fe80::1%eth0' is not an IP address"):
        grouped("fe80::1%eth0", 64)


# Laws

addresses = st.ip_addresses()
# Few leading bits vary, so that random addresses do fall into random networks.
near_addresses = st.one_of(
    st.integers(0, 2**12 - 1).map(lambda n: ipaddress.IPv4Address(n << 20 | n)),
    st.integers(0, 2**12 - 1).map(lambda n: ipaddress.IPv6Address(n << 116 | n)),
)


@st.composite
def networks(draw: st.DrawFn) -> str:
    address = draw(st.one_of(addresses, near_addresses))
    length = draw(st.integers(1, address.max_prefixlen))
    return str(ipaddress.ip_network(f"{address}/{length}", strict=False))


entry_like = st.one_of(
    st.text(max_size=60),
    st.text("0123456789abcfx.:/-*%[], ", max_size=60),
    st.from_regex(
        r"[ 0]?[0-9]{1,3}(\.[0-9]{1,3}){3}(/[0-9]{1,3}| ?/ ?[0-9]{1,2})?", fullmatch=True
    ),
    st.from_regex(r"\[?[0-9a-f]{1,4}(:[0-9a-f]{0,4}){2,7}(%\w+)?\]?(:[0-9]+)?(/[0-9]{1,3})?"),
    st.tuples(addresses, st.integers(0, 130)).map(lambda pair: f"{pair[0]}/{pair[1]}"),
    st.tuples(st.ip_addresses(v=4), st.ip_addresses(v=4)).map(lambda pair: f"{pair[0]}/{pair[1]}"),
    st.tuples(st.ip_addresses(v=4), st.integers(0, 130)).map(lambda p: f"::ffff:{p[0]}/{p[1]}"),
)


@given(st.one_of(addresses.map(str), addresses.map(lambda a: a.exploded.upper()), entry_like))
def test_canonical_address_agrees_with_ipaddress_and_is_idempotent(text: str) -> None:
    try:
        expected = ipaddress.ip_address(text)
    except ValueError:
        assert canonical_address(text) is None
        return
    if isinstance(expected, ipaddress.IPv6Address):
        if expected.scope_id is not None:
            assert canonical_address(text) is None
            return
        expected = expected.ipv4_mapped or expected
    canonical = canonical_address(text)
    assert canonical == str(expected)
    assert canonical_address(canonical) == canonical


@given(st.ip_addresses(v=4))
def test_every_mapped_spelling_is_the_ipv4_address(address: ipaddress.IPv4Address) -> None:
    value = int(address)
    groups = f"{value >> 16:x}:{value & 0xFFFF:04X}"
    for prefix in ("::ffff:", "::FFFF:", "0:0:0:0:0:ffff:", "0000::ffff:"):
        assert canonical_address(f"{prefix}{address}") == str(address)
        assert canonical_address(prefix + groups) == str(address)


def verdict(text: str, *, unsafe_any: bool) -> tuple[str | None, str | None]:
    """(entry, suggestion) of a text."""
    try:
        return parse_entry(text, unsafe_any=unsafe_any), None
    except BadEntry as refused:
        return None, refused.suggestion


@given(entry_like)
def test_an_accepted_entry_is_what_strict_ipaddress_reads(text: str) -> None:
    entry, _ = verdict(text, unsafe_any=True)
    if entry is None:
        return
    assert parse_entry(entry, unsafe_any=True) == entry
    network = ipaddress.ip_network(entry, strict=True)
    assert covers(entry) == network.num_addresses
    written = ipaddress.ip_network(text, strict=True)
    first = written.network_address
    if isinstance(first, ipaddress.IPv6Address) and first.ipv4_mapped is not None:
        assert network.network_address == first.ipv4_mapped
        assert network.num_addresses == written.num_addresses
    else:
        assert network == written


@given(entry_like, st.booleans())
def test_a_suggestion_is_itself_a_valid_entry(text: str, unsafe_any: bool) -> None:
    _, suggestion = verdict(text, unsafe_any=unsafe_any)
    if suggestion is not None:
        assert parse_entry(suggestion, unsafe_any=unsafe_any) == suggestion


@given(st.one_of(addresses, near_addresses), st.integers(1, 128))
def test_an_address_with_a_prefix_is_accepted_if_strict_ipaddress_does(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address, length: int
) -> None:
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        return  # reduced to IPv4: has its own law
    text = f"{address}/{length}"
    try:
        expected = str(ipaddress.ip_network(text, strict=True))
    except ValueError:
        expected = None
        if length <= address.max_prefixlen:
            network = ipaddress.ip_network(text, strict=False)
            assert verdict(text, unsafe_any=False) == (None, str(network))
    entry, _ = verdict(text, unsafe_any=False)
    assert entry == (expected and expected.removesuffix(f"/{address.max_prefixlen}"))


@given(st.lists(networks(), max_size=12), st.lists(st.one_of(addresses, near_addresses)))
def test_membership_agrees_with_ipaddress(
    entries: list[str], asked: list[ipaddress.IPv4Address | ipaddress.IPv6Address]
) -> None:
    # A mapped address is IPv4 here; IPv6 networks of ipaddress know nothing of that.
    allowlist = AddressSet(entries)
    compiled = [ipaddress.ip_network(entry) for entry in allowlist.entries]
    ends = [end for network in compiled for end in (network[0], network[-1])]
    outside = [end + 1 for end in ends if int(end) + 1 < 2**end.max_prefixlen]
    for address in [*asked, *ends, *outside]:
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        covering = [network for network in compiled if address in network]
        match = allowlist.match(str(address))
        assert allowlist.allows(str(address)) is bool(covering)
        if covering:
            assert match is not None
            assert ipaddress.ip_network(match) == max(covering, key=lambda n: n.prefixlen)
        else:
            assert match is None


@given(st.text())
def test_no_text_is_allowed_by_accident(text: str) -> None:
    for entries in (["0.0.0.0/0", "::/0"], ["0.0.0.0/0", "::/0", "::1", "::2", "::3", "::4"]):
        everybody = AddressSet(entries, unsafe_any=True)
        assert everybody.allows(text) is (canonical_address(text) is not None)
