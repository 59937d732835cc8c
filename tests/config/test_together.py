"""As many mistakes as there are, in one run: of every kind of a profile's parts, and no more."""

import os
from pathlib import Path

import pytest

from guarita.config import ConfigError, load
from tests.config.support import SITE, UPSTREAM, loaded, mistakes, written

PROFILE = """[profile.Own]
prefix = "v1"
[[profile.Own.route]]
metod = "GET"
path = "/a"
permission = "a:read"
[[profile.Own.route]]
method = "get"
path = "b"
permission = "read b"
[[profile.Own.class]]
name = "one"
layers = ["api_kye", "account", "permission"]
[[profile.Own.class]]
name = "two"
methods = ["POST"]
layers = ["address", "api_key", "permission"]
[[profile.Own.class]]
name = "two"
layers = ["api_key", "account", "rate_limit", "permission"]
[profile.Own.rate_limit]
limit = 3
[profile.Own.wording."permission.lackin"]
status = 403
body = "x"
[profile.Own.wording."lockout.outage"]
status = 403
body = "{x}"
"""


def test_a_profiles_mistakes_are_told_together(tmp_path: Path) -> None:
    """They came in three rounds: names and layers, then words and classes, then the whole."""
    found = mistakes(tmp_path, PROFILE + SITE.replace("minhakonta", "Own") + UPSTREAM)
    said = {
        (1, "write lower-case letters"),
        (2, "begin with"),
        (3, "needs the setting 'method'"),
        (4, "unknown setting 'metod' in [[profile.Own.route]]; did you mean 'method'?"),
        (7, "no method 'get'; did you mean 'GET'?"),
        (7, "pattern 'b'"),
        (11, "names no methods; only the last may"),
        (13, "there is no layer 'api_kye'; did you mean 'api_key'?"),
        (14, "layer 'address' needs Credential"),
        (14, "has neither account nor account_header"),
        (18, "has two route classes 'two'"),
        (21, "the layer 'rate_limit' needs the setting"),
        (23, "there is no reason 'permission.lackin'; did you mean 'permission.lacking'?"),
        # The layer that cannot be read may be the one that gives it.
        (26, "{x} cannot be filled in"),
    }
    missing = [one for one in said if not any(one[0] == a and one[1] in b for a, b in found)]
    assert (missing, len(found)) == ([], len(said)), found


def test_routes_that_are_wrong_are_not_said_to_be_absent(tmp_path: Path) -> None:
    text = (
        SITE + UPSTREAM + "[[profile.own.route]]\nmetod = 'GET'\npath = '/a'\n"
        "permission = 'a:read'\n[[profile.own.class]]\nname = 'all'\n"
        "layers = ['api_key', 'address', 'account', 'permission']\n"
    )
    assert [line for line, _ in mistakes(tmp_path, text)] == [8, 9]


def test_what_is_not_its_own_to_say_is_not_looked_at(tmp_path: Path) -> None:
    text = SITE + UPSTREAM + "[profile.minhakonta]\nprefix = 'v2'\nkeys = 'x'\n"
    text += "[[profile.minhakonta.class]]\nname = 'all'\nlayers = ['account']\n"
    assert [line for line, _ in mistakes(tmp_path, text)] == [9, 10, 11]


def test_a_data_folder_of_the_command_line_that_is_a_file(tmp_path: Path) -> None:
    file = written(tmp_path, "[data]\nfolder = 'd'\n" + SITE + UPSTREAM)
    with pytest.raises(ConfigError, match=r"guarita\.toml: data folder: .* is no folder"):
        load(file, data=file, environ={})
    with pytest.raises(ConfigError, match=r"guarita\.toml: data folder: .* is no folder"):
        load(written(tmp_path, SITE + UPSTREAM), environ={"GUARITA_DATA": str(file)})


def test_a_data_folder_that_cannot_be_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root may write anywhere: what the system answers to others is put in its place."""
    text = "[data]\nfolder = 'd/e'\n" + SITE + UPSTREAM
    assert loaded(tmp_path, text).data == tmp_path / "d" / "e"
    assert not (tmp_path / "d").exists(), "looking changes nothing"
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    ((line, words),) = mistakes(tmp_path, text)
    assert (line, words.endswith(f"no right to write to {tmp_path}")) == (2, True)
    (tmp_path / "d" / "e").mkdir(parents=True)
    ((line, words),) = mistakes(tmp_path, text)
    assert (line, "may not be written to by this user" in words) == (2, True)
    (tmp_path / "d" / "e").chmod(0o777)
    ((line, words),) = mistakes(tmp_path, text)
    assert (line, "run: chmod go-w" in words) == (2, True)


@pytest.mark.parametrize(
    "limit",
    ["connections = 10", "per_address = 20000", "head_bytes = 4096", "target_bytes = 90000"],
)
def test_a_limit_does_not_contradict_a_default(tmp_path: Path, limit: str) -> None:
    loaded(tmp_path, SITE + UPSTREAM + f"[site.limits]\n{limit}\n")
