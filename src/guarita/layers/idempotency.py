"""A POST with an `Idempotency-Key` executes once; later ones are replays (seed L19, L124, L128-130,
L421-431).

Reservation, recording and release follow DESIGN section 3, rows "idempotency scope", "what ends a
reservation" and "crash".
"""

from collections.abc import Iterable
from contextlib import suppress
from enum import Enum
from hashlib import sha256
from typing import Any, ClassVar

from msgspec import Struct

from guarita.asks import (
    Busy,
    Flow,
    LoseOutcome,
    Outage,
    Pause,
    RecallOutcome,
    Record,
    Release,
    Reserve,
    Reserved,
    Scope,
    Stored,
)
from guarita.decision import (
    PASS,
    End,
    Known,
    Outcome,
    Pairs,
    Pass,
    Reason,
    Refuse,
    Replay,
    Response,
    Verdict,
)
from guarita.facts import Facts
from guarita.layers.api_key import Credential
from guarita.layers.signature import SignedBody
from guarita.outage import OnOutage

KEY_REPEATED = Reason("idempotency", "key_repeated")
KEY_TOO_LONG = Reason("idempotency", "key_too_long")
OTHER_BODY = Reason("idempotency", "other_body")
IN_FLIGHT = Reason("idempotency", "in_flight")
OUTCOME_UNKNOWN = Reason("idempotency", "outcome_unknown")
OUTAGE = Reason("idempotency", "outage")

KEPT_HEADERS = frozenset({b"content-type", b"content-encoding", b"location"})
"""Headers of the first response that a replay carries: without them its body cannot be read."""

FIRST_PAUSE_S = 0.005
LONGEST_PAUSE_S = 0.25


class OnMismatch(Enum):
    """Same key, other body: REPLAY answers with the first response as the seed says, REFUSE with
    422.
    """

    REPLAY = "replay"
    REFUSE = "refuse"


class Echo(Struct, frozen=True):
    """Echoes the key of a replay and says that it is one."""

    key: bytes

    def wants_body(self, status: int) -> bool:
        return False

    def run(self, outcome: Outcome) -> Pairs:
        if outcome.refused:
            return ((b"idempotency-key", self.key),)
        return ((b"idempotency-key", self.key), (b"x-idempotent-replay", b"true"))


class Reservation(Struct, frozen=True):
    """The request's own reservation; settled by what became of the request."""

    scope: Scope
    token: str

    def wants_body(self, status: int) -> bool:
        return 200 <= status < 300

    def run(self, outcome: Outcome) -> Flow[Pairs]:
        try:
            yield self._ending(outcome)
        except Outage:
            pass  # the answer goes out all the same; the reservation stays closed, nothing executes
        except GeneratorExit:
            raise
        except BaseException:
            # Interrupted: nobody will end this reservation later. Where it was ended, this does
            # nothing.
            with suppress(Outage):
                yield LoseOutcome(self.scope, self.token)
            raise
        return ((b"idempotency-key", self.scope.key),)

    def _ending(self, outcome: Outcome) -> Record | Release | LoseOutcome:
        """A 2xx is kept; an error answer, a later refusal or a failure before the response
        releases; all else is unknown.
        """
        if outcome.end is End.FAILED or outcome.refused:
            return Release(self.scope, self.token)
        if outcome.end is End.LOST:
            return LoseOutcome(self.scope, self.token)
        if outcome.status >= 400:
            return Release(self.scope, self.token)
        if not 200 <= outcome.status < 300 or outcome.body is None:
            return LoseOutcome(self.scope, self.token)
        kept = keepable(outcome.status, outcome.headers, outcome.body)
        return Record(self.scope, self.token, kept)


