"""What an application learns of the TLS connection: the ASGI TLS extension, and the certificate
that the client presented.
"""

import asyncio
import ssl
from functools import cache
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from guarita.facts import PresentedCertificate

CERTIFICATE = "guarita.certificate"
"""Where the scope holds the `PresentedCertificate` of the connection, if the client showed one."""

NOT_VERIFIED = "not verified in the handshake: the gate decides"

_VERSIONS = {"TLSv1.2": 0x0303, "TLSv1.3": 0x0304}


class TLSScopeProtocol(HttpToolsProtocol):
    """uvicorn's protocol; requests over TLS carry `scope["extensions"]["tls"]` and, where the
    client presented a certificate, `scope["guarita.certificate"]`. Both are put together once per
    connection. Connections that never say anything are closed.
    """

    first_request_timeout_s: float = 30.0
    """How long a new connection may stay silent, in seconds. uvicorn itself waits without end."""

    _tls: dict[str, Any] | None = None
    _presented: PresentedCertificate | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        connection = transport.get_extra_info("ssl_object")
        if connection is not None:
            self._tls = tls_extension(connection)
            self._presented = getattr(connection, "presented", None)
        # The first bytes cancel it, as they cancel the keep-alive timer between two requests.
        self.timeout_keep_alive_task = self.loop.call_later(
            self.first_request_timeout_s, self.timeout_keep_alive_handler
        )

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        # uvicorn leaves the keep-alive timer running where a connection breaks, and with it the
        # connection's buffers for five seconds: 256 KiB each under asyncio.
        self._unset_keepalive_if_required()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._tls is not None:
            scope: dict[str, Any] = self.scope  # type: ignore[assignment]
            scope["extensions"] = {**scope.get("extensions", {}), "tls": self._tls.copy()}
            if self._presented is not None:
                scope[CERTIFICATE] = self._presented


def tls_extension(connection: Any) -> dict[str, Any]:
    """The ASGI TLS extension's members for a connection.

    `client_cert_error` is set wherever there is a certificate: nothing but the gate's own check
    says that it is good, and an application that reads the extension must not think otherwise.

    Args:
        connection: a `tls_object.TLSObject`; or an `ssl.SSLObject`, which tells nothing of the
            client.
    """
    presented: PresentedCertificate | None = getattr(connection, "presented", None)
    own = connection.server_certificate() if hasattr(connection, "server_certificate") else None
    cipher = connection.cipher()
    chain = () if presented is None else presented.chain
    return {
        "server_cert": None if own is None else ssl.DER_cert_to_PEM_cert(own),
        "client_cert_chain": tuple(ssl.DER_cert_to_PEM_cert(one) for one in chain),
        "client_cert_name": getattr(connection, "subject", None),
        "client_cert_error": None if presented is None else NOT_VERIFIED,
        "tls_version": _VERSIONS.get(connection.version()),
        "cipher_suite": None if cipher is None else _suites().get(cipher[0]),
    }


@cache
def _suites() -> dict[str, int]:
    """The numbers of the cipher suites (IANA's TLS registry) by OpenSSL's names."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("ALL")
    return {suite["name"]: suite["id"] & 0xFFFF for suite in context.get_ciphers()}
