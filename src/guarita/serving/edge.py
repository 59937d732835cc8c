"""What stands between client and process: trusted proxies, and the client address they vouch for.

`X-Forwarded-For` counts only where the direct TCP peer is a trusted proxy (seed L126).
"""

from collections.abc import Iterable, Sequence

from guarita.addresses import AddressSet, canonical_address

MOST_HOPS = 100
"""Hops walked at most; a longer chain of trusted proxies makes the address unknown."""

_LONGEST_HOP = 64  # a bracketed address with a port has at most 53 bytes


class TrustedProxies:
    """The peers whose `X-Forwarded-For`, Ray ID and forwarded scheme are believed. Immutable."""

    __slots__ = ("_anyone", "_proxies", "_unix_peer_is_trusted")

    def __init__(
        self,
        entries: Iterable[str] = (),
        *,
        unix_peer_is_trusted: bool = False,
        unsafe_any: bool = False,
    ) -> None:
        """Entries: addresses and networks of the proxies.

        `unix_peer_is_trusted`: a peer without an address (Unix socket) is a proxy of ours.
        `unsafe_any`: accept '0.0.0.0/0' and '::/0', which let every caller name its own address.

        Raises:
            BadEntry: an entry is not an address or network (see `guarita.addresses.parse_entry`).
        """
        self._proxies = AddressSet(entries, unsafe_any=unsafe_any)
        self._unix_peer_is_trusted = unix_peer_is_trusted
        self._anyone = bool(self._proxies) or unix_peer_is_trusted

    @property
    def entries(self) -> tuple[str, ...]:
        """The proxies' addresses and networks in canonical form."""
        return self._proxies.entries

    def __repr__(self) -> str:
        return (
            f"TrustedProxies({self._proxies!r}, unix_peer_is_trusted={self._unix_peer_is_trusted})"
        )

    def believes(self, peer: str | None) -> bool:
        """Whether the direct peer (IP address, None for a Unix socket) is a trusted proxy."""
        if not self._anyone:
            return False
        return self._unix_peer_is_trusted if peer is None else self._proxies.allows(peer)

    def client(self, peer: str | None, forwarded_for: Sequence[bytes]) -> str | None:
        """The client's address in canonical spelling, or None where it is unknown (to be refused).

        `peer`: IP address of the TCP peer, None for a Unix socket. `forwarded_for`: the values of
        all `X-Forwarded-For` fields in the order received; looked at only where the peer is
        trusted. They are walked from the right, over trusted proxies, to the first other hop;
        nothing left of it is looked at. Where every hop is trusted, the leftmost is the client. An
        unreadable or empty hop met on the walk, or more than 100 hops, makes the address unknown.
        """
        address = None if peer is None else canonical_address(peer)
        if not self._anyone or not forwarded_for or not self.believes(peer):
            return address
        return self._walk(forwarded_for[0] if len(forwarded_for) == 1 else b",".join(forwarded_for))

    def _walk(self, chain: bytes) -> str | None:
        hops = chain.rsplit(b",", MOST_HOPS)
        unwalked = hops.pop(0) if len(hops) > MOST_HOPS else None
        address = None
        for hop in reversed(hops):
            address = hop_address(hop)
            if address is None or not self._proxies.allows(address):
                return address
        return address if unwalked is None else None


def hop_address(hop: bytes) -> str | None:
    """The canonical address of one `X-Forwarded-For` element, or None where it is unreadable.

    Accepted: an address, an IPv4 address with a port, an IPv6 address in brackets with or without a
    port; blanks and tabs around it. An IPv6 address with a port but without brackets cannot be told
    from an address: it is read as one.
    """
    hop = hop.strip(b" \t")
    if len(hop) > _LONGEST_HOP or not hop.isascii():
        return None
    text = hop.decode("ascii")
    if text.startswith("["):
        text, bracket, port = text[1:].partition("]")
        if not bracket or ":" not in text or (port and not _is_port(port)):
            return None
    elif text.count(":") == 1:
        text, _, number = text.partition(":")
        if not _is_port(":" + number):
            return None
    return canonical_address(text)


def _is_port(text: str) -> bool:
    """Whether `text` is a colon and a port number."""
    number = text[1:]
    return text[0] == ":" and len(number) <= 5 and number.isdigit() and int(number) <= 65_535


NO_PROXIES = TrustedProxies()
"""Nobody is believed: the client is the TCP peer."""
