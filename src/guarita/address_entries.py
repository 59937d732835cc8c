"""How one address and one allowlist entry are written: canonical spelling, validation, advice.

The seed's trap: an entry with a blank, a zero-padded octet or a wrong mask never matches and nobody
says why (seed L108). Here every such entry is refused when it is saved, with the right form
suggested.
"""

import ipaddress
import re
import unicodedata
from functools import lru_cache
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton
from typing import NoReturn

LONGEST_ADDRESS = 45
"""Characters of the longest spelling of an IP address: IPv6 with its last two groups dotted."""

_LONGEST_ENTRY = 64
_MAPPED = bytes(10) + b"\xff\xff"
_EVERYBODY = {"0.0.0.0/0": "every IPv4 address", "::/0": "every IPv6 address"}

_DOTTED = re.compile(r"[0-9]+(?:\.[0-9]+){3}")
_SHORT_DOTTED = re.compile(r"[0-9]+(?:\.[0-9]+){0,2}")
_WILDCARD = re.compile(r"([0-9]+(?:\.[0-9]+){0,2})((?:\.\*)+)")
_BRACKETED = re.compile(r"\[([^\[\]]*)\](:[0-9]+)?")
_DOTTED_AND_PORT = re.compile(r"([0-9.]+):[0-9]+")
_HEXADECIMAL = re.compile(r"(?:0[xX])?[0-9a-fA-F]+(?:\.(?:0[xX])?[0-9a-fA-F]+)*")


def canonical_address(text: str) -> str | None:
    """The one spelling of the IP address `text`, or None where `text` is anything else.

    IPv4 is four decimal octets; IPv6 is compressed and lower case (RFC 5952 section 4); IPv4-mapped
    IPv6, in any spelling, is reduced to the IPv4 address (seed L104). Leading zeros in an
    octet, blanks, short and hexadecimal IPv4 forms, zone ids, ports and brackets make it None: they
    are never repaired or guessed at.
    """
    return _canonical(text) if len(text) <= LONGEST_ADDRESS else None


@lru_cache(maxsize=16_384)
def _canonical(text: str) -> str | None:
    try:
        if ":" not in text:
            # C libraries differ about leading zeros: only what prints back unchanged is canonical.
            return text if inet_ntop(AF_INET, inet_pton(AF_INET, text)) == text else None
        if "%" in text:
            return None
        packed = inet_pton(AF_INET6, text)
    except (OSError, ValueError):  # ValueError: NUL characters, lone surrogates
        return None
    if packed.startswith(_MAPPED):
        return inet_ntop(AF_INET, packed[12:])
    # inet_ntop's IPv6 spelling differs between C libraries; ipaddress follows RFC 5952 everywhere.
    return ipaddress.IPv6Address(packed).compressed


class BadEntry(ValueError):
    """An allowlist entry that cannot be saved.

    Attributes:
        entry: what was given ("…" where it is longer than any entry).
        problem: what is wrong with it.
        suggestion: the form probably meant, itself a valid entry; None where no guess is safe.
    """

    def __init__(self, entry: str, problem: str, suggestion: str | None = None) -> None:
        # What is longer than any entry may be a secret pasted into the wrong field: not repeated.
        self.entry = entry if len(entry) <= _LONGEST_ENTRY else "…"
        self.problem = problem
        self.suggestion = suggestion
        advice = f"; write {suggestion!r}" if suggestion else ""
        super().__init__(f"address entry {self.entry!r}: {problem}{advice}")


def parse_entry(text: str, *, unsafe_any: bool = False) -> str:
    """The canonical text of an allowlist entry: an address, or a network as 'address/prefix'.

    IPv4-mapped addresses and networks become IPv4; '/32' (IPv6: '/128') is dropped, so a single
    host has one spelling. '0.0.0.0/0' and '::/0' name everybody and are accepted under `unsafe_any`
    only.

    Raises:
        BadEntry: for anything else (seed L108), with the right form where there is one.
    """
    _check_characters(text, unsafe_any)
    address, slash, prefix = text.partition("/")
    canonical = canonical_address(address)
    if canonical is None:
        _refuse_address(text, address, prefix, unsafe_any)
    if not slash:
        return canonical
    return _network(
        text,
        canonical,
        prefix,
        mapped=":" in address and ":" not in canonical,
        unsafe_any=unsafe_any,
    )


