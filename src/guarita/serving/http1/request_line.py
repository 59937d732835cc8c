"""The request line (RFC 9112, 3): the usual form by one expression, every other one looked at
slowly, to accept it or to say what is wrong with it.
"""

import re

from msgspec import Struct

# RFC 3986: what a path and a query may hold. In queries browsers and many clients send a few
# characters more as they are (WHATWG URL, "query percent-encode set"); nothing reads them in two
# ways, so they may. "%" must begin an octet in a path; a query's are left to who decodes it.
_PATH = rb"/[A-Za-z0-9/_.~%!$&'()*+,;=:@-]*"
_QUERY = rb"[!$-;=?-~]*"
USUAL = re.compile(
    rb"(?!CONNECT )([A-Z]{1,20}) ((%b)(?:\?(%b))?) HTTP/1\.([01])\r\n" % (_PATH, _QUERY)
).match

_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([^ ]*) HTTP/([0-9])\.([0-9])\r?\n").match
_TARGET = re.compile(
    rb"(?:(https?)://([^/?#]*))?(%b)?(?:\?(%b))?" % (_PATH, _QUERY), re.I
).fullmatch
_BEGINNING = re.compile(
    rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+(?: [^ \r\n]*)?(?: H?T?T?P?/?[0-9]?\.?[0-9]?)?\r?"
)


class BadHead(Exception):
    """What arrived is no request this server takes: `status` is the answer's, `why` says in words
    what is wrong, without any of the bytes received.
    """

    def __init__(self, status: int, why: str) -> None:
        super().__init__(f"{status}: {why}")
        self.status = status
        self.why = why


class RequestLine(Struct, frozen=True):
    """A request line's parts. `target` is what goes to an upstream: the path with its query, or
    "*"; of an absolute target (RFC 9112, 3.2.2) only that, and `authority` is the rest.
    """

    method: str
    target: bytes
    path: str
    query: bytes
    minor: int
    authority: bytes | None = None


def read_request_line(raw: bytes, target_bytes: int) -> RequestLine:
    """The request line `raw` begins with.

    Raises:
        BadHead: 400, 414 (RFC 9110, 15.5.15), 501 (RFC 9110, 9.1), 505 (RFC 9110, 15.6.6).
    """
    usual = USUAL(raw)
    if usual is not None:
        method, target, path, query, minor = usual.groups()
        if len(target) > target_bytes:
            raise BadHead(414, f"the target is longer than {target_bytes} bytes")
        return RequestLine(
            method.decode(), target, path.decode(), query or b"", 1 if minor == b"1" else 0
        )
    return _unusual(raw, target_bytes)


def _unusual(raw: bytes, target_bytes: int) -> RequestLine:
    line = _LINE(raw)
    if line is None:
        end = raw.find(b"\n")
        if len(raw if end < 0 else raw[:end]) > target_bytes + 40:
            raise BadHead(414, f"the request line is longer than a target of {target_bytes} bytes")
        raise BadHead(400, "the request line is not METHOD SP TARGET SP HTTP/1.1 CRLF")
    method, target, major, minor = line.groups()
    if not line[0].endswith(b"\r\n"):
        raise BadHead(400, "a line ends without CR")
    if (major, minor) not in ((b"1", b"1"), (b"1", b"0")):
        raise BadHead(505, "the version is neither HTTP/1.1 nor HTTP/1.0")
    if len(target) > target_bytes:
        raise BadHead(414, f"the target is longer than {target_bytes} bytes")
    name = method.decode("ascii")
    if name == "CONNECT":
        raise BadHead(501, "CONNECT is not offered: this is no forward proxy")
    if target == b"*":
        if name != "OPTIONS":
            raise BadHead(400, "only OPTIONS may be sent to *")
        return RequestLine(name, b"*", "*", b"", int(minor))
    parts = _TARGET(target)
    if not target or parts is None:
        raise BadHead(400, "the target holds a character that must be percent-encoded, or a #")
    _, authority, path, query = parts.groups()
    if authority is None and path is None:
        raise BadHead(400, "the target does not begin with /")
    if path is None and query is None and name == "OPTIONS":
        return RequestLine(name, b"*", "*", b"", int(minor), authority)  # RFC 9112, 3.2.4
    own = path or b"/"
    whole = own if query is None else own + b"?" + query
    return RequestLine(name, whole, own.decode(), query or b"", int(minor), authority)


def check_beginning(part: bytes, target_bytes: int) -> None:
    """Look at a head that is still incomplete, so that what can never become a request is not
    waited for.

    Raises:
        BadHead: as `read_request_line`.
    """
    end = part.find(b"\n")
    if end >= 0:
        read_request_line(part[: end + 1], target_bytes)
    elif len(part) > target_bytes + 40:
        raise BadHead(414, f"the request line is longer than a target of {target_bytes} bytes")
    elif not _BEGINNING.fullmatch(part):
        raise BadHead(400, "the request line is not METHOD SP TARGET SP HTTP/1.1 CRLF")
