"""Which operation a request names: exact static paths first, then patterns with parameters. Fails
closed on every path trick.

A path is compared as sent. Percent-encoding is understood in parameters only, and only where it
could not have been left out: a path that a router further on might read as another one names no
operation at all.
"""

from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
"""RFC 3986 section 2.3: never needs encoding, so an encoded one is a disguise."""


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

    __slots__ = ("_patterns", "_static", "prefix", "rows")

    def __init__(self, prefix: str, rows: Iterable[Row]) -> None:
        self.prefix = prefix
        self.rows = tuple(rows)
        self._static: dict[tuple[str, str], Match] = {}
        self._patterns: list[tuple[str, tuple[str | None, ...], str]] = []
        for row in self.rows:
            segments = tuple(
                None if part.startswith(":") else part for part in row.pattern.split("/")[1:]
            )
            self._patterns.append((row.method, segments, row.permission))
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
    """One path segment decoded, or None where it is empty, not ASCII, a dot segment, badly encoded,
    not UTF-8, encodes what needs no encoding, or hides a separator or a control character.
    """
    if not segment.isascii():
        return None
    if "%" not in segment:
        text = segment
    else:
        for piece in segment.split("%")[1:]:
            try:
                byte = bytes.fromhex(piece[:2])
            except ValueError:
                return None
            if len(byte) != 1 or byte[0] in UNRESERVED:
                return None
        try:
            text = unquote_to_bytes(segment).decode("utf-8")
        except UnicodeDecodeError:
            return None
    if text in {"", ".", ".."}:
        return None
    if any(character in "/\\" or character < " " or character == "\x7f" for character in text):
        return None
    return text


def _fits(pattern: tuple[str | None, ...], decoded: list[str | None]) -> bool:
    return all(
        value is not None and (wanted is None or wanted == value)
        for wanted, value in zip(pattern, decoded, strict=True)
    )
