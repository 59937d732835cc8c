"""Which addresses may be sent to."""

import ipaddress
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from guarita.sandbox.webhooks import addresses
from tests.sandbox.webhooks.support import vectors

VECTORS = vectors()["addresses"]
LOOPBACK = ("127.0.0.1", "127.255.255.255", "::1", "::ffff:127.0.0.1")


@pytest.mark.parametrize("text", VECTORS["forbidden"])
def test_forbidden(text: str) -> None:
    assert addresses.forbidden(ipaddress.ip_address(text))


@pytest.mark.parametrize("text", VECTORS["allowed"])
def test_allowed(text: str) -> None:
    assert addresses.forbidden(ipaddress.ip_address(text)) is None


@pytest.mark.parametrize("text", [*VECTORS["forbidden"], "::ffff:127.9.9.9", "64:ff9b::7f00:1"])
def test_the_loopback_setting_lets_in_loopback_alone(text: str) -> None:
    why = addresses.forbidden(ipaddress.ip_address(text), unsafe_loopback=True)
    plain = addresses.plain(ipaddress.ip_address(text))
    assert (why is None) == (plain.is_loopback)


def test_the_loopback_setting_lets_in_loopback() -> None:
    for text in LOOPBACK:
        assert addresses.forbidden(ipaddress.ip_address(text), unsafe_loopback=True) is None


@given(st.ip_addresses(v=4))
def test_the_standard_library_agrees_on_ipv4(address: IPv4Address) -> None:
    """What it calls not global, or multicast, is forbidden; the table may forbid more."""
    if not address.is_global or address.is_multicast:
        assert addresses.forbidden(address)


@given(st.ip_addresses(v=6))
def test_the_standard_library_agrees_on_ipv6(address: IPv6Address) -> None:
    assume(address.ipv4_mapped is None)
    if not address.is_global or address.is_multicast or address.is_site_local:
        assert addresses.forbidden(address)


@given(st.ip_addresses(v=4))
def test_an_embedded_address_is_judged_as_itself(address: IPv4Address) -> None:
    own = addresses.forbidden(address)
    assert addresses.forbidden(IPv6Address(b"\0" * 10 + b"\xff\xff" + address.packed)) == own
    nat64 = IPv6Address(IPv6Address("64:ff9b::").packed[:12] + address.packed)
    assert addresses.forbidden(nat64) == own


def test_an_address_of_one_link() -> None:
    assert addresses.forbidden(IPv6Address("2606:4700::1%eth0"))
