"""`guarita account` and `guarita key`, as an operator uses them."""

import pytest

from guarita.crypto import secret_hash
from tests.cli.conftest import Merchant, Runner

CREATE = ("key", "create", "--profile", "minhakonta", "--account")


def test_an_account_is_created_listed_suspended_and_activated(run: Runner) -> None:
    created = run("account", "create", "Loja da Ana", "--json").json
    assert created == {
        "account_id": created["account_id"],
        "name": "Loja da Ana",
        "status": "active",
    }
    account_id = created["account_id"]
    assert run("account", "list", "--json").json == [created]
    assert run("account", "suspend", account_id, "--json").json == created | {"status": "suspended"}
    assert run("--json", "account", "show", account_id).json["status"] == "suspended"
    assert run("account", "activate", account_id, "--json").json == created
    assert "Loja da Ana" in run("account", "list").out


def test_a_created_key_shows_its_secret_once(run: Runner, merchant: Merchant) -> None:
    text = run(*CREATE, merchant.account_id)
    assert text.status == 0
    secret = next(word for word in text.out.split() if word.startswith("sk_"))
    assert "will not be shown again" in text.out
    assert "guarita key allow-ip" in text.err
    assert secret not in text.err
    for words in (["key", "list"], ["key", "list", "--json"], ["key", "show", merchant.client_id]):
        result = run(*words)
        assert "sk_" not in result.out + result.err


def test_members_of_a_created_key(run: Runner, merchant: Merchant) -> None:
    key = run(
        *CREATE,
        merchant.account_id,
        *("--all-permissions", "--without-hmac-secret", "--label", "till 7"),
        *("--expires-at", "2999-01-31T09:00:00-03:00", "--json"),
    ).json
    assert key["client_id"].startswith("cli_")
    assert key["client_secret"].startswith("sk_")
    assert key["account_id"] == merchant.account_id
    assert key["hmac_secret"] is False
    assert key["expires_at"] == "2999-01-31T12:00:00Z"
    assert key["label"] == "till 7"
    assert key["allowlist"] == []
    assert len(key["permissions"]) == 9
    shown = run("key", "show", key["client_id"], "--json").json
    assert shown == {name: value for name, value in key.items() if name != "client_secret"}


def test_permissions_may_be_repeated_or_joined(run: Runner, merchant: Merchant) -> None:
    shown = run("key", "show", merchant.client_id, "--json").json
    assert shown["permissions"] == ["account:read", "transfer:read", "transfer:write"]
    granted = run("key", "grant", merchant.client_id, "pix:read", "pix:write", "--json").json
    assert len(granted["permissions"]) == 5
    denied = run("key", "deny", merchant.client_id, "pix:read,account:read", "--json").json
    assert denied["permissions"] == ["pix:write", "transfer:read", "transfer:write"]


def test_states_of_a_key(run: Runner, merchant: Merchant) -> None:
    def status(*words: str) -> str:
        changed = run("key", words[0], merchant.client_id, *words[1:], "--json")
        assert changed.status == 0, changed.err
        return str(changed.json["status"])

    assert status("deactivate") == "inactive"
    assert status("activate") == "active"
    assert status("block", "--reason", "too many failures") == "blocked"
    assert "too many failures" in run("key", "show", merchant.client_id).out
    assert status("unblock") == "active"
    assert status("revoke") == "revoked"
    refused = run("key", "activate", merchant.client_id)
    assert (refused.status, refused.out) == (1, "")
    assert "revoked" in refused.err


def test_rotation_keeps_the_former_secret_for_the_overlap(run: Runner, merchant: Merchant) -> None:
    rotated = run("key", "rotate", merchant.client_id, "--overlap", "60", "--json").json
    assert rotated["client_secret"] != merchant.client_secret
    assert [one["valid_until"] is None for one in rotated["secrets"]] == [True, False]
    refused = run("key", "rotate", merchant.client_id)
    assert refused.status == 1
    at_once = run("key", "rotate", merchant.client_id, "--overlap", "0")
    assert at_once.status == 0
    assert "will not be shown again" in at_once.out


@pytest.mark.parametrize(
    ("words", "status", "hint"),
    [
        (["--permission", "transfer:wirte"], 1, "'transfer:write'"),
        (["--allow-ip", "203.000.113.045"], 1, "'203.0.113.45'"),
        (["--allow-ip", " 203.0.113.45"], 1, "blanks"),
        (["--allow-ip", "203.0.113.7/24"], 1, "'203.0.113.0/24'"),
        (["--expires-at", "2020-01-01T00:00:00Z"], 1, "2020-01-01T00:00:00Z is in the past"),
        (["--expires-at", "tomorrow"], 2, "ISO 8601"),
        (["--label", "sk_0123456789abcdef"], 1, "client_secret"),
    ],
)
def test_a_key_is_refused(
    run: Runner, merchant: Merchant, words: list[str], status: int, hint: str
) -> None:
    before = run("key", "list", "--json").json
    result = run(*CREATE, merchant.account_id, *words)
    assert (result.status, result.out) == (status, "")
    assert hint in result.err
    assert "sk_0123" not in result.err
    assert run("key", "list", "--json").json == before


@pytest.mark.parametrize(
    "words", [["key", "show", "cli_no"], ["account", "show", "acc_no"], [*CREATE, "acc_no"]]
)
def test_unknown_ids(run: Runner, merchant: Merchant, words: list[str]) -> None:
    result = run(*words)
    assert (result.status, result.out) == (1, "")
    assert words[-1] in result.err


def test_the_secret_is_stored_as_a_hash_only(
    run: Runner, merchant: Merchant, tmp_path: object
) -> None:
    from pathlib import Path

    from guarita.data_folder import DataFolder

    folder = Path(str(tmp_path)) / "data"
    kept = b"".join(file.read_bytes() for file in folder.iterdir() if file.is_file())
    assert merchant.client_secret.encode() not in kept
    assert merchant.client_secret.removeprefix("sk_").encode() not in kept
    with DataFolder(folder) as opened:
        digest = secret_hash(opened.pepper, merchant.client_secret.encode())
        assert [one.digest for one in opened.keyring.key(merchant.client_id).secrets] == [digest]


def test_a_secret_on_the_command_line_is_not_repeated(run: Runner) -> None:
    for words in (["sign", "--secret", "sk_0123456789"], ["sign", "sk_0123456789"]):
        result = run(*words)
        assert result.status == 2
        assert "sk_0123456789" not in result.err


def test_control_characters_do_not_reach_the_terminal(run: Runner, merchant: Merchant) -> None:
    for words in (["key", "show", "cli_\x1b[2J"], ["key", "\x1b[2J"], ["key", "show", "a", "\x9b"]):
        result = run(*words)
        assert result.status in (1, 2)
        assert not {"\x1b", "\x9b"}.intersection(result.err)