def covers(entry: str) -> int:
    """How many addresses the entry stands for. Raises BadEntry where `entry` is not one."""
    return ipaddress.ip_network(parse_entry(entry, unsafe_any=True)).num_addresses


def _refuse(text: str, problem: str, candidate: str | None, unsafe_any: bool) -> NoReturn:
    """Raises BadEntry; suggests `candidate`, or what that in turn leads to, if it is valid."""
    suggestion = None
    if candidate is not None and candidate != text:
        try:
            suggestion = parse_entry(candidate, unsafe_any=unsafe_any)
        except BadEntry as deeper:
            suggestion = deeper.suggestion
    raise BadEntry(text, problem, suggestion) from None


def _check_characters(text: str, unsafe_any: bool) -> None:
    """Refuses what no entry contains anywhere: blanks, invisible characters, lists, two slashes."""
    if not text:
        _refuse(text, "it is empty", None, unsafe_any)
    if len(text) > _LONGEST_ENTRY:
        _refuse(text, f"it is {len(text)} characters long; no address is", None, unsafe_any)
    if (
        text.isascii()
        and text.isprintable()
        and " " not in text
        and "," not in text
        and text.count("/") < 2
    ):
        return
    visible = "".join(c for c in text if unicodedata.category(c) != "Cf")
    if visible != text:
        _refuse(text, "it contains an invisible character", visible, unsafe_any)
    tight = "/".join(part.strip() for part in text.split("/"))
    if tight != text:
        _refuse(text, "it contains blanks", tight, unsafe_any)
    if "," in text or any(c.isspace() for c in text):
        _refuse(
            text,
            "one entry is one address or one network; give several entries one by one",
            None,
            unsafe_any,
        )
    if text.count("/") > 1:
        _refuse(text, "it has more than one '/'", None, unsafe_any)
    _refuse(text, "it contains a character that no address has", None, unsafe_any)


def _refuse_address(text: str, address: str, prefix: str, unsafe_any: bool) -> NoReturn:
    """Says why `address`, the part of the entry `text` before the slash, is not an IP address."""
    suffix = text[len(address) :]
    if "%" in address:
        problem = "a zone id ('%…') has a meaning on one machine only; a client's address has none"
        _refuse(text, problem, address.partition("%")[0] + suffix, unsafe_any)
    if bracketed := _BRACKETED.fullmatch(address):
        problem = "brackets and ports belong to URLs, not to an address"
        _refuse(text, problem, bracketed[1] + suffix, unsafe_any)
    if with_port := _DOTTED_AND_PORT.fullmatch(address):
        _refuse(text, "a port is not part of an address", with_port[1] + suffix, unsafe_any)
    if "*" in address:
        problem = "wildcards are not understood; a network has a prefix length, as 203.0.113.0/24"
        _refuse(text, problem, _wildcard_network(address) if not suffix else None, unsafe_any)
    if "-" in address and not suffix:
        first, _, last = address.partition("-")
        low, high = canonical_address(first), canonical_address(last)
        if low is not None and high is not None:
            problem = "a range from-to is not understood; write it as one or more networks"
            _refuse(text, problem, _range_network(low, high), unsafe_any)
    if _DOTTED.fullmatch(address):
        _refuse_dotted(text, address, suffix, unsafe_any)
    if _SHORT_DOTTED.fullmatch(address):
        padded = address + ".0" * (3 - address.count(".")) + suffix
        _refuse(text, "an IPv4 address has four octets", padded if prefix else None, unsafe_any)
    if _HEXADECIMAL.fullmatch(address):
        _refuse(text, "an IPv4 address is four decimal octets, as 203.0.113.45", None, unsafe_any)
    if ":" in address:
        _refuse(text, "it is not a valid IPv6 address", None, unsafe_any)
    if not address:
        _refuse(text, "there is no address before the '/'", None, unsafe_any)
    problem = "it is not an IP address; for a host name, give the addresses that it stands for"
    _refuse(text, problem, None, unsafe_any)


