"""One attempt, against real servers on 127.0.0.1: where it may go."""

import ssl
from pathlib import Path
from typing import Any

import pytest

from guarita.sandbox.webhooks import targets
from guarita.sandbox.webhooks.client import Answer
from tests.sandbox.webhooks.certificates import Authority
from tests.sandbox.webhooks.sending import BODY, PUBLIC, Names, Wires, post, raw_server
from tests.sandbox.webhooks.support import OK, answer, endpoint


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
async def test_success(status: int) -> None:
    async with endpoint(answer(status)) as server:
        assert await post(server.url("/hooks?x=1")) == Answer(status, None)
    (request,) = server.requests
    assert request.line == "POST /hooks?x=1 HTTP/1.1"
    assert request.body == BODY
    assert request.headers["host"] == f"127.0.0.1:{server.port}"
    assert request.headers["x-a"] == "b"
    assert request.headers["connection"] == "close"


@pytest.mark.parametrize("status", [301, 302, 303, 304, 307, 308, 400, 401, 410, 429, 500, 503])
async def test_any_other_status_is_a_failure(status: int) -> None:
    async with endpoint(answer(status, body=b"secret of the receiver")) as server:
        assert await post(server.url()) == Answer(status, f"answered {status}")
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [301, 302, 303])
async def test_other_redirects_are_not_followed(status: int) -> None:
    async with endpoint(answer(status, "Location: /other"), OK) as server:
        assert (await post(server.url())).error == f"answered {status}"
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [307, 308])
async def test_redirects_are_followed(status: int) -> None:
    async with endpoint(OK) as second:
        there = f"Location: {second.url('/new')}"
        async with endpoint(
            answer(status, "Location: /b"), answer(status, "Location: c?d"), answer(status, there)
        ) as first:
            assert await post(first.url("/a")) == Answer(204, None)
    lines = [request.line.split()[1] for request in first.requests + second.requests]
    assert lines == ["/a", "/b", "/c?d", "/new"]
    assert {request.body for request in first.requests + second.requests} == {BODY}


async def test_at_most_three_redirects() -> None:
    async with endpoint(answer(307, "Location: /again")) as server:
        assert "3 redirects" in str((await post(server.url())).error)
    assert len(server.requests) == 4


@pytest.mark.parametrize(
    ("location", "why"),
    [
        ("http://10.0.0.1/", "private"),
        ("http://169.254.169.254/latest/meta-data/", "link-local"),
        ("http://[::ffff:192.168.0.1]/", "private"),
        ("http://0.0.0.0:1/", "unspecified"),
        ("http://hooks.example/", "hooks.example leads to 10.0.0.7"),
        ("file:///etc/passwd", "absolute"),
    ],
)
async def test_redirects_to_forbidden_targets(location: str, why: str) -> None:
    async with endpoint(answer(307, f"Location: {location}")) as server:
        outcome = await post(server.url(), resolver=Names(["10.0.0.7"]))
    assert outcome.status == 307
    assert why in str(outcome.error)
    assert server.connections == 1


