"""The client address must be on the key's allowlist, and an empty allowlist refuses everybody (seed
L16, L73-110).
"""

from typing import Any, ClassVar

from msgspec import Struct

from guarita.decision import Known, Pass, Reason, Refuse, Verdict
from guarita.facts import Facts
from guarita.layers.api_key import Credential

LIST_EMPTY = Reason("address", "list_empty")
UNKNOWN = Reason("address", "unknown")
NOT_LISTED = Reason("address", "not_listed")


class AddressList(Struct, frozen=True):
    """Refuses an empty allowlist first, then an address that could not be read, then one that is
    not listed.
    """

    name: ClassVar[str] = "address"
    reasons: ClassVar[tuple[Reason, ...]] = (LIST_EMPTY, UNKNOWN, NOT_LISTED)
    needs: ClassVar[tuple[type[Any], ...]] = (Credential,)
    gives: ClassVar[type[Any] | None] = None

    def check(self, facts: Facts, known: Known) -> Verdict:
        allowlist = known[Credential].key.allowlist
        client = facts.client
        if not allowlist:
            return Refuse(LIST_EMPTY, saw=client)
        if client is None:
            return Refuse(UNKNOWN, saw=None)
        if not allowlist.allows(client):
            return Refuse(NOT_LISTED, saw=client)
        return Pass(saw=client)
