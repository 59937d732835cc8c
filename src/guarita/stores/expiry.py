"""A first-in first-out queue of (expiry, digest) pairs in flat memory: 40 bytes an entry and
nothing for the garbage collector.

A dict's own order would not do: taking the first item of a dict again and again walks over all
that was taken before.
"""

import struct
from collections import deque
from collections.abc import Iterator
from math import inf

_DIGEST_BYTES = 32
_ENTRY_BYTES = 8 + _DIGEST_BYTES
_CHUNK_BYTES = 2048 * _ENTRY_BYTES
_expiry = struct.Struct(">d").unpack_from


class ExpiryQueue:
    """Digests in the order pushed, each with its expiry (eight bytes: Unix seconds as big-endian
    float64).

    An entry leaves from the front only, so one that expires late holds up those pushed after it,
    for as long as it lives.

    Attributes:
        next_at: expiry of the first entry in Unix seconds; infinity when empty.
    """

    __slots__ = ("_chunks", "_offset", "next_at")

    def __init__(self) -> None:
        self._chunks: deque[bytearray] = deque()
        self._offset = 0
        self.next_at = inf

    def __len__(self) -> int:
        return (sum(map(len, self._chunks)) - self._offset) // _ENTRY_BYTES

    def push(self, expiry: bytes, digest: bytes) -> None:
        """Append an entry.

        Raises:
            ValueError: `expiry` is not 8 or `digest` not 32 bytes long.
        """
        if len(digest) != _DIGEST_BYTES or len(expiry) != 8:
            raise ValueError(f"a digest of 32 bytes is needed, this one has {len(digest)}")
        chunks = self._chunks
        if not chunks:
            chunks.append(bytearray())
            self.next_at = _expiry(expiry)[0]
        elif len(chunks[-1]) >= _CHUNK_BYTES:
            chunks.append(bytearray())
        chunk = chunks[-1]
        chunk += expiry
        chunk += digest

    def pop(self, at: float, limit: int) -> Iterator[tuple[bytes, bytes]]:
        """Take from the front the entries that have expired at `at`, at most `limit`: (expiry,
        digest).
        """
        chunks = self._chunks
        while limit and self.next_at <= at:
            limit -= 1
            first, offset = chunks[0], self._offset
            entry = bytes(first[offset : offset + _ENTRY_BYTES])
            self._offset = offset + _ENTRY_BYTES
            if self._offset == len(first):
                chunks.popleft()
                self._offset = 0
            self.next_at = _expiry(chunks[0], self._offset)[0] if chunks else inf
            yield entry[:8], entry[8:]
