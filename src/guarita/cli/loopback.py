"""Listening sockets on this machine's loopback addresses, for the demo and the sandbox."""

import errno
import socket

from guarita.cli.output import RefusedError

LOOPBACK = ("127.0.0.1", "::1")
BACKLOG = 2048
_PORTS_TRIED = 20


def listen(port: int, option: str = "--port") -> list[socket.socket]:
    """Listening sockets on the loopback addresses this machine has, all on one port.

    Raises:
        RefusedError: the port is taken, or may not be used by this user.
    """
    for _ in range(_PORTS_TRIED):
        first = _bound(LOOPBACK[0], port, option)
        try:
            second = _bound(LOOPBACK[1], first.getsockname()[1], option)
        except RefusedError:
            first.close()
            if port:
                raise
        except OSError:
            return [first]  # no IPv6 on this machine
        else:
            return [first, second]
    raise RefusedError(f"no port is free on both 127.0.0.1 and ::1; name one with {option}")


def _bound(address: str, port: int, option: str) -> socket.socket:
    ipv6 = ":" in address
    sock = socket.socket(socket.AF_INET6 if ipv6 else socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if ipv6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((address, port))
        sock.listen(BACKLOG)  # at once: until then another process could bind the port as well
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        where = f"[{address}]:{port}" if ipv6 else f"{address}:{port}"
        if error.errno == errno.EADDRINUSE:
            raise RefusedError(
                f"{where} is taken by another program; choose another port with {option}, or 0"
            ) from None
        if error.errno == errno.EACCES:
            raise RefusedError(
                f"this user may not listen on {where}; choose {option} 1024 or above"
            ) from None
        raise
    return sock