async def test_a_redirect_away_from_https_is_refused(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    plain = "Location: http://hooks.example/"
    async with endpoint(answer(308, plain), tls=authority.server("hooks.example")) as server:
        outcome = await post(
            server.url(scheme="https", host="hooks.example"),
            insecure=False,
            tls=authority.client(),
            resolver=Names(["127.0.0.1"]),
        )
    assert outcome == Answer(308, targets.HTTPS_ONLY)


@pytest.mark.parametrize("url", ["http://127.0.0.1:{}/", "http://[::1]:{}/", "http://a.test:{}/"])
async def test_loopback_needs_the_setting(url: str) -> None:
    async with endpoint(OK) as server:
        outcome = await post(
            url.format(server.port), unsafe_loopback=False, resolver=Names(["127.0.0.1"])
        )
        assert "loopback" in str(outcome.error)
    assert server.connections == 0


async def test_a_name_is_resolved_once_and_its_address_connected_to() -> None:
    """DNS rebinding: the second answer, which nobody checked, is never asked for."""
    names, wires = Names([PUBLIC], ["127.0.0.1"]), Wires()
    async with endpoint(OK) as server:
        outcome = await post(
            server.url(host="hooks.example"), unsafe_loopback=False, resolver=names, backend=wires
        )
    assert outcome == Answer(204, None)
    assert names.asked == ["hooks.example"]
    assert wires.dialled == [PUBLIC]


async def test_each_redirect_is_resolved_and_checked_anew() -> None:
    names, wires = Names([PUBLIC], ["127.0.0.1"]), Wires()
    async with endpoint(answer(307, "Location: /b"), OK) as server:
        outcome = await post(
            server.url(host="hooks.example"), unsafe_loopback=False, resolver=names, backend=wires
        )
    assert outcome.status == 307
    assert "loopback" in str(outcome.error)
    assert wires.dialled == [PUBLIC]


async def test_one_forbidden_address_among_many() -> None:
    names, wires = Names([PUBLIC, "10.0.0.1"]), Wires()
    outcome = await post("http://hooks.example/", resolver=names, backend=wires)
    assert outcome == Answer(
        None, "not sent: hooks.example leads to 10.0.0.1, an address that is private"
    )
    assert wires.dialled == []


async def test_the_next_address_is_tried() -> None:
    wires = Wires("8.8.8.8", "8.8.4.4")
    async with endpoint(OK) as server:
        url = server.url(host="hooks.example")
        addresses = ["8.8.8.8", "8.8.4.4", "1.1.1.1", "1.0.0.1"]
        assert (await post(url, resolver=Names(addresses), backend=wires)).delivered
    assert wires.dialled == addresses[:3]
    none = await post(url, resolver=Names(addresses[:2]), backend=wires)
    assert none == Answer(None, "could not connect")


async def test_a_name_without_an_address() -> None:
    outcome = await post("http://hooks.example/?token=abc", resolver=Names([]))
    assert outcome == Answer(None, "hooks.example does not resolve to an address")


async def test_an_error_nobody_foresaw_is_a_failed_attempt(
    caplog: pytest.LogCaptureFixture,
) -> None:
    url = "http://hooks.example/?token=abc"

    class Broken(Wires):
        async def connect_tcp(self, *_: Any, **__: Any) -> Any:
            raise RuntimeError(url)

    outcome = await post(url, resolver=Names([PUBLIC]), backend=Broken())
    assert outcome == Answer(None, "the bank failed to send it; see its log")
    (record,) = caplog.records
    assert record.levelname == "ERROR"
    assert "RuntimeError" in caplog.text
    assert "connect_tcp" in caplog.text
    assert "token" not in caplog.text


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with endpoint(OK) as proxy, endpoint(OK) as server:
        for name in ("http_proxy", "https_proxy", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url(""))
        assert (await post(server.url())).delivered
    assert (proxy.connections, server.connections) == (0, 1)


async def test_tls_verifies_the_name_and_connects_to_the_address(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    asked: list[str | None] = []
    wires = Wires()
    async with endpoint(OK, tls=authority.server("hooks.example", asked)) as server:
        url = server.url(scheme="https", host="hooks.example")
        settings: dict[str, Any] = {"resolver": Names([PUBLIC]), "backend": wires}
        outcome = await post(url, insecure=False, tls=authority.client(), **settings)
        assert outcome == Answer(204, None)
        other = server.url(scheme="https", host="other.example")
        outcome = await post(other, insecure=False, tls=authority.client(), **settings)
        assert "certificate refused" in str(outcome.error)
        assert "other.example" in str(outcome.error)
        outcome = await post(url, insecure=False, **settings)
        assert "certificate refused" in str(outcome.error)
    assert asked == ["hooks.example", "other.example", "hooks.example"]
    assert wires.dialled == [PUBLIC] * 3
    assert len(server.requests) == 1


async def test_a_server_that_does_not_speak_tls() -> None:
    async with raw_server(OK) as port:
        outcome = await post(f"https://127.0.0.1:{port}/", insecure=False)
    assert outcome == Answer(None, "TLS: the handshake failed")


async def test_a_server_that_refuses_old_or_unknown_clients(tmp_path: Path) -> None:
    context = Authority(tmp_path).server("hooks.example")
    context.verify_mode = ssl.CERT_REQUIRED
    async with endpoint(OK, tls=context) as server:
        url = server.url(scheme="https", host="hooks.example")
        outcome = await post(
            url, resolver=Names(["127.0.0.1"]), tls=Authority(tmp_path).client(), insecure=False
        )
    assert outcome.status is None
    assert str(outcome.error).startswith("TLS:")
