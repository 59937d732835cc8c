"""One TLS connection as an event loop drives it: `ssl.SSLObject`'s methods over a pyOpenSSL
connection, which keeps the whole chain the client sent.

asyncio and uvloop hand ciphertext over in `ssl.MemoryBIO`s and expect `ssl` exceptions; OpenSSL has
memory buffers of its own behind them. Every method moves bytes in, works, and moves bytes out.
"""

import ssl
from collections.abc import Callable
from functools import cached_property
from typing import NoReturn

from cryptography import x509
from OpenSSL import SSL, crypto

from guarita.facts import PresentedCertificate

RECORD = 16_384
"""The most plaintext one TLS record carries, and so the most one read returns (RFC 8446, 5.1)."""

WRITE, OVERHEAD = 65_536, 2_048
"""Bytes encrypted at a time, and room for what that adds: at most 277 bytes for each record."""

PLAIN_HTTP_ANSWER = (
    b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\n"
    b"content-length: 45\r\nconnection: close\r\n\r\n"
    b"This port speaks TLS: call it with https://.\n"
)
"""What someone gets who calls the TLS port with http://. Nothing of the request was looked at."""


class TLSObject:
    """A server's side of one TLS connection. The client is asked for a certificate and never
    refused over it: what it showed is in `presented` once the handshake is done, unverified.

    Errors reach the loop as `ssl.SSLError`, which ends this connection and no other.
    """

    def __init__(
        self,
        context: ssl.SSLContext,
        connection: SSL.Connection,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        *,
        name: str,
        clock: Callable[[], float],
    ) -> None:
        self.context = context
        self.presented: PresentedCertificate | None = None
        self._connection = connection
        self._incoming = incoming
        self._outgoing = outgoing
        self._name = name
        self._clock = clock
        self._unread = False  # whether OpenSSL may hold input it has not given out
        self._alone = False  # whether that input is one whole record
        self._head = b""  # a record's header that is not complete yet
        self._missing = 0  # bytes until the end of the record that has begun
        self._ended = False  # whether the client has said that it will send no more
        self._failure = ""  # why the handshake has failed

    # --- the handshake
    # ------------------------------------------------------------------------------------------

    def do_handshake(self) -> None:
        """Take the handshake as far as the input allows.

        Raises:
            ssl.SSLWantReadError: more input is needed.
            ssl.SSLError: the handshake has failed.
        """
        if self._failure:
            raise ssl.SSLError(ssl.SSL_ERROR_SSL, self._failure)
        self._take_in()
        try:
            self._connection.do_handshake()
        except SSL.WantReadError:
            self._give_out()
            self._want_read()
        except SSL.Error as error:
            self._fail(error)
        self._give_out()
        self.presented = self._presented()

    def _fail(self, error: SSL.Error) -> NoReturn:
        """A loop drops a failed handshake without sending what OpenSSL has to say about it. Asking
        for more input makes it send the alert first; the next call, or the time limit, ends it.
        """
        failed = _translated(error)
        self._failure = str(failed)
        said = self._give_out()
        if "http request" in self._failure:
            self._outgoing.write(PLAIN_HTTP_ANSWER)
        elif not said:
            raise failed from None
        self._want_read()

    def _presented(self) -> PresentedCertificate | None:
        own = self._connection.get_peer_certificate()
        if own is None:
            return None
        chain = [_der(own)]
        # On a server's side OpenSSL gives the rest of the chain without the client's own.
        chain += [_der(other) for other in self._connection.get_peer_cert_chain() or ()]
        if chain[1:2] == chain[:1]:
            del chain[1]
        return PresentedCertificate(tuple(chain), self._clock(), self._name)

    # --- data
    # ------------------------------------------------------------------------------------------

    def read(self, size: int = RECORD, buffer: memoryview | None = None) -> bytes | int:
        """Up to `size` bytes of what the client sent; written to `buffer`, where one is given, with
        their number returned. Nothing means that the client has ended the connection.

        Raises:
            ssl.SSLWantReadError: more input is needed.
            ssl.SSLError: the connection is broken.
        """
        self._take_in()
        if not self._unread and not self._ended:
            self._want_read()
        given: bytes | int
        size = min(size, RECORD)
        try:
            if buffer is None:
                given = self._connection.recv(size)
            else:
                given = self._connection.recv_into(buffer, size)
        except SSL.WantReadError:
            self._unread = False
            self._give_out()
            self._want_read()
        except SSL.ZeroReturnError:
            self._unread = False
            self._ended = True
            return b"" if buffer is None else 0
        except SSL.Error as error:
            self._unread = False
            self._give_out()
            raise _translated(error) from None
        if self._alone:
            # Most requests are one record: knowing that it was all spares asking OpenSSL for more.
            self._unread = self._connection.pending() > 0
        return given

    def pending(self) -> int:
        """More than zero while a read may give something: decrypted bytes, or ciphertext that has
        left the loop's buffer and waits in OpenSSL's. uvloop reads no further at zero."""
        return self._connection.pending() or int(self._unread)

    def write(self, data: bytes | bytearray | memoryview) -> int:
        """Encrypt all of `data`; returns its length. `ssl.SSLError`: the connection is broken."""
        size = len(data)
        try:
            if 0 < size <= WRITE:
                self._connection.sendall(data)
                self._give_out(size + OVERHEAD)
                return size
            view = memoryview(data).cast("B")
            for begin in range(0, size, WRITE):
                self._connection.sendall(view[begin : begin + WRITE])
                self._give_out(WRITE + OVERHEAD)
        except SSL.WantReadError:
            # Only a renegotiation could ask for input here, and it is switched off.
            self._want_read()
        except SSL.Error as error:
            self._give_out()
            raise _translated(error) from None
        return size

    def unwrap(self) -> None:
        """Say that nothing more will be sent, and wait for the client to say the same.

        Raises:
            ssl.SSLWantReadError: the client has not said so yet.
            ssl.SSLError: the connection is broken.
        """
        self._take_in()
        try:
            # The first call says it, a second one looks for the client's word.
            done = self._connection.shutdown() or self._connection.shutdown()
        except (SSL.WantReadError, SSL.ZeroReturnError):
            done = False
        except SSL.Error as error:
            self._give_out()
            raise _translated(error) from None
        self._give_out()
        if not done:
            self._want_read()

    # --- between the loop's buffers and OpenSSL's
    # ------------------------------------------------------------------------------------------

    def _take_in(self) -> None:
        data = self._incoming.read()
        if data:
            self._alone = self._measure(data) and not self._unread
            self._unread = True
            self._connection.bio_write(data)
        elif self._incoming.eof:
            self._alone = False
            self._unread = True
            self._connection.bio_shutdown()

    def _measure(self, data: bytes) -> bool:
        """Keep count of the records in the input; True where `data` is exactly one of them. Each
        begins with a kind, a version and, in two bytes, its length (RFC 8446, 5.1)."""
        size = len(data)
        fresh = not self._missing and not self._head
        if fresh and size >= 5 and size == 5 + (data[3] << 8 | data[4]):
            return True
        data = self._head + data
        size = len(data)
        end = self._missing
        while end + 5 <= size:
            end += 5 + (data[end + 3] << 8 | data[end + 4])
        self._head = data[end:]
        self._missing = max(end - size, 0)
        return False

    def _give_out(self, room: int = RECORD) -> bool:
        """Move all output of OpenSSL to the loop; True where there was any."""
        moved = False
        while True:
            try:
                data = self._connection.bio_read(room)
            except SSL.WantReadError:
                return moved
            self._outgoing.write(data)
            moved = True
            if len(data) < room:
                return True

    def _want_read(self) -> NoReturn:
        raise ssl.SSLWantReadError(ssl.SSL_ERROR_WANT_READ, "more input is needed") from None

    # --- what is known of it
    # ------------------------------------------------------------------------------------------

    @cached_property
    def subject(self) -> str | None:
        """The subject of the client's certificate (RFC 4514), if there is one and it is legible."""
        if self.presented is None:
            return None
        try:
            subject = x509.load_der_x509_certificate(self.presented.chain[0]).subject
            return subject.rfc4514_string()
        except Exception:  # whatever the parser says of a stranger's bytes
            return None

    def server_certificate(self) -> bytes | None:
        """The certificate this server has shown, DER."""
        own = self._connection.get_certificate()
        return None if own is None else _der(own)

    def getpeercert(self, binary_form: bool = False) -> dict[str, object] | bytes | None:
        """As `ssl.SSLObject.getpeercert`; the dictionary is empty, as nothing was verified."""
        if self.presented is None:
            return None
        return self.presented.chain[0] if binary_form else {}

    def version(self) -> str:
        """The protocol version, such as "TLSv1.3"."""
        return self._connection.get_protocol_version_name()

    def cipher(self) -> tuple[str, str, int] | None:
        """Cipher suite, protocol version, secret bits."""
        name = self._connection.get_cipher_name()
        if name is None:
            return None
        version = self._connection.get_cipher_version() or ""
        return name, version, self._connection.get_cipher_bits() or 0

    def compression(self) -> None:
        """Never used."""

    def selected_alpn_protocol(self) -> str | None:
        """The application protocol agreed on in the handshake."""
        return self._connection.get_alpn_proto_negotiated().decode("ascii") or None


def _der(certificate: crypto.X509) -> bytes:
    # Not by way of `cryptography`: it refuses some certificates that OpenSSL has read, and refusing
    # is not decided here.
    return crypto.dump_certificate(crypto.FILETYPE_ASN1, certificate)


def _translated(error: SSL.Error) -> ssl.SSLError:
    """The error as the loops know it, with OpenSSL's reasons and no data of the connection."""
    if isinstance(error, SSL.SysCallError):
        return ssl.SSLEOFError(ssl.SSL_ERROR_EOF, "the client went away in the middle")
    queue = error.args[0] if error.args and isinstance(error.args[0], list) else []
    reasons = ", ".join(str(entry[-1]) for entry in queue) or type(error).__name__
    return ssl.SSLError(ssl.SSL_ERROR_SSL, reasons)
