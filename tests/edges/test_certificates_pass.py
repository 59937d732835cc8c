"""Every edge asks for a client certificate and demands none: whatever is presented, the handshake
ends well and the upstream learns of it, in the one header the edge is set up for.
"""

import socket
import ssl
import time

import httpx
import pytest

from guarita.facts import PresentedCertificate
from guarita.serving.certificates import CertificateHeader, certificates_dropped
from tests.edges.client import context, send
from tests.edges.pki import Certificates
from tests.edges.running import Edge, edge
from tests.edges.upstream import Seen

HEADERS = {
    "nginx": CertificateHeader("nginx-escaped-pem"),
    "haproxy": CertificateHeader("base64-der", time_name="X-SSL-Client-At"),
    "envoy": CertificateHeader("xfcc"),
}
PRESENTED = [
    "good",
    "good by intermediate",
    "no purpose named",
    "made for servers",
    "self-signed",
    "expired",
    "not yet valid",
    "other authority",
    "other authority, expired",
]
TLS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]
pytestmark = pytest.mark.slow


def test_every_certificate_is_tried(any_edge: Edge) -> None:
    assert set(PRESENTED) == set(any_edge.certificates.clients)


@pytest.mark.parametrize("version", TLS, ids=lambda version: version.name)
@pytest.mark.parametrize("name", PRESENTED)
def test_what_is_presented_reaches_the_upstream(
    any_edge: Edge, name: str, version: ssl.TLSVersion
) -> None:
    certificates = any_edge.certificates
    tls = context(certificates.server, certificates.path(name), version)
    body = b'{"value": 10.50}'
    fields = [("Content-Type", "application/json")]
    answer = send(any_edge.port, tls, "POST", "/v1/resource?a=b", headers=fields, body=body)
    seen = answer.seen
    assert (seen.method, seen.target, seen.body) == ("POST", "/v1/resource?a=b", body)
    header = HEADERS[any_edge.name]
    chain = certificates.clients[name].chain
    # nginx has a variable for the client's own certificate only.
    expected = chain[:1] if any_edge.name == "nginx" else chain
    assert header.read(seen.headers) == expected
    assert list(certificates_dropped(seen.headers, header)) == list(seen.headers.pairs)
    assert seen.headers.all(b"x-forwarded-for") == [b"127.0.0.1"]
    assert seen.headers.all(b"x-forwarded-proto") == [b"https"]
    assert answer.headers.get_all("Strict-Transport-Security") == ["max-age=31536000"]


@pytest.mark.parametrize("version", TLS, ids=lambda version: version.name)
def test_no_certificate_no_header(any_edge: Edge, version: ssl.TLSVersion) -> None:
    seen = send(any_edge.port, context(any_edge.certificates.server, version=version)).seen
    assert HEADERS[any_edge.name].read(seen.headers) is None
    assert list(certificates_dropped(seen.headers, None)) == list(seen.headers.pairs)


def test_http2_is_the_edges_work(any_edge: Edge) -> None:
    certificates = any_edge.certificates
    tls = context(certificates.server, certificates.path("expired"))
    with httpx.Client(http2=True, verify=tls) as client:
        for _ in range(2):  # the second one on the same connection
            answer = client.post(f"https://127.0.0.1:{any_edge.port}/v1/x", json={"value": 1})
            assert (answer.status_code, answer.http_version) == (200, "HTTP/2")
            headers = dict(answer.json()["headers"])
            assert HEADERS[any_edge.name].name.decode() in headers


def test_no_session_is_resumed(any_edge: Edge) -> None:
    certificates = any_edge.certificates
    tls = context(certificates.server, certificates.path("good"), ssl.TLSVersion.TLSv1_2)
    session = None
    for _ in range(2):
        with (
            socket.create_connection(("127.0.0.1", any_edge.port), timeout=15) as plain,
            tls.wrap_socket(plain, server_hostname="127.0.0.1", session=session) as secure,
        ):
            assert not secure.session_reused
            session = secure.session


def test_the_time_header_tells_when_the_connection_began(certificates: Certificates) -> None:
    """HAProxy's stays the same over the requests of a connection."""
    with edge("haproxy", certificates) as haproxy:
        tls = context(certificates.server, certificates.path("good"))
        with httpx.Client(verify=tls) as client:
            url = f"https://127.0.0.1:{haproxy.port}/v1/x"
            before = int(time.time())
            seen = [Seen(client.get(url).content).headers for _ in range(2)]
            times = [headers.all(b"x-ssl-client-at") for headers in seen]
            assert times[0] == times[1]
            presented = HEADERS["haproxy"].presented(seen[1], time.time() + 1)
            assert isinstance(presented, PresentedCertificate)
            assert before <= presented.at <= time.time()
        assert (
            send(haproxy.port, context(certificates.server)).seen.headers.all(b"x-ssl-client-at")
            == []
        )
