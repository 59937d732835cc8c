"""Header look-up: every copy is found, in order, whatever the letter case of its name."""

from hypothesis import given
from hypothesis import strategies as st

from guarita.facts import Headers
from tests.core.made import SECRET, facts

NAMES = st.sampled_from([b"a", b"A", b"hmac", b"Hmac", b"x-1", b"1", b""])
PAIRS = st.lists(st.tuples(NAMES, st.binary(max_size=3)), max_size=6)


@given(PAIRS)
def test_headers_against_a_plain_reading(pairs: list[tuple[bytes, bytes]]) -> None:
    headers = Headers(pairs)
    for name in (b"a", b"hmac", b"x-1", b"1", b"", b"absent"):
        values = [value for sent, value in pairs if sent.lower() == name]
        assert headers.all(name) == values
        assert headers.get(name) == (values[-1] if values else None)
        assert (name in headers.repeated) is (len(values) > 1)
    assert [value for _, value in headers.pairs] == [value for _, value in pairs]


@given(PAIRS)
def test_the_header_block_holds_every_byte(pairs: list[tuple[bytes, bytes]]) -> None:
    """A scan over `block` must miss nothing, above all no copy of a repeated header."""
    text = Headers(pairs).block
    assert sorted(text) == sorted(b"".join(name.lower() + value for name, value in pairs))


def test_a_repr_names_headers_without_their_values() -> None:
    headers = Headers([(b"Authorization", b"ApiKey cli_1:" + SECRET), (b"\xff", b"1")])
    assert repr(headers) == "Headers(['authorization', 'ÿ'])"
    assert SECRET.decode() not in repr(facts(headers=headers.pairs))
