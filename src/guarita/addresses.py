"""Which addresses an allowlist allows: the compiled set, and the address as a rate limiter's key.

How a single address or entry is written stands in `address_entries`; its public names are repeated
here.
"""

import ipaddress
from collections.abc import Iterable
from functools import lru_cache
from socket import AF_INET, AF_INET6, inet_pton

from guarita.address_entries import BadEntry, canonical_address, covers, parse_entry

__all__ = ["AddressSet", "BadEntry", "canonical_address", "covers", "grouped", "parse_entry"]

_SCANNED = 4  # sets of so few entries are scanned and keep no tables: there may be 100,000 of them
_REMEMBERED = 64  # verdicts kept per set; a key is used from a few addresses
_NO_VERDICTS: dict[str, str] = {}  # shared by all sets nobody has asked yet; never written to

_Tables = tuple[tuple[int, dict[int, str]], ...]
"""(bits to shift out, {network bits: entry}), longest prefix first."""


class AddressSet:
    """An allowlist, compiled. Immutable; empty allows nobody (seed L75).

    Compares and hashes by its entries. `allows` costs about 0.1 µs for an address asked before and
    1 to 2 µs for another one, by the number of different prefix lengths, not of networks.
    """

    __slots__ = ("_entries", "_tables", "_verdicts")

    def __init__(self, entries: Iterable[str] = (), *, unsafe_any: bool = False) -> None:
        """Entries in any form `parse_entry` accepts, duplicates dropped.

        Raises:
            BadEntry: as `parse_entry`; '0.0.0.0/0' and '::/0' need `unsafe_any`.
        """
        self._entries = tuple(
            dict.fromkeys([parse_entry(e, unsafe_any=unsafe_any) for e in entries])
        )
        self._tables: tuple[_Tables, _Tables] | None = None
        self._verdicts = _NO_VERDICTS

    @property
    def entries(self) -> tuple[str, ...]:
        """The entries in canonical form, in the order given."""
        return self._entries

    def allows(self, address: str) -> bool:
        """Whether an entry covers `address`. What is not an IP address is never allowed."""
        entry = self._verdicts.get(address)
        return bool(self._find(address) if entry is None else entry)

    def match(self, address: str) -> str | None:
        """The most specific entry that covers `address`, or None."""
        entry = self._verdicts.get(address)
        return (self._find(address) if entry is None else entry) or None

    def _find(self, address: str) -> str:
        """The most specific entry that covers `address`, "" for none; remembered."""
        canonical = canonical_address(address)
        if canonical is None:
            return ""  # not remembered: such text may be long, and has no end of variants
        if len(self._entries) <= _SCANNED:
            entry = _scan(self._entries, canonical)
        else:
            entry = self._look_up(canonical)
        verdicts = self._verdicts
        if verdicts is _NO_VERDICTS or len(verdicts) >= _REMEMBERED:
            self._verdicts = {address: entry}
        else:
            verdicts[address] = entry
        return entry

    def _look_up(self, canonical: str) -> str:
        if self._tables is None:
            self._tables = _tables(self._entries)
        if ":" in canonical:
            value = int.from_bytes(inet_pton(AF_INET6, canonical))
            tables = self._tables[1]
        else:
            value = int.from_bytes(inet_pton(AF_INET, canonical))
            tables = self._tables[0]
        for shift, entries in tables:
            if value >> shift in entries:  # cheaper than one entries.get() per prefix length
                return entries[value >> shift]
        return ""

    def __len__(self) -> int:
        return len(self._entries)

    def __bool__(self) -> bool:
        return bool(self._entries)

    def __eq__(self, other: object) -> bool:
        return self._entries == other._entries if isinstance(other, AddressSet) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._entries)

    def __repr__(self) -> str:
        more = f" and {len(self) - 3} more" if len(self) > 3 else ""
        return f"AddressSet({list(self._entries[:3])}{more})"


def _bits(entry: str) -> tuple[int, int, bool]:
    """A canonical entry as (bits to shift out, network bits, whether it is IPv6)."""
    address, _, prefix = entry.partition("/")
    ipv6 = ":" in address
    width = 128 if ipv6 else 32
    shift = width - int(prefix) if prefix else 0
    return shift, int.from_bytes(inet_pton(AF_INET6 if ipv6 else AF_INET, address)) >> shift, ipv6


def _scan(entries: tuple[str, ...], canonical: str) -> str:
    """The most specific of a few entries that covers the address, "" for none."""
    if canonical in entries:
        return canonical
    _, value, ipv6 = _bits(canonical)
    found, narrowest = "", 129
    for entry in entries:
        if "/" in entry:
            shift, network, entry_ipv6 = _bits(entry)
            if entry_ipv6 == ipv6 and value >> shift == network and shift < narrowest:
                found, narrowest = entry, shift
    return found


def _tables(entries: tuple[str, ...]) -> tuple[_Tables, _Tables]:
    """Look-up tables of many entries, (IPv4, IPv6)."""
    families: tuple[dict[int, dict[int, str]], dict[int, dict[int, str]]] = ({}, {})
    for entry in entries:
        shift, network, ipv6 = _bits(entry)
        families[ipv6].setdefault(shift, {})[network] = entry
    ipv4_tables, ipv6_tables = (
        tuple(sorted(f.items(), key=lambda item: item[0])) for f in families
    )
    return ipv4_tables, ipv6_tables


def grouped(address: str, ipv6_prefix: int = 128) -> str:
    """A client address as rate limiter key: IPv4 unchanged, IPv6 cut to `ipv6_prefix` bits.

    `address` is in canonical form. With a prefix of 64 all addresses of one subscriber line share
    '2001:db8:0:1::/64' (RFC 6177 section 2: a site gets at least a /64); 128 leaves IPv6 unchanged
    too.

    Raises:
        ValueError: an IPv6 `address` that is not one, or a prefix that is not 1 to 128.
    """
    if ipv6_prefix == 128 or ":" not in address:
        return address
    return _cut(address, ipv6_prefix)


@lru_cache(maxsize=16_384)
def _cut(address: str, ipv6_prefix: int) -> str:
    if not 1 <= ipv6_prefix <= 128:
        raise ValueError(f"the IPv6 prefix of a rate limiter key is 1 to 128, not {ipv6_prefix}")
    canonical = canonical_address(address)
    if canonical is None:
        raise ValueError(f"{address!r} is not an IP address")
    if ":" not in canonical:
        return canonical
    return str(ipaddress.IPv6Network(f"{canonical}/{ipv6_prefix}", strict=False))
