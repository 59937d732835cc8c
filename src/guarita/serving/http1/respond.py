"""Rendering of responses. Framing (Content-Length, Transfer-Encoding, Connection) is the front's
own: what a handler gives of it is dropped, except where a response has no body to be framed.
"""

from collections.abc import Iterable
from email.utils import formatdate
from http import HTTPStatus

Pairs = Iterable[tuple[bytes, bytes]]

FRAMING = frozenset({b"content-length", b"transfer-encoding", b"connection", b"keep-alive"})

STATUS = {
    status.value: b"HTTP/1.1 %d %b" % (status.value, status.phrase.encode())
    for status in HTTPStatus
}
LENGTHS = tuple(b"content-length: %d" % length for length in range(2048))
CLOSE, KEEP_ALIVE = b"connection: close", b"connection: keep-alive"
CHUNKED = b"transfer-encoding: chunked"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
DATE, END = b"\r\ndate: ", b"\r\n\r\n"

TOGETHER = 65_536
"""A body up to this many bytes is copied behind its head, to be written as one."""


def lines_of(status: int, pairs: Pairs) -> list[bytes]:
    """The status line and the fields, without framing. `ValueError`: no such status."""
    lines = [b": ".join(pair) for pair in pairs if pair[0] not in FRAMING]
    lines.insert(0, STATUS.get(status) or status_line(status))
    return lines


def status_line(status: int) -> bytes:
    """The line of a status without a registered phrase (RFC 9112, 4: the phrase may be empty)."""
    if not 100 <= status <= 999:
        raise ValueError(f"{status} is no HTTP status")
    return b"HTTP/1.1 %d " % status


def length_line(length: int) -> bytes:
    """The Content-Length field."""
    return LENGTHS[length] if length < 2048 else b"content-length: %d" % length


def announced(pairs: Pairs) -> bytes | None:
    """The Content-Length among `pairs`, for a response that has no body (RFC 9110, 8.6)."""
    for name, value in pairs:
        if name == b"content-length":
            return value
    return None


def has_no_body(status: int, method: str) -> bool:
    """Whether the response ends with its head (RFC 9112, 6.3)."""
    return method == "HEAD" or status in (204, 304)


def dated_end(at: float) -> bytes:
    """The end of a head that has no Date yet (RFC 9110, 6.6.1). `at`: Unix seconds."""
    return DATE + formatdate(at, usegmt=True).encode() + END


def joined(lines: list[bytes]) -> bytes:
    """The head as it is sent, without the empty line at its end.

    Raises:
        ValueError: a field holds a line break: it would become a second field.
    """
    head = b"\r\n".join(lines)
    breaks = len(lines) - 1
    if head.count(b"\n") != breaks or head.count(b"\r") != breaks:
        raise ValueError("a response header holds a line break")
    return head
