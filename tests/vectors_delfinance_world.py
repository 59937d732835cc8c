"""The good world that every case of `tests/vectors/delfinance` starts from.

A case says only what differs from it: one account with one key, another account with one key, both
active, in mode "strict" with one registered certificate and one allowed address. The names a
case may use for layers and reasons stand here too.
"""

from msgspec import Struct

NOW = 1_770_000_000  # Unix seconds; the lockout window holding it is 1_769_999_400 to 1_770_000_300
ADDRESS = "203.0.113.45"  # every key's allowlist holds this address alone
SERIAL = "4F8A20C1D3E59B7760AA1122334455667788990F"
SHA256 = (
    "0A:1B:2C:3D:4E:5F:60:71:82:93:A4:B5:C6:D7:E8:F9:"
    "0A:1B:2C:3D:4E:5F:60:71:82:93:A4:B5:C6:D7:E8:F9"
)
OTHER_SERIAL = "4F8A20C1D3E59B7760AA11223344556677889910"  # another certificate's
OTHER_SHA256 = (
    "0A:1B:2C:3D:4E:5F:60:71:82:93:A4:B5:C6:D7:E8:F9:"
    "0A:1B:2C:3D:4E:5F:60:71:82:93:A4:B5:C6:D7:E8:FA"
)
SUBJECT = "CN=Loja Azul,O=Exemplo"

# Layer → reason names, in the order of DESIGN section 3.
REASONS = {
    "well_formed": ("control_character",),
    "api_key_header": ("missing", "outage", "unknown", "ended", "blocked"),
    "lockout": ("outage", "address_blocked"),
    "certificate": (
        "lapsed",
        "not_presented",
        "outage",
        "malformed",
        "expired",
        "not_yet_valid",
        "wrong_purpose",
        "unknown_issuer",
        "revoked",
        "weak",
        "constraint",
        "revocation_unknown",
        "other_serial",
        "other_fingerprint",
    ),
    "address": ("list_empty", "unknown", "not_listed"),
    "account_header": ("missing", "other_account", "not_active"),
}


class Principal(Struct, frozen=True, kw_only=True):
    """One key of the world; every request is sent by one of two."""

    key_id: str
    api_key: str
    account: str


PRINCIPALS = {
    "first": Principal(
        key_id="key_a1b2c3d4e5f60718",
        api_key="dk_00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
        account="acc_1",
    ),
    "other": Principal(  # a key of another account
        key_id="key_f0e1d2c3b4a59687",
        api_key="dk_ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100",
        account="acc_2",
    ),
}
