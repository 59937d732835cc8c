"""The account a request works on, named in a header, must be the key's own (Delfinance seed: error
6).
"""

from typing import Any, ClassVar

from msgspec import Struct

from guarita.decision import Known, Pass, Reason, Refuse, Verdict
from guarita.facts import Facts
from guarita.layers.api_key import Credential
from guarita.records import AccountStatus

MISSING = Reason("account_header", "missing")
OTHER_ACCOUNT = Reason("account_header", "other_account")
NOT_ACTIVE = Reason("account_header", "not_active")


class AccountHeader(Struct, frozen=True):
    """Refuses an account that was not named (or named twice), is not the key's, or is not active.

    Attributes:
        header: the header's name, in lower case.
    """

    header: bytes

    name: ClassVar[str] = "account_header"
    reasons: ClassVar[tuple[Reason, ...]] = (MISSING, OTHER_ACCOUNT, NOT_ACTIVE)
    needs: ClassVar[tuple[type[Any], ...]] = (Credential,)
    gives: ClassVar[type[Any] | None] = None

    def check(self, facts: Facts, known: Known) -> Verdict:
        account = known[Credential].key.account
        value = facts.headers.get(self.header)
        if self.header in facts.headers.repeated:
            return Refuse(MISSING, saw="sent more than once")
        if not value:
            return Refuse(MISSING, saw="not sent" if value is None else "empty")
        if value != account.account_id.encode():
            return Refuse(OTHER_ACCOUNT, saw=value[:64].decode("latin-1"))
        if account.status is not AccountStatus.ACTIVE:
            return Refuse(NOT_ACTIVE, saw=[account.account_id, account.status])
        return Pass(saw=account.account_id)
