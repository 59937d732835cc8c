"""The head of one response, read strictly: what can be understood in two ways is no response
(RFC 9112, 4 to 6).
"""

import re
from functools import lru_cache

from msgspec import Struct

Pair = tuple[bytes, bytes]
Pairs = tuple[Pair, ...]

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_TEXT = rb"[\t\x20-\x7e\x80-\xff]*"
_HEAD = re.compile(
    rb"HTTP/1\.([01]) ([1-5][0-9][0-9])(?: %b)?\r\n((?:%b:%b\r\n)*)\r\n" % (_TEXT, _TOKEN, _TEXT)
).fullmatch

HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
"""Fields of one connection only (RFC 9110, 7.6.1)."""

NO_BODY = frozenset({204, 304})
"""Final statuses whose message ends with its head (RFC 9112, 6.3)."""

LONGEST_REMEMBERED = 1024
MOST_REMEMBERED = 256


class BadAnswer(ValueError):
    """The upstream's bytes are no HTTP/1 response, or one that can be read in two ways."""


class ResponseHead(Struct, frozen=True):
    """The head of a response.

    Attributes:
        status: 100 to 599.
        pairs: fields for the caller: without those of the connection and of framing, names in lower
            case, values without blanks around them.
        length: the announced length of the body; None where none was.
        body: the same where such a body follows, even an empty one; else -1.
        chunked: the body comes in chunks.
        keep: the upstream means to go on using the connection.
    """

    status: int
    pairs: Pairs
    length: int | None
    body: int
    chunked: bool
    keep: bool


def read_head(raw: bytes) -> ResponseHead:
    """The head in `raw`, up to and with the empty line.

    Raises:
        BadAnswer: it is none.
    """
    # Most responses of an upstream have one of a few heads, until the second in `Date` is over.
    return _remembered(raw) if len(raw) <= LONGEST_REMEMBERED else _read(raw)


def check_beginning(part: bytes) -> None:
    """Look at a head that is still incomplete, so that what can never become a response is not
    waited for.

    Raises:
        BadAnswer: it cannot.
    """
    if not part.startswith(b"HTTP/1."[: len(part)]):
        raise BadAnswer("no response head")
    line = part.find(b"\n")
    if line > 0 and part[line - 1] != 13:
        raise BadAnswer("a line ends without CR")


def _read(raw: bytes) -> ResponseHead:
    match = _HEAD(raw)
    if match is None:
        raise BadAnswer("no response head")
    minor, status, block = match.groups()
    pairs: list[Pair] = []
    lengths: list[bytes] = []
    codings: list[bytes] = []
    options: set[bytes] = set()
    for line in block.split(b"\r\n")[:-1]:
        name, _, value = line.partition(b":")
        name, value = name.lower(), value.strip()
        if name == b"content-length":
            lengths.append(value)
        elif name == b"transfer-encoding":
            codings.append(value)
        elif name == b"connection":
            options.update([one.strip(b" \t").lower() for one in value.split(b",")])
        elif name not in HOP_BY_HOP:
            pairs.append((name, value))
    if options:
        pairs = [pair for pair in pairs if pair[0] not in options]
    length = _length(lengths)
    if codings and (len(codings) > 1 or codings[0].lower() != b"chunked"):
        raise BadAnswer("the transfer coding is not understood")
    if codings and (length is not None or minor == b"0"):
        raise BadAnswer("where the body ends cannot be told")
    keep = b"close" not in options and (minor == b"1" or b"keep-alive" in options)
    code = int(status)
    body = -1 if length is None or code < 200 or code in NO_BODY else length
    return ResponseHead(code, tuple(pairs), length, body, bool(codings), keep)


_remembered = lru_cache(MOST_REMEMBERED)(_read)


def _length(lengths: list[bytes]) -> int | None:
    """RFC 9112, 6.3: one Content-Length, of digits only."""
    if not lengths:
        return None
    if len(lengths) > 1 or not lengths[0].isdigit() or len(lengths[0]) > 18:
        raise BadAnswer("the length of the body cannot be told")
    return int(lengths[0])
