"""Which addresses a webhook may be sent to: the public internet, nothing else.

What belongs here: the table of forbidden networks (IANA special-purpose address registries, RFC
6890 and its updates) and the check. A caller names the address, so without this check it could make
the bank talk to machines that only the bank can reach (server-side request forgery).
"""

import ipaddress
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

Address = IPv4Address | IPv6Address

FORBIDDEN_V4: tuple[tuple[IPv4Network, str], ...] = tuple(
    (ipaddress.IPv4Network(network), why)
    for network, why in (
        ("0.0.0.0/8", "unspecified"),  # RFC 791 §3.2
        ("10.0.0.0/8", "private"),  # RFC 1918
        ("100.64.0.0/10", "shared address space (CGNAT)"),  # RFC 6598; 100.100.100.200: metadata
        ("127.0.0.0/8", "loopback"),  # RFC 1122 §3.2.1.3
        ("168.63.129.16/32", "cloud metadata"),  # the host of an Azure machine
        ("169.254.0.0/16", "link-local"),  # RFC 3927; 169.254.169.254: metadata
        ("172.16.0.0/12", "private"),  # RFC 1918
        ("192.0.0.0/24", "reserved for protocols"),  # RFC 6890 §2.1; 192.0.0.192: metadata
        ("192.0.2.0/24", "documentation"),  # RFC 5737
        ("192.88.99.0/24", "6to4 relay"),  # RFC 7526
        ("192.168.0.0/16", "private"),  # RFC 1918
        ("198.18.0.0/15", "benchmarking"),  # RFC 2544
        ("198.51.100.0/24", "documentation"),  # RFC 5737
        ("203.0.113.0/24", "documentation"),  # RFC 5737
        ("224.0.0.0/4", "multicast"),  # RFC 1112 §4
        ("240.0.0.0/4", "reserved"),  # RFC 1112 §4, RFC 919 (broadcast)
    )
)
# Inside the global unicast space 2000::/3 (RFC 4291 §2.4). All outside it is forbidden as a whole.
FORBIDDEN_V6: tuple[tuple[IPv6Network, str], ...] = tuple(
    (ipaddress.IPv6Network(network), why)
    for network, why in (
        ("2001::/23", "reserved for protocols (Teredo and others)"),  # RFC 2928, RFC 4380
        ("2001:db8::/32", "documentation"),  # RFC 3849
        ("2002::/16", "6to4"),  # RFC 3056: an IPv4 address in disguise
        ("3fff::/20", "documentation"),  # RFC 9637
    )
)
# Named for the error message alone.
_OUTSIDE_V6: tuple[tuple[IPv6Network, str], ...] = tuple(
    (ipaddress.IPv6Network(network), why)
    for network, why in (
        ("::/128", "unspecified"),
        ("::1/128", "loopback"),
        ("64:ff9b:1::/48", "local NAT64"),  # RFC 8215
        ("fc00::/7", "private"),  # RFC 4193; fd00:ec2::254: metadata
        ("fe80::/10", "link-local"),  # RFC 4291 §2.5.6
        ("fec0::/10", "private"),  # RFC 3879
        ("ff00::/8", "multicast"),  # RFC 4291 §2.7
    )
)
_GLOBAL_V6 = ipaddress.IPv6Network("2000::/3")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052 §2.1


def forbidden(address: Address, *, unsafe_loopback: bool = False) -> str | None:
    """Why no webhook is sent to the address, or `None` if one may be.

    An IPv6 address that stands for an IPv4 one (mapped, or by NAT64) is judged as that one. With
    `unsafe_loopback` loopback addresses, and no others, are let through.
    """
    address = plain(address)
    if unsafe_loopback and address.is_loopback:
        return None
    if isinstance(address, IPv4Address):
        return next((why for network, why in FORBIDDEN_V4 if address in network), None)
    if address.scope_id is not None:
        return "of one link only"
    if address in _NAT64:
        return forbidden(IPv4Address(address.packed[-4:]))
    if address not in _GLOBAL_V6:
        outside = (why for network, why in _OUTSIDE_V6 if address in network)
        return next(outside, "outside the global unicast space")
    return next((why for network, why in FORBIDDEN_V6 if address in network), None)


def plain(address: Address) -> Address:
    """The IPv4 address in an IPv4-mapped IPv6 one (`::ffff:192.0.2.1`), any other as it is."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def literal(host: str) -> Address | None:
    """The address that a URL's host is, without brackets, or `None` for a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
