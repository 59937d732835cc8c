"""Where an upstream is, and how long things with it may take."""

import asyncio
import ssl
from urllib.parse import urlsplit

from msgspec import Struct


class Timeouts(Struct, frozen=True):
    """In seconds. `connect_s`: until a connection stands, TLS included. `read_s`: without a byte of
    the response. `idle_s`: how long an unused connection is kept; shorter than the upstream keeps
    it, or requests meet connections it has just closed.
    """

    connect_s: float = 5.0
    read_s: float = 30.0
    idle_s: float = 4.0

    def __post_init__(self) -> None:
        for name in ("connect_s", "read_s", "idle_s"):
            if not 0 < getattr(self, name) < float("inf"):
                raise ValueError(f"{name} must be more than 0 seconds, not {getattr(self, name)!r}")


class Target(Struct, frozen=True):
    """An upstream's address: `host` and `port`, or `unix` (path of a socket); `tls` for https.

    `authority` is what `Host` says where the caller's own is not handed on.
    """

    host: str = ""
    port: int = 0
    unix: str = ""
    tls: ssl.SSLContext | None = None
    server_name: str = ""

    @classmethod
    def parse(
        cls, url: str, *, ca_file: str | None = None, server_name: str | None = None
    ) -> "Target":
        """The target of "http://host[:port]", "https://host[:port]" or "unix:/path".

        Certificates of https upstreams are always verified: against the system's authorities, or
        those of `ca_file`. `server_name`: the name in the certificate where it is not the host.

        Raises:
            ValueError: another form; says what would be right. OSError: `ca_file` is unreadable.
        """
        if not url.isascii() or any(one <= " " or one == "\x7f" for one in url):
            raise ValueError(
                f"upstream {url!r}: write it in ASCII without blanks (an IDN as xn--…)"
            )
        if url.startswith("unix:"):
            path = url.removeprefix("unix:")
            if not path.startswith("/") or path.endswith("/"):
                raise ValueError(
                    f"upstream {url!r}: write the whole path, as in unix:/run/app.sock"
                )
            if ca_file or server_name:
                raise ValueError(f"upstream {url!r}: ca_file and server_name are for https")
            return cls(unix=path)
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise ValueError(f"upstream {url!r}: {error}") from None
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(
                f"upstream {url!r}: write http://host:port, https://host:port or unix:/path"
            )
        if parts.username is not None or "?" in url or "#" in url:
            # Not the whole text: it may hold a password.
            raise ValueError(f"upstream {parts.hostname!r}: write only scheme, host and port")
        if port == 0:
            raise ValueError(f"upstream {url!r}: a port is a number from 1 to 65535")
        if parts.path not in ("", "/"):
            raise ValueError(
                f"upstream {url!r}: paths are handed on as they are; leave out {parts.path!r}"
            )
        secure = parts.scheme == "https"
        if not secure and (ca_file or server_name):
            raise ValueError(f"upstream {url!r}: ca_file and server_name are for https")
        context = None
        if secure:
            context = ssl.create_default_context(cafile=ca_file)
            context.set_alpn_protocols(["http/1.1"])
        return cls(
            parts.hostname,
            port or (443 if secure else 80),
            "",
            context,
            server_name or parts.hostname,
        )

    @property
    def authority(self) -> str:
        """Host and port as in a `Host` field; "localhost" for a Unix socket (RFC 9112 section
        3.2).
        """
        if self.unix:
            return "localhost"
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = 443 if self.tls else 80
        return host if self.port == usual else f"{host}:{self.port}"


def cut_off(transport: asyncio.BaseTransport) -> bool:
    """Whether a TLS connection that is at its end did not say so: anybody on the way may have ended
    it (RFC 9112, 9.8).
    """
    tls = transport.get_extra_info("ssl_object")
    if tls is None:
        return False
    try:
        return bool(tls.read(1))
    except ssl.SSLZeroReturnError:
        return False
    except OSError:
        return True
