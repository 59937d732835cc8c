"""What a caller says about itself does not reach the upstream: certificate headers of every edge,
Guarita's own words, addresses, a Ray ID; in any case, with underscores, twice.
"""

import base64
from collections.abc import Sequence

import pytest

from guarita.serving.certificates import NAMES, poses_as_certificate
from tests.edges.client import Answer, context, send
from tests.edges.running import Edge
from tests.edges.test_certificates_pass import HEADERS

pytestmark = pytest.mark.slow

# What nginx, which has no pattern for header names, lists by name beside NAMES.
FACTS = [
    "SSL-Client-Verify",
    "X-SSL-Client-Verify",
    "X-Amzn-Mtls-Clientcert-Leaf",
    "X-Amzn-Mtls-Clientcert-Subject",
]
GUARITA = ["Account", "Key", "Permissions", "Address", "Ray"]
OTHERS = ["Ray-ID", "X-Forwarded-For", "X-Forwarded-Proto", "Forwarded"]

SPOOFED = [
    *sorted(name.decode() for name in NAMES),
    *FACTS,
    *(f"Guarita-{name}" for name in GUARITA),
    *OTHERS,
]
PASSED = [("Accept-Language", "pt-BR"), ("Idempotency-Key", "order-1"), ("hmac", "00ff")]
MINE = ("host", "accept", "user-agent", "accept-language", "idempotency-key", "hmac")


def try_headers(edge: Edge, names: Sequence[str], certificate: str | None) -> Answer:
    """Send every name with another caller's certificate in it, and some that are to pass."""
    certificates = edge.certificates
    other = certificates.clients["good by intermediate"].chain[0]
    value = f":{base64.b64encode(other).decode()}:"
    path = None if certificate is None else certificates.path(certificate)
    headers = [*PASSED, *((name, value) for name in names)]
    return send(edge.port, context(certificates.server, path), headers=headers)


def check(edge: Edge, answer: Answer, certificate: str | None) -> None:
    headers = answer.seen.headers
    believed = HEADERS[edge.name]
    expected = edge.certificates.clients[certificate].chain if certificate else None
    assert believed.read(headers) == (expected[:1] if expected else None)
    posing = [name for name, _ in headers.pairs if poses_as_certificate(name, believed)]
    assert posing == []
    assert not any(name.replace(b"_", b"-").startswith(b"guarita-") for name, _ in headers.pairs)
    assert headers.all(b"ray-id") == headers.all(b"forwarded") == []
    assert headers.all(b"x-forwarded-for") == [b"127.0.0.1"]
    assert headers.all(b"x-forwarded-proto") == [b"https"]
    # Nothing is lost that ought to pass, and no name has come twice or with an underscore.
    for name, value in PASSED:
        assert headers.all(name.lower().encode()) == [value.encode()]
    assert not headers.repeated
    assert not any(b"_" in name for name, _ in headers.pairs)


@pytest.mark.parametrize("certificate", [None, "good", "expired", "self-signed"])
@pytest.mark.parametrize("case", [str.title, str.upper, str.lower], ids=["Title", "UPPER", "lower"])
def test_spoofed_headers(any_edge: Edge, certificate: str | None, case: type[str]) -> None:
    names = [case(name) for name in SPOOFED]
    check(any_edge, try_headers(any_edge, names, certificate), certificate)


@pytest.mark.parametrize("certificate", [None, "good"])
def test_underscore_twins(any_edge: Edge, certificate: str | None) -> None:
    names = [name.replace("-", "_") for name in SPOOFED if "-" in name]
    names += [name.replace("-", "_", 1) for name in SPOOFED if name.count("-") > 1]
    names += [name.upper().replace("-", "_") for name in SPOOFED if "-" in name]
    first, second = names[: len(names) // 2], names[len(names) // 2 :]
    for part in (first, second):
        check(any_edge, try_headers(any_edge, part, certificate), certificate)


@pytest.mark.parametrize("certificate", [None, "good"])
def test_given_twice(any_edge: Edge, certificate: str | None) -> None:
    check(any_edge, try_headers(any_edge, [*SPOOFED, *SPOOFED], certificate), certificate)


@pytest.mark.parametrize("name", SPOOFED)
def test_each_alone(any_edge: Edge, name: str) -> None:
    check(any_edge, try_headers(any_edge, [name], None), None)


@pytest.mark.parametrize("certificate", ["good", "self-signed"])
def test_connection_does_not_take_the_edges_words_away(any_edge: Edge, certificate: str) -> None:
    """RFC 9110 section 7.6.1 lets a caller name headers that an intermediary drops."""
    own = HEADERS[any_edge.name].name.decode()
    tls = context(any_edge.certificates.server, any_edge.certificates.path(certificate))
    named = f"close, X-Forwarded-For, X-Forwarded-Proto, {own}"
    answer = send(any_edge.port, tls, headers=[*PASSED, ("Connection", named)])
    if answer.status == 400:  # refused altogether, as Envoy does
        assert any_edge.name == "envoy"
    else:
        check(any_edge, answer, certificate)


def test_the_headers_that_pass_are_the_ones_sent(any_edge: Edge) -> None:
    seen = try_headers(any_edge, SPOOFED, None).seen
    added = {name.decode() for name, _ in seen.headers.pairs} - set(MINE)
    # HAProxy and nginx close or keep the upstream connection by a header of their own.
    assert added - {"connection"} == {"x-forwarded-for", "x-forwarded-proto"}
