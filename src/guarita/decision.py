"""Verdicts are values: what a layer returns, what the pipeline returns, and what is settled over a
response afterwards.

Nothing here names a layer, a profile or a framework.
"""

from collections.abc import Generator, Mapping, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from msgspec import Struct, field

if TYPE_CHECKING:
    from guarita.asks import Ask
    from guarita.facts import Facts

T = TypeVar("T")
Pairs = tuple[tuple[bytes, bytes], ...]


class Reason(Struct, frozen=True):
    """Why a layer refuses. It belongs to the layer; its wording belongs to a profile.

    Printed as "layer.name", e.g. "rate_limit.too_many".
    """

    layer: str
    name: str

    def __str__(self) -> str:
        return f"{self.layer}.{self.name}"


MALFORMED_REQUEST = Reason("serving", "malformed_request")
WEBSOCKET = Reason("serving", "websocket")
INTERNAL_ERROR = Reason("serving", "internal_error")
BAD_GATEWAY = Reason("serving", "bad_gateway")
GATEWAY_TIMEOUT = Reason("serving", "gateway_timeout")
SERVING_REASONS = (
    MALFORMED_REQUEST,
    WEBSOCKET,
    INTERNAL_ERROR,
    BAD_GATEWAY,
    GATEWAY_TIMEOUT,
)
"""What an adapter itself may have to answer: before any layer is asked, or after all passed."""


class Response(Struct, frozen=True):
    """A whole HTTP response: status, header pairs (lower-case names), body."""

    status: int
    headers: Pairs
    body: bytes


class End(Enum):
    """How an exchange ended.

    ANSWERED: a response exists (the application's, a replay's or a refusal's). FAILED: the
    application raised before its response started: nothing was promised to the caller. LOST: nobody
    can tell what was executed (crash, cancellation, exception after the response started).
    """

    ANSWERED = "answered"
    FAILED = "failed"
    LOST = "lost"


class Outcome(Struct, frozen=True):
    """What a settlement looks at.

    Attributes:
        end: how the exchange ended.
        status: the response's status; 0 when there is none.
        headers: the response's headers, before any settlement.
        body: the whole body where some settlement wanted it, else None.
        reason: why a later layer refused, where the response is its refusal.
    """

    end: End
    status: int = 0
    headers: Sequence[tuple[bytes, bytes]] = ()
    body: bytes | None = None
    reason: Reason | None = None

    @property
    def refused(self) -> bool:
        """Whether the response is a refusal, made by a later layer."""
        return self.reason is not None


class Settle(Protocol):
    """What a layer still has to do once the response is known; run in reverse order of layers."""

    def wants_body(self, status: int) -> bool:
        """Whether a response of the application with this status must be held until its body is
        complete.
        """
        ...

    def run(self, outcome: Outcome) -> "Pairs | Generator[Ask, Any, Pairs]":
        """Settle; returns header pairs to add to the response. A generator where it has to ask."""
        ...


class Converted(Struct, frozen=True):
    """Query and body as the application is to get them; `body` None means: as received."""

    query: bytes
    body: bytes | None = None


class Conversion(Protocol):
    """A change of form around the application: neither refusals nor replays pass through it."""

    def request(self, facts: "Facts", known: "Known") -> "Converted | Refuse":
        """The request for the application, or a refusal. Called once every layer has passed."""
        ...

    def wants_body(self, headers: Sequence[tuple[bytes, bytes]]) -> bool:
        """Whether a response with these headers is to be converted."""
        ...

    def response(self, body: bytes) -> bytes:
        """The response body for the caller."""
        ...


class Pass(Struct, frozen=True):
    """The layer has nothing against the request.

    Attributes:
        known: one frozen record that later layers and the application can see, or None.
        settle: what to do over the response.
        convert: a conversion around the application.
        saw: what the layer looked at, for the decision log: plain text and numbers, never a secret.
    """

    known: Any = None
    settle: Settle | None = None
    convert: Conversion | None = None
    saw: Any = None


class Refuse(Struct, frozen=True):
    """The request goes no further. `values` fill the wording's placeholders; `saw` is for the
    decision log.
    """

    reason: Reason
    values: Mapping[str, str] = field(default_factory=dict)
    saw: Any = None


class Replay(Struct, frozen=True):
    """The request was answered before. Later layers may still refuse it; the application is not
    called.
    """

    response: Response
    settle: Settle | None = None
    saw: Any = None


class Admit(Struct, frozen=True):
    """Every layer has passed."""


ADMIT = Admit()
PASS = Pass()

Verdict = Pass | Refuse | Replay


class Known(dict[type[Any], Any]):
    """What the layers found, by the type of the record: `known[Credential]` is a Credential."""

    __slots__ = ()

    if TYPE_CHECKING:

        def __getitem__(self, kind: type[T], /) -> T: ...


class Decision(Struct, frozen=True):
    """What the pipeline returns.

    Attributes:
        result: `Admit`, `Refuse` or `Replay`.
        known: the records the layers found.
        verdicts: each layer's verdict, in order, up to the one that refused; one more where the
            conversion refused.
        settles: the settlements of the layers that passed, in their order.
        conversion: the conversion around the application, if any.
        converted: the admitted request after that conversion.
    """

    result: Admit | Refuse | Replay
    known: Known
    verdicts: list[Verdict]
    settles: list[Settle]
    conversion: Conversion | None = None
    converted: Converted | None = None
