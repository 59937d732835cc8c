"""Where a webhook goes: the form of its URL, and the addresses its host has.

What belongs here: checks of a URL without the network (at registration and on each redirect), and
the one resolution of a delivery, every address of it checked. Errors name the host but never the
path or query, which may hold a token.
"""

import re
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address
from urllib.parse import urljoin, urlsplit

import anyio
import idna

from guarita.sandbox.webhooks import addresses
from guarita.sandbox.webhooks.addresses import Address

MAX_URL = 2048
HTTPS_ONLY = "URL must use HTTPS"  # fact sheet §6.17
PORTS = {"http": 80, "https": 443}

# From a host name and a port to its addresses. Raises `OSError` if there are none.
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

_NETLOC = re.compile(r"(?:\[(?P<v6>[^\[\]]*)\]|(?P<name>[^\[\]:]*))(?::(?P<port>[0-9]{1,5}))?")
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]*")


class InvalidTarget(ValueError):
    """No webhook is sent there. `text` says why, fit for the caller and for a log."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


@dataclass(frozen=True, slots=True)
class Target:
    """A URL taken apart. `host` is a lower-case ASCII name or an address without brackets; `path`
    includes the query.
    """

    scheme: str
    host: str
    port: int
    path: str = field(repr=False)

    @property
    def authority(self) -> str:
        """Host and, unless it is the scheme's own, port: the value of the `Host` header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"


def parse(url: str, *, allow_insecure: bool = False, unsafe_loopback: bool = False) -> Target:
    """The target of a URL. Raises `InvalidTarget`.

    It is absolute, `https` (`http` only with `allow_insecure`), of at most 2048 characters, without
    user information and fragment; its host is a name (IDNA is applied) or an address that is not
    forbidden. No name is resolved: what it leads to may change, and is checked at each delivery.
    """
    _check_characters(url)
    try:
        parts = urlsplit(url)
    except ValueError:
        raise InvalidTarget("URL is not well formed") from None
    if parts.scheme not in PORTS or not parts.netloc:
        raise InvalidTarget("URL must be absolute, such as https://example.com/webhooks")
    if parts.scheme == "http" and not allow_insecure:
        raise InvalidTarget(HTTPS_ONLY)
    if "#" in url:
        raise InvalidTarget("URL must not have a fragment")
    if "@" in parts.netloc:
        raise InvalidTarget("URL must not contain a user name or password")
    path = parts.path or "/"
    if parts.query:
        path += f"?{parts.query}"
    if not path.isascii():
        raise InvalidTarget("URL path and query must be ASCII, other characters percent-encoded")
    netloc = _NETLOC.fullmatch(parts.netloc)
    if netloc is None:
        raise InvalidTarget("URL must have a host and a port from 1 to 65535 or none")
    port = int(netloc["port"] or PORTS[parts.scheme])
    if not 1 <= port <= 65535:
        raise InvalidTarget("URL port must be from 1 to 65535")
    host = _host(netloc["name"] or "", netloc["v6"], unsafe_loopback=unsafe_loopback)
    return Target(parts.scheme, host, port, path)


def redirected(
    target: Target, location: str, *, allow_insecure: bool, unsafe_loopback: bool
) -> Target:
    """Where a redirect answered by `target` leads, by the rules of `parse`; a fragment is dropped
    (RFC 9110 §10.2.2). Raises `InvalidTarget`.
    """
    _check_characters(location)  # joining would drop some
    base = f"{target.scheme}://{target.authority}{target.path}"
    try:
        url = urljoin(base, location).partition("#")[0]
    except ValueError:
        raise InvalidTarget("redirect is not a well formed URL") from None
    return parse(url, allow_insecure=allow_insecure, unsafe_loopback=unsafe_loopback)


async def system_resolver(host: str, port: int) -> list[str]:
    """The addresses the operating system knows for a name, in its order."""
    found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(row[4][0]) for row in found]


async def resolve(
    host: str, port: int, *, resolver: Resolve, unsafe_loopback: bool
) -> list[Address]:
    """The addresses to connect to, from a single resolution. Raises `InvalidTarget` if any of them
    is forbidden: a name that leads inside as well as outside is not a customer's.
    """
    own = addresses.literal(host)
    if own is not None:
        found = [own]
    else:
        try:
            found = [ip_address(text) for text in await resolver(host, port)]
        except (OSError, ValueError):
            found = []
        if not found:
            raise InvalidTarget(f"{host} does not resolve to an address")
    for address in found:
        why = addresses.forbidden(address, unsafe_loopback=unsafe_loopback)
        if why is not None:
            named = "" if own is not None else f"{host} leads to "
            raise InvalidTarget(f"not sent: {named}{address}, an address that is {why}")
    return list(dict.fromkeys(addresses.plain(address) for address in found))


def _check_characters(url: str) -> None:
    """Refuse what parsers of URLs disagree about."""
    if len(url) > MAX_URL:
        raise InvalidTarget(f"URL must have at most {MAX_URL} characters")
    if any(character <= " " or character in '\\"<>^`{|}\x7f' for character in url):
        raise InvalidTarget('URL must not contain blanks, control characters or any of \\"<>^`{|}')


def _host(name: str, v6: str | None, *, unsafe_loopback: bool) -> str:
    """The host in its one form. The address check here spares callers a surprise; what counts is
    the check at delivery.
    """
    if v6 is None:
        host = _name(name)
        address = addresses.literal(host)
    else:
        address = addresses.literal(v6)
        if not isinstance(address, IPv6Address) or address.scope_id is not None:
            raise InvalidTarget("URL host in brackets must be an IPv6 address")
        host = str(address)
    if address is not None:
        why = addresses.forbidden(address, unsafe_loopback=unsafe_loopback)
    else:
        local = host == "localhost" or host.endswith(".localhost")  # RFC 6761 §6.3
        why = "loopback" if local and not unsafe_loopback else None
    if why is not None:
        raise InvalidTarget(f"URL must lead to a public address, {host} is {why}")
    return host


def _name(name: str) -> str:
    """A host name in ASCII and lower case, or an IPv4 address."""
    wrong = InvalidTarget("URL host must be a domain name or an IP address")
    if not 1 <= len(name) <= 253:
        raise wrong
    try:
        host = idna.encode(name, uts46=True, std3_rules=True).decode("ascii").removesuffix(".")
    except UnicodeError:  # of which idna's errors are a kind
        raise wrong from None
    # 127.1, 0x7f000001 and the like are addresses to old libraries and names to others: neither.
    if _NUMBER.fullmatch(host.rpartition(".")[2]) and addresses.literal(host) is None:
        raise wrong
    return host
