"""PIX keys: the table of shapes, and laws over any text."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guarita.sandbox.text import pix_keys
from tests.sandbox.support import vectors

VECTORS = vectors("pix_keys.json")


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda c: f"{c['text']!r}-{c['given']}")
def test_shape(case: dict[str, Any]) -> None:
    if case["type"] is None:
        with pytest.raises(pix_keys.InvalidPixKey):
            pix_keys.parse(case["text"], case["given"])
    else:
        key = pix_keys.parse(case["text"], case["given"])
        assert (key.type, key.value) == (case["type"], case["value"])


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda c: repr(c["text"]))
def test_every_case_names_a_source(case: dict[str, Any]) -> None:
    assert case["source"].split()[0].rstrip(":") in VECTORS["sources"]


@given(text=st.text(), key_type=st.sampled_from([None, *pix_keys.KEY_TYPES]))
def test_any_text_is_a_key_or_is_refused(text: str, key_type: pix_keys.KeyType | None) -> None:
    try:
        key = pix_keys.parse(text, key_type)
    except pix_keys.InvalidPixKey:
        return
    assert key_type in (None, key.type)
    assert key.value.isascii()


KEYS = st.one_of(
    st.from_regex(r"[0-9]{10,14}", fullmatch=True),
    st.from_regex(r"\+[0-9]{2,17}", fullmatch=True),
    st.from_regex(r"[0-9A-Za-z]{12}[0-9]{2}", fullmatch=True),
    st.from_regex(r"[A-Za-z0-9.]{1,8}@[a-z0-9-]{1,8}(\.[A-Z]{2})?", fullmatch=True),
    st.uuids().map(str),
)


@given(text=KEYS)
def test_the_normal_form_is_final(text: str) -> None:
    try:
        key = pix_keys.parse(text)
    except pix_keys.InvalidPixKey:
        return
    assert pix_keys.parse(key.value) == key
    assert pix_keys.parse(key.value, key.type) == key
