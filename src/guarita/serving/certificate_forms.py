"""How edges write a client certificate into a request header: one parser for each form.

A parser takes the headers and the name of the one it reads, and gives DER certificates, the
client's own first, or none where the edge says that there is none. It raises `Unreadable`, never
anything else. DER is looked at no deeper than its outer length.
"""

import hashlib
import re
from binascii import Error, a2b_base64
from collections.abc import Iterator, Sequence
from functools import lru_cache
from urllib.parse import unquote_to_bytes

from guarita.facts import Headers

MOST_BYTES = 65_536
"""Header values longer than this are refused unread; ten certificates with RSA keys fit."""

MOST_CERTIFICATES = 10
"""The longest chain that is read, the client's own certificate included."""

_REMEMBERED_BYTES = 8_192  # of PEM text; an ordinary chain has 2,000 to 6,000

# Possessive quantifiers: a value that does not fit is given up in linear time.
_PEM = re.compile(
    rb"\s*+-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]++)-----END CERTIFICATE-----\s*+"
)
_BLANKS = re.compile(rb"\s+")
_XFCC_PAIR = re.compile(
    rb'[ \t]*+([A-Za-z]+)=("[^"\\]*+(?:\\.[^"\\]*+)*+"[ \t]*+|[^",;]*+)(?:([;,])|\Z)', re.DOTALL
)


class Unreadable(Exception):
    """A header is there and is not what its form says; tells why, without any of its content."""


def _value(headers: Headers, name: bytes) -> bytes:
    """The one value sent under `name`, without the blanks around it; b"" where none was sent."""
    if name in headers.repeated:
        raise Unreadable("given more than once")
    return _bounded(headers.get(name) or b"")


def _bounded(value: bytes) -> bytes:
    if len(value) > MOST_BYTES:
        raise Unreadable(f"longer than {MOST_BYTES} bytes")
    return value.strip(b" \t")


def _rfc9440(headers: Headers, name: bytes) -> Iterator[bytes]:
    """RFC 9440 section 2.2: one byte sequence, single; section 2.3: a list of them, which may be
    spread over several fields and stands only beside the first. An empty value or byte sequence is
    what edges that cannot leave the header out send for "none".
    """
    own = _value(headers, name)
    # RFC 8941 section 4.2: the fields of a list are joined by commas; an empty one adds nothing.
    others = _bounded(b",".join(filter(None, headers.all(b"client-cert-chain"))))
    if own in (b"", b"::"):
        if others:
            raise Unreadable("missing beside client-cert-chain")
        return
    yield _one(_byte_sequence(own))
    for item in _items(others) if others else ():
        yield _one(_byte_sequence(item))


def _byte_sequence(item: bytes) -> bytes:
    if len(item) < 3 or item[:1] != b":" or item[-1:] != b":":
        raise Unreadable("not a byte sequence (base64 between colons)")
    return _base64(item[1:-1])


def _xfcc(headers: Headers, name: bytes) -> Sequence[bytes]:
    """Envoy's "x-forwarded-client-cert": key=value pairs by semicolon, elements by comma.

    A second element means that the edge appends to what came from outside (the first one is the
    caller's own then), so one element only. `DNS` and `URI` are written by Envoy as the certificate
    has them, without escapes: a key given twice and a `Hash` of another certificate are refused.
    """
    value = _value(headers, name)
    if not value:
        return ()
    found: dict[bytes, bytes] = {}
    at = 0
    while True:
        pair = _XFCC_PAIR.match(value, at)
        if pair is None:
            raise Unreadable("not key=value pairs separated by semicolons")
        key, text, end = pair[1].lower(), pair[2], pair[3]
        if key in (b"hash", b"cert", b"chain"):
            if key in found:
                raise Unreadable(f"{key.decode().title()} given twice")
            found[key] = text.strip(b' \t"')
        if end == b",":
            raise Unreadable("more than one element (the edge has to replace the header)")
        if end is None:
            break
        at = pair.end()
    own, chain = _pem(found.get(b"cert", b"")), _pem(found.get(b"chain", b""))
    if not own and not chain:
        raise Unreadable("neither Cert nor Chain in it (the edge has to be told to add Cert)")
    if len(own) > 1 or (own and chain and own[0] != chain[0]):
        raise Unreadable("Cert is not the first certificate of Chain")
    leaf = (own or chain)[0]
    if found.get(b"hash", b"").lower() not in (b"", hashlib.sha256(leaf).hexdigest().encode()):
        raise Unreadable("Hash is another certificate's")
    return chain or own


