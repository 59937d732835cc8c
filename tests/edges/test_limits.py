"""The nginx edge has a limit of its own, per address and per key of an address (seed L167). Its 429
says `Retry-After: 60` (seed L413, L419) and moves no counter of the API's.
"""

import json
from collections.abc import Iterator

import pytest

from tests.edges.client import Answer, context, send
from tests.edges.pki import Certificates
from tests.edges.running import Edge, edge

pytestmark = pytest.mark.slow

# One request a minute, and as many more at once: the clock does not matter to a test of a second.
SLOW = "1r/m"
BURST = 4
TOO_MANY = {
    "error": {"status": 429, "message": "Too many requests. Please try again later."}
}  # seed L403-L408


@pytest.fixture
def by_key(certificates: Certificates) -> Iterator[Edge]:
    with edge("nginx", certificates, key_rate=SLOW, key_burst=BURST) as running:
        yield running


@pytest.fixture
def by_address(certificates: Certificates) -> Iterator[Edge]:
    with edge("nginx", certificates, address_rate=SLOW, address_burst=BURST) as running:
        yield running


def ask(edge: Edge, *headers: tuple[str, str], source: str = "127.0.0.1", **more: str) -> Answer:
    certificate = more.get("certificate")
    path = edge.certificates.path(certificate) if certificate else None
    tls = context(edge.certificates.server, path)
    return send(edge.port, tls, headers=headers, source=source)


def check_limited(edge: Edge, answer: Answer, reached: int) -> None:
    assert (answer.status, json.loads(answer.body)) == (429, TOO_MANY)
    assert answer.headers.get_all("Retry-After") == ["60"]
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers.get_all("Strict-Transport-Security") == ["max-age=31536000"]
    assert edge.upstream.reached == reached


KEYS = [
    (("Authorization", "ApiKey cli_1:secret"), ("Authorization", "ApiKey cli_2:secret")),
    (("x-delbank-api-key", "dk_1"), ("x-delbank-api-key", "dk_2")),
]


@pytest.mark.parametrize(("mine", "another"), KEYS, ids=["Authorization", "x-delbank-api-key"])
def test_a_key_has_a_limit(by_key: Edge, mine: tuple[str, str], another: tuple[str, str]) -> None:
    for _ in range(1 + BURST):
        assert ask(by_key, mine).status == 200
    assert by_key.upstream.reached == 1 + BURST
    for certificate in ("good", "expired", "self-signed"):
        check_limited(by_key, ask(by_key, mine, certificate=certificate), 1 + BURST)
    # Another key at this address and this key at another address are not meant.
    assert ask(by_key, another).status == 200
    assert ask(by_key, mine, source="127.0.0.2").status == 200


def test_the_secret_does_not_make_another_key(by_key: Edge) -> None:
    for number in range(1 + BURST):
        assert ask(by_key, ("Authorization", f"ApiKey cli_1:guess{number}")).status == 200
    check_limited(by_key, ask(by_key, ("Authorization", "ApiKey cli_1:guess")), 1 + BURST)


def test_an_address_has_a_limit_whatever_its_keys(by_address: Edge) -> None:
    for number in range(1 + BURST):
        assert ask(by_address, ("x-delbank-api-key", f"dk_{number}")).status == 200
    check_limited(by_address, ask(by_address, ("x-delbank-api-key", "dk_new")), 1 + BURST)
    # What a caller says of its address does not help it.
    spoofed = ("X-Forwarded-For", "198.51.100.7")
    check_limited(by_address, ask(by_address, spoofed), 1 + BURST)
    assert ask(by_address, source="127.0.0.3").status == 200


@pytest.mark.parametrize("status", [400, 401, 403, 413, 429, 502, 503])
def test_answers_of_the_api_pass_unchanged(nginx: Edge, status: int) -> None:
    nginx.upstream.status = status
    try:
        answer = ask(nginx)
    finally:
        nginx.upstream.status = 200
    assert answer.status == status
    assert answer.headers.get_all("Retry-After") == ["7"]
    assert json.loads(answer.body)["method"] == "GET"


def test_an_api_out_of_reach(certificates: Certificates) -> None:
    with edge("nginx", certificates, guarita="127.0.0.1:1") as running:
        answer = ask(running)
        assert answer.status == 502
        assert "outcome is unknown" in json.loads(answer.body)["error"]["message"]
        assert running.upstream.reached == 0
