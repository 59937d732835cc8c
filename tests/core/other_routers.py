"""Other readings of a path than the route table's: a strict router's, and lenient ones."""

import re
from collections.abc import Iterator
from urllib.parse import unquote, unquote_to_bytes

from guarita.profiles.minhakonta import TABLE
from guarita.routes import Row

PREFIX = "/api/external"


def strictly(method: str, path: str) -> set[Row]:
    """What a router that decodes segment by segment, and refuses whatever looks odd, would take
    it for.
    """
    head, *segments = path.removeprefix(PREFIX).split("/")
    if not path.startswith(PREFIX) or head:
        return set()
    texts = []
    for segment in segments:
        if not re.fullmatch(r"(?:[\x20-\x24\x26-\x7e]|%[0-9A-Fa-f]{2})+", segment):
            return set()
        octets = unquote_to_bytes(segment)
        for encoded in re.findall("%(..)", segment):
            if re.match(rb"[A-Za-z0-9._~-]", bytes.fromhex(encoded)):
                return set()
        if octets in (b".", b"..") or re.search(rb"[\x00-\x1f\x7f/\\]", octets):
            return set()
        try:
            texts.append(octets.decode())
        except UnicodeDecodeError:
            return set()
    return {
        row
        for row in TABLE.rows
        if row.method == method
        and len(parts := row.pattern.split("/")[1:]) == len(texts)
        and all(
            part.startswith(":") or part == text for part, text in zip(parts, texts, strict=True)
        )
    }


def leniently(method: str, path: str) -> set[Row]:
    """What routers that decode first, and tidy up in one way or another, might take it for: any
    row, in any order.
    """
    found = set()
    for text in readings(unquote(path)):
        for row in TABLE.rows:
            pattern = PREFIX + re.sub(r":\w+", "[^/]+", row.pattern)
            if row.method == method.strip().upper() and re.fullmatch(pattern + r"\n?", text):
                found.add(row)
    return found


def readings(path: str) -> Iterator[str]:
    slashes = path.replace("\\", "/")
    for text in (path, slashes, unquote(path)):
        yield text
        yield re.sub("/+", "/", text)
        yield text.rstrip("/")
        yield text.casefold()
        yield text.strip()
        yield text.partition(";")[0]
        yield without_dots(text)
        yield without_dots(re.sub("/+", "/", text)).rstrip("/")


def without_dots(path: str) -> str:
    """RFC 3986 section 5.2.4."""
    kept: list[str] = []
    for part in path.split("/"):
        if part == "..":
            kept = kept[: max(1, len(kept) - 1)]
        elif part != ".":
            kept.append(part)
    return "/".join(kept)
