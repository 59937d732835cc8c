"""Too many refused attempts with one key (Delfinance seed: error 2, "too many invalid attempts";
the rule: DESIGN section 3, row of that name).

Attempts are counted per (key, client address), so that a stranger who knows a key locks out himself
and nobody else. The key itself is blocked only over several addresses of its own allowlist: what a
stranger does, from wherever, never counts there.
"""

from typing import Any, ClassVar

from msgspec import Struct

from guarita.addresses import grouped
from guarita.asks import BlockKey, CountFault, Faults, FaultsOf, Flow, Outage
from guarita.decision import Known, Outcome, Pairs, Pass, Reason, Refuse, Verdict
from guarita.facts import Facts
from guarita.layers.api_key import Credential
from guarita.outage import OnOutage

ADDRESS_BLOCKED = Reason("lockout", "address_blocked")
OUTAGE = Reason("lockout", "outage")

LISTED = "/listed"
"""Attempts from listed addresses are counted once more under the key's id with this ending."""


class Watch(Struct, frozen=True):
    """Counts the request if a later layer refuses it for a reason that counts."""

    layer: "Lockout"
    key: str
    address: str
    listed: bool
    at: float

    def wants_body(self, status: int) -> bool:
        return False

    def run(self, outcome: Outcome) -> Flow[Pairs]:
        if outcome.reason is None or outcome.reason not in self.layer.counted:
            return ()
        window_s = self.layer.window_s
        try:
            yield CountFault(self.key, self.address, self.at, window_s)
            if self.listed:
                faults: Faults = yield CountFault(
                    self.key + LISTED, self.address, self.at, window_s
                )
                if (
                    faults.of_key >= self.layer.key_limit
                    and faults.addresses >= self.layer.key_addresses
                ):
                    yield BlockKey(self.key, "too many invalid attempts")
        except Outage:
            return ()  # the refusal goes out all the same
        return ()


class Lockout(Struct, frozen=True):
    """Refuses a key from an address that has had `address_limit` counted refusals in the current
    window; blocks the key after `key_limit` of them from `key_addresses` of its listed addresses.

    Attributes:
        counted: the refusals of later layers that count.
        address_limit: refusals per (key, address) and window.
        key_limit: refusals per key and window, from listed addresses only.
        key_addresses: how many different listed addresses they must have come from.
        window_s: length of the fixed window, in seconds.
        on_outage: what to do when the counter is out of reach.
        ipv6_prefix: IPv6 clients that are not listed are counted together per network of this
            prefix length; a listed address is never counted with its neighbours.
    """

    counted: frozenset[Reason]
    address_limit: int
    key_limit: int
    key_addresses: int
    window_s: int
    on_outage: OnOutage
    ipv6_prefix: int = 64

    name: ClassVar[str] = "lockout"
    reasons: ClassVar[tuple[Reason, ...]] = (ADDRESS_BLOCKED, OUTAGE)
    needs: ClassVar[tuple[type[Any], ...]] = (Credential,)
    gives: ClassVar[type[Any] | None] = None

    def __post_init__(self) -> None:
        if self.key_limit <= self.address_limit or self.key_addresses < 2:
            raise ValueError(
                "a key is blocked at a higher threshold than an address, over several addresses: "
                "key_limit must be above address_limit and key_addresses at least 2"
            )
        if self.address_limit < 1 or self.window_s < 1:
            raise ValueError("address_limit and window_s must be at least 1")
        if not 1 <= self.ipv6_prefix <= 128:
            raise ValueError(f"ipv6_prefix must be between 1 and 128, not {self.ipv6_prefix}")

    def check(self, facts: Facts, known: Known) -> Flow[Verdict]:
        key = known[Credential].key
        listed = facts.client is not None and key.allowlist.allows(facts.client)
        address = self._counted_as(facts.client, listed)
        try:
            faults: Faults = yield FaultsOf(key.client_id, address, facts.at, self.window_s)
        except Outage:
            if self.on_outage is OnOutage.REFUSE:
                return Refuse(OUTAGE, saw="counter out of reach")
            return Pass(saw="counter out of reach: admitted")
        if faults.of_address >= self.address_limit:
            return Refuse(ADDRESS_BLOCKED, saw=[address, faults.of_address, self.address_limit])
        watch = Watch(self, key.client_id, address, listed, facts.at)
        return Pass(settle=watch, saw=[address, faults.of_address, self.address_limit])

    def _counted_as(self, client: str | None, listed: bool) -> str:
        if client is None:
            return "unknown"
        return client if listed else grouped(client, self.ipv6_prefix)
