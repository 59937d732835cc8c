"""The questions a layer may put to the outside world, and their answers: the whole store contract.

Every ask is one atomic operation. A layer yields it from its generator and is sent the answer; who
answers (memory, SQLite, a body arriving over a socket, a test by hand) is the driver's business. An
answerer that cannot be reached raises `Outage` at the `yield`; what then happens is the asking
layer's required setting.

Stores answer `VerifyCredential`, `CountHit`, `Reserve`, `Record`, `Release` and `LoseOutcome`;
adapters answer `ReadBody`, `Pause` and `RecallOutcome`.
"""

from collections.abc import Generator
from enum import Enum, StrEnum
from typing import Any, TypeVar

from msgspec import Struct

from guarita.decision import Response
from guarita.facts import PresentedCertificate
from guarita.records import Verified

T = TypeVar("T")


class Outage(Exception):
    """A store is out of reach. Raised at the `yield` of the ask it could not answer; never carries
    request data.
    """


class Ask(Struct, frozen=True):
    """Base of all asks."""


Flow = Generator[Ask, Any, T]
"""A generator that yields asks, is sent their answers, and returns a T."""


class VerifyCredential(Ask, frozen=True):
    """Whose key is this, and is the secret right? Answer: `Verified`.

    One answer for an unknown id and for a wrong secret, at equal cost (DESIGN rule 8).
    """

    client_id: bytes
    secret: bytes

    def __repr__(self) -> str:
        return "VerifyCredential(...)"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        # rich prefers this to __repr__, and msgspec's own would show the secret.
        return [("client_id", "...")]


class FindKey(Ask, frozen=True):
    """Whose key is this? For keys that are one secret, without a public id. Answer: `Verified`, at
    equal cost for an unknown one.
    """

    api_key: bytes

    def __repr__(self) -> str:
        return "FindKey(...)"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        # rich prefers this to __repr__, and msgspec's own would show the key.
        return [("api_key", "...")]


class CertificateFault(StrEnum):
    """What is wrong with a client certificate, told apart for the decision log."""

    MALFORMED = "malformed"
    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"
    WRONG_PURPOSE = "wrong_purpose"
    UNKNOWN_ISSUER = "unknown_issuer"
    REVOKED = "revoked"
    WEAK = "weak"
    CONSTRAINT = "constraint"
    REVOCATION_UNKNOWN = "revocation_unknown"


class CertificateVerdict(Struct, frozen=True):
    """Answer to `VerifyCertificate`.

    Attributes:
        fault: what is wrong, or None: valid under a known CA, in date, not revoked.
        serial: hexadecimal, as `openssl x509 -serial` prints it; "" when malformed.
        sha256: upper-case pairs with colons, as `openssl x509 -fingerprint -sha256` prints them.
        subject: distinguished name (RFC 4514).
        verified_at: Unix time at which the chain was verified.
        lapsed: a revocation list the verification rested on has ended since.
    """

    fault: CertificateFault | None
    serial: str
    sha256: str
    subject: str
    verified_at: float
    lapsed: bool = False


class VerifyCertificate(Ask, frozen=True):
    """Is this client certificate good at `at` (Unix seconds)? Answer: `CertificateVerdict`.

    The chain is built and its signatures checked once per connection; dates and revocation are
    looked at every time.
    """

    certificate: PresentedCertificate
    at: float


class Faults(Struct, frozen=True):
    """Refused attempts in the current window: of one (key, address), of the key over all addresses,
    and how many addresses those came from.
    """

    of_address: int
    of_key: int
    addresses: int


class CountFault(Ask, frozen=True):
    """Count one refused attempt with `key` from `address` in the fixed window of `window_s` seconds
    that contains `at`. Answer: `Faults`, this one included.
    """

    key: str
    address: str
    at: float
    window_s: int


class FaultsOf(Ask, frozen=True):
    """The refused attempts counted so far, counting none. Answer: `Faults`."""

    key: str
    address: str
    at: float
    window_s: int


