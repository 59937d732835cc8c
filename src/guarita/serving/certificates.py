"""Client certificates that an edge passes on in a request header: which header is believed, and
which ones could be taken for one. How such a header is written stands in `certificate_forms`.

Nothing here looks at who sent the request: what `CertificateHeader` reads counts only where the
direct peer is a trusted proxy. Nothing here verifies a certificate either.
"""

import re

from msgspec import Struct

from guarita.facts import HeaderPairs, Headers, PresentedCertificate
from guarita.serving.certificate_forms import (
    MOST_BYTES,
    MOST_CERTIFICATES,
    READERS,
    Unreadable,
)

__all__ = [
    "FORMS",
    "MOST_BYTES",
    "MOST_CERTIFICATES",
    "NAMES",
    "CertificateHeader",
    "Malformed",
    "certificates_dropped",
    "poses_as_certificate",
]

FORMS = {
    "rfc9440": "Client-Cert",
    "xfcc": "X-Forwarded-Client-Cert",
    "nginx-escaped-pem": "X-SSL-Client-Cert",
    "base64-der": "X-SSL-Client-Der",
    "traefik": "X-Forwarded-Tls-Client-Cert",
}
"""Form → header it stands in unless another one is configured."""

NAMED_BY_EDGE = frozenset({"nginx-escaped-pem", "base64-der"})
"""The forms whose header name is the edge's choice."""

NAMES = frozenset(
    {
        b"client-cert",  # RFC 9440
        b"client-cert-chain",
        b"x-forwarded-client-cert",  # Envoy, Istio
        b"x-forwarded-tls-client-cert",  # Traefik
        b"x-forwarded-tls-client-cert-info",
        b"x-forwarded-ssl-client-cert",
        b"x-ssl-client-cert",  # nginx, Apache and HAProxy by custom
        b"x-ssl-client-der",
        b"x-ssl-cert",
        b"ssl-client-cert",  # ingress-nginx
        b"ssl-cert",
        b"x-client-cert",  # Google's load balancer, F5
        b"x-client-certificate",
        b"x-tls-client-cert",
        b"x-arr-clientcert",  # Azure
        b"x-amzn-mtls-clientcert",  # AWS
        b"cf-client-cert-der-base64",  # Cloudflare
    }
)
"""Lower-case names of the headers that edges are known to carry a client certificate in."""

FAMILIES = (
    b"client-cert-",
    b"x-client-cert-",
    b"x-amzn-mtls-clientcert-",
    b"cf-client-cert-",
    b"x-forwarded-client-cert-",
    b"x-forwarded-tls-client-cert-",
    b"ssl-client-",
    b"x-ssl-client-",
)
"""Prefixes of the headers that edges put single facts about a certificate into (verdict, subject,
serial number, …). Every one of them, and of `NAMES`, holds "cert" or "ssl"."""

_TOKEN = re.compile(r"[A-Za-z0-9-]+")
_UNIX_TIME = re.compile(rb"[0-9]{1,11}(?:\.[0-9]{1,9})?")


class Malformed(Struct, frozen=True):
    """A header that was there and could not be read as its form says. `fault` tells why in words,
    without any of the header's content.
    """

    fault: str


