"""Where the memory store keeps reservations that are no longer in flight: appended to chunks of
flat memory, which are given back from the front as records expire. Some 230 bytes go for a record
with an answer of 90; none of it is an object that the garbage collector would look into.

Records are found as in a hash table with chains. A chain begins in an array and goes on in the
records, from later to earlier ones, so that it ends where the records end that are still kept:
expiry needs no look at the table. When the table doubles, both halves begin the same chains, so
that nothing is moved while a request waits; what is chained too long expires with the day.
"""

from array import array
from collections.abc import Hashable, Iterator
from math import inf

from guarita.asks import Reserve
from guarita.decision import Response
from guarita.stores.kept import (
    DIGEST_AT,
    DIGEST_BYTES,
    HEAD_BYTES,
    Answer,
    Bytes,
    Kept,
    Shared,
    Status,
    answer_at,
    kept_at,
    pack_head,
    packed_shared,
    packed_token,
    read_head,
)

_CHUNK_BYTES = 1 << 18  # a record begins below this offset, and may end above it
_OFFSET_BITS = 20
_OFFSET = (1 << _OFFSET_BITS) - 1
_FEWEST_CHAINS = 1 << 16

# A place is a chunk's number and an offset in it. The beginning of a chain is its last record's
# place and, in the bits below, which of 16 tags its records have: most chains need not be followed
# to know that a digest is not in them.
_TAG_BITS = 16
_TAGS = (1 << _TAG_BITS) - 1
_TAG_OF = tuple(1 << (byte & 15) for byte in range(256))  # by a digest's first byte

_Together = tuple[str, str, str, Status | None]
"""Account, method, path, status and headers."""


