"""A client that sends just what it is told: any header name, any client certificate, from any
loopback address.
"""

import http.client
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.edges.upstream import Seen

HOST = "api.bank.example"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def seen(self) -> Seen:
        """What reached the upstream; fails where it was not the upstream that answered."""
        assert self.status == 200, (self.status, self.body)
        return Seen(self.body)


def context(
    server: Path, certificate: Path | None = None, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3
) -> ssl.SSLContext:
    """`server`: the certificate to trust; `certificate`: PEM file of the client's chain and key."""
    made = ssl.create_default_context(cafile=str(server))
    made.minimum_version = made.maximum_version = version
    if certificate is not None:
        made.load_cert_chain(certificate)
    return made


def send(
    port: int,
    tls: ssl.SSLContext,
    method: str = "GET",
    target: str = "/v1/resource",
    *,
    headers: Sequence[tuple[str, str]] = (),
    body: bytes | None = None,
    source: str = "127.0.0.1",
) -> Answer:
    """One request on a connection of its own, from the loopback address `source`."""
    connection = opened(port, tls, source)
    try:
        return ask(connection, method, target, headers=headers, body=body)
    finally:
        connection.close()


def opened(
    port: int, tls: ssl.SSLContext | None, source: str = "127.0.0.1"
) -> http.client.HTTPConnection:
    """A connection that stays open from request to request; plain where `tls` is None."""
    if tls is None:
        return http.client.HTTPConnection("127.0.0.1", port, 15, source_address=(source, 0))
    return http.client.HTTPSConnection(
        "127.0.0.1", port, timeout=15, context=tls, source_address=(source, 0)
    )


def ask(
    connection: http.client.HTTPConnection,
    method: str = "GET",
    target: str = "/v1/resource",
    *,
    headers: Sequence[tuple[str, str]] = (),
    body: bytes | None = None,
) -> Answer:
    """One request over `connection`."""
    connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
    connection.putheader("Host", HOST)
    connection.putheader("Accept", "*/*")
    connection.putheader("User-Agent", "edge-tests/1")
    for name, value in headers:
        connection.putheader(name, value)
    if body is not None:
        connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body)
    response = connection.getresponse()
    return Answer(response.status, response.headers, response.read())
