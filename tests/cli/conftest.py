"""Fixtures: a runner of commands in this process, and a folder with an account and a key."""

import io
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from guarita.cli import main
from tests.cli.support import Result

Runner = Callable[..., Result]


@pytest.fixture
def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Runner:
    """Runs one command, with the data folder of this test; `stdin` is what it reads."""
    for name in os.environ:
        if name.startswith("GUARITA_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("GUARITA_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.chdir(tmp_path)

    def run(*words: str, stdin: bytes = b"") -> Result:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        status = main(list(words))
        return Result(status, *capsys.readouterr())

    return run


@dataclass(frozen=True)
class Merchant:
    """An account with one key."""

    account_id: str
    client_id: str
    client_secret: str


@pytest.fixture
def merchant(run: Runner) -> Merchant:
    account_id = run("account", "create", "Loja da Ana", "--json").json["account_id"]
    key = run(
        *("key", "create", "--account", account_id, "--profile", "minhakonta"),
        *("--permission", "transfer:write,transfer:read", "--permission", "account:read"),
        *("--allow-ip", "203.0.113.0/24", "--allow-ip", "2001:db8::1", "--json"),
    ).json
    return Merchant(account_id, key["client_id"], key["client_secret"])


@dataclass(frozen=True)
class Key:
    """A Delfinance key."""

    key_id: str
    api_key: str


@pytest.fixture
def key(run: Runner, merchant: Merchant) -> Key:
    made = run(
        *("key", "create", "--profile", "delfinance", "--account", merchant.account_id, "--json")
    ).json
    return Key(made["key_id"], made["api_key"])
