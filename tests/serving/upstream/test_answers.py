"""Everything an upstream may answer, in one segment and in dribbles: what the receiver hears, and
what becomes of the connection. Sources: RFC 9112, 4 to 7 and 9.
"""

import pytest

from guarita.serving.upstream.call import Problem
from tests.serving.upstream.support import (
    GET,
    OK,
    Heard,
    Peer,
    Scripted,
    answering,
    ask,
    scripted,
    until,
    upstream,
)

BYTE_BY_BYTE = "byte by byte"

WHOLE = {
    "length": (OK, 200, b"ok", True),
    "empty": (b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n", 201, b"", True),
    "no reason phrase": (b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok", 200, b"ok", True),
    "204": (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b"", True),
    "204 with a length": (b"HTTP/1.1 204 No\r\nContent-Length: 0\r\n\r\n", 204, b"", True),
    "304 with a length": (b"HTTP/1.1 304 N\r\nContent-Length: 99\r\n\r\n", 304, b"", True),
    "chunked": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1;x=y\r\nk\r\n0\r\n\r\n",
        200,
        b"ok",
        True,
    ),
    "chunked with trailers": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n2\r\nok\r\n0\r\nA: b\r\n\r\n",
        200,
        b"ok",
        True,
    ),
    "says close": (
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        200,
        b"ok",
        False,
    ),
    "HTTP/1.0": (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, b"ok", False),
    "HTTP/1.0, kept": (
        b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 2\r\n\r\nok",
        200,
        b"ok",
        True,
    ),
    "odd status": (b"HTTP/1.1 599 Odd\r\nContent-Length: 2\r\n\r\nok", 599, b"ok", True),
}


@pytest.mark.parametrize("way", ["whole", BYTE_BY_BYTE])
@pytest.mark.parametrize("name", WHOLE)
async def test_answers(name: str, way: str) -> None:
    answer, status, body, kept = WHOLE[name]
    parts = [answer] if way == "whole" else [answer[at : at + 1] for at in range(len(answer))]
    async with (
        scripted(answering(*parts), answering(OK)) as server,
        upstream(server.target) as client,
    ):
        heard = await ask(client)
        assert (heard.status, heard.body, heard.problem) == (status, body, None)
        if way == "whole":
            assert heard.names == ["whole"]
        assert len(client._idle) == kept
        assert server.seen == [GET]


@pytest.mark.parametrize("parts", [1, 2, 50])
async def test_a_body_that_ends_with_the_connection(parts: int) -> None:
    head = b"HTTP/1.1 200 OK\r\nServer: a\r\n\r\n"
    pieces = [b"piece %d, " % number for number in range(parts)]
    async with (
        scripted(answering(head + pieces[0], *pieces[1:], close=True)) as server,
        upstream(server.target) as client,
    ):
        heard = await ask(client)
    assert heard.events[0] == ("started", 200, ((b"server", b"a"),), None)
    assert (heard.names[-1], heard.body) == ("ended", b"".join(pieces))


async def test_fields_of_the_connection_stay_behind() -> None:
    answer = (
        b"HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Hop ,\r\nX-HOP: 1\r\nKeep-Alive: a\r\n"
        b"Proxy-Authenticate: b\r\nTE: c\r\nTrailer: d\r\nUpgrade: e\r\nX-Kept:  f \t\r\n"
        b"Set-Cookie: g\r\nset-cookie: h\r\nX-Latin: \xe9\r\nContent-Length: 2\r\n\r\nok"
    )
    async with scripted(answering(answer)) as server, upstream(server.target) as client:
        heard = await ask(client)
    kept = (b"x-kept", b"f"), (b"set-cookie", b"g"), (b"set-cookie", b"h"), (b"x-latin", b"\xe9")
    assert heard.events == [("whole", 200, kept)]


@pytest.mark.parametrize(
    ("answer", "pairs"),
    [
        (b"Content-Length: 5\r\n", ((b"content-length", b"5"),)),
        (b"Transfer-Encoding: chunked\r\n", ()),
        (b"", ()),
    ],
)
async def test_head_has_no_body(answer: bytes, pairs: object) -> None:
    """RFC 9112, 6.3: whatever it announces; and the connection can go on."""
    plays = answering(b"HTTP/1.1 200 OK\r\n%b\r\n" % answer, times=2)
    async with scripted(plays) as server, upstream(server.target) as client:
        for _ in range(2):
            heard = await ask(client, GET.replace(b"GET", b"HEAD"))
            assert heard.events == [("whole", 200, pairs)]
        assert server.accepted == 1


async def test_interim_responses() -> None:
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    for parts in ([interim + OK], [interim, OK], [interim[:30], interim[30:], OK[:9], OK[9:]]):
        async with scripted(answering(*parts)) as server, upstream(server.target) as client:
            heard = await ask(client)
        assert heard.events == [
            ("informational", 100, ()),
            ("informational", 103, ((b"link", b"</a>"),)),
            ("whole", 200, ()),
        ]
        assert heard.body == b"ok"


async def test_many_interim_responses() -> None:
    hint = b"HTTP/1.1 103 E\r\nLink: </a>\r\n\r\n"
    async with scripted(answering(hint * 1000 + OK)) as server, upstream(server.target) as client:
        heard = await ask(client)
        assert (heard.names.count("informational"), heard.status) == (1000, 200)


