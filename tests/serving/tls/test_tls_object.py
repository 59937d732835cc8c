"""Laws of `TLSObject` over bare buffers, driven as asyncio and as uvloop drive it, whatever pieces
the bytes arrive in.
"""

import contextlib
import ssl
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guarita.serving.tls import client_certificate_context
from guarita.serving.tls_object import TLSObject
from tests.serving.tls.program import patterned
from tests.serving.tls.support import World

READ_SIZE = 262_144
"""What both loops ask for in one read."""


class Pair:
    """A client of Python's ssl and a server's `TLSObject`, with the bytes between them in hand."""

    def __init__(self, world: World, client: ssl.SSLContext, **settings: Any) -> None:
        context = client_certificate_context(
            world.server.chain_file, world.server.key_file, **settings
        )
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.server: TLSObject = context.wrap_bio(self.incoming, self.outgoing, server_side=True)
        self.client_in, self.client_out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.client = client.wrap_bio(self.client_in, self.client_out)

    def handshake(self) -> "Pair":
        for _ in range(3):
            for step in (self.client.do_handshake, self.server.do_handshake):
                with contextlib.suppress(ssl.SSLWantReadError):
                    step()
                self.incoming.write(self.client_out.read())
                self.client_in.write(self.outgoing.read())
        return self


def as_asyncio_reads(pair: Pair) -> bytes:
    """Until it wants more."""
    received = b""
    while True:
        try:
            data = pair.server.read(READ_SIZE)
        except ssl.SSLWantReadError:
            return received
        assert isinstance(data, bytes)
        assert data
        received += data


def as_uvloop_reads(pair: Pair) -> bytes:
    """While something is pending, in either buffer."""
    received = b""
    try:
        while pair.incoming.pending > 0 or pair.server.pending() > 0:
            data = pair.server.read(READ_SIZE)
            assert isinstance(data, bytes)
            assert data
            received += data
    except ssl.SSLWantReadError:
        pass
    return received


READERS = [as_asyncio_reads, as_uvloop_reads]
VERSIONS = ["1.2", "1.3"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("reads", READERS)
@settings(deadline=None)  # a handshake may be slow on a busy machine
@given(data=st.data())
def test_nothing_is_lost_or_left_lying(
    world: World, reads: Callable[[Pair], bytes], version: str, data: st.DataObject
) -> None:
    """After each arrival, everything that arrived whole is given out: neither loop would come back
    for it before the next byte."""
    pair = Pair(world, world.client_context(None, version)).handshake()
    lengths = data.draw(st.lists(st.integers(1, 40_000), min_size=1, max_size=6))
    text = patterned(sum(lengths))
    wire, ends, begin = b"", [], 0
    for length in lengths:
        pair.client.write(text[begin : begin + length])
        begin += length
        wire += pair.client_out.read()
        ends.append((len(wire), begin))
    cuts = data.draw(st.lists(st.integers(0, len(wire)), max_size=8))
    received = b""
    for cut, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(wire)], strict=True):
        pair.incoming.write(wire[cut:end])
        received += reads(pair)
        whole = max((plain for sent, plain in ends if sent <= end), default=0)
        assert len(received) >= whole
    assert received == text
    assert pair.server.pending() == 0


@pytest.mark.parametrize("version", VERSIONS)
@settings(deadline=None)
@given(sizes=st.lists(st.integers(1, 200_000), max_size=5))
def test_everything_written_arrives(world: World, version: str, sizes: list[int]) -> None:
    pair = Pair(world, world.client_context(None, version)).handshake()
    received = b""
    for size in sizes:
        for kind in (bytes, bytearray, memoryview):
            assert pair.server.write(kind(patterned(size))) == size
        pair.client_in.write(pair.outgoing.read())
        while pair.client_in.pending or pair.client.pending():
            received += pair.client.read(READ_SIZE)
    assert received == b"".join(patterned(size) * 3 for size in sizes)
    assert pair.server.write(b"") == 0


@pytest.mark.parametrize("version", VERSIONS)
def test_reading_into_a_buffer(world: World, version: str) -> None:
    pair = Pair(world, world.client_context(None, version)).handshake()
    assert as_uvloop_reads(pair) == b""  # nothing yet: from here on the count is exact
    pair.client.write(b"0123456789")
    pair.incoming.write(pair.client_out.read())
    buffer = memoryview(bytearray(4))
    assert [pair.server.read(4, buffer), bytes(buffer)] == [4, b"0123"]
    assert pair.server.pending() == 6
    assert pair.server.read(3) == b"456"
    assert [pair.server.read(100, buffer), bytes(buffer[:3])] == [3, b"789"]
    assert pair.server.pending() == 0
    with pytest.raises(ssl.SSLWantReadError):
        pair.server.read(4, buffer)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("first", ["client", "server"])
