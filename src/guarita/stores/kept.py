"""A reservation of the memory store that is no longer in flight, packed into one `bytes`, which the
cyclic garbage collector never looks into.
"""

from msgspec import Struct
from msgspec.msgpack import Decoder, Encoder

from guarita.asks import Scope
from guarita.decision import Response
from guarita.stores.reservations import ReservationRow, State


class Kept(Struct, frozen=True, array_like=True, gc=False):
    """A reservation that is no longer in flight: stored, or (no response) of unknown outcome. Kept
    packed.
    """

    # First, and always a float: `expiry_bytes` reads it out of the packed form.
    expires_at: float
    at: float
    token: str
    fingerprint: bytes
    account: str
    method: str
    path: str
    key: bytes
    response: Response | None


pack = Encoder().encode
unpack = Decoder(Kept).decode


def expiry_bytes(packed: bytes) -> bytes:
    # MessagePack: one byte "array of nine", one byte "float64", eight bytes big-endian.
    return packed[2:10]


def with_response(kept: Kept, response: Response) -> bytes:
    return pack(
        Kept(
            kept.expires_at,
            kept.at,
            kept.token,
            kept.fingerprint,
            kept.account,
            kept.method,
            kept.path,
            kept.key,
            response,
        )
    )


def row_of(digest: bytes, kept: Kept) -> ReservationRow:
    return ReservationRow(
        scope=Scope(digest, kept.account, kept.method, kept.path, kept.key),
        state=State.OUTCOME_UNKNOWN if kept.response is None else State.STORED,
        token=kept.token,
        at=kept.at,
        expires_at=kept.expires_at,
        status=None if kept.response is None else kept.response.status,
    )
