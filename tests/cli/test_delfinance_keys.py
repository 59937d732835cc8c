"""`guarita key` for keys that are one secret and demand a client certificate."""

import re

import pytest

from tests.cli.conftest import Merchant, Runner

CREATE = ("key", "create", "--profile", "delfinance", "--account")


def create(run: Runner, merchant: Merchant, *words: str) -> dict[str, object]:
    result = run(*CREATE, merchant.account_id, *words, "--json")
    assert result.status == 0, result.err
    document: dict[str, object] = result.json
    return document


def test_members_of_a_created_key(run: Runner, merchant: Merchant) -> None:
    key = create(
        run,
        merchant,
        *("--allow-ip", "203.0.113.0/24", "--certificate-mode", "valid", "--label", "loja"),
        *("--expires-at", "2999-01-31T09:00:00-03:00"),
    )
    api_key = str(key["api_key"])
    assert re.fullmatch("key_[0-9a-f]{16}", str(key["key_id"]))
    assert re.fullmatch("dk_[0-9a-f]{64}", api_key)
    assert (
        key
        | {
            "account_id": merchant.account_id,
            "profile": "delfinance",
            "status": "active",
            "label": "loja",
            "allowlist": ["203.0.113.0/24"],
            "expires_at": "2999-01-31T12:00:00Z",
            "api_key_begins": api_key[:6],
            "certificate_mode": "valid",
            "certificates": [],
        }
        == key
    )
    assert not {"client_id", "client_secret", "permissions", "hmac_secret"} & set(key)
    shown = run("key", "show", str(key["key_id"]), "--json").json
    assert shown == {name: value for name, value in key.items() if name != "api_key"}


def test_the_api_key_is_shown_once(run: Runner, merchant: Merchant) -> None:
    text = run(*CREATE, merchant.account_id)
    assert text.status == 0
    [api_key] = re.findall("dk_[0-9a-f]{64}", text.out)
    [key_id] = set(re.findall("key_[0-9a-f]{16}", text.out))
    assert "will not be shown again" in text.out
    assert f"guarita key allow-ip {key_id}" in text.err
    assert f"guarita certificate issue --key {key_id}" in text.err
    for words in (["key", "list"], ["key", "list", "--json"], ["key", "show", key_id]):
        result = run(*words)
        assert result.status == 0
        assert key_id in result.out
        assert api_key[:8] not in result.out + result.err
    assert f"{api_key[:6]}…" in run("key", "show", key_id).out


def test_every_command_takes_the_key_id(run: Runner, merchant: Merchant) -> None:
    key_id = str(create(run, merchant)["key_id"])

    def status(*words: str) -> str:
        changed = run("key", words[0], key_id, *words[1:], "--json")
        assert changed.status == 0, changed.err
        assert changed.json["key_id"] == key_id
        return str(changed.json["status"])

    assert status("deactivate") == "inactive"
    assert status("activate") == "active"
    assert status("block", "--reason", "too many failures") == "blocked"
    assert status("unblock") == "active"
    assert run("key", "allow-ip", key_id, "203.0.113.7", "--json").json["key_id"] == key_id
    assert run("key", "test-ip", key_id, "203.0.113.7", "--json").json["key_id"] == key_id
    assert run("key", "disallow-ip", key_id, "203.0.113.7", "--json").json["allowlist"] == []
    assert status("revoke") == "revoked"


def test_rotation_gives_a_new_api_key(run: Runner, merchant: Merchant) -> None:
    key = create(run, merchant)
    rotated = run("key", "rotate", str(key["key_id"]), "--overlap", "60", "--json").json
    assert rotated["api_key"] != key["api_key"]
    assert rotated["api_key_begins"] == rotated["api_key"][:6]
    assert [one["valid_until"] is None for one in rotated["secrets"]] == [True, False]
    assert run("key", "rotate", str(key["key_id"])).status == 1


def test_the_certificate_mode_is_changed_and_danger_is_named(
    run: Runner, merchant: Merchant
) -> None:
    key_id = str(create(run, merchant)["key_id"])
    off = run("key", "certificate-mode", key_id, "unsafe-off", "--json")
    assert off.json["certificate_mode"] == "unsafe_off"
    assert "unsafe" in off.err
    strict = run("key", "certificate-mode", key_id, "strict")
    assert (strict.status, strict.err) == (0, "")
    created = run(*CREATE, merchant.account_id, "--certificate-mode", "unsafe-off", "--json")
    assert created.json["certificate_mode"] == "unsafe_off"
    assert "unsafe" in created.err


@pytest.mark.parametrize(
    ("words", "status", "hint"),
    [
        (["--permission", "transfer:write"], 1, "have no permissions"),
        (["--all-permissions"], 1, "have no permissions"),
        (["--without-hmac-secret"], 2, "--without-hmac-secret"),
        (["--certificate-mode", "stricht"], 1, "strict, valid, unsafe_off"),
        (["--label", "dk_0123456789abcdef"], 1, "an API key"),
    ],
)
def test_a_key_is_refused(
    run: Runner, merchant: Merchant, words: list[str], status: int, hint: str
) -> None:
    before = run("key", "list", "--json").json
    result = run(*CREATE, merchant.account_id, *words)
    assert (result.status, result.out) == (status, "")
    assert hint in result.err
    assert "dk_0123" not in result.err
    assert run("key", "list", "--json").json == before


def test_what_a_kind_does_not_have_is_refused(run: Runner, merchant: Merchant) -> None:
    key_id = str(create(run, merchant)["key_id"])
    pair = (*CREATE[:3], "minhakonta", CREATE[4], merchant.account_id)
    mistyped = (*CREATE[:3], "delfinanse", CREATE[4], merchant.account_id)
    for words, hint in (
        (["key", "grant", key_id, "transfer:write"], "no permissions"),
        (["key", "certificate-mode", merchant.client_id, "valid"], "no client certificates"),
        ([*pair, "--certificate-mode", "valid"], "no client certificates"),
        ([*mistyped], "did you mean"),
    ):
        result = run(*words)
        assert result.status in (1, 2)
        assert result.out == ""
        assert hint in result.err


def test_an_api_key_on_the_command_line_is_not_repeated(run: Runner, merchant: Merchant) -> None:
    for words in (["key", "show", "dk_0123456789"], ["key", "revoke", "dk_0123456789"]):
        result = run(*words)
        assert result.status == 1
        assert "dk_0123456789" not in result.err + result.out
