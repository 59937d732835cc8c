"""What header fields say about the message itself: host, length, codings, connection, expectation
(RFC 9112, 3.2, 6 and 9; RFC 9110, 10.1.1). Anything that two readers could take differently is
refused.
"""

import re

from guarita.facts import Headers
from guarita.serving.http1.request_line import BadHead

# Names, IPv4 and bracketed IPv6. RFC 3986 would allow more in a name; no host on the Internet has
# it, and "a,b" or "user@a" is read differently by different programs.
_HOST = re.compile(
    rb"(?:[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,253}|)|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?"
)
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")

SINGLE = (b"host", b"content-length", b"transfer-encoding", b"expect")


def check_repeated(headers: Headers) -> None:
    """Fields that frame a message may be there once only, even with equal values: RFC 9112, 6.3
    lets a server take equal lengths as one, and not every server does.
    """
    for name in SINGLE:
        if name in headers.repeated:
            raise BadHead(400, f"{name.decode()} is given more than once")


def check_host(host: bytes | None, minor: int, authority: bytes | None) -> None:
    """RFC 9112, 3.2: one Host, well-formed; of an absolute target, its authority."""
    if host is None:
        if minor:
            raise BadHead(400, "Host is missing")
        return
    if not _HOST.fullmatch(host):
        raise BadHead(400, "Host is not a name or an address, with or without a port")
    if authority is not None and authority.lower() != host.lower():
        raise BadHead(400, "the target names another host than Host does")


def length_of(value: bytes) -> int:
    """Content-Length (RFC 9110, 8.6): digits, without a zero in front."""
    if not value.isdigit() or (value[:1] == b"0" and value != b"0"):
        raise BadHead(400, "Content-Length is not one decimal number")
    if len(value) > 18:
        raise BadHead(413, "Content-Length is beyond what any body can have")
    return int(value)


def check_codings(value: bytes, minor: int, has_length: bool) -> None:
    """Transfer-Encoding (RFC 9112, 6.1 and 6.3): "chunked" alone, on HTTP/1.1, without a length.

    Raises:
        BadHead: 501 for another coding below chunked (RFC 9112, 6.1), otherwise 400.
    """
    if has_length:
        raise BadHead(400, "both Content-Length and Transfer-Encoding are given")
    if not minor:
        raise BadHead(400, "Transfer-Encoding is given in HTTP/1.0")
    if value == b"chunked":
        return
    codings = [coding.strip(b" \t").lower() for coding in value.split(b",")]
    if not all(_TOKEN.fullmatch(coding) for coding in codings):
        raise BadHead(400, "Transfer-Encoding is not a list of codings")
    if codings.index(b"chunked") != len(codings) - 1 if b"chunked" in codings else True:
        raise BadHead(400, "Transfer-Encoding does not end in one chunked")
    if len(codings) > 1:
        raise BadHead(501, "no transfer coding but chunked is understood")


def keeps_alive(connection: list[bytes], minor: int) -> bool:
    """Whether the connection goes on after the response (RFC 9112, 9.3)."""
    options = {option.strip(b" \t").lower() for value in connection for option in value.split(b",")}
    if b"close" in options:
        return False
    return minor == 1 or b"keep-alive" in options


def check_expectation(value: bytes, minor: int) -> bool:
    """Whether "100 Continue" is waited for (RFC 9110, 10.1.1)."""
    if not minor:
        return False
    if value.lower() != b"100-continue":
        raise BadHead(417, "the only expectation that can be met is 100-continue")
    return True