async def test_interim_responses_without_end() -> None:
    hint = b"HTTP/1.1 103 E\r\nLink: </a>\r\n\r\n" * 100
    async with scripted(answering(*[hint] * 100)) as server, upstream(server.target) as client:
        heard = await ask(client)
        assert heard.problem is Problem.BAD_ANSWER
        assert heard.names.count("informational") < 65_536 / 30


async def test_a_call_given_up_within_an_interim_response() -> None:
    interim = b"HTTP/1.1 103 E\r\n\r\n"
    async with scripted(answering(interim + OK)) as server, upstream(server.target) as client:
        heard = Heard()
        call = client.send("GET", GET, b"", heard)
        heard.on_event = lambda name: call.cancel()
        await server_saw_the_end(server)
        assert heard.names == ["informational"]
        assert not client._idle


async def server_saw_the_end(server: Scripted) -> None:
    await until(lambda: bool(server.peers) and server.peers[0].reader.at_eof())


BAD = {
    "length and coding": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
    "one length twice": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
    "a list of lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok",
    "a signed length": b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok",
    "a length below 0": b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok",
    "a huge length": b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\nok" % 10**30,
    "an empty length": b"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nok",
    "another coding": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nok",
    "two codings": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "one coding twice": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a coding in HTTP/1.0": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "101": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n",
    "no HTTP": b"220 mail.example ESMTP\r\n",
    "TLS": b"\x15\x03\x01\x00\x02\x02\x50",
    "HTTP/2": b"\x00\x00\x00\x04\x00\x00\x00\x00\x00",
    "HTTP/2 in words": b"HTTP/2 200\r\nContent-Length: 2\r\n\r\nok",
    "a status of two digits": b"HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\nok",
    "a status beyond": b"HTTP/1.1 600 OK\r\nContent-Length: 2\r\n\r\nok",
    "no CR": b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
    "a bare LF": b"HTTP/1.1 200 OK\r\nA: b\nContent-Length: 3\r\nContent-Length: 2\r\n\r\nok",
    "a bare CR": b"HTTP/1.1 200 OK\r\nA: b\rc\r\nContent-Length: 2\r\n\r\nok",
    "NUL": b"HTTP/1.1 200 OK\r\nA: b\0\r\nContent-Length: 2\r\n\r\nok",
    "folding": b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 2\r\n\r\nok",
    "a blank before the colon": b"HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok",
    "a line without colon": b"HTTP/1.1 200 OK\r\nContent-Length\r\n\r\nok",
    "a head too long": b"HTTP/1.1 200 OK\r\nA: " + b"b" * 70_000,
}


@pytest.mark.parametrize("way", ["whole", BYTE_BY_BYTE])
@pytest.mark.parametrize("name", BAD)
async def test_what_is_no_response(name: str, way: str) -> None:
    answer = BAD[name]
    parts = [answer]
    if way == BYTE_BY_BYTE and len(answer) < 1000:
        parts = [answer[at : at + 1] for at in range(len(answer))]
    async with (
        scripted(answering(*parts), answering(OK)) as server,
        upstream(server.target) as client,
    ):
        heard = await ask(client)
        assert heard.events == [("failed", Problem.BAD_ANSWER)]
        assert server.seen == [GET]
        # The connection is not used again; another is.
        assert (await ask(client)).body == b"ok"
        assert server.accepted == 2


BROKEN = {
    "short": b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok",
    "nothing of the body": b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n",
    "no last chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n",
    "no end of trailers": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n",
    "no chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnothing of the kind",
    "a chunk longer than its size": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nok",
    "long": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok and more",
    "a second answer": OK + OK,
    "more after the last chunk": b"HTTP/1.1 200 OK\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nmore",
}


@pytest.mark.parametrize("name", BROKEN)
async def test_broken_bodies(name: str) -> None:
    async with (
        scripted(answering(BROKEN[name], close=True), answering(OK)) as server,
        upstream(server.target) as client,
    ):
        heard = await ask(client)
        assert heard.problem is Problem.BROKEN
        assert server.seen == [GET]
        assert (await ask(client)).body == b"ok"


CUT = ("short", "nothing of the body", "no last chunk", "no end of trailers", "no chunks")


@pytest.mark.parametrize("name", CUT)
async def test_broken_bodies_in_dribbles(name: str) -> None:
    answer = BROKEN[name]
    parts = [answer[at : at + 1] for at in range(len(answer))]
    async with (
        scripted(answering(*parts, close=True)) as server,
        upstream(server.target) as client,
    ):
        heard = await ask(client)
        assert heard.problem is Problem.BROKEN
        assert server.seen == [GET]


async def test_reset_inside_the_body() -> None:
    async def play(peer: Peer) -> None:
        await peer.request()
        await peer.say(b"HTTP/1.1 200 OK\r\n\r\nsome")
        await heard.first.wait()
        peer.reset()

    heard = Heard()
    async with scripted(play) as server, upstream(server.target) as client:
        client.send("GET", GET, b"", heard)
        await heard.end()
    assert (heard.problem, heard.body) == (Problem.BROKEN, b"some")
