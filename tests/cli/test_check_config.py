"""`guarita check-config`, and what other commands read of guarita.toml."""

from pathlib import Path

from tests.cli.conftest import Runner

OWN_API = Path(__file__).parents[2] / "examples" / "gateway" / "own-api.toml"
CONFIG = """
[[site]]
name = "pay"
listen = ["127.0.0.1:8080"]
profile = "minhakonta"
unsafe_unguarded_paths = ["/health"]
[site.upstream]
url = "http://127.0.0.1:9000"
"""


def test_what_would_run_as_json(run: Runner) -> None:
    Path("c.toml").write_text(CONFIG)
    result = run("check-config", "--config", "c.toml", "--json")
    assert (result.status, result.err) == (0, "")
    seen = result.json
    (site,) = seen["sites"]
    assert (site["name"], site["listen"], site["tls"]) == ("pay", ["127.0.0.1:8080"], False)
    assert (site["profile"], site["operations"]) == ("minhakonta", 19)
    assert [one["name"] for one in site["classes"]] == ["write", "read", "balance"]
    write, read, balance = site["classes"]
    assert write["layers"][-3:] == ["rate_limit", "idempotency", "permission"]
    assert write["requests"] == [{"methods": ["PATCH", "POST", "PUT"], "path": None}]
    assert read["requests"] == [{"methods": None, "path": None}]
    assert balance["requests"] == [{"methods": ["GET"], "path": "/api/external/balance"}]
    assert seen["dangers"] == [{"line": 6, "message": "/health reaches the upstream unchecked"}]
    assert seen["mistakes"] == []


def test_what_would_run_in_words(run: Runner) -> None:
    Path("guarita.toml").write_text(CONFIG)  # the default
    result = run("check-config")
    assert (result.status, result.err) == (0, "")
    assert "site pay: 127.0.0.1:8080 (without TLS) → http://127.0.0.1:9000" in result.out
    assert "balance (GET /api/external/balance): well_formed → media_type" in result.out
    assert "guarita.toml:6: /health reaches the upstream unchecked" in result.out
    assert not Path("guarita-data").exists(), "nothing is changed"


def test_mistakes(run: Runner) -> None:
    Path("c.toml").write_text(CONFIG.replace("listen", "lisen") + "raed_s = 1\n")
    result = run("check-config", "--config", "c.toml")
    assert (result.status, result.out) == (1, "")
    assert "c.toml:4: unknown setting 'lisen' in [[site]]; did you mean 'listen'?" in result.err
    assert "c.toml:9: unknown setting 'raed_s'" in result.err
    first, *others = result.err.splitlines()
    assert first == "guarita: 3 mistakes in the configuration:"
    assert [one[:7] for one in others] == ["c.toml:"] * 3, "an editor jumps to each"
    result = run("check-config", "--config", "c.toml", "--json")
    assert (result.status, result.json["config"]) == (1, "c.toml")
    assert [one["line"] for one in result.json["mistakes"]] == [2, 4, 9]


def test_a_file_that_cannot_be_read(run: Runner) -> None:
    for words in (["check-config"], ["serve"]):
        result = run(*words, "--config", "absent.toml")
        assert (result.status, result.out) == (2, "")
        assert "absent.toml" in result.err
        result = run(*words)
        assert (result.status, result.out) == (2, "")
        assert "--config FILE (there is no guarita.toml)" in result.err


def test_serve_refuses_the_same_mistakes(run: Runner) -> None:
    Path("c.toml").write_text(CONFIG.replace("127.0.0.1:8080", "0.0.0.0:8080"))
    result = run("serve", "--config", "c.toml")
    assert (result.status, result.out) == (1, "")
    assert "\nc.toml:4: 0.0.0.0:8080 would take keys without TLS" in result.err
    assert not Path("guarita-data").exists()


def test_a_data_folder_that_is_a_file_is_told_by_both(run: Runner) -> None:
    """`check-config` said that all was well, and `serve` did not start."""
    Path("c.toml").write_text('[data]\nfolder = "c.toml"\n' + CONFIG)
    for command in ("check-config", "serve"):
        result = run(command, "--config", "c.toml")
        assert (result.status, result.out) == (1, "")
        assert "\nc.toml:2: folder: c.toml is no folder" in result.err


def test_the_data_folder_of_the_command_line_goes_first(run: Runner) -> None:
    Path("c.toml").write_text('[data]\nfolder = "a"\n' + CONFIG)
    assert run("check-config", "--config", "c.toml", "--json").json["data"] == "a"
    result = run("check-config", "--config", "c.toml", "--data", "b", "--json")
    assert result.json["data"] == "b"


def test_keys_for_a_profile_of_the_file(run: Runner) -> None:
    Path("c.toml").write_text(OWN_API.read_text("utf-8"))
    at = ("--config", "c.toml", "--json")
    assert run("migrate", *at).json["data"].endswith("/guarita-data")
    account = run("account", "create", "Loja", *at).json["account_id"]
    create = ("key", "create", "--account", account, "--permission", "orders:write")
    key = run(*create, "--profile", "orders", *at)
    assert key.status == 0, key.err
    shown = run("key", "show", key.json["client_id"], *at).json
    assert (shown["profile"], shown["permissions"]) == ("orders", ["orders:write"])
    result = run(*create, "--profile", "ordres", *at)
    assert (result.status, "did you mean 'orders'?" in result.err) == (2, True)
    result = run(*create, "--profile", "orders", "--permission", "order:write", *at)
    assert (result.status, "'orders:write'" in result.err) == (1, True)
