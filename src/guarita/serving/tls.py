"""The TLS side of a listener: a context that asks every client for a certificate and ends no
handshake over it, so that the policy decides and the caller reads why.

Python's own `ssl` cannot do that: with CERT_OPTIONAL a certificate it does not like ends the
handshake. Here OpenSSL is reached through pyOpenSSL, behind the interface the event loops use.
"""

import itertools
import logging
import os
import secrets
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, Self

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from OpenSSL import SSL

from guarita.serving.tls_object import TLSObject

log = logging.getLogger("guarita.serving")

MINIMUM = {"TLSv1.2": SSL.TLS1_2_VERSION, "TLSv1.3": SSL.TLS1_3_VERSION}

CIPHERS = b"ECDHE+AESGCM:ECDHE+CHACHA20"
"""What TLS 1.2 may use: forward secrecy and authenticated encryption only (RFC 9325, 4.2). TLS 1.3
has nothing else."""

ALPN = b"http/1.1"

_Stamp = tuple[tuple[int, int, int], ...]


class BadServerCertificate(ValueError):
    """The server's certificate or key cannot be used; the text names the file and the fault."""


class ClientCertificateContext(ssl.SSLContext):
    """A server context for `create_server(ssl=…)` of asyncio and uvloop.

    Clients are asked for a certificate. Any chain is accepted, also none; connections carry it as
    `TLSObject.presented`. Sessions are never resumed: a resumed one has lost its intermediates.
    New connections get the certificate that is in the files now.

    Attributes:
        handshake_timeout_s: how long a handshake may take, in seconds. The loop enforces it, given
            as `create_server(ssl_handshake_timeout=…)`; `tls_server.TLSServer` does so.
        shutdown_timeout_s: how long to wait for a client's goodbye, in seconds, likewise
            (`ssl_shutdown_timeout`).
    """

    def __new__(cls, *_: object, **__: object) -> Self:
        return super().__new__(cls, ssl.PROTOCOL_TLS_SERVER)

    def __init__(
        self,
        certificate_file: str | os.PathLike[str],
        key_file: str | os.PathLike[str],
        *,
        password: bytes | None = None,
        minimum: str = "TLSv1.2",
        handshake_timeout_s: float = 10.0,
        shutdown_timeout_s: float = 5.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if minimum not in MINIMUM:
            raise ValueError(f"minimum: {minimum!r} is not one of {', '.join(MINIMUM)}")
        if handshake_timeout_s <= 0 or shutdown_timeout_s <= 0:
            raise ValueError("a time limit must be more than 0 seconds")
        self.handshake_timeout_s = handshake_timeout_s
        self.shutdown_timeout_s = shutdown_timeout_s
        self._certificate_file = Path(certificate_file)
        self._key_file = Path(key_file)
        self._password = password
        self._minimum = minimum
        self._clock = clock
        self._names = map(f"{secrets.token_hex(8)}-{{:x}}".format, itertools.count(1))
        self._stamp = self._look()
        self._server = self._load()

    def wrap_bio(  # type: ignore[override]
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> TLSObject:
        """A connection over the loop's two buffers."""
        if not server_side:
            raise ValueError("this context is a server's: it cannot open connections")
        self._reload_if_changed()
        connection = SSL.Connection(self._server, None)
        connection.set_accept_state()
        return TLSObject(
            self, connection, incoming, outgoing, name=next(self._names), clock=self._clock
        )

    def wrap_socket(self, *_: Any, **__: Any) -> NoReturn:
        """Not offered: an event loop uses `wrap_bio`."""
        raise NotImplementedError("ClientCertificateContext works under an event loop only")

    def load_cert_chain(self, *_: Any, **__: Any) -> NoReturn:
        """Not offered: the certificate is given when the context is made."""
        raise NotImplementedError("give the certificate's files to client_certificate_context")

    def __repr__(self) -> str:
        return f"ClientCertificateContext({str(self._certificate_file)!r})"

    # --- the server's own certificate
    # ------------------------------------------------------------------------------------------

    def _look(self) -> _Stamp | None:
        """What tells one state of the two files from another; None while one is out of reach."""
        try:
            seen = [os.stat(file) for file in (self._certificate_file, self._key_file)]
        except OSError:
            return None
        return tuple((one.st_mtime_ns, one.st_size, one.st_ino) for one in seen)

    def _reload_if_changed(self) -> None:
        """Looked at for each new connection: two calls of `stat` beside a handshake cost nothing.
        Files that do not fit together, as in the middle of a renewal, leave the former certificate
        in force until they change again."""
        stamp = self._look()
        if stamp == self._stamp or stamp is None:
            return
        self._stamp = stamp
        try:
            self._server = self._load()
        except BadServerCertificate as error:
            log.warning("The former server certificate stays in use: %s", error)
        else:
            log.info("The server certificate was reloaded from %s", self._certificate_file)

    def _load(self) -> SSL.Context:
        chain = _certificates(self._certificate_file)
        key = _private_key(self._key_file, self._password)
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.set_min_proto_version(MINIMUM[self._minimum])
        context.set_cipher_list(CIPHERS)
        context.set_options(
            SSL.OP_NO_TICKET
            | SSL.OP_NO_RENEGOTIATION
            | SSL.OP_NO_COMPRESSION
            | SSL.OP_CIPHER_SERVER_PREFERENCE
        )
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        context.set_verify(SSL.VERIFY_PEER, _accept_any)
        context.set_alpn_select_callback(_choose_protocol)
        try:
            context.use_certificate(chain[0])
            context.use_privatekey(key)
            context.check_privatekey()
            for certificate in chain[1:]:
                context.add_extra_chain_cert(certificate)
        except (SSL.Error, TypeError) as error:
            raise BadServerCertificate(
                f"{self._key_file} is not the key of the first certificate in "
                f"{self._certificate_file}, or one that TLS does not allow"
            ) from error
        if chain[0].not_valid_after_utc.timestamp() < self._clock():
            log.warning("The server certificate in %s has expired", self._certificate_file)
        return context


def client_certificate_context(
    certificate_file: str | os.PathLike[str],
    key_file: str | os.PathLike[str],
    *,
    password: bytes | None = None,
    minimum: str = "TLSv1.2",
    handshake_timeout_s: float = 10.0,
    shutdown_timeout_s: float = 5.0,
    clock: Callable[[], float] = time.time,
) -> ClientCertificateContext:
    """The context of a listener that takes client certificates.

    Args:
        certificate_file: PEM, the server's certificate first, then its intermediates. Both files
            are read again when they change.
        key_file: PEM, its private key.
        password: of the private key, where it is encrypted.
        minimum: the lowest protocol version, "TLSv1.2" or "TLSv1.3".
        handshake_timeout_s: see `ClientCertificateContext`.
        shutdown_timeout_s: see `ClientCertificateContext`.
        clock: Unix time in seconds; gives `PresentedCertificate.at`.

    Raises:
        BadServerCertificate: a file cannot be read or used.
    """
    return ClientCertificateContext(
        certificate_file,
        key_file,
        password=password,
        minimum=minimum,
        handshake_timeout_s=handshake_timeout_s,
        shutdown_timeout_s=shutdown_timeout_s,
        clock=clock,
    )


def _accept_any(*_: object) -> bool:
    """Whether a client's chain is good is the policy's decision.

    OpenSSL asks here after checks of its own: over TLS 1.2 it ends the handshake by itself where a
    client certificate's key is on a curve it does not offer (secp256k1, P-224).
    """
    return True


def _choose_protocol(_: SSL.Connection, offered: list[bytes]) -> Any:
    return ALPN if ALPN in offered else SSL.NO_OVERLAPPING_PROTOCOLS


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise BadServerCertificate(f"{file} cannot be read: {error.strerror}") from error


def _certificates(file: Path) -> list[x509.Certificate]:
    data = _read(file)
    try:
        return x509.load_pem_x509_certificates(data)
    except ValueError as error:
        raise BadServerCertificate(
            f"{file} holds no PEM certificate, or a damaged one (it must hold the server's "
            "certificate, followed by its intermediates)"
        ) from error


def _private_key(file: Path, password: bytes | None) -> Any:
    data = _read(file)
    try:
        return serialization.load_pem_private_key(data, password)
    except TypeError as error:
        fault = "is encrypted, and no password was given" if password is None else "has no password"
        raise BadServerCertificate(f"{file} {fault}") from error
    except ValueError:
        fault = "holds no PEM private key, or a damaged one"
        if password is not None:
            fault += ", or the password is wrong"
        # Without its cause: what a parser quotes might be part of the key.
        raise BadServerCertificate(f"{file} {fault}") from None
