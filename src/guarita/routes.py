"""Which operation a request names: exact static paths first, then patterns with parameters. Fails
closed on every path trick.

A path is compared as sent. Percent-encoding is understood in parameters only, and only where it
could not have been left out: a path that a router further on might read as another one names no
operation at all.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

_ENCODED = re.compile("%[0-9A-Fa-f]{2}")
_ENCODED_IN_VAIN = re.compile(
    "%(?![0-9A-Fa-f]{2})"  # no encoding at all
    "|%(?:2[DEde]|3[0-9]|4[1-9A-Fa-f]|5[0-9Aa]|5[Ff]|6[1-9A-Fa-f]|7[0-9Aa]|7[Ee])"
)
"""A broken percent-encoding, or that of an unreserved character (RFC 3986 section 2.3: letters,
digits, "-._~"), which never needs one: a disguise.
"""
_FORBIDDEN = re.compile(r"[/\\\x00-\x1f\x7f]")


class Row(NamedTuple):
    """One operation: method, path pattern below the prefix (":name" is a parameter), permission it
    takes.
    """

    method: str
    pattern: str
    permission: str


class Match(NamedTuple):
    """The permissions a request takes, or (none) the methods its path would allow."""

    permissions: tuple[str, ...]
    allowed: tuple[str, ...]


NOWHERE = Match((), ())


class RouteTable:
    """A permission table compiled for look-up.

    A path that several patterns match ("/transactions/e2e/receipt") takes every permission of
    theirs: whichever of them the application's own router picks, the caller holds its permission.
    """

    __slots__ = ("_longest", "_patterns", "_static", "prefix", "rows")

    def __init__(self, prefix: str, rows: Iterable[Row]) -> None:
        self.prefix = prefix
        self.rows = tuple(rows)
        if prefix and (not prefix.startswith("/") or prefix.endswith("/")):
            raise ValueError(f'prefix {prefix!r} must begin with "/" and not end with it')
        self._static: dict[tuple[str, str], Match] = {}
        self._patterns: list[tuple[str, tuple[str | None, ...], str]] = []
        for row in self.rows:
            self._patterns.append((row.method, _segments(row.pattern), row.permission))
        self._longest = max((len(segments) for _, segments, _ in self._patterns), default=0)
        for row in self.rows:
            if ":" not in row.pattern:
                path = prefix + row.pattern
                self._static[row.method, path] = self._search(row.method, path)

    @property
    def permissions(self) -> frozenset[str]:
        """Every permission the table names."""
        return frozenset(row.permission for row in self.rows)

    def match(self, method: str, path: str) -> Match:
        """The operation that `method` on the raw `path` names."""
        return self._static.get((method, path)) or self._search(method, path)

    def _search(self, method: str, path: str) -> Match:
        if not path.startswith(self.prefix + "/"):
            return NOWHERE
        segments = path[len(self.prefix) + 1 :].split("/")
        if len(segments) > self._longest:
            return NOWHERE
        decoded = [decode_segment(segment) for segment in segments]
        permissions: list[str] = []
        allowed: list[str] = []
        for row_method, pattern, permission in self._patterns:
            if len(pattern) != len(segments) or not _fits(pattern, decoded):
                continue
            allowed.append(row_method)
            if row_method == method and permission not in permissions:
                permissions.append(permission)
        return Match(tuple(permissions), tuple(dict.fromkeys(allowed)))


def decode_segment(segment: str) -> str | None:
    """One path segment decoded, or None where some program further on might read another path: it
    is empty or a dot segment (also before a ";" parameter), is not ASCII or not UTF-8 once decoded,
    is badly encoded, encodes what needs no encoding, is still encoded after one decoding, or holds
    "/", "\\" or a control character, encoded or not, or a plain "?" or "#", which would end the
    path. Encoded ("%3F", "%23") these two are part of a value.
    """
    if not segment.isascii() or "?" in segment or "#" in segment:
        return None
    if "%" not in segment:
        text = segment
    elif _ENCODED_IN_VAIN.search(segment):
        return None
    else:
        try:
            text = unquote_to_bytes(segment).decode("utf-8")
        except UnicodeDecodeError:
            return None
        if _ENCODED.search(text):
            return None
    if text.partition(";")[0] in {"", ".", ".."} or _FORBIDDEN.search(text):
        return None
    return text


def _segments(pattern: str) -> tuple[str | None, ...]:
    """A pattern's segments, None for a parameter. Raises ValueError for one no path could match."""
    first, *parts = pattern.split("/")
    if first or not parts or any(decode_segment(part) != part for part in parts):
        raise ValueError(f'pattern {pattern!r} must be plain segments, each after a "/"')
    return tuple(None if part.startswith(":") else part for part in parts)


def _fits(pattern: tuple[str | None, ...], decoded: list[str | None]) -> bool:
    return all(
        value is not None and (wanted is None or wanted == value)
        for wanted, value in zip(pattern, decoded, strict=True)
    )