def _refuse_dotted(text: str, address: str, suffix: str, unsafe_any: bool) -> NoReturn:
    """Says why four numbers are not an IPv4 address; suggests zero-padded octets as decimal."""
    octets = address.split(".")
    plain = [octet.lstrip("0") or "0" for octet in octets]
    if octets == plain:
        too_high = next(octet for octet in octets if len(octet) > 3 or int(octet) > 255)
        _refuse(text, f"the octet {too_high} is above 255", None, unsafe_any)
    problem = "octets have no leading zeros (some programs read them as octal)"
    _refuse(text, problem, ".".join(plain) + suffix, unsafe_any)


def _wildcard_network(address: str) -> str | None:
    """'203.0.113.*' as a network, where the stars are its last octets."""
    found = _WILDCARD.fullmatch(address)
    if found is None:
        return None
    fixed = found[1].split(".")
    if len(fixed) + found[2].count("*") != 4:
        return None
    return ".".join(fixed + ["0"] * (4 - len(fixed))) + f"/{8 * len(fixed)}"


def _range_network(first: str, last: str) -> str | None:
    """The one network that is exactly the range of addresses `first` to `last`, or None."""
    ends = ipaddress.ip_address(first), ipaddress.ip_address(last)
    try:
        networks = list(ipaddress.summarize_address_range(*ends))
    except (TypeError, ValueError):  # two families, or the wrong way round
        return None
    return str(networks[0]) if len(networks) == 1 else None


def _network(text: str, address: str, prefix: str, *, mapped: bool, unsafe_any: bool) -> str:
    """Canonical network of a canonical address and a prefix; `mapped`: it was written as IPv6."""
    bits = 128 if mapped or ":" in address else 32
    if not (prefix.isascii() and prefix.isdigit()):
        if meant := _dotted_mask_network(address, prefix):
            _refuse(text, "a network has a prefix length, not a dotted mask", meant, unsafe_any)
        problem = f"the prefix length after '/' is a whole number from 0 to {bits}"
        _refuse(text, problem, None, unsafe_any)
    # A padded prefix length ("/08") has one reading everywhere, unlike a padded octet.
    prefix = prefix.lstrip("0") or "0"
    length = int(prefix[:4])
    if length > bits:
        _refuse(text, f"the prefix length is above {bits}", None, unsafe_any)
    if mapped and length < 96:
        problem = "an IPv4 network written as IPv4-mapped IPv6 has a prefix length of 96 or more"
        _refuse(text, problem, f"{address}/{prefix}" if length <= 32 else None, unsafe_any)
    if mapped:
        bits, length = 32, length - 96
    network = str(ipaddress.ip_network(f"{address}/{length}", strict=False))
    if length == bits:
        return address
    if network in _EVERYBODY and not unsafe_any:
        problem = f"it allows {_EVERYBODY[network]}; that takes the option unsafe_any"
        _refuse(text, problem, None, unsafe_any)
    if network.partition("/")[0] != address:
        problem = (
            f"{address} is not the first address of its /{length}: "
            f"the single host is {address}/{bits}, the network is {network}"
        )
        _refuse(text, problem, network, unsafe_any)
    return network


def _dotted_mask_network(address: str, mask: str) -> str | None:
    """The network that '10.0.0.0/255.0.0.0' (or the host mask 0.255.255.255) means, or None."""
    if ":" in address or ":" in mask or canonical_address(mask) is None:
        return None
    try:
        length = ipaddress.IPv4Network(f"{address}/{mask}", strict=False).prefixlen
    except ValueError:  # not a mask: its one-bits have gaps
        return None
    return f"{address}/{length}"
