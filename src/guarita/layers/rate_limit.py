"""At most so many requests per client address and fixed window (seed L18, L165, L174-184)."""

from typing import Any, ClassVar

from msgspec import Struct

from guarita.addresses import grouped
from guarita.asks import CountHit, Flow, Outage
from guarita.decision import End, Known, Outcome, Pairs, Pass, Reason, Refuse, Verdict
from guarita.facts import Facts
from guarita.outage import OnOutage

TOO_MANY = Reason("rate_limit", "too_many")
OUTAGE = Reason("rate_limit", "outage")


class Remaining(Struct, frozen=True):
    """Adds `x-ratelimit-remaining` to 2xx responses, replays included (seed L179)."""

    remaining: int

    def wants_body(self, status: int) -> bool:
        return False

    def run(self, outcome: Outcome) -> Pairs:
        if outcome.end is End.ANSWERED and 200 <= outcome.status < 300:
            return ((b"x-ratelimit-remaining", b"%d" % self.remaining),)
        return ()


class RateLimit(Struct, frozen=True):
    """Counts every request that reaches it, per client address and window.

    Attributes:
        limit: requests admitted per window.
        window_s: length of the fixed window, in seconds.
        on_outage: what to do when the counter is out of reach.
        ipv6_prefix: IPv6 clients are counted together per network of this prefix length; 128 counts
            each address.
    """

    limit: int
    window_s: int
    on_outage: OnOutage
    ipv6_prefix: int = 128

    name: ClassVar[str] = "rate_limit"
    reasons: ClassVar[tuple[Reason, ...]] = (TOO_MANY, OUTAGE)
    needs: ClassVar[tuple[type[Any], ...]] = ()
    gives: ClassVar[type[Any] | None] = None

    def __post_init__(self) -> None:
        if self.limit < 1 or self.window_s < 1:
            raise ValueError(
                f"limit and window_s must be at least 1, not {self.limit} and {self.window_s}"
            )
        if not 1 <= self.ipv6_prefix <= 128:
            raise ValueError(f"ipv6_prefix must be between 1 and 128, not {self.ipv6_prefix}")

    def check(self, facts: Facts, known: Known) -> Flow[Verdict]:
        key = facts.client or "unknown"
        if self.ipv6_prefix != 128:
            key = grouped(key, self.ipv6_prefix)
        try:
            hits: int = yield CountHit(key, facts.at, self.window_s)
        except Outage:
            if self.on_outage is OnOutage.REFUSE:
                return Refuse(OUTAGE, saw="counter out of reach")
            return Pass(saw="counter out of reach: admitted")
        if hits > self.limit:
            return Refuse(TOO_MANY, saw=[key, hits, self.limit])
        return Pass(settle=Remaining(self.limit - hits), saw=[key, hits, self.limit])
