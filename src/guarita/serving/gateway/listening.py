"""Where a site listens: addresses, sockets, and the TLS side of a listener."""

import errno
import os
import socket
import ssl
import stat
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path

from msgspec import Struct

from guarita.serving.tls import CIPHERS, client_certificate_context

BACKLOG = 2048


class CannotListen(OSError):
    """An address cannot be listened on; the text says what would be right."""


class Listen(Struct, frozen=True):
    """One address: `host` (an IP address) and `port`, or `unix` (path of a socket)."""

    host: str = ""
    port: int = 0
    unix: str = ""

    def __str__(self) -> str:
        if self.unix:
            return f"unix:{self.unix}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_local(self) -> bool:
        """Whether nobody outside of this machine reaches it."""
        return bool(self.unix) or ip_address(self.host).is_loopback

    def clashes(self, other: "Listen") -> bool:
        """Whether only one of the two can be listened on."""
        if self.unix or other.unix:
            return self.unix == other.unix
        if self.port != other.port or not self.port:
            return False
        mine, its = ip_address(self.host), ip_address(other.host)
        if mine.version != its.version:
            return False
        return mine == its or mine.is_unspecified or its.is_unspecified


class TLS(Struct, frozen=True):
    """The TLS settings of a site's listeners.

    Attributes:
        certificate, key: PEM files.
        password: of the key, where it is encrypted.
        minimum: "TLSv1.2" or "TLSv1.3".
        asks: clients are asked for a certificate, and any is let through to the policy.
        handshake_s: how long a handshake may take.
        stamp: what the files were like; two of different stamps are never equal.
    """

    certificate: Path
    key: Path
    password: bytes | None
    minimum: str
    asks: bool
    handshake_s: float
    stamp: tuple[int, ...] = ()

    def __repr__(self) -> str:
        return f"TLS({str(self.certificate)!r}, asks={self.asks})"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        # Not the password.
        return [("certificate", self.certificate), ("asks", self.asks)]

    def context(self) -> ssl.SSLContext:
        """The context of a listener.

        Raises:
            ValueError, OSError: the files cannot be used; says which and why.
        """
        if self.asks:
            return client_certificate_context(
                self.certificate,
                self.key,
                password=self.password,
                minimum=self.minimum,
                handshake_timeout_s=self.handshake_s,
            )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = (
            ssl.TLSVersion.TLSv1_3 if self.minimum == "TLSv1.3" else ssl.TLSVersion.TLSv1_2
        )
        context.set_ciphers(CIPHERS.decode())
        context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
        context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
        context.set_alpn_protocols(["http/1.1"])
        password = self.password
        for file in (self.certificate, self.key):
            with file.open("rb"):
                pass
        try:
            context.load_cert_chain(
                # Without a password OpenSSL would ask for one on the terminal.
                self.certificate,
                self.key,
                password=(lambda: password or b""),
            )
        except ssl.SSLError as error:
            raise ValueError(
                f"{self.certificate} and {self.key} cannot be used: {error.reason or error}; the"
                " first must hold the server's certificate in PEM, the second its key"
            ) from None
        return context


def stamp_of(*files: Path) -> tuple[int, ...]:
    """What tells one state of files from another."""
    seen = [os.stat(file) for file in files]
    return tuple(part for one in seen for part in (one.st_mtime_ns, one.st_size, one.st_ino))


def bound(listen: Listen, *, share: bool) -> socket.socket:
    """A socket that listens. `share`: other processes may listen on the same address.

    Raises:
        CannotListen: the address is taken, not this machine's, or not allowed to this user.
    """
    try:
        return _unix(listen.unix) if listen.unix else _inet(listen, share=share)
    except OSError as error:
        if isinstance(error, CannotListen):
            raise
        why = error.strerror or str(error)
        if error.errno == errno.EADDRINUSE:
            why = "it is taken by another program"
        elif error.errno == errno.EACCES:
            why = "this user may not; choose a port of 1024 or above, or a folder it may write to"
        elif error.errno == errno.EADDRNOTAVAIL:
            why = "it is no address of this machine"
        raise CannotListen(f"cannot listen on {listen}: {why}") from None


def _inet(listen: Listen, *, share: bool) -> socket.socket:
    ipv6 = ":" in listen.host
    sock = socket.socket(socket.AF_INET6 if ipv6 else socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if share:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if ipv6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        # Accepted sockets inherit it: a head and its body are not held back for one another.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.bind((listen.host, listen.port))
        sock.listen(BACKLOG)
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    return sock


def _unix(path: str) -> socket.socket:
    """A Unix socket that its owner and group may use. One that a dead process left is replaced."""
    _remove_dead(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        before = os.umask(0o117)
        try:
            sock.bind(path)
        finally:
            os.umask(before)
        sock.listen(BACKLOG)
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    return sock


def _remove_dead(path: str) -> None:
    try:
        kind = os.stat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(kind):
        raise CannotListen(f"cannot listen on unix:{path}: there is a file that is no socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            with suppress(FileNotFoundError):
                os.unlink(path)
            return
    raise CannotListen(f"cannot listen on unix:{path}: it is taken by another program")


def where(listen: Listen, sock: socket.socket) -> Listen:
    """The address a socket really listens on: with the port that was free, where 0 was asked."""
    if listen.unix or listen.port:
        return listen
    return Listen(listen.host, sock.getsockname()[1])