def test_goodbye(world: World, version: str, first: str) -> None:
    pair = Pair(world, world.client_context(None, version)).handshake()
    if first == "server":
        with pytest.raises(ssl.SSLWantReadError):
            pair.server.unwrap()
        pair.client_in.write(pair.outgoing.read())
        assert pair.client.read(10) == b""
        pair.client.unwrap()
        pair.incoming.write(pair.client_out.read())
        pair.server.unwrap()
        return
    pair.client.write(b"last words")
    with pytest.raises(ssl.SSLWantReadError):
        pair.client.unwrap()
    pair.incoming.write(pair.client_out.read())
    assert pair.server.read(100) == b"last words"
    assert pair.server.pending() > 0  # the goodbye itself
    assert pair.server.read(100) == b""
    assert pair.server.read(100, memoryview(bytearray(3))) == 0  # and for good
    pair.server.unwrap()
    pair.client_in.write(pair.outgoing.read())
    pair.client.unwrap()


@pytest.mark.parametrize("version", VERSIONS)
def test_a_cut_is_no_goodbye(world: World, version: str) -> None:
    """Otherwise whoever can cut the line could shorten a body unnoticed."""
    pair = Pair(world, world.client_context(None, version)).handshake()
    pair.client.write(b"half a request")
    pair.incoming.write(pair.client_out.read())
    pair.incoming.write_eof()
    assert pair.server.read(100) == b"half a request"
    with pytest.raises(ssl.SSLEOFError):
        pair.server.read(100)


def test_a_changed_record_is_refused(world: World) -> None:
    pair = Pair(world, world.client_context()).handshake()
    pair.client.write(b"pay 100")
    record = bytearray(pair.client_out.read())
    record[-1] ^= 1
    pair.incoming.write(record)
    with pytest.raises(ssl.SSLError, match=r"(?i)bad record mac") as caught:
        pair.server.read(100)
    assert not isinstance(caught.value, ssl.SSLWantReadError)
    assert pair.outgoing.read()[:1] in (b"\x15", b"\x17")  # an alert, under 1.3 encrypted


def test_a_failed_handshake_says_why_and_stays_failed(world: World) -> None:
    pair = Pair(world, world.client_context())
    pair.incoming.write(b"\x16\x03\x01\x00\x05hello")
    with pytest.raises(ssl.SSLWantReadError):
        pair.server.do_handshake()  # so that the loop sends the alert
    assert pair.outgoing.read()[:1] == b"\x15"
    for _ in range(2):
        with pytest.raises(ssl.SSLError) as caught:
            pair.server.do_handshake()
        assert not isinstance(caught.value, ssl.SSLWantReadError)


@settings(deadline=None)
@given(st.binary(max_size=2_000))
def test_no_junk_raises_anything_else(world: World, junk: bytes) -> None:
    pair = Pair(world, world.client_context())
    for begin in range(0, len(junk), 700):
        pair.incoming.write(junk[begin : begin + 700])
        try:
            pair.server.do_handshake()
        except ssl.SSLError:
            continue
        pytest.fail("a handshake made of junk")


@pytest.mark.parametrize("version", VERSIONS)
@settings(deadline=None)
@given(data=st.data())
def test_junk_after_the_handshake_raises_nothing_else(
    world: World, version: str, data: st.DataObject
) -> None:
    pair = Pair(world, world.client_context(None, version)).handshake()
    pair.incoming.write(data.draw(st.binary(min_size=1, max_size=600)))
    with contextlib.suppress(ssl.SSLError):
        assert pair.server.read(100) == b""
    with contextlib.suppress(ssl.SSLError):
        pair.server.unwrap()


def test_what_is_known_of_the_connection(world: World) -> None:
    client = world.intermediate.leaf("known")
    pair = Pair(world, world.client_context(client, "1.3"), clock=lambda: 12.5).handshake()
    presented = pair.server.presented
    assert presented is not None
    assert (presented.chain, presented.at) == (client.der_chain, 12.5)
    assert pair.server.getpeercert() == {}
    assert pair.server.getpeercert(binary_form=True) == client.der
    assert pair.server.subject == "CN=known"
    assert pair.server.server_certificate() == world.server_certified.der
    assert pair.server.version() == "TLSv1.3"
    assert pair.server.cipher() == pair.client.cipher()
    assert pair.server.selected_alpn_protocol() is None
    nobody = Pair(world, world.client_context()).handshake().server
    assert (nobody.presented, nobody.getpeercert(), nobody.subject) == (None, None, None)


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [(["http/1.1"], "http/1.1"), (["h2", "http/1.1"], "http/1.1"), (["h2"], None), ([], None)],
)
def test_http_1_1_is_agreed_on(world: World, offered: list[str], chosen: str | None) -> None:
    context = world.client_context()
    context.set_alpn_protocols(offered)
    pair = Pair(world, context).handshake()
    assert pair.server.selected_alpn_protocol() == chosen
    assert pair.client.selected_alpn_protocol() == chosen
