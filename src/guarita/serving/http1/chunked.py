"""The chunked coding (RFC 9112, 7.1), strictly. llhttp reads the same bytes beside it
(`head.HeadReader.follow`); what this adds is where a body ends.
"""

import re

from guarita.serving.http1.request_line import BadHead

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_LINE = re.compile(
    rb"([0-9A-Fa-f]{1,16})((?:;%b(?:=(?:%b|\"[\t !#-\[\]-~\x80-\xff]*\"))?)*)\r\n"
    % (_TOKEN, _TOKEN)
).match
_TRAILER = re.compile(rb"%b:[\t\x20-\x7e\x80-\xff]*\r\n" % _TOKEN).match

# What an incomplete line may look like: anything else is not waited for.
_PART_OF_LINE = re.compile(rb"[0-9A-Fa-f]{1,16}(?:;[^\r\n]*)?\r?").fullmatch
_PART_OF_TRAILER = re.compile(rb"%b(?::[^\r\n]*)?\r?" % _TOKEN).fullmatch

LINE_BYTES = 1024
"""Longest line with a chunk's size and extensions, and longest trailer line."""

EXTRA_BYTES = 8192
"""The most that extensions and trailers of one message may come to: they are dropped, and a message
that consists of them is an attack."""

SIZE, DATA, DATA_END, TRAILERS, ENDED = range(5)


class Chunks:
    """Takes a chunked body apart. Extensions and trailers are dropped (RFC 9112, 7.1.1, 7.1.2)."""

    __slots__ = ("_extra", "_left", "_state")

    def __init__(self) -> None:
        self._state = SIZE
        self._left = 0
        self._extra = 0

    @property
    def ended(self) -> bool:
        """Whether the whole body has been taken."""
        return self._state == ENDED

    def take(self, data: bytes, most: int) -> tuple[list[bytes], int]:
        """What is content in `data`, and how many bytes of `data` are done with. The rest is to be
        given again, with what follows it. Stops where more than `most` bytes of content were found.

        Raises:
            BadHead: 400, it is not in chunks.
        """
        content: list[bytes] = []
        at, size, found = 0, len(data), 0
        while at < size and found <= most:
            state = self._state
            if state == SIZE:
                line = _LINE(data, at, at + LINE_BYTES)
                if line is None:
                    if _PART_OF_LINE(data, at, at + LINE_BYTES) and size - at < LINE_BYTES:
                        break
                    raise BadHead(400, "a chunk does not begin with its size")
                self._left = int(line[1], 16)
                self._count(len(line[2]))
                at = line.end()
                self._state = DATA if self._left else TRAILERS
            elif state == DATA:
                piece = data[at : at + self._left]
                content.append(piece)
                found += len(piece)
                at += len(piece)
                self._left -= len(piece)
                if not self._left:
                    self._state = DATA_END
            elif state == DATA_END:
                end = data[at : at + 2]
                if end != b"\r\n":
                    if end == b"\r":
                        break
                    raise BadHead(400, "a chunk does not end where its size says")
                at += 2
                self._state = SIZE
            elif state == TRAILERS:
                if data.startswith(b"\r\n", at):
                    at += 2
                    self._state = ENDED
                    break
                if data.startswith(b"\r", at) and at + 1 == size:
                    break
                trailer = _TRAILER(data, at, at + LINE_BYTES)
                if trailer is None:
                    if _PART_OF_TRAILER(data, at, at + LINE_BYTES) and size - at < LINE_BYTES:
                        break
                    raise BadHead(400, "a trailer is no header field")
                self._count(trailer.end() - at)
                at = trailer.end()
            else:
                break
        return content, at

    def _count(self, extra: int) -> None:
        self._extra += extra
        if self._extra > EXTRA_BYTES:
            raise BadHead(400, f"chunk extensions and trailers exceed {EXTRA_BYTES} bytes")
