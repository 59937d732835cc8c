"""How an API key and its allowlist are shown, as JSON and as text. No secret passes here."""

from typing import Any

from guarita.addresses import canonical_address, covers
from guarita.cli.output import fields, iso
from guarita.records import ApiKey

_NEAREST = 3


def document(key: ApiKey) -> dict[str, Any]:
    """An API key as JSON members; times are ISO 8601 in UTC, null = never."""
    return {
        "client_id": key.client_id,
        "account_id": key.account.account_id,
        "account_status": key.account.status.value,
        "profile": key.profile,
        "status": key.status.value,
        "blocked_reason": key.blocked_reason,
        "label": key.label,
        "permissions": sorted(key.permissions),
        "allowlist": list(key.allowlist.entries),
        "hmac_secret": key.signs,
        "expires_at": iso(key.expires_at),
        "created_at": iso(key.created_at),
        "secrets": [{"valid_until": iso(secret.valid_until)} for secret in key.secrets],
    }


def text(key: ApiKey) -> str:
    """An API key for a person."""
    account = key.account
    suspended = "" if account.status == "active" else f", {account.status}"
    status = key.status + (f": {key.blocked_reason}" if key.blocked_reason else "")
    allowlist = [f"{entry} ({addresses(entry)})" for entry in key.allowlist.entries]
    secrets = [_until(iso(secret.valid_until)) for secret in key.secrets]
    return fields(
        [
            ("client_id", key.client_id),
            ("account", f"{account.account_id} ({account.name}{suspended})"),
            ("profile", key.profile),
            ("status", status),
            ("label", key.label),
            ("permissions", sorted(key.permissions) or "none: every operation is refused"),
            ("allowlist", allowlist or "empty: every request is refused"),
            ("signs", "yes" if key.signs else "no: its POST requests are refused"),
            ("expires", iso(key.expires_at) or "never"),
            ("created", iso(key.created_at)),
            ("secrets", secrets if len(secrets) > 1 else f"1, {secrets[0]}"),
        ]
    )


def _until(at: str | None) -> str:
    return f"valid until {at}" if at else "valid until replaced"


def addresses(entry: str) -> str:
    """How many addresses an allowlist entry covers, in words."""
    count = covers(entry)
    if count == 1:
        return "1 address"
    return f"{count:,} addresses" if count < 2**64 else f"2^{count.bit_length() - 1} addresses"


def nearest_entries(key: ApiKey, address: str) -> list[str]:
    """At most three allowlist entries, those that share most leading bits with a canonical
    address."""
    import ipaddress

    wanted = ipaddress.ip_address(address)

    def shared(entry: str) -> int:
        network = ipaddress.ip_network(entry)
        differing = int(network.network_address) ^ int(wanted)
        return wanted.max_prefixlen - differing.bit_length()

    family = [e for e in key.allowlist.entries if (":" in e) == (":" in address)]
    return sorted(family, key=shared, reverse=True)[:_NEAREST]


def why_not(key: ApiKey, given: str) -> str:
    """Why no entry of the key's allowlist admits the address `given`."""
    from guarita.addresses import BadEntry, parse_entry

    address = canonical_address(given)
    if address is None:
        try:
            parse_entry(given)
        except BadEntry as bad:
            advice = f"; write {bad.suggestion}" if bad.suggestion else ""
            return f"not an IP address: {bad.problem}{advice}"
        return "it is a network; test one of its addresses"
    if not key.allowlist:
        return "the allowlist is empty, which refuses every request"
    if near := nearest_entries(key, address):
        return f"no entry covers it; nearest: {', '.join(f'{e} ({addresses(e)})' for e in near)}"
    family = "IPv6" if ":" in address else "IPv4"
    return f"no entry covers it, and the allowlist has no {family} entry at all"
