"""Accounts and API keys as the layers see them: frozen records, no behaviour beyond reading them.

The keyring builds these from its store; nothing here knows where they are kept.
"""

from enum import StrEnum
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from guarita.addresses import AddressSet

if TYPE_CHECKING:
    from guarita.crypto import MacState


class AccountStatus(StrEnum):
    ACTIVE = "active"
    SUSPENDED = "suspended"


class KeyStatus(StrEnum):
    """`inactive` can be undone (`guarita key activate`), `revoked` is final, `blocked` carries a
    reason.
    """

    ACTIVE = "active"
    INACTIVE = "inactive"
    REVOKED = "revoked"
    BLOCKED = "blocked"


class Account(Struct, frozen=True):
    """An account. `account_id` is what an application knows it by."""

    account_id: str
    name: str
    status: AccountStatus = AccountStatus.ACTIVE


class SecretHash(Struct, frozen=True):
    """One valid secret of a key: its keyed hash, and until when (Unix seconds; None = no end) it is
    accepted.
    """

    digest: bytes
    valid_until: float | None = None

    def __repr__(self) -> str:
        return f"SecretHash(valid_until={self.valid_until!r})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        # rich prefers this to __repr__, and msgspec's own would show every field.
        return [("valid_until", self.valid_until)]


class CertificateMode(StrEnum):
    """What a key demands of a client certificate: a registered one, any valid one, or none."""

    STRICT = "strict"
    VALID = "valid"
    UNSAFE_OFF = "unsafe_off"


class CertificatePin(Struct, frozen=True):
    """A client certificate registered for a key.

    Attributes:
        serial, sha256: as openssl prints them.
        subject: distinguished name (RFC 4514).
        not_before, not_after: Unix seconds, from the certificate.
        valid_until: end of its registration (a rotation), Unix seconds; None = as long as it lives.
        revoked_at: Unix seconds, None where it is not revoked.
    """

    serial: str
    sha256: str
    subject: str = ""
    not_before: float = 0.0
    not_after: float = 0.0
    valid_until: float | None = None
    revoked_at: float | None = None
    revoked_reason: str = ""


class ApiKey(Struct, frozen=True):
    """An API key joined with its account.

    Attributes:
        client_id: public identifier, prefix "cli_" (seed L58).
        secrets: one secret, or two during a rotation.
        expires_at: Unix seconds; None = never (seed L65).
        permissions: names such as "transfer:write" (seed L458-471).
        allowlist: addresses the key may be used from; empty refuses all (seed L75).
        signs: whether body signatures are configured for the key (seed L346-352).
        signature_forms: narrows the profile's accepted forms for this key: subset of {"raw",
            "canonical"}; None = the profile's.
    """

    client_id: str
    account: Account
    secrets: tuple[SecretHash, ...]
    profile: str = "minhakonta"
    status: KeyStatus = KeyStatus.ACTIVE
    blocked_reason: str | None = None
    expires_at: float | None = None
    permissions: frozenset[str] = frozenset()
    allowlist: AddressSet = AddressSet(())
    signs: bool = True
    signature_forms: frozenset[str] | None = None
    label: str = ""
    created_at: float = 0.0
    certificate_mode: CertificateMode = CertificateMode.STRICT
    certificates: tuple[CertificatePin, ...] = ()
    shown: str = ""


class Verified(Struct, frozen=True):
    """Answer to `VerifyCredential`.

    Attributes:
        key: the API key, or None for an unknown id *and* for a wrong secret.
        mac: the HMAC-SHA512 state keyed with the verified secret (`crypto.MacState`); None when
            `key` is None.
        client_id_known: for the decision log only; a caller must not learn it.
    """

    key: ApiKey | None
    mac: "MacState | None" = None
    client_id_known: bool = False
