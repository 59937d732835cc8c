"""A reader of HTTP/1.1 requests written from RFC 9112 alone, byte by byte and without regard to
speed. It shares nothing with the front or with llhttp; where the RFC lets a server choose, it takes
what may be taken.
"""

TOKEN = frozenset(b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
DIGITS = frozenset(b"0123456789")
HEX = frozenset(b"0123456789abcdefABCDEF")
Message = tuple[str, bytes, bytes]


class Invalid(Exception):
    """No HTTP/1.1 request."""


class Incomplete(Exception):
    """More bytes are needed."""


class Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def line(self) -> bytes:
        """A line ended by CRLF (RFC 9112, 2.2: a bare CR is invalid; a bare LF, which a recipient
        may take for a line's end, is not taken)."""
        begin = self.at
        while True:
            if self.at >= len(self.data):
                raise Incomplete
            byte = self.data[self.at]
            self.at += 1
            if byte == 0x0A:
                raise Invalid
            if byte == 0x0D:
                if self.at >= len(self.data):
                    raise Incomplete
                if self.data[self.at] != 0x0A:
                    raise Invalid
                self.at += 1
                return self.data[begin : self.at - 2]

    def exactly(self, size: int) -> bytes:
        if len(self.data) - self.at < size:
            raise Incomplete
        self.at += size
        return self.data[self.at - size : self.at]

    def fields(self) -> list[tuple[bytes, bytes]]:
        """Section 5, until the empty line."""
        found = []
        while line := self.line():
            name, colon, value = line.partition(b":")
            if not colon or not name or any(byte not in TOKEN for byte in name):
                raise Invalid
            value = value.strip(b" \t")
            if any((byte < 0x20 and byte != 9) or byte == 0x7F for byte in value):
                raise Invalid
            found.append((name.lower(), value))
        return found

    def chunks(self) -> bytes:
        """Section 7.1."""
        body = b""
        while True:
            size, _, extension = self.line().partition(b";")
            if not size or any(byte not in HEX for byte in size):
                raise Invalid
            if any((byte < 0x20 and byte != 9) or byte == 0x7F for byte in extension):
                raise Invalid
            if not int(size, 16):
                break
            body += self.exactly(int(size, 16))
            if self.exactly(2) != b"\r\n":
                raise Invalid
        self.fields()
        return body

    def message(self) -> tuple[Message, bool]:
        """One request, and whether the connection goes on after it."""
        line = self.line()
        if not line:
            line = self.line()
        parts = line.split(b" ")
        if len(parts) != 3 or parts[2] not in (b"HTTP/1.1", b"HTTP/1.0"):
            raise Invalid
        method, target, version = parts
        if not method or any(byte not in TOKEN for byte in method):
            raise Invalid
        if not target or any(not 0x20 < byte < 0x7F for byte in target):
            raise Invalid
        fields = self.fields()
        hosts = [value for name, value in fields if name == b"host"]
        if len(hosts) > 1 or (not hosts and version == b"HTTP/1.1"):
            raise Invalid
        lengths = [value for name, value in fields if name == b"content-length"]
        codings = [value for name, value in fields if name == b"transfer-encoding"]
        if codings:
            if lengths or version == b"HTTP/1.0":
                raise Invalid
            if b",".join(codings).lower() != b"chunked":
                raise Invalid
            body = self.chunks()
        elif lengths:
            if len(lengths) > 1 or not lengths[0] or any(b not in DIGITS for b in lengths[0]):
                raise Invalid
            body = self.exactly(int(lengths[0]))
        else:
            body = b""
        options = b",".join(value for name, value in fields if name == b"connection").lower()
        asked = {option.strip(b" \t") for option in options.split(b",")}
        goes_on = b"close" not in asked and (version == b"HTTP/1.1" or b"keep-alive" in asked)
        return (method.decode("ascii"), target, body), goes_on


def read(data: bytes) -> list[Message]:
    """The whole requests in `data`, up to the first fault or the connection's end."""
    reader = Reader(data)
    found = []
    try:
        while reader.at < len(data):
            message, goes_on = reader.message()
            found.append(message)
            if not goes_on:
                break
    except (Invalid, Incomplete):
        pass
    return found
