"""`guarita key allow-ip | disallow-ip | test-ip`: the allowlist of a key."""

from typing import Annotated

from cyclopts import Parameter

from guarita.addresses import covers
from guarita.cli import key_text
from guarita.cli.output import OK, REFUSED, emit, note
from guarita.cli.settings import current

EVERYBODY = frozenset({"0.0.0.0/0", "::/0"})
ClientId = Annotated[
    str, Parameter(help="The client_id or key_id, as `guarita key list` shows it.")
]


def allow_ip(
    client_id: ClientId,
    /,
    *entries: Annotated[str, Parameter(required=True)],
    unsafe_any: bool = False,
) -> int:
    """Let a key be used from further addresses. Entries that would never match are refused.

    Parameters
    ----------
    entries
        Addresses (203.0.113.45, 2001:db8::1) or networks (203.0.113.0/24).
    unsafe_any
        Accept 0.0.0.0/0 and ::/0, which let everybody in.
    """
    settings = current()
    with settings.folder() as folder:
        before = folder.keyring.key(client_id).allowlist.entries
        key = folder.keyring.allow_address(client_id, *entries, unsafe_any=unsafe_any)
    added = [entry for entry in key.allowlist.entries if entry not in before]
    if EVERYBODY.intersection(added):
        note(f"unsafe: from now on {client_id} may be used from anywhere")
    lines = [f"{entry}: {key_text.addresses(entry)}" for entry in added]
    document = key_text.document(key) | {
        "added": [{"entry": e, "addresses": covers(e)} for e in added]
    }
    said = "\n".join(f"added {line}" for line in lines) or "Nothing new: listed already."
    emit(settings.json, document, f"{said}\n\n{key_text.text(key)}")
    return OK


def disallow_ip(client_id: ClientId, /, *entries: Annotated[str, Parameter(required=True)]) -> int:
    """Remove entries from a key's allowlist.

    Parameters
    ----------
    entries
        Entries as `guarita key show` lists them.
    """
    settings = current()
    with settings.folder() as folder:
        key = folder.keyring.disallow_address(client_id, *entries)
    if not key.allowlist:
        note(f"the allowlist of {client_id} is empty now: every request is refused")
    emit(settings.json, key_text.document(key), key_text.text(key))
    return OK


def test_ip(client_id: ClientId, address: str, /) -> int:
    """Say whether a key may be used from an address, and why. Exit status 0 if it may, 1 if not.

    Parameters
    ----------
    address
        One IPv4 or IPv6 address.
    """
    settings = current()
    with settings.folder() as folder:
        key = folder.keyring.key(client_id)
        test = folder.keyring.test_address(client_id, address)
    shown = test.address or address
    if test.allowed and test.entry is not None:
        why = f"covered by the entry {test.entry} ({key_text.addresses(test.entry)})"
    else:
        why = key_text.why_not(key, address)
    near = key_text.nearest_entries(key, test.address) if test.address and not test.allowed else []
    document = {
        key_text.name_of_id(key): client_id,
        "address": test.address,
        "allowed": test.allowed,
        "entry": test.entry,
        "list_empty": test.list_empty,
        "nearest": near,
        "why": why,
    }
    verdict = "allowed" if test.allowed else "not allowed"
    emit(settings.json, document, f"{shown}: {verdict}, {why}")
    if key.status != "active":
        note(f"the key is {key.status}: it is refused whatever the address")
    return OK if test.allowed else REFUSED
