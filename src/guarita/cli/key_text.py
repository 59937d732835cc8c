"""How an API key and its allowlist are shown, as JSON and as text. No secret passes here."""

import time
from typing import Any

from guarita.addresses import canonical_address, covers
from guarita.cli import certificate_text
from guarita.cli.output import fields, iso
from guarita.keyring.kinds import kind_of
from guarita.records import ApiKey, CertificateMode

_NEAREST = 3


MODES = {
    CertificateMode.STRICT: "strict: a registered one",
    CertificateMode.VALID: "valid: any valid one",
    CertificateMode.UNSAFE_OFF: "unsafe_off: none is demanded",
}


def name_of_id(key: ApiKey) -> str:
    """What the key's public id is called: "client_id", or "key_id" where its secret is all a caller
    sends."""
    return "key_id" if kind_of(key.profile).found_by_secret else "client_id"


def document(key: ApiKey) -> dict[str, Any]:
    """An API key as JSON members; times are ISO 8601 in UTC, null = never."""
    common = {
        name_of_id(key): key.client_id,
        "account_id": key.account.account_id,
        "account_status": key.account.status.value,
        "profile": key.profile,
        "status": key.status.value,
        "blocked_reason": key.blocked_reason,
        "label": key.label,
        "allowlist": list(key.allowlist.entries),
        "expires_at": iso(key.expires_at),
        "created_at": iso(key.created_at),
        "secrets": [{"valid_until": iso(secret.valid_until)} for secret in key.secrets],
    }
    if not kind_of(key.profile).found_by_secret:
        return common | {"permissions": sorted(key.permissions), "hmac_secret": key.signs}
    now = time.time()
    return common | {
        "api_key_begins": key.shown,
        "certificate_mode": key.certificate_mode.value,
        "certificates": [certificate_text.document(pin, now) for pin in key.certificates],
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
            (name_of_id(key), key.client_id),
            ("account", f"{account.account_id} ({account.name}{suspended})"),
            ("profile", key.profile),
            ("status", status),
            ("label", key.label),
            ("allowlist", allowlist or "empty: every request is refused"),
            *_of_its_kind(key),
            ("expires", iso(key.expires_at) or "never"),
            ("created", iso(key.created_at)),
            ("secrets", secrets if len(secrets) > 1 else f"1, {secrets[0]}"),
        ]
    )


def _of_its_kind(key: ApiKey) -> list[tuple[str, object]]:
    """The lines that only keys of its kind have."""
    if not kind_of(key.profile).found_by_secret:
        return [
            ("permissions", sorted(key.permissions) or "none: every operation is refused"),
            ("signs", "yes" if key.signs else "no: its POST requests are refused"),
        ]
    now = time.time()
    none = "none" + (
        ": every request is refused" if key.certificate_mode is CertificateMode.STRICT else ""
    )
    return [
        ("api_key", f"{key.shown}…"),
        ("certificate", MODES[key.certificate_mode]),
        ("registered", [certificate_text.line(pin, now) for pin in key.certificates] or none),
    ]


def lacks_certificate(key: ApiKey) -> bool:
    """Whether every request is refused for want of a registered certificate."""
    strict = key.certificate_mode is CertificateMode.STRICT
    return kind_of(key.profile).found_by_secret and strict and not key.certificates


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
