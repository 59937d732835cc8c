"""Values the keyring refuses: what is wrong with them is said, and what would be right."""

import re
from collections.abc import Callable, Iterable
from typing import Any, cast

import pytest

from guarita.keyring import BadValue, IssuedKey, Keyring
from guarita.stores.memory_keyring import MemoryKeyring
from tests.keyring.helpers import NOW, PEPPER


@pytest.fixture
def issued(keyring: Keyring) -> IssuedKey:
    return keyring.create_key(keyring.create_account("Loja").account_id)


def new(**values: Any) -> Callable[[Keyring, str], object]:
    return lambda ring, c: ring.create_key(ring.key(c).account.account_id, **values)


# What is wrong, what the message must say, what is suggested.
BAD: dict[str, tuple[Callable[[Keyring, str], object], str, str | None]] = {
    "no name": (lambda r, _: r.create_account(""), "must not be empty", None),
    "blank name": (lambda r, _: r.create_account("  "), "must not be empty", None),
    "padded name": (lambda r, _: r.create_account("Loja "), "write 'Loja'", "Loja"),
    "two lines": (lambda r, _: r.create_account("a\nb"), "one line of printable", None),
    "long name": (lambda r, _: r.create_account("x" * 201), "201 characters; at most 200", None),
    "no text": (lambda r, _: r.create_account(cast("str", 7)), "must be text, not int", None),
    "typo": (new(permissions=["transfer:wirte"]), "nearest is 'transfer:write'", "transfer:write"),
    "case": (new(permissions=["PIX:Read "]), "nearest is 'pix:read'", "pix:read"),
    "far off": (
        new(permissions=["xyz"]),
        "there are account:read, account:write, payment:read",
        None,
    ),
    "bare text": (new(permissions="pix:read"), "write ['pix:read']", None),
    "bare address": (new(allowlist="10.0.0.1"), "write ['10.0.0.1']", None),
    "zeros": (new(allowlist=["203.000.113.045"]), "leading zeros", "203.0.113.45"),
    "blanks": (new(allowlist=[" 203.0.113.45"]), "blanks", "203.0.113.45"),
    "host bits": (new(allowlist=["203.0.113.45/24"]), "the network is", "203.0.113.0/24"),
    "everybody": (new(allowlist=["0.0.0.0/0"]), "unsafe_any", None),
    "entry type": (new(allowlist=[1]), "must be text, not int", None),
    "past": (new(expires_at=NOW), "is in the past", None),
    "milliseconds": (new(expires_at=NOW * 1000 + 1), "not in milliseconds", "1700000000"),
    "endless": (new(expires_at=float("inf")), "Unix seconds or None", None),
    "nan": (new(expires_at=float("nan")), "Unix seconds or None", None),
    "date text": (new(expires_at="2030-01-01"), "Unix seconds or None", None),
    "profile": (new(profile="Minha Konta"), "not a profile's name", "minhakonta"),
    "forms": (new(signature_forms=["hex"]), "'raw', 'canonical' or both", None),
    "no forms": (new(signature_forms=[]), "'raw', 'canonical' or both", None),
    "label": (new(label="a\x00b"), "label must be one line", None),
    "no reason": (lambda r, c: r.block(c, ""), "reason of a block must not be empty", None),
    "overlap": (lambda r, c: r.rotate(c, overlap_s=-1), "from 0, not -1", None),
    "overlap type": (
        lambda r, c: r.rotate(c, overlap_s=cast("int", 0.5)),
        "whole number of seconds",
        None,
    ),
    "overlap size": (lambda r, c: r.rotate(c, overlap_s=10**12), "longer than any key lives", None),
    "past expiry": (lambda r, c: r.set_expiry(c, NOW - 1), "deactivate or revoke", None),
    "grant nothing": (lambda r, c: r.grant(c), "at least one permission", None),
    "grant typo": (lambda r, c: r.grant(c, "pix:raed"), "nearest is 'pix:read'", "pix:read"),
    "deny typo": (lambda r, c: r.deny(c, "pix:raed"), "nearest is 'pix:read'", "pix:read"),
    "deny nothing": (lambda r, c: r.deny(c), "at least one permission", None),
    "allow nothing": (lambda r, c: r.allow_address(c), "at least one allowlist entry", None),
    "disallow nothing": (lambda r, c: r.disallow_address(c), "at least one allowlist entry", None),
    "not listed": (
        lambda r, c: r.disallow_address(c, "203.0.113.46"),
        "the nearest entry is '203.0.113.45'",
        "203.0.113.45",
    ),
    "covered": (
        lambda r, c: r.disallow_address(c, "10.1.2.3"),
        "allowed through the entry '10.0.0.0/8'",
        "10.0.0.0/8",
    ),
    "nothing near": (lambda r, c: r.disallow_address(c, "2001:db8::/32"), "is not in the", None),
}


@pytest.mark.parametrize(("act", "message", "suggestion"), BAD.values(), ids=BAD)
def test_bad_values_are_explained(
    keyring: Keyring,
    issued: IssuedKey,
    act: Callable[[Keyring, str], object],
    message: str,
    suggestion: str | None,
) -> None:
    client_id = issued.key.client_id
    before = keyring.allow_address(client_id, "203.0.113.45", "10.0.0.0/8")
    with pytest.raises(BadValue, match=re.escape(message)) as raised:
        act(keyring, client_id)
    assert raised.value.suggestion == suggestion
    assert (keyring.key(client_id), len(keyring.keys())) == (before, 1)


@pytest.mark.parametrize("names", [["Pix:read"], ["pix"], ["pix:"], [7]])
def test_without_known_permissions_their_form_is_checked(names: Iterable[str]) -> None:
    ring = Keyring(MemoryKeyring(), PEPPER)
    account_id = ring.create_account("Loja").account_id
    with pytest.raises(BadValue, match="one is 'transfer:write'"):
        ring.create_key(account_id, permissions=names)
    client_id = ring.create_key(account_id, permissions=["boleto:read"]).key.client_id
    with pytest.raises(BadValue, match="the nearest is 'boleto:read'"):
        ring.deny(client_id, "boleto:raed")
