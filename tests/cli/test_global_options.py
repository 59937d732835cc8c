"""Options of every command, exit statuses, help: DESIGN section 5."""

from pathlib import Path

import pytest

from guarita.cli.output import MisuseError
from guarita.cli.settings import Settings, split
from tests.cli.conftest import Runner


@pytest.mark.parametrize(
    "words",
    [
        ["--data", "d", "--json", "key", "list"],
        ["key", "list", "--json", "--data", "d"],
        ["key", "--data=d", "list", "--json"],
        ["--json", "key", "list", "--data=d"],
    ],
)
def test_global_options_stand_anywhere(words: list[str]) -> None:
    assert split(words, {}) == (Settings(Path("d"), json=True), ["key", "list"])


@pytest.mark.parametrize(
    "words",
    [
        ["sandbox", "pay", "\udcff", "--amount", "1"],
        ["sandbox", "pay", "a@exemplo.test", "--payer-name", "Jo\udce3o"],
        ["account", "create", "\udcff", "--json"],
        ["--data", "\udcff", "account", "list"],
        ["\udcff"],
    ],
    ids=ascii,
)
def test_arguments_are_utf_8(run: Runner, words: list[str]) -> None:
    result = run(*words)
    assert (result.status, result.out) == (2, "")
    assert "is not valid UTF-8" in result.err


def test_nothing_after_two_dashes_is_an_option() -> None:
    words = ["account", "create", "--", "--json", "--data", "x"]
    assert split(words, {}) == (Settings(Path("guarita-data")), words)


def test_data_folder_comes_from_the_nearest_place(tmp_path: Path) -> None:
    config = tmp_path / "guarita.toml"
    config.write_text('data = "from-config"\n')
    environ = {"GUARITA_DATA": "from-environment"}
    assert split([], {})[0].data == Path("guarita-data")
    assert split([], {"GUARITA_DATA": ""})[0].data == Path("guarita-data")
    assert split([], environ)[0].data == Path("from-environment")
    assert split(["--config", str(config)], environ)[0].data == tmp_path / "from-config"
    given = ["--config", str(config), "--data", "from-option"]
    assert split(given, environ)[0].data == Path("from-option")
    config.write_text("")
    assert split(["--config", str(config)], environ)[0].data == Path("from-environment")


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["--data"], "--data DIR"),
        (["--data", "--json"], "--data DIR"),
        (["--data="], "--data DIR"),
        (["--data", "a", "--data", "b"], "twice"),
        (["--config"], "--config FILE"),
        (["--config", "absent.toml"], "absent.toml"),
    ],
)
def test_global_options_used_wrongly(words: list[str], hint: str) -> None:
    with pytest.raises(MisuseError, match=hint):
        split(words, {})


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("dat = 'x'", "unknown member 'dat'; did you mean 'data'"),
        ("colour = 1", "unknown member 'colour'; known: 'data'"),
        ("data = 1", "data"),
        ("data", "not TOML"),
    ],
)
def test_config_is_refused_with_the_right_name(run: Runner, text: str, hint: str) -> None:
    Path("c.toml").write_text(text)
    result = run("account", "list", "--config", "c.toml")
    assert (result.status, result.out) == (2, "")
    assert hint in result.err


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["acount", "list"], 'Did you mean "account"?'),
        (["account", "lst"], 'Did you mean "list"?'),
        (["account", "list", "--jso"], "Did you mean --json?"),
        (["--jsn", "account", "list"], "Did you mean --json?"),
        (["account", "create"], "NAME"),
        (["account", "create", "a", "b"], "b"),
        (["key", "create", "--profile", "minhakonta"], "--account"),
        (["key", "create", "--account", "a"], "--profile"),
        (["key", "create", "--account", "a", "--profile", "minhakont"], "'minhakonta'?"),
        (["key", "rotate", "cli_x", "--overlap", "soon"], "--overlap"),
        (["key", "rotate", "cli_x", "--overlap", "-1"], "--overlap"),
        (["key", "grant", "cli_x"], "PERMISSIONS"),
        (["key", "allow-ip", "cli_x"], "ENTRIES"),
        (["sign"], "--secret-env"),
        (["demo", "--port", "65536"], "--port"),
        (["demo", "--port", "http"], "--port"),
        (["idempotency", "list", "--state", "lost"], "outcome_unknown"),
    ],
)
def test_wrong_usage_is_status_2_with_a_hint(run: Runner, words: list[str], hint: str) -> None:
    result = run(*words)
    assert (result.status, result.out) == (2, "")
    assert hint in result.err


@pytest.mark.parametrize("words", [[], ["key"], ["account"], ["idempotency"]])
def test_a_missing_subcommand_is_status_2_and_shows_help(run: Runner, words: list[str]) -> None:
    result = run(*words)
    assert (result.status, result.out) == (2, "")
    assert "Usage: guarita" in result.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--help"], ["account", "key", "sign", "explain", "idempotency", "migrate", "demo"]),
        (["key", "--help"], ["test-ip", "disallow-ip", "unblock", "rotate"]),
        (["key", "rotate", "--help"], ["Seconds", "86400", "--data DIR"]),
        (["key", "create", "--help"], ["ISO 8601", "--without-hmac-secret", "203.0.113.0/24"]),
        (["sign", "--help"], ["--secret-env", "HMAC-SHA512"]),
        (["demo", "--help"], ["--port", "--tls-port", "--admin-port", "--validation-ttl"]),
    ],
)
def test_help(run: Runner, words: list[str], said: list[str]) -> None:
    result = run(*words)
    assert (result.status, result.err) == (0, "")
    for text in said:
        assert text in result.out


def test_version(run: Runner) -> None:
    from guarita import __version__

    result = run("--version")
    assert (result.status, result.out) == (0, f"guarita {__version__}\n")


def test_a_mistyped_data_folder_is_not_an_empty_keyring(run: Runner) -> None:
    result = run("key", "list", "--data", "tpyo")
    assert (result.status, result.out) == (1, "")
    assert "there is no data folder at tpyo" in result.err
    assert not Path("tpyo").exists()
