"""Addresses to listen on, as guarita.toml writes them."""

import re
from ipaddress import ip_address

from guarita.addresses import canonical_address
from guarita.serving.gateway.listening import Listen

LONGEST_UNIX_PATH = 107
"""Bytes that a socket's address has room for (`sockaddr_un`), less the one at its end."""

_PORT = re.compile(r"[0-9]{1,5}")


def parse_listen(text: str) -> Listen:
    """The address of "127.0.0.1:8080", "[::]:8443" or "unix:/path".

    Raises:
        ValueError: another form; says what would be right.
    """
    if text.startswith("unix:"):
        path = text.removeprefix("unix:")
        if not path.startswith("/") or "\0" in path:
            raise ValueError(f"{text!r}: write the whole path, as in 'unix:/run/guarita.sock'")
        if len(path.encode()) > LONGEST_UNIX_PATH:
            raise ValueError(f"{text!r}: a socket's path has at most {LONGEST_UNIX_PATH} bytes")
        return Listen(unix=path)
    host, colon, port = text.rpartition(":")
    if not colon and _PORT.fullmatch(text):
        raise ValueError(f"{text!r} names no address; write '127.0.0.1:{text}' or '0.0.0.0:{text}'")
    if not _PORT.fullmatch(port) or int(port) > 65_535:
        raise ValueError(f"{text!r} ends in no port; write '127.0.0.1:8080' or '[::]:8443'")
    bracketed = host.startswith("[") and host.endswith("]")
    bare = host[1:-1] if bracketed else host
    if host in ("", "*"):
        raise ValueError(f"{text!r}: write '0.0.0.0:{port}' for every IPv4 address")
    if host == "localhost":
        raise ValueError(f"{text!r}: write '127.0.0.1:{port}'")
    if ":" in bare and not bracketed:
        raise ValueError(f"{text!r}: write IPv6 addresses in brackets, '[{bare}]:{port}'")
    if canonical_address(bare) is None or (bracketed and ":" not in bare):
        raise ValueError(f"{text!r}: {bare!r} is no IP address; names are not looked up")
    return Listen(str(ip_address(bare)), int(port))
