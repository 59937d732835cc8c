"""Laws over any bytes: where a stream is split changes nothing, and nothing makes the front see
a request that a strict reader of RFC 9112 does not see.
"""

import asyncio
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from guarita.serving.http1.chunked import Chunks
from guarita.serving.http1.connections import Connections
from guarita.serving.http1.head import BadHead
from tests.serving.http1 import reference
from tests.serving.http1.support import Client, Recorder, Seen, cases

HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n"

BODIES = st.one_of(st.binary(max_size=40), st.just(HIDDEN), st.just(b"0\r\n\r\n" + HIDDEN))
TARGETS = st.sampled_from([b"/", b"/a?b=c", b"/v1/x%2Fy", b"//"])


@st.composite
def requests(draw: st.DrawFn) -> tuple[Seen, bytes]:
    """A valid request: what is to be seen of it, and its bytes."""
    method, target = draw(st.sampled_from(["GET", "POST", "PUT", "DELETE"])), draw(TARGETS)
    fields = [draw(st.sampled_from([b"Host: a", b"host:b:80", b"HOST: \t[::1] "]))]
    fields += draw(st.lists(st.sampled_from([b"X-A: b", b"x-a:", b"Accept: */*\xe9"]), max_size=3))
    body, coded = b"", b""
    form = draw(st.sampled_from(["none", "length", "chunked"]))
    if form == "length":
        body = coded = draw(BODIES)
        fields.append(b"Content-Length: %d" % len(body))
    elif form == "chunked":
        pieces = [piece for piece in draw(st.lists(BODIES, max_size=3)) if piece]
        extension = draw(st.sampled_from([b"", b";a", b';a="b;c"']))
        fields.append(
            draw(
                st.sampled_from(
                    [b"Transfer-Encoding: chunked", b"TE: x\r\ntransfer-encoding:Chunked"]
                )
            )
        )
        body = b"".join(pieces)
        coded = b"".join(b"%X%b\r\n%b\r\n" % (len(one), extension, one) for one in pieces)
        coded += b"0\r\n" + draw(st.sampled_from([b"", b"X-T: 1\r\n"])) + b"\r\n"
    fields = draw(st.permutations(fields))
    line = b"%b %b HTTP/1.1" % (method.encode(), target)
    return (method, target, body), b"\r\n".join([line, *fields, b"", coded])


STREAMS = st.lists(requests(), min_size=1, max_size=4)
WORDS = (b" ", b"\t", b"\0", b":", b",", b";", b"0", b"5", b"a", b"\x0b", b"\xa0", b"chunked")
BREAKS = (b"\r\n", b"\n", b"\r", b"\r\n\r\n", b"0\r\n\r\n", b"\r\n ", b"HTTP/1.0", b"HTTP/1.1")
FIELDS = (
    b"Content-Length: 3\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: identity\r\n",
    b"Connection: close\r\n",
    b"Connection: upgrade\r\nUpgrade: x\r\n",
    b"Expect: 100-continue\r\n",
    b"Host: b\r\n",
)
TOKENS = st.sampled_from((*WORDS, *BREAKS, *FIELDS, HIDDEN))


@st.composite
def mutated(draw: st.DrawFn, start: bytes) -> bytes:
    data = start
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        cut = draw(st.integers(0, 4))
        data = data[:at] + draw(st.one_of(st.just(b""), TOKENS)) + data[at + cut :]
    return data


def pieces_of(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[a:b] for a, b in pairwise(places)]


def served(*pieces: bytes) -> tuple[list[Seen], list[int]]:
    """What the handler saw whole and what the client got, the client ending after the pieces."""

    async def run() -> tuple[list[Seen], list[int]]:
        handler = Recorder()
        client = Client(Connections(handler))
        await client.send(*pieces)
        await client.end()
        client.lose()
        return handler.seen, client.statuses

    return asyncio.run(run())


CUTS = st.lists(st.integers(0, 10_000), max_size=12)


@given(STREAMS, CUTS)
def test_splitting_a_valid_stream_changes_nothing(
    stream: list[tuple[Seen, bytes]], cuts: list[int]
) -> None:
    data = b"".join(raw for _, raw in stream)
    expected = [seen for seen, _ in stream]
    assert reference.read(data) == expected
    assert served(*pieces_of(data, cuts)) == (expected, [200] * len(expected))


@given(STREAMS, st.data(), CUTS)
@settings(max_examples=600)
def test_no_mutation_yields_a_request_the_reference_does_not_see(
    stream: list[tuple[Seen, bytes]], data: st.DataObject, cuts: list[int]
) -> None:
    raw = data.draw(mutated(b"".join(one for _, one in stream)))
    wanted = reference.read(raw)
    whole, answers = served(raw)
    assert whole == wanted[: len(whole)]
    assert len(answers) <= len(whole) + 1
    split, _ = served(*pieces_of(raw, cuts))
    assert split == wanted[: len(split)]
    assert split == whole


@given(st.sampled_from(cases()), st.data())
@settings(max_examples=300)
def test_no_mutation_of_a_case_does_either(case: dict[str, bytes], data: st.DataObject) -> None:
    raw = data.draw(mutated(case["bytes"][:3000]))
    seen, _ = served(raw)
    wanted = reference.read(raw)
    assert plain(seen) == plain(wanted[: len(seen)])


def plain(seen: list[Seen]) -> list[tuple[str, bytes]]:
    """Without targets, which the front reduces to origin form."""
    return [(method, body) for method, _, body in seen]


@given(st.binary(max_size=60), CUTS)
def test_bytes_that_are_no_request_are_answered_with_one_refusal_at_most(
    junk: bytes, cuts: list[int]
) -> None:
    seen, answers = served(*pieces_of(junk, cuts))
    assert (seen, answers[1:]) == ([], [])


@given(st.binary(max_size=30), st.integers(0, 100))
def test_chunks_end_where_they_end(after: bytes, most: int) -> None:
    """What follows the last chunk is never touched."""
    coded = b"3\r\nabc\r\n2;x\r\nde\r\n0\r\nT: 1\r\n\r\n"
    chunks = Chunks()
    data, content = coded + after, b""
    for _ in range(10):
        pieces, used = chunks.take(data, most)
        content += b"".join(pieces)
        data = data[used:]
        if chunks.ended:
            break
    assert (content, data) == (b"abcde", after)
    assert chunks.take(data, 10) == ([], 0)


def test_the_reference_itself_refuses() -> None:
    """A reference that sees everything, or nothing, would prove nothing."""
    agreed = 0
    for case in cases():
        seen = plain(reference.read(case["bytes"]))
        wanted = plain(case["requests"])
        assert seen[: len(wanted)] == wanted
        agreed += seen == wanted
    assert agreed > 0.6 * len(cases())


def test_a_bad_head_says_nothing_of_the_bytes() -> None:
    secret = b"hush" * 3

    async def run() -> list[BadHead]:
        handler = Recorder()
        for raw in (
            b"GET /%b# HTTP/1.1\r\n\r\n" % secret,
            b"GET / HTTP/1.1\r\nHost: %b/\r\n\r\n" % secret,
            b"GET / HTTP/1.1\r\nHost: a\r\nAuthorization: %b\x01\r\n\r\n" % secret,
            b"GET / HTTP/1.1\r\nHost: a\r\n%b (: x\r\n\r\n" % secret,
            b"%b / HTTP/1.1\r\nHost: a\r\n\r\n" % secret,
        ):
            await Client(Connections(handler)).send(raw)
        return handler.malformed_as

    found = asyncio.run(run())
    assert len(found) == 5
    assert all("hush" not in str(bad) + repr(bad) for bad in found)
