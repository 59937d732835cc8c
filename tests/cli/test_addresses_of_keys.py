"""`guarita key allow-ip | disallow-ip | test-ip`: seed L108-110."""

import pytest

from tests.cli.conftest import Merchant, Runner


@pytest.mark.parametrize(
    ("address", "entry"),
    [
        ("203.0.113.9", "203.0.113.0/24"),
        ("::ffff:203.0.113.9", "203.0.113.0/24"),
        ("2001:db8::1", "2001:db8::1"),
    ],
)
def test_an_admitted_address_names_its_entry(
    run: Runner, merchant: Merchant, address: str, entry: str
) -> None:
    result = run("key", "test-ip", merchant.client_id, address, "--json")
    assert result.status == 0
    assert result.json["allowed"] is True
    assert result.json["entry"] == entry
    assert (
        f"allowed, covered by the entry {entry}"
        in run("key", "test-ip", merchant.client_id, address).out
    )


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("203.0.112.9", "nearest: 203.0.113.0/24 (256 addresses)"),
        ("2001:db8::2", "nearest: 2001:db8::1 (1 address)"),
        ("203.000.113.009", "write 203.0.113.9"),
        ("203.0.113.0/24", "it is a network"),
        ("example.org", "not an IP address"),
    ],
)
def test_a_refused_address_says_why(
    run: Runner, merchant: Merchant, address: str, why: str
) -> None:
    result = run("key", "test-ip", merchant.client_id, address)
    assert result.status == 1
    assert "not allowed" in result.out
    assert why in result.out
    document = run("key", "test-ip", merchant.client_id, address, "--json")
    assert document.status == 1
    assert document.json["allowed"] is False
    assert document.json["entry"] is None


def test_an_empty_list_and_a_list_of_the_other_family(run: Runner, merchant: Merchant) -> None:
    removed = run("key", "disallow-ip", merchant.client_id, "203.0.113.0/24", "--json").json
    assert removed["allowlist"] == ["2001:db8::1"]
    assert "no IPv4 entry" in run("key", "test-ip", merchant.client_id, "203.0.113.9").out
    emptied = run("key", "disallow-ip", merchant.client_id, "2001:db8::1")
    assert "every request is refused" in emptied.err
    result = run("key", "test-ip", merchant.client_id, "203.0.113.9", "--json")
    assert (result.status, result.json["list_empty"]) == (1, True)


def test_a_key_that_is_refused_anyway_is_pointed_out(run: Runner, merchant: Merchant) -> None:
    run("key", "revoke", merchant.client_id)
    result = run("key", "test-ip", merchant.client_id, "203.0.113.9")
    assert result.status == 0
    assert "revoked" in result.err


def test_added_entries_are_counted(run: Runner, merchant: Merchant) -> None:
    result = run("key", "allow-ip", merchant.client_id, "172.20.16.0/20", "2001:db8:1::/48")
    assert result.status == 0
    assert "172.20.16.0/20: 4,096 addresses" in result.out
    assert "2001:db8:1::/48: 2^80 addresses" in result.out
    again = run("key", "allow-ip", merchant.client_id, "172.20.16.0/20", "10.0.0.0/8", "--json")
    assert again.json["added"] == [{"entry": "10.0.0.0/8", "addresses": 2**24}]


@pytest.mark.parametrize("entry", ["0.0.0.0/0", "::/0"])
def test_everybody_takes_a_dangerous_name(run: Runner, merchant: Merchant, entry: str) -> None:
    refused = run("key", "allow-ip", merchant.client_id, entry)
    assert (refused.status, refused.out) == (1, "")
    allowed = run("key", "allow-ip", merchant.client_id, entry, "--unsafe-any")
    assert allowed.status == 0
    assert "unsafe" in allowed.err


@pytest.mark.parametrize(
    ("entry", "suggestion"),
    [
        ("203.000.113.045", "203.0.113.45"),
        ("198.51.100.7/24", "198.51.100.0/24"),
        ("198.51.100.0/255.255.255.0", "198.51.100.0/24"),
        (" 198.51.100.7", "198.51.100.7"),
    ],
)
def test_a_bad_entry_is_refused_with_the_right_form(
    run: Runner, merchant: Merchant, entry: str, suggestion: str
) -> None:
    before = run("key", "show", merchant.client_id, "--json").json
    result = run("key", "allow-ip", merchant.client_id, "10.1.2.3", entry)
    assert (result.status, result.out) == (1, "")
    assert repr(suggestion) in result.err
    assert run("key", "show", merchant.client_id, "--json").json == before


def test_removing_an_entry_that_is_not_there(run: Runner, merchant: Merchant) -> None:
    result = run("key", "disallow-ip", merchant.client_id, "203.0.113.9")
    assert result.status == 1
    assert "203.0.113.0/24" in result.err
