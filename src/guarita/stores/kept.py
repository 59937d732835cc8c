"""How a reservation of the memory store that is no longer in flight is packed: a head of fixed
layout, then token, fingerprint, key and body, one after the other.

What many records have in common (the account, method and path, status and headers) follows the
first record of a chunk that has it, as MessagePack; the others say at which offset of the chunk
that is. So a chunk needs nothing beside it to be read, and nothing outlives it.
"""

import struct
from binascii import a2b_hex

from msgspec import Struct
from msgspec.msgpack import Decoder, Encoder

from guarita.asks import Reserve, Scope
from guarita.decision import Pairs, Response
from guarita.stores.reservations import ReservationRow, State

DIGEST_BYTES = 32
_HEAD = struct.Struct(f">IQdd{DIGEST_BYTES}sIHHI")
DIGEST_AT = 28
HEAD_BYTES = _HEAD.size
_LENGTH = struct.Struct(">I")
_TOKEN_DIGITS = 28  # of a Ray ID
_HEXADECIMAL = 1 << 15  # added to the token's length, where its bytes are the digits' values

pack_head = _HEAD.pack
"""Length of the whole record, place of an earlier record, Unix seconds of the reservation, seconds
it is kept, digest, offset of what is shared, lengths of token, fingerprint and key.
"""

read_head = _HEAD.unpack_from

Bytes = bytes | bytearray

Target = tuple[str, str]
"""Method and path."""

Status = tuple[int, Pairs]
"""Status and headers of a response."""


class Kept(Struct, frozen=True):
    """A reservation that is no longer in flight: stored, or (no response) of unknown outcome."""

    reserve: Reserve
    response: Response | None


class Shared(Struct, frozen=True, array_like=True, gc=False):
    """What records have in common. An int stands for what is said in this place at that offset of
    the chunk. `status` is None where the outcome is unknown.
    """

    account: str | int
    target: Target | int
    status: Status | int | None


_encode = Encoder().encode
_decode = Decoder(Shared).decode


def packed_shared(shared: Shared) -> bytes:
    packed = _encode(shared)
    return _LENGTH.pack(len(packed)) + packed


def _shared_at(chunk: Bytes, offset: int) -> Shared:
    begin = offset + _LENGTH.size
    return _decode(chunk[begin : begin + _LENGTH.unpack_from(chunk, offset)[0]])


def packed_token(token: str) -> tuple[bytes, int]:
    """Its bytes, half as many if it is hexadecimal as a Ray ID is, and the length for the head.

    Raises:
        ValueError: it is longer than 32,767 bytes.
    """
    if len(token) == _TOKEN_DIGITS and token.islower():  # capitals would not come back
        try:
            return a2b_hex(token), _TOKEN_DIGITS // 2 | _HEXADECIMAL
        except ValueError:
            pass  # as text
    packed = token.encode()
    if len(packed) >= _HEXADECIMAL:
        raise ValueError(f"a token has at most 32,767 bytes, this one {len(packed)}")
    return packed, len(packed)


Answer = tuple[float, float, Response | None, bytes]
"""Unix seconds of the reservation, seconds it is kept, response (None: the outcome is unknown),
fingerprint.
"""


def answer_at(chunk: Bytes, offset: int) -> Answer:
    """What the record at `offset` answers."""
    length, _, at, keep_s, _, shared_at, token, fingerprint, key = read_head(chunk, offset)
    begin = offset + HEAD_BYTES + (token & ~_HEXADECIMAL)
    middle = begin + fingerprint
    status = _shared_at(chunk, shared_at).status
    while isinstance(status, int):
        status = _shared_at(chunk, status).status
    response = None
    if status is not None:
        # What is shared follows the first record that has it.
        end = shared_at if shared_at > offset else offset + length
        response = Response(status[0], status[1], bytes(chunk[middle + key : end]))
    return at, keep_s, response, bytes(chunk[begin:middle])


def kept_at(chunk: Bytes, offset: int) -> Kept:
    """The whole record at `offset`."""
    _, _, _, _, digest, shared_at, token, fingerprint_bytes, key = read_head(chunk, offset)
    begin = offset + HEAD_BYTES
    end = begin + (token & ~_HEXADECIMAL)
    own = bytes(chunk[begin:end])
    begin = end + fingerprint_bytes
    shared = _shared_at(chunk, shared_at)
    account, target = shared.account, shared.target
    while isinstance(account, int):
        account = _shared_at(chunk, account).account
    while isinstance(target, int):
        target = _shared_at(chunk, target).target
    at, keep_s, response, fingerprint = answer_at(chunk, offset)
    return Kept(
        Reserve(
            Scope(digest, account, *target, bytes(chunk[begin : begin + key])),
            own.hex() if token & _HEXADECIMAL else own.decode(),
            fingerprint,
            at,
            int(keep_s),
        ),
        response,
    )


def row_of(kept: Kept) -> ReservationRow:
    reserve, response = kept.reserve, kept.response
    return ReservationRow(
        scope=reserve.scope,
        state=State.OUTCOME_UNKNOWN if response is None else State.STORED,
        token=reserve.token,
        at=reserve.at,
        expires_at=reserve.at + reserve.keep_s,
        status=None if response is None else response.status,
    )