class BlockKey(Ask, frozen=True):
    """Block `key` for `reason` until an operator unblocks it. Durable. Answer: None."""

    key: str
    reason: str


class BodyProblem(Enum):
    """Why there is no body to read."""

    TOO_LARGE = "too_large"


class ReadBody(Ask, frozen=True):
    """The whole request body. Answer: bytes, or `BodyProblem.TOO_LARGE` when it is longer than
    `limit` bytes.

    No byte of the body is read before the first such ask.
    """

    limit: int


class CountHit(Ask, frozen=True):
    """Count one request of `key` in the fixed window of `window_s` seconds that contains `at` (Unix
    seconds).

    Answer: int, the hits of that window so far, this one included. A store with a clock of its own
    uses that instead of `at`.
    """

    key: str
    at: float
    window_s: int


class Scope(Struct, frozen=True):
    """What an idempotency key is unique within, and the digest that names it in a store.

    Attributes:
        digest: SHA-256 (32 bytes) over account, method, path and key.
        account, method, path: shown by `guarita idempotency list`.
        key: the header's value as sent.
    """

    digest: bytes
    account: str
    method: str
    path: str
    key: bytes


class Reserve(Ask, frozen=True):
    """Reserve `scope` for the request `token`, unless a live record exists. Durable before it is
    answered.

    Answer: `Reserved`, `Stored`, `IN_FLIGHT` or `OUTCOME_UNKNOWN`. A record older than `keep_s`
    seconds at `at` counts as absent. A reservation whose owning process is known to be dead is
    answered (and kept) as `OUTCOME_UNKNOWN`.
    """

    scope: Scope
    token: str
    fingerprint: bytes
    at: float
    keep_s: int


class Reserved(Struct, frozen=True):
    """The reservation is the asking request's own."""


class Stored(Struct, frozen=True):
    """The first request has been answered with `response`; `fingerprint` is what its body hashed
    to.
    """

    response: Response
    fingerprint: bytes


class Busy(Enum):
    """Another request owns the reservation."""

    IN_FLIGHT = "in_flight"
    OUTCOME_UNKNOWN = "outcome_unknown"


IN_FLIGHT = Busy.IN_FLIGHT
OUTCOME_UNKNOWN = Busy.OUTCOME_UNKNOWN


class Record(Ask, frozen=True):
    """Keep `response` as the answer of `scope`, if `token` still owns it. Answer: None."""

    scope: Scope
    token: str
    response: Response


class Release(Ask, frozen=True):
    """Give `scope` up, if `token` owns it, so that a retry may execute. Answer: None. Releasing
    nothing is no error.
    """

    scope: Scope
    token: str


class LoseOutcome(Ask, frozen=True):
    """Mark `scope` as "outcome unknown", if `token` owns it: nothing executes under it until it
    ends or an operator resolves it. Answer: None.
    """

    scope: Scope
    token: str


class RecallOutcome(Ask, frozen=True):
    """Does the application itself remember the outcome of `scope` (kept in its own database
    transaction)?

    Asked only when the record says "outcome unknown". Answer: `Response` or None.
    """

    scope: Scope


class Pause(Ask, frozen=True):
    """Wait `seconds`. Answer: float, the Unix time afterwards."""

    seconds: float


__all__ = [
    "IN_FLIGHT",
    "OUTCOME_UNKNOWN",
    "Ask",
    "BlockKey",
    "BodyProblem",
    "Busy",
    "CertificateFault",
    "CertificateVerdict",
    "CountFault",
    "CountHit",
    "Faults",
    "FaultsOf",
    "FindKey",
    "Flow",
    "LoseOutcome",
    "Outage",
    "Pause",
    "ReadBody",
    "RecallOutcome",
    "Record",
    "Release",
    "Reserve",
    "Reserved",
    "Scope",
    "Stored",
    "Verified",
    "VerifyCertificate",
    "VerifyCredential",
]
