"""Who is calling: the account id a request acts for.

What belongs here: where the account id is taken from. The bank checks no credentials. It is told
the account by what stands in front of it, or serves the one account of its configuration.
"""

from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import Scope

from guarita.sandbox.api.errors import Unidentified
from guarita.sandbox.text.identifiers import is_account_id

SCOPE_KEY = "guarita"
HEADER = "guarita-account"


@dataclass(frozen=True, slots=True)
class IdentitySource:
    """Where identity comes from when the ASGI scope holds none.

    Either `account` (the one account served to everybody) or `trust_headers` (the `Guarita-Account`
    header, written by a gateway that removes what callers send under that name), not both: a
    gateway that once forgets the header must not open the configured account. Raises `ValueError`
    for both, or for an account id of the wrong form.
    """

    account: str | None = None
    trust_headers: bool = False

    def __post_init__(self) -> None:
        if self.account is not None and self.trust_headers:
            raise ValueError("choose one: a single account, or trusted identity headers")
        if self.account is not None and not is_account_id(self.account):
            raise ValueError(
                "an account id is 1 to 128 characters of A-Z a-z 0-9 . _ : -, not "
                + repr(self.account)
            )

    def account_of(self, scope: Scope) -> str:
        """The account of a request: `scope["guarita"].account` where that key is present, else as
        configured.

        Raises `Unidentified` if there is none. An identity that is present but unusable is never
        replaced by another.
        """
        if SCOPE_KEY in scope:
            candidate = getattr(scope[SCOPE_KEY], "account", None)
        elif self.trust_headers:
            given = Headers(scope=scope).getlist(HEADER)
            candidate = given[0] if len(given) == 1 else None
        else:
            candidate = self.account
        if not isinstance(candidate, str) or not is_account_id(candidate):
            raise Unidentified
        return candidate
