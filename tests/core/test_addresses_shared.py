"""Addresses and entries against other projects' vectors (shared/vectors/ip_allowlist).

Every deviation stands here with its reason.
"""

import json
from typing import Any

from guarita.addresses import AddressSet, BadEntry, canonical_address, parse_entry
from tests.shared_vectors import shared

Row = dict[str, Any]

# Where we deviate from rows of class core, and why.
SPELLED_OTHERWISE = {
    # A single host has one spelling, without its prefix.
    "ip-parse-026": "135.104.0.0",
    "ip-parse-029": "135.104.0.1",
    "ip-parse-031": "::1",
    # IPv4-mapped IPv6 is reduced to IPv4 (seed L104); the sources print it as IPv6.
    "ip-parse-093": "192.168.140.255",
    "ip-parse-284": "192.0.2.1",
    "ip-parse-286": "192.0.2.1",
    "ip-parse-290": "0.0.0.0",
    "ip-parse-291": "172.32.0.0",
    "ip-parse-292": "192.168.1.1",
    "ip-parse-293": "192.168.1.1",
    "ip-parse-463": "192.168.0.1",
}

# What we decided where the vectors name a policy: all refused, but for addresses as entries.
REFUSED_BY_POLICY = {
    "zone": "a zone id has a meaning on one machine only",
    "netmask or hostmask notation": "the prefix length is suggested instead",
    "host bits allowed here": "the network is suggested instead",
    "sources disagree": "the strict reading: no leading zeros, no group of more than four digits",
}
BARE_ADDRESS_IS_AN_ENTRY = {"ip-parse-098"}  # filed under "sources disagree"


def shared_rows(name: str) -> list[Row]:
    rows: list[Row] = json.loads(shared("ip_allowlist", name).read_text(encoding="utf-8"))
    return rows


def read(row: Row) -> str | None:
    if row["kind"] == "address":
        return canonical_address(row["text"])
    try:
        return parse_entry(row["text"], unsafe_any=True)
    except BadEntry:
        return None


def test_shared_parse_core_rows() -> None:
    core = [row for row in shared_rows("parse.json") if row["class"] == "core"]
    assert len(core) == 830
    for row in core:
        found = read(row)
        assert (found is not None) is row["valid"], row
        if "canonical" in row:
            assert found == SPELLED_OTHERWISE.get(row["id"], row["canonical"]), row


def test_shared_parse_policy_rows() -> None:
    policy = [row for row in shared_rows("parse.json") if row["class"] == "policy"]
    assert len(policy) == 245
    for row in policy:
        found = read(row)
        if row["id"] in BARE_ADDRESS_IS_AN_ENTRY:
            assert found == row["text"], row
        elif row["policy"] == "bare address as network":
            assert (found is not None) is row["valid"], row
        else:
            assert row["policy"] in REFUSED_BY_POLICY, row
            assert found is None, row


def test_shared_match_rows() -> None:
    rows = shared_rows("match.json")
    assert len(rows) == 239
    for row in rows:
        entries, refused = [], []
        for text in row["allow"]:
            try:
                entries.append(parse_entry(text, unsafe_any=True))
            except BadEntry:
                refused.append(text)
        if row["class"] == "core":
            assert AddressSet(entries, unsafe_any=True).allows(row["ip"]) is row["want"], row
        else:  # host bits under the mask (and '::ffff:10.0.0.0/0'): refused when saved
            assert refused, row