def _nginx(headers: Headers, name: bytes) -> Sequence[bytes]:
    """nginx's "$ssl_client_escaped_cert"; AWS leaves "+", "/" and "=" as they are."""
    return _pem(_value(headers, name))


def _base64_der(headers: Headers, name: bytes) -> Iterator[bytes]:
    """HAProxy's "ssl_c_der,base64", with "ssl_c_chain_der,base64" after a comma if wanted
    (that one is empty where the client sent no other certificate).
    """
    value = _value(headers, name)
    own, *others = _items(value)
    if not own and any(others):
        raise Unreadable("the client's own certificate is missing before the others")
    yield from _split(_base64(own))
    for item in others:
        yield from _split(_base64(item))


def _traefik(headers: Headers, name: bytes) -> Iterator[bytes]:
    """Traefik's "PassTLSClientCert": PEM without markers and line breaks, certificates by comma;
    older versions percent-encode it.
    """
    value = _value(headers, name)
    for item in _items(unquote_to_bytes(value)) if value else ():
        yield _one(_base64(item))


READERS = {
    "rfc9440": _rfc9440,
    "xfcc": _xfcc,
    "nginx-escaped-pem": _nginx,
    "base64-der": _base64_der,
    "traefik": _traefik,
}


def _items(value: bytes) -> list[bytes]:
    items = value.split(b",", MOST_CERTIFICATES)
    if len(items) > MOST_CERTIFICATES:
        raise Unreadable(f"more than {MOST_CERTIFICATES} certificates")
    return [item.strip(b" \t") for item in items]


def _pem(value: bytes) -> tuple[bytes, ...]:
    """The certificates of percent-encoded PEM text ("+" stands for itself)."""
    return _pem_remembered(value) if len(value) <= _REMEMBERED_BYTES else _pem_decoded(value)


def _pem_decoded(value: bytes) -> tuple[bytes, ...]:
    text = unquote_to_bytes(value)
    found: list[bytes] = []
    at = 0
    while at < len(text):
        block = _PEM.match(text, at)
        if block is None:
            raise Unreadable("not percent-encoded PEM certificates")
        found.append(_one(_base64(_BLANKS.sub(b"", block[1]))))
        if len(found) > MOST_CERTIFICATES:
            raise Unreadable(f"more than {MOST_CERTIFICATES} certificates")
        at = block.end()
    return tuple(found)


# Every request of a connection repeats its header, and decoding a chain costs 50 us.
_pem_remembered = lru_cache(maxsize=512)(_pem_decoded)


def _base64(text: bytes) -> bytes:
    """Strict base64; the padding may be left out (RFC 8941 section 4.2.7)."""
    try:
        return a2b_base64(text + b"=" * (-len(text) % 4), strict_mode=True)
    except Error:
        raise Unreadable("not base64") from None


def _split(der: bytes) -> Iterator[bytes]:
    """DER values of type SEQUENCE on end, each by its outer length (X.690 section 8.1)."""
    at = 0
    while at < len(der):
        head, size = at + 2, der[at + 1] if at + 1 < len(der) else 0
        if size >= 0x80:  # 0x80, the indefinite length, is none in DER: it comes out as empty
            head, size = head + size - 0x80, int.from_bytes(der[head : head + size - 0x80])
        end = head + size
        if der[at] != 0x30 or head == end or end > len(der):
            raise Unreadable("not a DER certificate")
        yield der[at:end]
        at = end


def _one(der: bytes) -> bytes:
    """`der`, where it is a single certificate."""
    if [*_split(der)] != [der]:
        raise Unreadable("not one DER certificate")
    return der
