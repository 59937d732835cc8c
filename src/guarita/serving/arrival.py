"""How a request becomes facts: the client behind trusted proxies, the scheme, the certificate, the
Ray ID. The same for the middleware and the gateway.
"""

import logging
from collections.abc import Iterable

from guarita.addresses import canonical_address
from guarita.facts import Facts, Headers, PresentedCertificate
from guarita.serving.certificates import CertificateHeader, Malformed
from guarita.serving.edge import NO_PROXIES, TrustedProxies
from guarita.serving.ray import RAY_HEADER, believable_ray, new_ray

log = logging.getLogger("guarita.serving")


def facts_of(
    method: str,
    path: str,
    query: bytes,
    headers: Headers,
    peer: str | None,
    at: float,
    secure: bool,
    certificate: PresentedCertificate | None,
    proxies: TrustedProxies,
    certificate_header: CertificateHeader | None,
) -> Facts:
    """The facts of one request.

    `peer`: IP address of the TCP peer, None for a Unix socket. `secure` and `certificate`: of the
    connection itself; where the peer is a trusted proxy, its word on the caller's counts.
    """
    ray = token = new_ray(at)
    if proxies is NO_PROXIES:
        client = canonical_address(peer) if peer is not None else None
    else:
        client = proxies.client(peer, headers.all(b"x-forwarded-for"))
        if proxies.believes(peer):
            ray = believable_ray(headers.get(RAY_HEADER)) or ray
            secure = secure or headers.get(b"x-forwarded-proto") == b"https"
            # The connection is the proxy's: a certificate shown on it is not the caller's.
            certificate = (
                None if certificate_header is None else from_edge(certificate_header, headers, at)
            )
    return Facts(method, path, query, headers, peer, client, at, ray, token, certificate, secure)


def from_edge(
    header: CertificateHeader, headers: Headers, at: float
) -> PresentedCertificate | None:
    """The certificate a trusted edge passed on; an unreadable one verifies as malformed."""
    presented = header.presented(headers, at)
    if isinstance(presented, Malformed):
        log.warning("certificate header of a trusted proxy: %s", presented.fault)
        return PresentedCertificate((b"",), at)
    return presented


class Unguarded:
    """Raw paths that reach the application without any check; one that ends in "/" covers what is
    below it. Logs a warning for each, unless they are `told` elsewhere.

    Raises:
        TypeError: one text instead of a list. ValueError: a path that cannot be meant.
    """

    __slots__ = ("_paths", "_trees", "any")

    def __init__(self, paths: Iterable[str] = (), *, told: bool = False) -> None:
        if isinstance(paths, str):
            raise TypeError(
                f"unsafe_unguarded_paths is a list of paths, not the one text {paths!r}"
            )
        listed = list(paths)
        for path in listed:
            if not path.startswith("/") or path == "/":
                raise ValueError(
                    f'unsafe_unguarded_paths: {path!r} must begin with "/" and name something'
                    " below it"
                )
            if not told:
                log.warning("unsafe_unguarded_paths: %s reaches the application unchecked", path)
        self._paths = frozenset(path for path in listed if not path.endswith("/"))
        self._trees = tuple(path for path in listed if path.endswith("/"))
        self.any = bool(listed)

    def covers(self, path: str) -> bool:
        """Whether a raw path is unguarded."""
        if path in self._paths:
            return True
        if not path.startswith(self._trees):
            return False
        # Below a tree only plain paths pass: nothing a router could read as leaving it.
        return "%" not in path and "\\" not in path and "//" not in path and "/." not in path
