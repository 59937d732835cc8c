"""The account behind the key must be active (seed L16, L294-302)."""

from typing import Any, ClassVar

from msgspec import Struct

from guarita.decision import Known, Pass, Reason, Refuse, Verdict
from guarita.facts import Facts
from guarita.layers.api_key import Credential
from guarita.records import AccountStatus

NOT_ACTIVE = Reason("account", "not_active")


class AccountActive(Struct, frozen=True):
    """Refuses keys of an account that is not active."""

    name: ClassVar[str] = "account"
    reasons: ClassVar[tuple[Reason, ...]] = (NOT_ACTIVE,)
    needs: ClassVar[tuple[type[Any], ...]] = (Credential,)
    gives: ClassVar[type[Any] | None] = None

    def check(self, facts: Facts, known: Known) -> Verdict:
        account = known[Credential].key.account
        if account.status is not AccountStatus.ACTIVE:
            return Refuse(NOT_ACTIVE, saw=[account.account_id, account.status])
        return Pass(saw=account.account_id)
