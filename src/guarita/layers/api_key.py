"""API key and secret from the `Authorization` header (seed L15, L30-65, L230-272)."""

from binascii import Error as Base64Error
from binascii import a2b_base64
from typing import Any, ClassVar

from msgspec import Struct

from guarita.asks import Flow, Outage, Verified, VerifyCredential
from guarita.crypto import MacState
from guarita.decision import Known, Pass, Reason, Refuse, Verdict
from guarita.facts import Facts, Headers
from guarita.outage import OnOutage
from guarita.records import ApiKey, KeyStatus

MISSING = Reason("api_key", "missing")
INVALID = Reason("api_key", "invalid")
INACTIVE = Reason("api_key", "inactive")
BLOCKED = Reason("api_key", "blocked")
EXPIRED = Reason("api_key", "expired")
OUTAGE = Reason("api_key", "outage")


class Credential(Struct, frozen=True):
    """The verified API key of a request.

    Attributes:
        key: the key's record.
        mac: the HMAC-SHA512 state keyed with the verified secret; None for keys that do not sign.
    """

    key: ApiKey
    mac: MacState | None

    def __repr__(self) -> str:
        return f"Credential({self.key.client_id!r})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        # rich prefers this to __repr__, and msgspec's own would show every field.
        return [("client_id", self.key.client_id)]


def presented(headers: Headers) -> tuple[bytes, bytes] | str:
    """Client id and secret as the `Authorization` header presents them, or why there are none (for
    the decision log).

    Two schemes, names in any letter case, with the same meaning: `ApiKey id:secret` and `Basic
    base64(id:secret)` (seed L34, L38; RFC 7617 section 2). Split on the first colon; either part
    may be empty, which no key will match.
    """
    value = headers.get(b"authorization")
    if value is None:
        return "no Authorization header"
    if b"authorization" in headers.repeated:
        return "Authorization sent more than once"
    scheme, _, rest = value.strip(b" \t").partition(b" ")
    rest = rest.lstrip(b" ")
    scheme = scheme.lower()
    if scheme == b"basic":
        if len(rest) % 4 or rest.endswith(b"==="):
            return "Basic credentials are not base64"  # padding too much, which Python overlooks
        try:
            rest = a2b_base64(rest, strict_mode=True)
        except Base64Error:
            return "Basic credentials are not base64"
    elif scheme != b"apikey":
        return "another authorization scheme"
    if not rest.isascii() and not _is_utf8(rest):
        return "credentials are not UTF-8"
    client_id, colon, secret = rest.partition(b":")
    if not colon:
        return "no colon between id and secret"
    return client_id, secret


def _shown(client_id: bytes, known: bool) -> str:
    """A known id whole; of an unknown one, which may be a misplaced secret, its beginning."""
    if known:
        return client_id[:64].decode("latin-1")
    if b"sk_" in client_id:
        return "looks like a secret"
    shown = client_id[:8].decode("latin-1")
    return shown + "…" if len(client_id) > 8 else shown


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


class ApiKeyAuth(Struct, frozen=True):
    """Refuses credentials that are missing, wrong, inactive, blocked or expired, in this order. The
    state of a key is told only to a caller who knows its secret, and an unknown id is answered like
    a wrong secret.

    Attributes:
        profile: the profile whose keys are accepted; a key issued for another one is none here.
        on_outage: what to do when the keyring is out of reach; `REFUSE` is the only value that
            makes sense, and the only one accepted: without a key there is nothing to admit.
    """

    profile: str
    on_outage: OnOutage

    name: ClassVar[str] = "api_key"
    reasons: ClassVar[tuple[Reason, ...]] = (MISSING, OUTAGE, INVALID, INACTIVE, BLOCKED, EXPIRED)
    needs: ClassVar[tuple[type[Any], ...]] = ()
    gives: ClassVar[type[Any] | None] = Credential

    def __post_init__(self) -> None:
        if self.on_outage is not OnOutage.REFUSE:
            raise ValueError("api_key cannot admit a request without a key: set on_outage=REFUSE")

    def check(self, facts: Facts, known: Known) -> Flow[Verdict]:
        pair = presented(facts.headers)
        if isinstance(pair, str):
            return Refuse(MISSING, saw=pair)
        client_id, secret = pair
        try:
            verified: Verified = yield VerifyCredential(client_id, secret)
        except Outage:
            return Refuse(OUTAGE, saw="keyring out of reach")
        key, mac = verified.key, verified.mac
        if key is None or mac is None:
            fault = "wrong secret" if verified.client_id_known else "unknown id"
            return Refuse(INVALID, saw=[_shown(client_id, verified.client_id_known), fault])
        if key.profile != self.profile:
            return Refuse(INVALID, saw=[key.client_id, f"a key for {key.profile}"])
        if key.status is not KeyStatus.ACTIVE:
            reason = BLOCKED if key.status is KeyStatus.BLOCKED else INACTIVE
            return Refuse(reason, saw=[key.client_id, key.status])
        if key.expires_at is not None and facts.at >= key.expires_at:
            return Refuse(EXPIRED, saw=[key.client_id, key.expires_at])
        return Pass(Credential(key, mac), saw=key.client_id)
