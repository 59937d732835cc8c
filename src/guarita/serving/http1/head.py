"""The head of one request: read by httptools and by our own strict look at the same bytes, which
must agree.

llhttp, behind httptools, checks the grammar of the header block: CRLF at every line's end, no
folding, no control bytes, no blanks around names. What it lets pass and this project does not is
looked at in `request_line` and `framing`.
"""

from types import SimpleNamespace

from httptools import (
    HttpParserError,
    HttpParserInvalidMethodError,
    HttpParserUpgrade,
    HttpRequestParser,
)
from msgspec import Struct

from guarita.facts import Headers
from guarita.serving.http1 import framing
from guarita.serving.http1.limits import Limits
from guarita.serving.http1.request_line import USUAL, BadHead, read_request_line

_NO_HOST = b"\0"
"""Equal to no Host, not even to an empty one."""

__all__ = ["BadHead", "HeadReader", "RequestHead"]


class RequestHead(Struct, frozen=True):
    """A request's head, well-formed in every respect.

    Attributes:
        method: as sent.
        target: path and query as sent, or "*".
        path: raw, percent-encoding kept, without the query.
        query: raw, without "?".
        minor: 1 of HTTP/1.1, 0 of HTTP/1.0.
        headers: every field, names in lower case, values without blanks around them.
        length: bytes of the body where it was announced; None without Content-Length.
        chunked: the body comes in chunks.
        keep_alive: the client means to go on using the connection.
        expects_continue: the client waits for "100 Continue" before it sends the body.
    """

    method: str
    target: bytes
    path: str
    query: bytes
    minor: int
    headers: Headers
    length: int | None
    chunked: bool
    keep_alive: bool
    expects_continue: bool

    def __repr__(self) -> str:
        # Targets and headers may hold secrets.
        return f"RequestHead({self.method})"

    def __rich_repr__(self) -> list[tuple[str, str]]:
        return [("method", self.method)]


class HeadReader:
    """Reads the requests of one connection, one after the other. `read` takes a head, `follow` what
    belongs to its body, in as many pieces as it comes in.
    """

    # What llhttp has to say arrives in `_fields` and `_open` by C functions: a Python function for
    # each header field would cost as much as all the rest.
    __slots__ = ("_apart", "_fields", "_host", "_limits", "_open", "_parser")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._fields: dict[bytes, bytes] = {}
        self._open: list[None] = []
        self._host = _NO_HOST
        self._renew()

    def _renew(self) -> None:
        """Begin with a parser that has seen nothing."""
        self._apart = False
        self._parser = HttpRequestParser(
            SimpleNamespace(on_header=self._fields.setdefault, on_message_complete=self._open.clear)
        )

    def read(self, raw: bytes) -> RequestHead:
        """The request whose head is `raw`, up to and with the empty line.

        Raises:
            BadHead: it is none; nothing after it on this connection may be looked at.
        """
        fields, limits = self._fields, self._limits
        authority = None
        usual = USUAL(raw)
        if usual is not None and len(raw) <= limits.target_bytes and b"%" not in usual[3]:
            sent, target, path, query, version = usual.groups()
            method, minor = sent.decode(), 1 if version == b"1" else 0
            text = path.decode()
        else:
            line = read_request_line(raw, limits.target_bytes)
            method, target, text, query = line.method, line.target, line.path, line.query
            minor, authority = line.minor, line.authority
        if self._apart:
            self._renew()
        fields.clear()
        self._open.append(None)
        try:
            self._parser.feed_data(raw)
        except HttpParserUpgrade:
            # An upgrade is never made (RFC 9110, 7.8): this is a request like any other. llhttp
            # takes what follows for another protocol, so it does not follow this one's body.
            self._apart = True
        except HttpParserInvalidMethodError:
            raise BadHead(501, "the method is not known") from None
        except HttpParserError as error:
            raise BadHead(400, str(error)) from None
        pairs = [(name.lower(), value.strip()) for name, value in fields.items()]
        if len(pairs) != raw.count(b"\n") - 2:
            pairs = _every_field(raw)
        if len(pairs) > limits.header_count:
            raise BadHead(431, f"there are more than {limits.header_count} header fields")
        headers = Headers(pairs)
        if headers.repeated:
            framing.check_repeated(headers)
        get = headers.get
        host = get(b"host")
        if host != self._host or authority is not None:
            framing.check_host(host, minor, authority)
            self._host = host or _NO_HOST
        length = get(b"content-length")
        codings = get(b"transfer-encoding")
        if codings is not None:
            framing.check_codings(codings, minor, length is not None)
        connection = get(b"connection")
        expectation = get(b"expect")
        size = None if length is None else framing.length_of(length)
        if (bool(size) or codings is not None) is not bool(self._open) and not self._apart:
            raise BadHead(400, "whether there is a body cannot be told")
        return RequestHead(
            method,
            target,
            text,
            query or b"",
            minor,
            headers,
            size,
            codings is not None,
            minor == 1
            if connection is None
            else framing.keeps_alive(headers.all(b"connection"), minor),
            expectation is not None and framing.check_expectation(expectation, minor),
        )

    def follow(self, raw: bytes, ended: bool) -> None:
        """The body's next bytes as they came over the wire; `ended`: they are the last.

        Raises:
            BadHead: llhttp finds another end, or does not take them.
        """
        if self._apart:
            return
        if not self._open:
            raise BadHead(400, "where the body ends cannot be told")
        try:
            self._parser.feed_data(raw)
        except HttpParserError as error:
            raise BadHead(400, str(error)) from None
        if ended is bool(self._open):
            raise BadHead(400, "where the body ends cannot be told")


def _every_field(raw: bytes) -> list[tuple[bytes, bytes]]:
    """The fields of a block that llhttp has found well-formed, where a name occurs twice."""
    lines = raw[:-4].split(b"\r\n")[1:]
    split = [line.partition(b":") for line in lines]
    return [(name.lower(), value.strip()) for name, _, value in split]
