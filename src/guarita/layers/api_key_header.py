"""An API key that is one secret, sent in a header of its own (Delfinance seed: error 1; order and
states: DESIGN section 3)."""

from typing import Any, ClassVar

from msgspec import Struct

from guarita.asks import FindKey, Flow, Outage, Verified
from guarita.decision import Known, Pass, Reason, Refuse, Verdict
from guarita.facts import Facts
from guarita.layers.api_key import Credential
from guarita.outage import OnOutage
from guarita.records import KeyStatus

MISSING = Reason("api_key_header", "missing")
UNKNOWN = Reason("api_key_header", "unknown")
ENDED = Reason("api_key_header", "ended")
BLOCKED = Reason("api_key_header", "blocked")
OUTAGE = Reason("api_key_header", "outage")


class ApiKeyHeader(Struct, frozen=True):
    """Refuses a key that was not sent (or sent twice, or empty), is unknown, revoked, inactive or
    expired, or is blocked, in this order.

    Attributes:
        profile: the profile whose keys are accepted.
        header: the header's name, in lower case.
        on_outage: what to do when the keyring is out of reach; only `REFUSE` is accepted.
    """

    profile: str
    header: bytes
    on_outage: OnOutage

    name: ClassVar[str] = "api_key_header"
    reasons: ClassVar[tuple[Reason, ...]] = (MISSING, OUTAGE, UNKNOWN, ENDED, BLOCKED)
    needs: ClassVar[tuple[type[Any], ...]] = ()
    gives: ClassVar[type[Any] | None] = Credential

    def __post_init__(self) -> None:
        if self.on_outage is not OnOutage.REFUSE:
            raise ValueError("api_key_header cannot admit without a key: set on_outage=REFUSE")

    def check(self, facts: Facts, known: Known) -> Flow[Verdict]:
        value = facts.headers.get(self.header)
        if self.header in facts.headers.repeated:
            return Refuse(MISSING, saw="sent more than once")
        if not value:
            return Refuse(MISSING, saw="not sent" if value is None else "empty")
        try:
            verified: Verified = yield FindKey(value)
        except Outage:
            return Refuse(OUTAGE, saw="keyring out of reach")
        key = verified.key
        if key is None or key.profile != self.profile:
            return Refuse(UNKNOWN, saw=f"{len(value)} characters")
        if key.status in (KeyStatus.REVOKED, KeyStatus.INACTIVE):
            return Refuse(ENDED, saw=[key.client_id, key.status])
        if key.expires_at is not None and facts.at >= key.expires_at:
            return Refuse(ENDED, saw=[key.client_id, "expired"])
        if key.status is KeyStatus.BLOCKED:
            return Refuse(BLOCKED, saw=[key.client_id, key.blocked_reason])
        return Pass(Credential(key, verified.mac), saw=key.client_id)
