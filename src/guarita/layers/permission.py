"""The key must hold the permission of the operation it asks for (seed L20, L304-314, L433-496).
Last of the layers, so also where an unknown route or a wrong method ends.
"""

from typing import Any, ClassVar

from msgspec import Struct

from guarita.decision import Known, Pass, Reason, Refuse, Verdict
from guarita.facts import Facts
from guarita.layers.api_key import Credential
from guarita.routes import RouteTable

NO_ROUTE = Reason("permission", "no_route")
WRONG_METHOD = Reason("permission", "wrong_method")
LACKING = Reason("permission", "lacking")


class Permission(Struct, frozen=True):
    """Refuses operations that are not in the table, and those whose permission the key lacks."""

    table: RouteTable

    name: ClassVar[str] = "permission"
    reasons: ClassVar[tuple[Reason, ...]] = (NO_ROUTE, WRONG_METHOD, LACKING)
    needs: ClassVar[tuple[type[Any], ...]] = (Credential,)
    gives: ClassVar[type[Any] | None] = None

    def check(self, facts: Facts, known: Known) -> Verdict:
        match = self.table.match(facts.method, facts.path)
        if not match.permissions:
            if not match.allowed:
                return Refuse(NO_ROUTE)
            return Refuse(WRONG_METHOD, {"allow": ", ".join(match.allowed)}, saw=match.allowed)
        held = known[Credential].key.permissions
        for permission in match.permissions:
            if permission not in held:
                return Refuse(LACKING, {"permission": permission}, saw=permission)
        return Pass(saw=match.permissions)
