"""The edges' configurations as files: every word to fill in is explained, and nothing else in them
looks like one.
"""

import re

import pytest

from guarita.serving.certificates import NAMES
from tests.edges.conftest import EDGES
from tests.edges.running import PLACE, TEMPLATES, rendered

README = TEMPLATES.parent.joinpath("README.md").read_text(encoding="utf-8")
FILES = sorted(path for path in TEMPLATES.rglob("*") if path.is_file())


def test_every_edge_is_there() -> None:
    assert {path.relative_to(TEMPLATES).parts[0] for path in FILES} == set(EDGES)


@pytest.mark.parametrize("edge", EDGES)
def test_every_word_is_explained_for_its_edge(edge: str) -> None:
    used = {
        word
        for path in FILES
        if path.is_relative_to(TEMPLATES / edge)
        for word in PLACE.findall(path.read_text(encoding="utf-8"))
    }
    explained = {
        word
        for words, edges in re.findall(r"^\| (`@.*?) \| (.*?) \|", README, re.MULTILINE)
        if edge in edges.lower()
        for word in PLACE.findall(words)
    }
    assert used == explained


def test_a_word_without_a_value_is_an_error() -> None:
    assert rendered("a @listen@ b@c.d", {"listen": 443}) == "a 443 b@c.d"
    with pytest.raises(KeyError, match="client_ca"):
        rendered("@client_ca@", {})


def test_nginx_lists_every_certificate_header() -> None:
    text = TEMPLATES.joinpath("nginx", "nginx.conf").read_text(encoding="utf-8")
    emptied = {name.lower().encode() for name in re.findall(r'proxy_set_header (\S+) +"";', text)}
    assert emptied >= NAMES - {b"x-ssl-client-cert"}
    assert b"x-ssl-client-cert" not in emptied
