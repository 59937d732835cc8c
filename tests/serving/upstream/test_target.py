"""Upstreams as they are written down, and TLS to them."""

import asyncio
import os
import socket
import ssl
from pathlib import Path

import pytest

from guarita.serving.upstream.call import Problem
from guarita.serving.upstream.target import Target, Timeouts
from tests.certificates import Issuer
from tests.serving.upstream.support import OK, Peer, answering, ask, scripted, upstream


@pytest.mark.parametrize(
    ("url", "expected", "authority"),
    [
        ("http://127.0.0.1:9000", ("127.0.0.1", 9000, ""), "127.0.0.1:9000"),
        ("http://app.internal/", ("app.internal", 80, ""), "app.internal"),
        ("http://[::1]:9000", ("::1", 9000, ""), "[::1]:9000"),
        ("https://app.internal", ("app.internal", 443, ""), "app.internal"),
        ("https://app.internal:80", ("app.internal", 80, ""), "app.internal:80"),
        ("unix:/run/app.sock", ("", 0, "/run/app.sock"), "localhost"),
    ],
)
def test_what_is_understood(url: str, expected: tuple[str, int, str], authority: str) -> None:
    target = Target.parse(url)
    assert (target.host, target.port, target.unix) == expected
    assert (target.authority, target.tls is not None) == (authority, url.startswith("https"))


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("", "http://host:port"),
        ("127.0.0.1:9000", "http://host:port"),
        ("localhost:9000", "http://host:port"),
        ("ftp://a", "http://host:port"),
        ("http://", "http://host:port"),
        ("http:///a", "http://host:port"),
        ("http://a:port", "[Pp]ort"),
        ("http://a:70000", "[Pp]ort"),
        ("http://a:0", "1 to 65535"),
        ("http://[::1", "IPv6"),
        ("http://a/base", "leave out '/base'"),
        ("http://a?x", "only scheme, host and port"),
        ("http://a#x", "only scheme, host and port"),
        ("http://user:secret@a", "only scheme, host and port"),
        ("http://a b", "without blanks"),
        ("http://a\r\nX: y", "without blanks"),
        ("http://açaí.example", "xn--"),
        ("unix:run/app.sock", "the whole path"),
        ("unix:", "the whole path"),
        ("unix:/run/", "the whole path"),
    ],
)
def test_what_is_refused(url: str, says: str) -> None:
    with pytest.raises(ValueError, match=says) as refused:
        Target.parse(url)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("url", ["http://a", "unix:/a"])
def test_tls_settings_are_for_https(url: str) -> None:
    with pytest.raises(ValueError, match="are for https"):
        Target.parse(url, server_name="b")


@pytest.mark.parametrize("name", ["connect_s", "read_s", "idle_s"])
@pytest.mark.parametrize("value", [0, -1, float("inf"), float("nan")])
def test_timeouts_are_positive(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=name):
        Timeouts(**{name: value})


# --- TLS


@pytest.fixture(scope="module")
def root() -> Issuer:
    return Issuer.root("Upstream Root")


@pytest.fixture
def server_tls(root: Issuer, tmp_path: Path) -> ssl.SSLContext:
    files = root.server("app.internal").write(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.chain_file, files.key_file)
    return context


@pytest.fixture
def ca_file(root: Issuer, tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    path.write_bytes(root.pem())
    return str(path)


async def test_tls(server_tls: ssl.SSLContext, ca_file: str) -> None:
    async with scripted(answering(OK, times=3), tls=server_tls) as server:
        url = f"https://127.0.0.1:{server.target.port}"
        target = Target.parse(url, ca_file=ca_file, server_name="app.internal")
        async with upstream(target) as client:
            for _ in range(3):
                assert (await ask(client)).body == b"ok"
            assert server.accepted == 1


@pytest.mark.parametrize("wrong", ["name", "authority", "no TLS"])
async def test_tls_that_is_not_what_it_should_be(
    server_tls: ssl.SSLContext, ca_file: str, wrong: str
) -> None:
    """Nothing of the request is told to a server that cannot prove who it is."""
    async with scripted(answering(OK), tls=None if wrong == "no TLS" else server_tls) as server:
        target = Target.parse(
            f"https://127.0.0.1:{server.target.port}",
            ca_file=None if wrong == "authority" else ca_file,
            server_name="other.internal" if wrong == "name" else "app.internal",
        )
        async with upstream(target, Timeouts(connect_s=1)) as client:
            assert (await ask(client)).problem is Problem.NOT_SENT
        assert server.seen == []


@pytest.mark.parametrize("orderly", [True, False])
async def test_a_tls_body_that_ends_with_its_connection(
    server_tls: ssl.SSLContext, ca_file: str, orderly: bool
) -> None:
    """Without a close_notify anybody on the way may have cut it off (RFC 9112, 9.8)."""

    async def play(peer: Peer) -> None:
        await peer.request()
        await peer.say(b"HTTP/1.1 200 OK\r\n\r\nsome")
        if orderly:
            peer.close()
        else:
            await asyncio.sleep(0.05)  # so that what was said is read before the end
            with socket.socket(fileno=os.dup(peer.writer.get_extra_info("socket").fileno())) as own:
                own.shutdown(socket.SHUT_RDWR)

    async with scripted(play, tls=server_tls) as server:
        url = f"https://127.0.0.1:{server.target.port}"
        target = Target.parse(url, ca_file=ca_file, server_name="app.internal")
        async with upstream(target) as client:
            heard = await ask(client)
            assert heard.body == b"some"
            assert heard.names[-1] == ("ended" if orderly else "failed")
