"""`python -m guarita.sandbox`: from its options to the application it would serve."""

from pathlib import Path
from typing import Any

import pytest
import uvicorn

from guarita.sandbox import Rules, __main__
from guarita.sandbox.pix.rules import Bucket
from tests.sandbox.support import ACCOUNT


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    apps: list[Any] = []
    monkeypatch.setattr(uvicorn, "run", lambda app, **_options: apps.append(app))
    return apps


def test_every_rule_is_an_option(tmp_path: Path, served: list[Any]) -> None:
    options = ["--fee", "0", "--opening-balance", "10", "--settlement-delay-s", "0.5"]
    options += ["--dict-global", "7/2.5", "--sweep-s", "60"]
    assert __main__.main(["--data", str(tmp_path), "--account", ACCOUNT, *options]) == 0
    bank = served[0].state.bank
    bank.close()
    assert bank.rules == Rules(
        fee=0,
        opening_balance=10,
        settlement_delay_s=0.5,
        dict_global=Bucket(7, 2.5),
        sweep_s=60,
    )


def test_without_options_the_rules_are_the_defaults(tmp_path: Path, served: list[Any]) -> None:
    assert __main__.main(["--data", str(tmp_path), "--trust-identity-headers"]) == 0
    served[0].state.bank.close()
    assert served[0].state.bank.rules == Rules()


@pytest.mark.parametrize(
    "wrong",
    [
        ["--fee", "-1"],
        ["--ispb", "1"],
        ["--sweep-s", "0"],
        ["--settlement-delay-s", "nan"],
        ["--webhook-header-prefix", "X Y-"],
        ["--host", "192.0.2.1"],
        ["--account", "not an id"],
    ],
)
def test_settings_that_cannot_be_right_are_refused(
    tmp_path: Path, served: list[Any], wrong: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert __main__.main(["--data", str(tmp_path), "--account", ACCOUNT, *wrong]) == 2
    assert capsys.readouterr().err
    assert served == []


@pytest.mark.parametrize(
    "wrong", [["--dict-global", "5"], ["--dict-global", "0/1"], ["--fee", "x"]]
)
def test_options_that_cannot_be_read_are_refused(
    tmp_path: Path, wrong: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        __main__.main(["--data", str(tmp_path), "--account", ACCOUNT, *wrong])
    assert ended.value.code == 2
    assert wrong[0] in capsys.readouterr().err