class Idempotency(Struct, frozen=True):
    """Refuses a repeated header, a key over `max_length` bytes, a second request whose first is
    still in flight after `wait_s`, and one whose first ended with an unknown outcome. An empty key
    counts as none.

    Attributes:
        keep_s: how long a record lives, in seconds.
        on_outage: what to do when the store is out of reach; only `REFUSE` is accepted: executing
            without a reservation could pay twice.
        max_length: longest key, in bytes.
        wait_s: how long a second request waits for the first, in seconds.
        on_mismatch: same key, other query or body.
        methods: the methods it works on; elsewhere the header is ignored silently.
    """

    keep_s: int
    on_outage: OnOutage
    max_length: int = 256
    wait_s: float = 10.0
    on_mismatch: OnMismatch = OnMismatch.REPLAY
    methods: frozenset[str] = frozenset({"POST"})

    name: ClassVar[str] = "idempotency"
    reasons: ClassVar[tuple[Reason, ...]] = (
        KEY_REPEATED,
        KEY_TOO_LONG,
        OUTAGE,
        IN_FLIGHT,
        OUTCOME_UNKNOWN,
        OTHER_BODY,
    )
    needs: ClassVar[tuple[type[Any], ...]] = (Credential, SignedBody)
    gives: ClassVar[type[Any] | None] = Reservation

    def __post_init__(self) -> None:
        if self.on_outage is not OnOutage.REFUSE:
            raise ValueError("idempotency cannot admit without a reservation: set on_outage=REFUSE")
        if self.keep_s < 1 or self.max_length < 1 or self.wait_s < 0:
            raise ValueError("keep_s and max_length must be at least 1 and wait_s not negative")

    def check(self, facts: Facts, known: Known) -> Flow[Verdict]:
        key = facts.headers.get(b"idempotency-key")
        if key is None or facts.method not in self.methods:
            return PASS
        if b"idempotency-key" in facts.headers.repeated:
            return Refuse(KEY_REPEATED, saw="sent more than once")
        if not key:
            return PASS
        if len(key) > self.max_length:
            return Refuse(KEY_TOO_LONG, {"limit": str(self.max_length)}, saw=len(key))
        scope = scope_of(facts, known[Credential].key.account.account_id, key)
        fingerprint = known[SignedBody].fingerprint(facts.query)
        reserve = Reserve(scope, facts.token, fingerprint, facts.at, self.keep_s)
        try:
            answer = yield from self._reserve(reserve)
        except Outage:
            return Refuse(OUTAGE, saw=[_shown(key), "store out of reach"])
        if isinstance(answer, Reserved):
            own = Reservation(scope, facts.token)
            return Pass(own, own, saw=[_shown(key), "reserved"])
        if isinstance(answer, Stored):
            if answer.fingerprint != fingerprint and self.on_mismatch is OnMismatch.REFUSE:
                return Refuse(OTHER_BODY, saw=[_shown(key), "other body"])
            return Replay(answer.response, Echo(key), saw=[_shown(key), "stored"])
        if answer is Busy.IN_FLIGHT:
            return Refuse(IN_FLIGHT, saw=[_shown(key), "in flight"])
        return Refuse(OUTCOME_UNKNOWN, saw=[_shown(key), "outcome unknown"])

    def _reserve(self, reserve: Reserve) -> Flow[Reserved | Stored | Busy]:
        """Reserve, waiting for another request's reservation to end; `IN_FLIGHT` when it has not
        after `wait_s`, by the sum of the pauses (a clock may be set back) or by the clock.
        """
        waited, pause, now = 0.0, FIRST_PAUSE_S, reserve.at
        while True:
            try:
                answer: Reserved | Stored | Busy = yield reserve
            except GeneratorExit:
                raise
            except BaseException:
                # The store may have reserved all the same (cancelled, or cut off while answering):
                # the token tells.
                with suppress(Outage):
                    yield Release(reserve.scope, reserve.token)
                raise
            if answer is Busy.OUTCOME_UNKNOWN:
                return (yield from self._recall(reserve))
            if answer is not Busy.IN_FLIGHT:
                return answer
            if waited >= self.wait_s or now >= reserve.at + self.wait_s:
                return Busy.IN_FLIGHT
            pause = min(pause, self.wait_s - waited)
            now = yield Pause(pause)
            waited += pause
            pause = min(pause * 2, LONGEST_PAUSE_S)

    def _recall(self, reserve: Reserve) -> Flow[Stored | Busy]:
        """An application that keeps outcomes in its own transaction can answer for a record that
        lost its own.
        """
        response: Response | None = yield RecallOutcome(reserve.scope)
        if response is None or not 200 <= response.status < 300:
            return Busy.OUTCOME_UNKNOWN
        return Stored(
            keepable(response.status, response.headers, response.body), reserve.fingerprint
        )


def keepable(status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> Response:
    """A response as it is kept for replays."""
    kept = tuple(pair for pair in headers if pair[0].lower() in KEPT_HEADERS)
    return Response(status, kept, body)


def scope_of(facts: Facts, account_id: str, key: bytes) -> Scope:
    """The scope of an idempotency key: (account, method, path, key), each length-prefixed before
    hashing so that no two scopes run together. Seed L130 names (method, path, key); the account
    keeps one merchant's answers from another.
    """
    parts = (account_id.encode(), facts.method.encode(), facts.path.encode("latin-1"), key)
    digest = sha256(b"".join([b"%d:%s," % (len(part), part) for part in parts])).digest()
    return Scope(digest, account_id, facts.method, facts.path, key)


def _shown(key: bytes) -> str:
    return key[:64].decode("latin-1")
