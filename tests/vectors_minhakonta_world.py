"""The good world that every case of `tests/vectors/minhakonta` starts from.

A case says only what differs from it: one account with two keys, another account with one key, all
active, unexpired, signing, with every permission and one allowed address. The names a case
may use for layers and reasons stand here too.
"""

from msgspec import Struct

NOW = 1_760_000_000  # Unix seconds; the fixed window holding it starts at 1_759_999_980
ADDRESS = "203.0.113.45"  # every key's allowlist holds this address alone
PERMISSIONS = (
    "pix:write",
    "pix:read",
    "transfer:write",
    "transfer:read",
    "payment:write",
    "payment:read",
    "account:write",
    "account:read",
    "statement:read",
)

# Layer → reason names, in the order in which a layer tells them apart.
REASONS = {
    "well_formed": ("control_character",),
    "media_type": ("unsupported",),
    "api_key": ("missing", "outage", "invalid", "inactive", "blocked", "expired"),
    "address": ("list_empty", "unknown", "not_listed"),
    "account": ("not_active",),
    "signature": (
        "not_configured",
        "header_missing",
        "body_too_large",
        "body_missing",
        "body_not_json",
        "mismatch",
    ),
    "rate_limit": ("too_many", "outage"),
    "idempotency": (
        "key_repeated",
        "key_too_long",
        "outage",
        "in_flight",
        "outcome_unknown",
        "other_body",
    ),
    "permission": ("no_route", "wrong_method", "lacking"),
    "key_case": ("collision",),
}


class Principal(Struct, frozen=True, kw_only=True):
    """One key of the world; every request is sent by one of three."""

    client_id: str
    client_secret: str
    account: str


PRINCIPALS = {
    "first": Principal(  # seed L43, L44
        client_id="cli_a1b2c3d4e5f6",
        client_secret="sk_0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef01",
        account="acc_1",
    ),
    "second": Principal(  # another key of the same account
        client_id="cli_b2c3d4e5f6a1",
        client_secret="sk_89abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456702",
        account="acc_1",
    ),
    "other": Principal(  # a key of another account
        client_id="cli_f6e5d4c3b2a1",
        client_secret="sk_fedcba9876543210fedcba9876543210fedcba9876543210fedcba987654321003",
        account="acc_2",
    ),
}
