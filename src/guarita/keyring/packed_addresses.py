"""Allowlist entries as a packed key holds them: 5 bytes for one of IPv4, 17 for one of IPv6."""

import ipaddress
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton

_IPV6 = 64
"""Added to the prefix length of an IPv6 entry; those of IPv4 are 32 at most."""


def packed_entries(entries: tuple[str, ...]) -> bytes:
    """Canonical entries (`AddressSet.entries`), each as one byte for family and prefix length, then
    the address.
    """
    parts: list[bytes] = []
    for entry in entries:
        address, _, prefix = entry.partition("/")
        if ":" in address:
            parts += bytes([_IPV6 + int(prefix or 128)]), inet_pton(AF_INET6, address)
        else:
            parts += bytes([int(prefix or 32)]), inet_pton(AF_INET, address)
    return b"".join(parts)


def unpacked_entries(packed: bytes) -> list[str]:
    """The entries that were packed."""
    entries: list[str] = []
    at = 0
    while at < len(packed):
        length = packed[at]
        if length >= _IPV6:
            length, begin, bits = length - _IPV6, at + 1, 128
            at = begin + 16
            address = ipaddress.IPv6Address(packed[begin:at]).compressed
        else:
            begin, bits = at + 1, 32
            at = begin + 4
            address = inet_ntop(AF_INET, packed[begin:at])
        entries.append(address if length == bits else f"{address}/{length}")
    return entries