class CertificateHeader:
    """The one header that a trusted edge passes client certificates in. Immutable.

    Attributes:
        form: how it is written, one of `FORMS`:
            "rfc9440": `Client-Cert` and `Client-Cert-Chain` (RFC 9440 section 2);
            "xfcc": Envoy's `Cert` and `Chain`, one element;
            "nginx-escaped-pem": percent-encoded PEM, one or more certificates;
            "base64-der": base64 of one or more DER certificates on end, or several such by comma;
            "traefik": base64 DER certificates by comma, percent-encoded or not.
        name: the header's name, lower case.
        time_name: the header with the time of the edge's handshake (Unix seconds), or None.
    """

    __slots__ = ("_read", "form", "name", "time_name")

    def __init__(self, form: str, name: str | None = None, *, time_name: str | None = None) -> None:
        """`name` differs from the form's own only where the edge may choose it (`NAMED_BY_EDGE`).

        Raises:
            ValueError: an unknown form, or a name that cannot be; says what would be right.
        """
        if form not in FORMS:
            raise ValueError(f"certificate header form {form!r} is not one of {', '.join(FORMS)}")
        usual = FORMS[form]
        if form not in NAMED_BY_EDGE and name is not None and name.lower() != usual.lower():
            raise ValueError(f"the form {form!r} stands in {usual}, not in {name!r}")
        self.form = form
        self.name = _header_name(name or usual)
        self.time_name = None if time_name is None else _header_name(time_name)
        if self.time_name == self.name:
            raise ValueError(f"{time_name!r} cannot carry both the certificate and its time")
        self._read = READERS[form]

    def __repr__(self) -> str:
        return f"CertificateHeader({self.form!r}, {self.name.decode()!r})"

    def read(self, headers: Headers) -> tuple[bytes, ...] | Malformed | None:
        """The DER certificates of the header, the client's own first; None where the edge says
        that there is none (no header, or an empty one). Never raises.

        DER is looked at no deeper than its outer length. A header given twice (other than
        `Client-Cert-Chain`), longer than `MOST_BYTES`, or with more than `MOST_CERTIFICATES`
        certificates is malformed.
        """
        try:
            chain = tuple(self._read(headers, self.name))
        except Unreadable as why:
            return Malformed(f"{self.name.decode()}: {why}")
        if len(chain) > MOST_CERTIFICATES:
            return Malformed(f"{self.name.decode()}: more than {MOST_CERTIFICATES} certificates")
        return chain or None

    def checked_at(self, headers: Headers, arrival: float) -> float | Malformed:
        """The Unix time from which the edge's word counts: what its time header says, at the
        latest `arrival`; `arrival` itself where no such header is configured or sent.
        """
        if self.time_name is None:
            return arrival
        sent = headers.all(self.time_name)
        if not sent:
            return arrival
        if len(sent) > 1 or not _UNIX_TIME.fullmatch(sent[0]):
            return Malformed(f"{self.time_name.decode()}: not one Unix time in seconds")
        return min(float(sent[0]), arrival)

    def presented(
        self, headers: Headers, arrival: float
    ) -> PresentedCertificate | Malformed | None:
        """What `read` and `checked_at` say, as the core takes it."""
        chain = self.read(headers)
        if chain is None or isinstance(chain, Malformed):
            return chain
        at = self.checked_at(headers, arrival)
        return at if isinstance(at, Malformed) else PresentedCertificate(chain, at)

    def owns(self, name: bytes) -> bool:
        """Whether `name` (lower case) is a header this edge sets itself."""
        return (
            name == self.name
            or name == self.time_name
            or (self.form == "rfc9440" and name == b"client-cert-chain")
        )


def poses_as_certificate(name: bytes, believed: CertificateHeader | None = None) -> bool:
    """Whether a request header could be taken for a client certificate, or for a fact about one,
    without being `believed`: every known name, in any case and with underscores for hyphens.
    """
    if believed is not None and believed.owns(name):
        return False
    plain = name.lower().replace(b"_", b"-")
    if plain in NAMES or plain.startswith(FAMILIES):
        return True
    return believed is not None and believed.owns(plain)


def certificates_dropped(headers: Headers, believed: CertificateHeader | None) -> HeaderPairs:
    """The header fields that may reach the application: none that poses as a certificate.

    `believed`: the configured header where the direct peer is a trusted proxy, None otherwise. It
    is kept, unless it was given twice.
    """
    if b"cert" not in headers.names and b"ssl" not in headers.names:
        return headers.pairs
    twice = headers.repeated - {b"client-cert-chain"}
    return [
        pair
        for pair in headers.pairs
        if not (b"cert" in pair[0] or b"ssl" in pair[0])
        or not (
            poses_as_certificate(pair[0], believed)
            or (pair[0] in twice and believed is not None and believed.owns(pair[0]))
        )
    ]


def _header_name(name: str) -> bytes:
    if not _TOKEN.fullmatch(name):
        raise ValueError(f"header name {name!r}: write letters, digits and hyphens only")
    lower = name.lower()
    if "cert" not in lower and "ssl" not in lower:
        # Other spellings of the name are looked for by these words.
        raise ValueError(f'header name {name!r}: choose one with "cert" or "ssl" in it')
    return lower.encode()
