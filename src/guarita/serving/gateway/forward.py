"""The request as the upstream gets it: who calls, without what the caller used to prove it and
without what could pose as the gate's own word.

What belongs here: header fields and framing towards the upstream. Sources: DESIGN rule 10; RFC 9110
section 7.6 (fields of one connection only).
"""

import re
from collections.abc import Iterable

from guarita.decision import Known
from guarita.facts import Facts
from guarita.layers.api_key import Credential
from guarita.layers.certificate import VerifiedCertificate
from guarita.records import ApiKey
from guarita.serving.admitted import CHECKED, OVERRIDES
from guarita.serving.certificates import CertificateHeader, poses_as_certificate

HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"http2-settings",
    }
)
"""Fields that speak of one connection (RFC 9110 section 7.6.1)."""

FRAMING = frozenset({b"content-length", b"expect", b"host"})
"""Fields the gateway writes itself."""

CREDENTIALS = frozenset({b"authorization", b"hmac", b"x-delbank-api-key"})
"""What callers prove themselves with; the upstream has no use for it."""

FORWARDED = frozenset(
    {
        b"x-forwarded-for",
        b"x-forwarded-proto",
        b"x-forwarded-host",
        b"forwarded",
        b"x-real-ip",
        b"x-client-ip",
        b"true-client-ip",
        b"cf-connecting-ip",
        b"front-end-https",
        b"x-url-scheme",
        b"x-original-uri",
        b"x-client-verify",
        b"x-client-dn",
        b"x-ssl-verify",
        b"x-remote-user",
        b"proxy",  # CGI makes HTTP_PROXY of it, which clients take for their own proxy
    }
)
"""Fields by which a proxy speaks of the caller: the gateway speaks for itself. Of the family
`X-Forwarded-…` none is handed on.
"""

DECIDED = CHECKED | CREDENTIALS | {b"x-key-case", b"content-type", b"ray-id"}
"""Fields that a decision may rest on: a twin in other characters was not looked at."""

USUAL = (
    DECIDED
    | HOP_BY_HOP
    | FRAMING
    | FORWARDED
    | {
        b"accept-encoding",
        b"access-control-request-method",
        b"cache-control",
        b"if-none-match",
        b"last-event-id",
        b"sec-fetch-mode",
        b"user-agent",
    }
)
"""Fields of ordinary requests: no identity header begins like one."""

WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
"""Methods whose body is framed even where it is empty (RFC 9110, 8.6)."""

ALWAYS_DROPPED = HOP_BY_HOP | FRAMING | FORWARDED | frozenset(OVERRIDES)

VIA = (b"via: 1.0 guarita", b"via: 1.1 guarita")  # by the caller's version (RFC 9110, 7.6.3)

MOST_IDENTITIES = 10_000

