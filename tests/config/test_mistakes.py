"""Every mistake is told, with its line and what would be right."""

from pathlib import Path

import pytest

from guarita.config import ConfigError, Unreadable, load
from tests.config.mistakes_of_profiles import IN_PROFILES
from tests.config.mistakes_of_sites import IN_SITES
from tests.config.support import SITE, UPSTREAM, mistakes, written

ONE_MISTAKE = {**IN_SITES, **IN_PROFILES}


@pytest.mark.parametrize(("text", "line", "said"), ONE_MISTAKE.values(), ids=list(ONE_MISTAKE))
def test_a_mistake_is_told_with_its_line(tmp_path: Path, text: str, line: int, said: str) -> None:
    found = mistakes(tmp_path, text)
    assert [(number, said in words) for number, words in found if said in words] == [
        (line, True)
    ], found


def test_each_of_them_is_the_only_mistake_but_for_what_depends_on_two(tmp_path: Path) -> None:
    """A mistake must not bring others with it that are none."""
    several = {"a key's password that is not there", "an own credential kept", "no key"}
    for name, (text, _, _) in ONE_MISTAKE.items():
        if name not in several:
            assert len(mistakes(tmp_path, text)) == 1, (name, mistakes(tmp_path, text))


def test_all_mistakes_are_told_together(tmp_path: Path) -> None:
    text = (
        SITE.replace("127.0.0.1:8080", "localhost:80").replace("minhakonta", "minhakont")
        + "colour = 1\n[site.upstream]\nulr = 'x'\n[data]\ncounters = 3\n"
        + "[decision_log]\nkeep_days = 0\n"
    )
    found = mistakes(tmp_path, text)
    assert [line for line, _ in found] == [3, 4, 5, 6, 7, 9, 11]


def test_the_error_names_file_and_line(tmp_path: Path) -> None:
    file = written(tmp_path, SITE + "colour = 1\n" + UPSTREAM)
    with pytest.raises(ConfigError) as caught:
        load(file)
    assert str(caught.value).startswith(f"{file}:5: unknown setting 'colour' in [[site]]; known: ")


@pytest.mark.parametrize(
    ("text", "line"), [("a = \n", 1), ("a = 1\na = 2\n", 2), ("[a\n", 1), ('a = "', 0)]
)
def test_what_is_not_toml(tmp_path: Path, text: str, line: int) -> None:
    ((found, words),) = mistakes(tmp_path, text)
    assert found == line
    assert words.startswith("not TOML: ")


def test_what_is_not_text(tmp_path: Path) -> None:
    file = tmp_path / "guarita.toml"
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load(file)
    with pytest.raises(Unreadable, match=r"cannot read .*absent\.toml"):
        load(tmp_path / "absent.toml")


def test_a_byte_order_mark(tmp_path: Path) -> None:
    ((line, words),) = mistakes(tmp_path, "\ufeff" + SITE + UPSTREAM)
    assert (line, "byte order mark" in words) == (1, True)


def test_no_value_of_a_password_or_url_is_repeated(tmp_path: Path) -> None:
    text = SITE + UPSTREAM.replace("127.0.0.1", "user:hunter2@127.0.0.1")
    ((line, words),) = mistakes(tmp_path, text)
    assert line == 7
    assert "hunter2" not in words