class KeptLog:
    """Records by digest, in the order added. Not thread-safe.

    Memory is given back from the front only, so a record that expires late holds up those added
    after it, for as long as it lives.

    Attributes:
        next_at: expiry of the first record in Unix seconds; infinity when there is none.
    """

    __slots__ = (
        "_base",
        "_chains",
        "_chunks",
        "_count",
        "_filling",
        "_forgotten",
        "_front",
        "_last",
        "_last_bits",
        "_shared_at",
        "next_at",
    )

    def __init__(self) -> None:
        self._filling = bytearray()
        self._last = 1  # number of the chunk that is being filled; no record is at place 0
        self._base = 1 << _OFFSET_BITS + _TAG_BITS  # the same, as in the beginning of a chain
        self._chunks: dict[int, Bytes] = {1: self._filling}
        self._front = 1 << _OFFSET_BITS  # place of the first record; earlier ones are gone
        self._count = 0
        self._chains = array("Q", bytes(8 * _FEWEST_CHAINS))
        self._last_bits = _FEWEST_CHAINS - 1  # of a hash: the number of its chain
        self._shared_at: dict[Hashable, int] = {}  # offset, in the chunk that is being filled
        self._forgotten: set[int] = set()  # places
        self.next_at = inf

    def __len__(self) -> int:
        """How many records take memory, forgotten ones included."""
        return self._count

    def add(self, reserve: Reserve, response: Response | None) -> None:
        """Append a record; there must be none of its digest (see `forget`). No response: the
        outcome is unknown.

        Raises:
            ValueError: the digest is not 32 bytes long, or the token longer than 32,767.
        """
        scope = reserve.scope
        digest = scope.digest
        if len(digest) != DIGEST_BYTES:
            raise ValueError(f"a digest of 32 bytes is needed, this one has {len(digest)}")
        chunk = self._filling
        offset = len(chunk)
        if offset >= _CHUNK_BYTES:
            chunk, offset = self._begin_chunk(), 0
        chains, number = self._chains, hash(digest) & self._last_bits
        tags = chains[number]
        before = tags >> _TAG_BITS
        # Of a chain whose records have all expired, the tags have too.
        tags = tags & _TAGS if before >= self._front else 0
        token, token_length = packed_token(reserve.token)
        fingerprint, key = reserve.fingerprint, scope.key
        if response is None:
            body: bytes = b""
            status: Status | None = None
        else:
            body, status = response.body, (response.status, response.headers)
        together: _Together = scope.account, scope.method, scope.path, status
        parts = b"".join((token, fingerprint, key, body))
        length = HEAD_BYTES + len(parts)
        try:
            try:
                shared_at = self._shared_at.get(together)
            except TypeError:  # an application's header pairs may be lists
                together = *together[:3], _hashable(status)
                shared_at = self._shared_at.get(together)
            if shared_at is None:
                shared_at = offset + length
                parts += self._pack_shared(together, shared_at)
                length = HEAD_BYTES + len(parts)
            chunk += pack_head(
                length,
                before,
                reserve.at,
                reserve.keep_s,
                digest,
                shared_at,
                token_length,
                len(fingerprint),
                len(key),
            )
            chunk += parts
        except BaseException:
            # Nothing may refer to a record that is not there.
            self._shared_at.clear()
            del chunk[offset:]
            raise
        chains[number] = self._base + (offset << _TAG_BITS) | tags | _TAG_OF[digest[0]]
        if not self._count:
            self.next_at = reserve.at + reserve.keep_s
        self._count += 1

    def _pack_shared(self, together: _Together, shared_at: int) -> bytes:
        """Each part is written out unless an earlier record of the chunk did."""
        account, method, path, status = together
        self._shared_at[together] = shared_at
        first: list[int] = [
            shared_at if part is None else self._shared_at.setdefault(part, shared_at)
            for part in (account, (method, path), status)
        ]
        return packed_shared(
            Shared(
                account if first[0] == shared_at else first[0],
                (method, path) if first[1] == shared_at else first[1],
                status if first[2] == shared_at else first[2],
            )
        )

    def answer(self, digest: bytes) -> Answer | None:
        """What `Reserve` needs to know of the record of `digest`, if there is one."""
        begin = self._chains[hash(digest) & self._last_bits]
        if not begin & _TAG_OF[digest[0]]:
            return None
        place = self._follow(begin >> _TAG_BITS, digest)
        return answer_at(self._chunks[place >> _OFFSET_BITS], place & _OFFSET) if place else None

    def get(self, digest: bytes) -> Kept | None:
        """The whole record."""
        place = self._place(digest)
        return kept_at(self._chunks[place >> _OFFSET_BITS], place & _OFFSET) if place else None

    def forget(self, digest: bytes) -> None:
        """Take a record out, if there is one; its memory is given back once it has expired."""
        if place := self._place(digest):
            self._forgotten.add(place)

    def purge(self, at: float, limit: int) -> None:
        """Give back the first records, if they have expired at `at` (Unix seconds), at most
        `limit`.
        """
        while limit and self.next_at <= at:
            limit -= 1
            self._count -= 1
            number, offset = self._front >> _OFFSET_BITS, self._front & _OFFSET
            self._forgotten.discard(self._front)
            chunk = self._chunks[number]
            offset += read_head(chunk, offset)[0]
            if offset == len(chunk):
                if number == self._last:
                    self._begin_chunk()
                del self._chunks[number]
                number, offset = number + 1, 0
            self._front = number << _OFFSET_BITS | offset
            if self._count:
                _, _, reserved_at, keep_s, *_ = read_head(self._chunks[number], offset)
                self.next_at = reserved_at + keep_s
            else:
                self.next_at = inf

    def records(self) -> Iterator[Kept]:
        """The records of this moment, in the order added, read from a copy of what may change."""
        chunks, forgotten = dict(self._chunks), set(self._forgotten)
        chunks[self._last] = bytes(self._filling)
        return _records(chunks, forgotten, self._front)

    def _begin_chunk(self) -> bytearray:
        # bytes: without what a bytearray has in reserve.
        self._chunks[self._last] = bytes(self._filling)
        self._last += 1
        self._base = self._last << _OFFSET_BITS + _TAG_BITS
        self._filling = self._chunks[self._last] = bytearray()
        self._shared_at.clear()
        if self._count > len(self._chains):
            self._chains += self._chains
            self._last_bits = len(self._chains) - 1
        return self._filling

    def _place(self, digest: bytes) -> int:
        """Where the record of `digest` is; 0 where there is none."""
        begin = self._chains[hash(digest) & self._last_bits]
        return self._follow(begin >> _TAG_BITS, digest)

    def _follow(self, place: int, digest: bytes) -> int:
        """The same, along the chain that begins at `place`."""
        front, chunks = self._front, self._chunks
        while place >= front:
            chunk, offset = chunks[place >> _OFFSET_BITS], place & _OFFSET
            if chunk.startswith(digest, offset + DIGEST_AT) and place not in self._forgotten:
                return place
            place = read_head(chunk, offset)[1]
        return 0


def _records(chunks: dict[int, Bytes], forgotten: set[int], front: int) -> Iterator[Kept]:
    offset = front & _OFFSET
    for number in sorted(chunks):
        chunk = chunks[number]
        while offset < len(chunk):
            if number << _OFFSET_BITS | offset not in forgotten:
                yield kept_at(chunk, offset)
            offset += read_head(chunk, offset)[0]
        offset = 0


def _hashable(status: Status | None) -> Status | None:
    return status and (status[0], tuple((bytes(name), bytes(value)) for name, value in status[1]))
