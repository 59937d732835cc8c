"""The form of a webhook's URL, redirects, and the one resolution."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guarita.sandbox.webhooks import addresses, targets
from guarita.sandbox.webhooks.targets import InvalidTarget, Target
from tests.sandbox.webhooks.support import vectors

URLS = vectors()["urls"]


@pytest.mark.parametrize("case", URLS["accepted"], ids=lambda case: case["url"])
def test_accepted(case: dict[str, Any]) -> None:
    target = targets.parse(case["url"])
    assert target == Target("https", case["host"], case["port"], case["path"])


@pytest.mark.parametrize("case", URLS["refused"], ids=lambda case: repr(case["url"]))
def test_refused(case: dict[str, Any]) -> None:
    with pytest.raises(InvalidTarget) as raised:
        targets.parse(case["url"])
    assert any(why in raised.value.text for why in (case["why"], case.get("alternative", "\0")))


def test_length() -> None:
    start = "https://example.com/"
    assert targets.parse(start + "a" * (2048 - len(start))).path.endswith("a")
    with pytest.raises(InvalidTarget, match="2048"):
        targets.parse(start + "a" * (2049 - len(start)))


def test_http_where_allowed() -> None:
    assert targets.parse("http://example.com", allow_insecure=True).port == 80
    with pytest.raises(InvalidTarget, match="private"):
        targets.parse("http://10.0.0.1", allow_insecure=True, unsafe_loopback=True)


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost", "a.localhost"])
def test_loopback_where_allowed(host: str) -> None:
    url = f"https://{host}:8443/hooks"
    assert targets.parse(url, unsafe_loopback=True).port == 8443
    with pytest.raises(InvalidTarget, match="loopback"):
        targets.parse(url)


@given(st.text(max_size=80) | st.from_regex(r"https?://[^/]{0,40}(/.*)?", fullmatch=True))
def test_any_text_is_a_public_target_or_refused(url: str) -> None:
    target, why = None, ""
    try:
        target = targets.parse(url, allow_insecure=True)
    except InvalidTarget as error:
        why = error.text
    if target is None:
        assert why.startswith("URL")
        return
    assert target.scheme in ("http", "https")
    assert target.host.isascii()
    assert target.path.startswith("/")
    assert 1 <= target.port <= 65535
    address = addresses.literal(target.host)
    assert address is None or addresses.forbidden(address) is None
    again = f"{target.scheme}://{target.authority}{target.path}"
    assert targets.parse(again, allow_insecure=True) == target


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("/other", "https://example.com:8443/other"),
        ("other?x#fragment", "https://example.com:8443/a/other?x"),
        ("https://example.net", "https://example.net/"),
        ("//example.net/x", "https://example.net/x"),
    ],
)
def test_redirects(location: str, target: str) -> None:
    start = targets.parse("https://example.com:8443/a/b?token")
    to = targets.redirected(start, location, allow_insecure=False, unsafe_loopback=False)
    assert to == targets.parse(target)


@pytest.mark.parametrize(
    ("location", "why"),
    [
        ("http://example.net/", "HTTPS"),
        ("https://10.0.0.1/", "private"),
        ("https://u:p@example.net/", "user name"),
        ("file:///etc/passwd", "absolute"),
        ("gopher://example.net:70/x", "absolute"),
        ("https://[::1", "well formed"),
        ("https://exa\r\nmple.net/", "blanks"),
        ("/" + "a" * 2048, "2048"),
    ],
)
def test_redirects_that_are_refused(location: str, why: str) -> None:
    start = targets.parse("https://example.com/")
    with pytest.raises(InvalidTarget, match=why):
        targets.redirected(start, location, allow_insecure=False, unsafe_loopback=False)


def test_what_a_url_may_hold_is_not_shown() -> None:
    assert "token" not in repr(targets.parse("https://example.com/?token=a"))


async def _resolve(found: Sequence[str], host: str = "hooks.example") -> list[str]:
    async def resolver(_host: str, _port: int) -> Sequence[str]:
        if not found:
            raise OSError("not known")
        return found

    checked = await targets.resolve(host, 443, resolver=resolver, unsafe_loopback=False)
    return [str(address) for address in checked]


async def test_resolution() -> None:
    found = ["8.8.8.8", "8.8.8.8", "2606:4700::1", "::ffff:1.1.1.1"]
    assert await _resolve(found) == ["8.8.8.8", "2606:4700::1", "1.1.1.1"]
    assert await _resolve([], host="8.8.4.4") == ["8.8.4.4"]


@pytest.mark.parametrize(
    "found", [["10.0.0.1"], ["8.8.8.8", "127.0.0.1"], ["2606:4700::1", "fe80::1%eth0"], []]
)
async def test_one_bad_address_spoils_all(found: list[str]) -> None:
    with pytest.raises(InvalidTarget, match=r"hooks\.example"):
        await _resolve(found)


async def test_the_system_resolver() -> None:
    found = await targets.system_resolver("localhost", 80)
    assert found
    assert set(found) <= {"127.0.0.1", "::1"}
