"""How accounts and keys are written as rows (tables: `migrations/0001_keyring.sql`, certificates:
`0004_certificates.sql`), and read back.
"""

from typing import Any

import msgspec

from guarita.addresses import AddressSet
from guarita.records import (
    Account,
    AccountStatus,
    ApiKey,
    CertificateMode,
    CertificatePin,
    KeyStatus,
    SecretHash,
)

_COLUMNS = (
    "secret",
    "secret_until",
    "former",
    "former_until",
    "profile",
    "status",
    "blocked_reason",
    "expires_at",
    "permissions",
    "allowlist",
    "signs",
    "signature_forms",
    "label",
    "created_at",
    "certificate_mode",
    "certificates",
    "shown",
)
_PLACES = ", ".join("?" * len(_COLUMNS))

SELECT_KEY = (
    "SELECT k.client_id, a.account_id, a.name, a.status, "  # noqa: S608
    f"{', '.join('k.' + column for column in _COLUMNS)} "
    "FROM api_key k JOIN account a ON a.number = k.account "
)
"""Rows for `to_key`; `k` is the key, `a` its account."""

INSERT_KEY = (
    f"INSERT INTO api_key ({', '.join(_COLUMNS)}, client_id, revision, account) "  # noqa: S608
    f"VALUES ({_PLACES}, ?, ?, (SELECT number FROM account WHERE account_id = ?))"
)
"""Takes `from_key`, client_id, revision, account_id."""

UPDATE_KEY = (
    f"UPDATE api_key SET ({', '.join(_COLUMNS)}) = ({_PLACES}), revision = ? "  # noqa: S608
    "WHERE client_id = ?"
)
"""Takes `from_key`, revision, client_id."""


def to_account(row: tuple[str, str, str]) -> Account:
    return Account(row[0], row[1], AccountStatus(row[2]))


def to_key(row: tuple[Any, ...]) -> ApiKey:
    client_id, account_id, name, account_status, *columns = row
    secret, secret_until, former, former_until, profile, status, blocked_reason, *rest = columns
    expires_at, permissions, allowlist, signs, forms, label, created_at, *rest = rest
    certificate_mode, certificates, shown = rest
    secrets: tuple[SecretHash, ...] = (SecretHash(secret, secret_until),)
    if former is not None:
        secrets += (SecretHash(former, former_until),)
    return ApiKey(
        client_id=client_id,
        account=Account(account_id, name, AccountStatus(account_status)),
        secrets=secrets,
        profile=profile,
        status=KeyStatus(status),
        blocked_reason=blocked_reason,
        expires_at=expires_at,
        permissions=frozenset(_names(permissions)),
        # Whether everybody may be allowed was decided when the entry was saved.
        allowlist=AddressSet(_names(allowlist), unsafe_any=True),
        signs=bool(signs),
        signature_forms=None if forms is None else frozenset(_names(forms)),
        label=label,
        created_at=created_at,
        certificate_mode=CertificateMode(certificate_mode),
        certificates=_pins(certificates),
        shown=shown,
    )


def from_key(key: ApiKey) -> tuple[Any, ...]:
    """The values of `_COLUMNS`."""
    secret, *older = key.secrets
    former = older[0] if older else None
    return (
        secret.digest,
        secret.valid_until,
        former.digest if former else None,
        former.valid_until if former else None,
        key.profile,
        key.status.value,
        key.blocked_reason,
        key.expires_at,
        _json(sorted(key.permissions)),
        _json(key.allowlist.entries),
        int(key.signs),
        None if key.signature_forms is None else _json(sorted(key.signature_forms)),
        key.label,
        key.created_at,
        key.certificate_mode.value,
        _json(key.certificates),
        key.shown,
    )


def _json(names: object) -> str:
    return msgspec.json.encode(names).decode()


_decoder = msgspec.json.Decoder(list[str])
_pin_decoder = msgspec.json.Decoder(tuple[CertificatePin, ...])


def _names(text: str) -> list[str]:
    return _decoder.decode(text)


def _pins(text: str) -> tuple[CertificatePin, ...]:
    return _pin_decoder.decode(text)
