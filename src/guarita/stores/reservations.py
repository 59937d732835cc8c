"""What every store's reservations have in common: the row an operator sees, how a stored answer is
packed, and forking.
"""

import os
from enum import StrEnum
from typing import Any, Literal, Protocol
from weakref import WeakSet

from msgspec import Struct
from msgspec.msgpack import Decoder, Encoder

from guarita.asks import Ask, Scope
from guarita.decision import Response


class State(StrEnum):
    """Where a reservation stands.

    IN_FLIGHT: its request is being executed, by a process that lives as far as is known.
    STORED: answered; a retry gets the stored answer.
    OUTCOME_UNKNOWN: nobody can tell what was executed; nothing executes under it until it expires
        or is resolved.
    """

    IN_FLIGHT = "in_flight"
    STORED = "stored"
    OUTCOME_UNKNOWN = "outcome_unknown"


class ReservationRow(Struct, frozen=True):
    """One reservation as an operator sees it.

    Attributes:
        scope: account, method, path and key; `scope.digest` is what `resolve` takes.
        state: where it stands; a dead process's reservation is shown as OUTCOME_UNKNOWN.
        token: the request that owns it.
        at: Unix seconds of the reservation.
        expires_at: Unix seconds from which it counts as absent.
        status: of the stored response, else None.
    """

    scope: Scope
    state: State
    token: str
    at: float
    expires_at: float
    status: int | None = None


class ReservationStore(Protocol):
    """A store of reservations and counters."""

    def answer(self, ask: Ask) -> Any:
        """Answer `CountHit`, `CountFault`, `FaultsOf`, `Reserve`, `Record`, `Release` or
        `LoseOutcome`, atomically. Any thread may call it.

        Raises:
            Outage: the store is out of reach, or closed.
            TypeError: another kind of ask.
        """
        ...

    def reservations(
        self, *, state: str | None = None, account: str | None = None, at: float | None = None
    ) -> list[ReservationRow]:
        """The reservations kept, oldest first; of one state, of one account, not yet expired at
        `at` (Unix seconds).

        Without `at`, records that have expired but were not purged yet are listed too.
        """
        ...

    def resolve(self, digest: bytes, resolution: Literal["release"] | Response) -> bool:
        """Settle a reservation whose outcome is unknown: give it up ("release": a retry executes),
        or store its answer.

        Returns False, and changes nothing, where there is no such reservation or its outcome is
        not unknown.
        """
        ...

    def close(self) -> None:
        """Give up files and locks. Closing twice is no error."""
        ...


_encode_response = Encoder().encode
_decode_response = Decoder(Response).decode


def pack_response(response: Response) -> bytes:
    """`response` as MessagePack."""
    return _encode_response(response)


def unpack_response(packed: bytes) -> Response:
    """What `pack_response` packed."""
    return _decode_response(packed)


def unanswerable(store: object, ask: object) -> TypeError:
    """The error for an ask that is not a store's to answer."""
    return TypeError(f"{type(store).__name__} does not answer {type(ask).__name__}")


class AfterFork(Protocol):
    """Something whose locks, files or threads a forked child must not share with its parent."""

    def after_fork(self) -> None:
        """Called in the child, before anything else runs there."""
        ...


_forkable: WeakSet[Any] = WeakSet()


def reset_after_fork(thing: AfterFork) -> None:
    """Have `thing.after_fork()` called in every child this process forks, as long as `thing`
    lives.
    """
    _forkable.add(thing)


def _after_fork_in_child() -> None:
    for thing in list(_forkable):
        thing.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
