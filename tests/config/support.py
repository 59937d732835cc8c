"""Configurations written for a test, and what is said of them."""

from pathlib import Path

import pytest

from guarita.config import ConfigError, Loaded, load

UPSTREAM = """
[site.upstream]
url = "http://127.0.0.1:9000"
"""

SITE = """[[site]]
name = "a"
listen = ["127.0.0.1:8080"]
profile = "minhakonta"
"""


def written(folder: Path, text: str) -> Path:
    file = folder / "guarita.toml"
    file.write_text(text, "utf-8")
    return file


def loaded(folder: Path, text: str) -> Loaded:
    """A configuration that must be right."""
    return load(written(folder, text), environ={})


def mistakes(folder: Path, text: str) -> list[tuple[int, str]]:
    """Every mistake, with its line."""
    with pytest.raises(ConfigError) as caught:
        load(written(folder, text), environ={})
    return [(one.line, one.text) for one in caught.value.mistakes]