_PLAIN = b"abcdefghijklmnopqrstuvwxyz0123456789-"
_HYPHENS = bytes(byte if byte in _PLAIN else 45 for byte in range(256))
_PREFIX = re.compile(r"[A-Za-z][A-Za-z0-9-]*-")
_HOST = re.compile(r"(?:[A-Za-z0-9_.-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
_NOT_PLAIN = re.compile(r"[^ -~]|%")


class Forwarding:
    """How requests are handed on.

    Args:
        prefix: of the identity headers, such as "Guarita-".
        host: the `Host` the upstream gets; None hands on the caller's.
        credentials: names of further fields that are not handed on.
        keep_credentials: names of credential fields that the upstream gets all the same.

    Raises:
        ValueError: a prefix that is no beginning of a header name ending in "-", a host that is not
            one, or `keep_credentials` that are no credentials.
    """

    __slots__ = ("_drop", "_host", "_identities", "_names", "_own", "prefix")

    def __init__(
        self,
        prefix: str = "Guarita-",
        *,
        host: str | None = None,
        credentials: Iterable[str] = (),
        keep_credentials: Iterable[str] = (),
    ) -> None:
        if not _PREFIX.fullmatch(prefix):
            raise ValueError(
                f"identity header prefix {prefix!r}: write letters, digits and hyphens, with a"
                " hyphen at the end, such as 'Guarita-'"
            )
        taken = min((one for one in USUAL if one.startswith(prefix.lower().encode())), default=None)
        if taken is not None:
            raise ValueError(
                f"identity header prefix {prefix!r}: every field that begins so is taken from"
                f" callers, and {taken.decode()} does; choose a word of your own, as 'Guarita-' is"
            )
        if host is not None and not _HOST.fullmatch(host):
            raise ValueError(f"host {host!r}: write a name or an address, with or without a port")
        kept = {one.lower().encode("ascii") for one in keep_credentials}
        if strangers := kept - CREDENTIALS:
            raise ValueError(
                f"keep_credentials: {min(strangers).decode()!r} is none of "
                + ", ".join(sorted(one.decode() for one in CREDENTIALS))
            )
        named = {one.lower().encode("ascii") for one in credentials}
        self.prefix = prefix
        self._drop = (ALWAYS_DROPPED | CREDENTIALS | named) - kept
        self._own = tuple({prefix.lower().encode(), b"guarita-", b"x-forwarded-"})
        self._host = None if host is None else b"host: " + host.encode()
        self._names = tuple(
            b"%b%b: " % (prefix.encode(), name)
            for name in (
                b"Account",
                b"Key",
                b"Permissions",
                b"Address",
                b"Ray",
                b"Certificate-Subject",
                b"Certificate-Sha256",
            )
        )
        self._identities: dict[str, tuple[ApiKey, str | None, bool, bytes]] = {}

    def head(
        self,
        facts: Facts,
        known: Known | None,
        query: bytes,
        certificate_header: CertificateHeader | None,
        framing: bytes,
        minor: int = 1,
    ) -> bytes:
        """The whole request head for the upstream, blank line included.

        `known`: what the layers found; None for a path that is not guarded, which carries no
        identity. `certificate_header`: the one an edge passes certificates in. `framing`: what
        `framing_of` gives. `minor`: 0 where the caller speaks HTTP/1.0.
        """
        headers = facts.headers
        names, pairs, drop = headers.names, headers.pairs, self._drop
        if b"connection" in names and (listed := listed_in(headers.all(b"connection"))):
            drop = drop | listed
        if b"ray-id" in names and tuple(headers.all(b"ray-id")) != (facts.ray.encode(),):
            drop = drop | {b"ray-id"}  # the caller's own word, which the gate did not believe
        odd = names.translate(None, _PLAIN) or b"cert" in names or b"ssl" in names
        if not odd:
            for own in self._own:
                odd = odd or own in names
        if odd:
            pairs = [pair for pair in pairs if not self._poses(pair[0], certificate_header)]
        lines = [b": ".join(pair) for pair in pairs if pair[0] not in drop]
        target = facts.path.encode("latin-1")
        if query:
            target = b"%b?%b" % (target, query)
        lines.insert(0, b"%b %b HTTP/1.1" % (facts.method.encode("latin-1"), target))
        lines.append(self._host or b"host: " + (headers.get(b"host") or b""))
        if known is None:
            lines += _forwarded(facts)
        else:
            self._identify(lines, facts, known)
        lines.append(VIA[minor])  # after those that are there already
        lines.append(framing)
        return b"\r\n".join(lines)

    def _poses(self, name: bytes, certificate_header: CertificateHeader | None) -> bool:
        """Whether a field could be taken for the gate's own word, for a certificate, or for one of
        the fields it decided on or drops: CGI and what is built on it read other characters as
        hyphens, or both as underscores.
        """
        plain = name.translate(_HYPHENS)
        if plain.startswith(self._own) or poses_as_certificate(plain):
            return True
        if certificate_header is not None and certificate_header.owns(plain):
            return True
        if plain == name:
            return False
        plain = plain.strip(b"-")
        return plain in DECIDED or plain in self._drop

    def _identify(self, lines: list[bytes], facts: Facts, known: Known) -> None:
        names = self._names
        credential = known.get(Credential)
        if credential is not None:
            key: ApiKey = credential.key
            made = self._identities.get(key.client_id)
            if (
                made is None
                or made[0] is not key
                or made[1] != facts.client
                or made[2] is not facts.secure
            ):
                made = self._identity(key, facts)
            lines.append(made[3])
        else:
            lines.append(names[3] + (facts.client or "").encode())
            lines += _forwarded(facts)
        lines.append(names[4] + facts.ray.encode())
        certificate = known.get(VerifiedCertificate)
        if certificate is not None:
            lines.append(names[5] + plain_value(certificate.subject))
            lines.append(names[6] + certificate.sha256.encode())

    def _identity(self, key: ApiKey, facts: Facts) -> tuple[ApiKey, str | None, bool, bytes]:
        """The lines that are the same for every request of a key from one address, kept while
        neither changes.
        """
        client = facts.client
        values = (
            plain_value(key.account.account_id),
            plain_value(key.client_id),
            b",".join(sorted(plain_value(one) for one in key.permissions)),
            (client or "").encode(),
        )
        lines = [name + value for name, value in zip(self._names, values, strict=False)]
        lines += _forwarded(facts)
        if len(self._identities) >= MOST_IDENTITIES:
            self._identities.clear()
        made = key, client, facts.secure, b"\r\n".join(lines)
        self._identities[key.client_id] = made
        return made


def _forwarded(facts: Facts) -> list[bytes]:
    """What the gateway says of the caller's connection."""
    scheme = _SECURE if facts.secure else _PLAINTEXT
    if facts.client is None:
        return [scheme]
    return [b"x-forwarded-for: " + facts.client.encode(), scheme]


_SECURE, _PLAINTEXT = b"x-forwarded-proto: https", b"x-forwarded-proto: http"


def framing_of(method: str, body: bytes | None, announced: int | None) -> bytes:
    """The field that frames a body, where there is one to frame, and the end of the head.

    `body`: the whole body, or None where it is streamed, in chunks unless its length was
    `announced`.
    """
    if body is None:
        if announced is None:
            return b"transfer-encoding: chunked\r\n\r\n"
        return b"content-length: %d\r\n\r\n" % announced
    if body or method in WITH_BODY:
        return b"content-length: %d\r\n\r\n" % len(body)
    return b"\r\n"


def listed_in(values: Iterable[bytes]) -> frozenset[bytes]:
    """The field names that `Connection` values list, in lower case (RFC 9110 section 7.6.1)."""
    named = {one.strip(b" \t").lower() for value in values for one in value.split(b",")}
    return frozenset(named - {b"", b"close", b"keep-alive"})


def plain_value(text: str) -> bytes:
    """A text as a header value of printable ASCII; everything else (and "%") percent-encoded as
    UTF-8.
    """
    return _NOT_PLAIN.sub(
        lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode("utf-8", "replace")), text
    ).encode("ascii")
