"""Certificate headers of edges. Cases and their sources: tests/vectors/certificate_headers.json."""

import base64
import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guarita.facts import Headers, PresentedCertificate
from guarita.serving.certificates import (
    FAMILIES,
    FORMS,
    MOST_BYTES,
    MOST_CERTIFICATES,
    NAMES,
    CertificateHeader,
    Malformed,
    certificates_dropped,
    poses_as_certificate,
)

Row = dict[str, Any]
VECTORS: Row = json.loads(
    Path(__file__)
    .parents[1]
    .joinpath("vectors", "certificate_headers.json")
    .read_text(encoding="utf-8")
)
CASES: list[Row] = VECTORS["cases"]
DER: dict[str, bytes] = {
    name: base64.b64decode(text) for name, text in VECTORS["certificates"].items()
}
LEAF, INTERMEDIATE = DER["leaf"], DER["inter"]


def pem(der: bytes, end: str = "\n") -> str:
    text = base64.b64encode(der).decode()
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    return end.join(["-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----", ""])


SPELLINGS: dict[str, Callable[[bytes], str]] = {
    "pem": lambda der: quote(pem(der), safe="-"),
    "awspem": lambda der: quote(pem(der), safe="+=/-"),
    "crlfpem": lambda der: quote(pem(der, "\r\n"), safe="-"),
    "tabpem": lambda der: quote(pem(der, "\n\t"), safe="-"),
    "quoted": lambda der: quote(base64.b64encode(der), safe=""),
    "unpadded": lambda der: base64.b64encode(der).decode().rstrip("="),
    "cut": lambda der: base64.b64encode(der[:-3]).decode(),
    "hex": lambda der: der.hex(),
    "sha256": lambda der: hashlib.sha256(der).hexdigest(),
}


def spelled(value: str) -> bytes:
    """A header value of the vectors, with certificates in the place of their names."""

    def one(match: re.Match[str]) -> str:
        names, _, spelling = match[1].partition(":")
        der = b"".join(b"\0" if name == "00" else DER[name] for name in names.split("+"))
        return SPELLINGS[spelling](der) if spelling else base64.b64encode(der).decode()

    return re.sub(r"\{([a-z0-9+:]+)\}", one, value).encode()


@pytest.mark.parametrize("row", [pytest.param(r, id=f"{r['form']}: {r['name']}") for r in CASES])
def test_forms(row: Row) -> None:
    headers = Headers([(name.encode(), spelled(value)) for name, value in row["headers"]])
    read = CertificateHeader(row["form"]).read(headers)
    if row["want"] is None:
        assert read is None
    elif isinstance(row["want"], str):
        assert isinstance(read, Malformed)
        assert row["want"] in read.fault
        assert read.fault.startswith(FORMS[row["form"]].lower() + ": ")
        for _, value in headers.pairs:  # no part of a value is in what may be logged
            assert value not in read.fault.encode() or len(value) < 4
    else:
        assert read == tuple(DER[name] for name in row["want"])


def test_the_vectors_reach_every_form_and_every_outcome() -> None:
    for form in FORMS:
        outcomes = {type(row["want"]) for row in CASES if row["form"] == form}
        assert outcomes == {list, str, type(None)}
    # The RFC's own certificates were copied whole.
    assert hashlib.sha256(b"".join(DER.values())).hexdigest() == (
        "51b311b2dc354c92710f3553c1e52096e292ea911dfa81e718335c6dfcacb568"
    )


@pytest.mark.parametrize("form", sorted({"nginx-escaped-pem", "base64-der"}))
def test_the_edge_may_choose_the_name(form: str) -> None:
    header = CertificateHeader(form, "X-Amzn-Mtls-Clientcert")
    assert header.name == b"x-amzn-mtls-clientcert"
    value = SPELLINGS["pem"](LEAF).encode() if form[0] == "n" else base64.b64encode(LEAF)
    assert header.read(Headers([(b"x-amzn-mtls-clientcert", value)])) == (LEAF,)
    assert header.read(Headers([(FORMS[form].lower().encode(), value)])) is None


def test_names_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="'rfc9941' is not one of rfc9440, xfcc"):
        CertificateHeader("rfc9941")
    with pytest.raises(ValueError, match="'xfcc' stands in X-Forwarded-Client-Cert"):
        CertificateHeader("xfcc", "X-My-Cert")
    assert CertificateHeader("xfcc", "x-forwarded-client-CERT").form == "xfcc"
    for name in ("x_ssl_cert", "x-cert ", "x-cért", ":cert", "cert\r\n"):
        with pytest.raises(ValueError, match="letters, digits and hyphens only"):
            CertificateHeader("base64-der", name)
    with pytest.raises(ValueError, match='choose one with "cert" or "ssl" in it'):
        CertificateHeader("base64-der", "x-client-identity")
    with pytest.raises(ValueError, match="cannot carry both"):
        CertificateHeader("base64-der", time_name="X-SSL-Client-Der")


def as_written(form: str, chain: list[bytes]) -> list[tuple[bytes, bytes]]:
    """`chain` as an edge of that form writes it."""
    b64 = [base64.b64encode(der) for der in chain]
    name = FORMS[form].lower().encode()
    if form == "rfc9440":
        others = [b":%s:" % text for text in b64[1:]]
        own = [(name, b":%s:" % b64[0])]
        return [*own, (b"client-cert-chain", b", ".join(others))] if others else own
    if form == "xfcc":
        text = "".join(SPELLINGS["pem"](der) for der in chain)
        value = f'Hash={hashlib.sha256(chain[0]).hexdigest()};Chain="{text}"'
        return [(name, value.encode())]
    if form == "nginx-escaped-pem":
        return [(name, "".join(SPELLINGS["pem"](der) for der in chain).encode())]
    if form == "base64-der":
        return [(name, b64[0] + b"," + base64.b64encode(b"".join(chain[1:])))]
    return [(name, b",".join(b64))]


@st.composite
def sequences(draw: st.DrawFn) -> bytes:
    """DER values of type SEQUENCE, of lengths around those that are written differently."""
    sizes = st.one_of(st.integers(1, 300), st.sampled_from([127, 128, 255, 256, 1500]))
    content = draw(st.binary(min_size=1, max_size=8)) * draw(sizes)
    size = len(content)
    if size < 0x80:
        return b"\x30" + bytes([size]) + content
    width = (size.bit_length() + 7) // 8
    return b"\x30" + bytes([0x80 + width]) + size.to_bytes(width) + content


@given(
    st.sampled_from(sorted(FORMS)), st.lists(sequences(), min_size=1, max_size=MOST_CERTIFICATES)
)
def test_what_an_edge_writes_is_read(form: str, chain: list[bytes]) -> None:
    pairs = as_written(form, chain)
    read = CertificateHeader(form).read(Headers(pairs))
    if max(len(value) for _, value in pairs) > MOST_BYTES:
        assert isinstance(read, Malformed)
    else:
        assert read == tuple(chain)


@pytest.mark.parametrize("form", sorted(FORMS))
def test_a_chain_and_a_header_have_an_end(form: str) -> None:
    header = CertificateHeader(form)
    longest = [LEAF, *[INTERMEDIATE] * (MOST_CERTIFICATES - 1)]
    assert header.read(Headers(as_written(form, longest))) == tuple(longest)
    one_more = header.read(Headers(as_written(form, [*longest, INTERMEDIATE])))
    assert isinstance(one_more, Malformed)
    assert "more than 10 certificates" in one_more.fault
    name = header.name
    for value in (b"A" * 400_000, b":" * 400_000, b"," * 400_000, b" " * 400_000, b'="' * 200_000):
        too_long = header.read(Headers([(name, value)]))
        assert isinstance(too_long, Malformed)
        assert "longer than 65536 bytes" in too_long.fault
    for value in (b"," * MOST_BYTES, b'Cert="' + b"\\" * 60_000, b"DNS=" + b" " * 60_000 + b'"'):
        assert isinstance(header.read(Headers([(name, value)])), Malformed | None)
    assert isinstance(header.read(Headers([(name, b"x=" + b"30010030" * 8000)])), Malformed)


def test_a_long_chain_field_is_refused_too() -> None:
    own = (b"client-cert", b":%s:" % base64.b64encode(LEAF))
    others = [(b"client-cert-chain", b":%s:" % (b"A" * 30_000))] * 3
    read = CertificateHeader("rfc9440").read(Headers([own, *others]))
    assert read == Malformed("client-cert: longer than 65536 bytes")


pieces = st.sampled_from(
    [
        *(b",", b";", b":", b"=", b'"', b"\\", b"%", b"%0A", b" ", b"\t", b"\n", b"\x00", b"\xff"),
        *(
            b"Cert=",
            b"Chain=",
            b"Hash=",
            b"DNS=",
            b"0\x82",
            b"MIIB",
            b"-----BEGIN CERTIFICATE-----",
        ),
        *(b"-----END%20CERTIFICATE-----", base64.b64encode(LEAF), SPELLINGS["pem"](LEAF).encode()),
    ]
)
values = st.one_of(
    st.binary(max_size=200), st.lists(st.one_of(pieces, st.binary(max_size=6))).map(b"".join)
)


@given(st.sampled_from(sorted(FORMS)), st.lists(values, max_size=3), st.lists(values, max_size=2))
def test_reading_never_raises(form: str, own: list[bytes], others: list[bytes]) -> None:
    header = CertificateHeader(form)
    read = header.read(
        Headers([(header.name, v) for v in own] + [(b"client-cert-chain", v) for v in others])
    )
    assert read is None or isinstance(read, Malformed) or 0 < len(read) <= MOST_CERTIFICATES
    if isinstance(read, tuple):
        assert all(der[:1] == b"\x30" and len(der) > 2 for der in read)


@given(st.binary(max_size=40))
def test_an_encoded_value_is_one_certificate_or_nothing(der: bytes) -> None:
    value = base64.b64encode(der)
    read = CertificateHeader("rfc9440").read(Headers([(b"client-cert", b":%s:" % value)]))
    assert read in (None, (der,)) or isinstance(read, Malformed)
    assert (read is None) == (der == b"")


ARRIVAL = 1_700_000_000.5
TIMES = [
    (["1699999990"], 1_699_999_990.0),
    (["1699999990.250"], 1_699_999_990.25),
    ([], ARRIVAL),
    (["1800000000"], ARRIVAL),  # the edge's clock is ahead: never later than the arrival
    (["0"], 0.0),
    ([""], None),
    (["now"], None),
    (["-1"], None),
    (["1e9"], None),
    (["1699999990", "1699999990"], None),
    (["inf"], None),
    (["١٢٣"], None),
    (["1699999990\n"], None),
    (["9" * 400], None),
]


@pytest.mark.parametrize(("sent", "at"), TIMES)
def test_time_of_the_edges_check(sent: list[str], at: float | None) -> None:
    header = CertificateHeader("base64-der", time_name="X-SSL-Client-At")
    own = (b"x-ssl-client-der", base64.b64encode(LEAF))
    headers = Headers([own, *((b"x-ssl-client-at", time.encode()) for time in sent)])
    presented = header.presented(headers, ARRIVAL)
    if at is None:
        assert presented == Malformed("x-ssl-client-at: not one Unix time in seconds")
    else:
        assert presented == PresentedCertificate((LEAF,), at)


def test_time_without_a_certificate_or_unconfigured_is_not_looked_at() -> None:
    timed = CertificateHeader("base64-der", time_name="X-SSL-Client-At")
    assert timed.presented(Headers([(b"x-ssl-client-at", b"now")]), ARRIVAL) is None
    untimed = CertificateHeader("base64-der")
    own = (b"x-ssl-client-der", base64.b64encode(LEAF))
    headers = Headers([own, (b"x-ssl-client-at", b"0")])
    assert untimed.presented(headers, ARRIVAL) == PresentedCertificate((LEAF,), ARRIVAL)
    broken = Headers([(b"x-ssl-client-der", b"?")])
    assert untimed.presented(broken, ARRIVAL) == Malformed("x-ssl-client-der: not base64")


every_name = st.sampled_from(sorted(NAMES | {family + b"serial" for family in FAMILIES}))


@given(every_name, st.randoms(use_true_random=False))
def test_every_spelling_of_a_known_name_poses(name: bytes, random: Any) -> None:
    spelling = b"".join(
        bytes([random.choice((c, ord("_") if c == ord("-") else c, ord(chr(c).upper())))])
        for c in name
    )
    assert poses_as_certificate(spelling)
    headers = Headers([(b"accept", b"*/*"), (spelling, b"spoofed"), (b"hmac", b"00")])
    assert list(certificates_dropped(headers, None)) == [(b"accept", b"*/*"), (b"hmac", b"00")]


def test_ordinary_headers_do_not_pose() -> None:
    ordinary = [
        b"accept",
        b"x-forwarded-for",
        b"concert",
        b"x-ssl",
        b"certainty",
        b"x-delbank-cert",
    ]
    headers = Headers([(name, b"1") for name in ordinary])
    assert certificates_dropped(headers, None) == headers.pairs
    assert not any(poses_as_certificate(name) for name in ordinary)
    plain = Headers([(b"accept", b"*/*")])
    assert certificates_dropped(plain, CertificateHeader("xfcc")) is plain.pairs


@pytest.mark.parametrize("form", sorted(FORMS))
def test_only_the_believed_header_is_kept(form: str) -> None:
    believed = CertificateHeader(form, time_name="X-Client-Cert-At")
    own = [(believed.name, b"1"), (b"x-client-cert-at", b"2"), (b"accept", b"*/*")]
    others = [(name, b"spoofed") for name in sorted(NAMES) if not believed.owns(name)]
    twins = [(name.replace(b"-", b"_"), b"spoofed") for name in sorted(NAMES) if b"-" in name]
    mixed = Headers([*others, *own, *twins, (b"x_client_cert-at", b"3")])
    assert list(certificates_dropped(mixed, believed)) == own
    doubled = Headers([*own, (believed.name, b"4")])
    assert list(certificates_dropped(doubled, believed)) == own[1:]


def test_a_chosen_name_has_twins_too() -> None:
    believed = CertificateHeader("base64-der", "X-Bank-Cert")
    headers = Headers([(b"x-bank-cert", b"1"), (b"x_bank_cert", b"2"), (b"x-bank_cert", b"3")])
    assert list(certificates_dropped(headers, believed)) == [(b"x-bank-cert", b"1")]
    assert list(certificates_dropped(headers, None)) == list(headers.pairs)


def test_the_rfc_chain_may_stand_in_several_fields() -> None:
    pairs = [(b"client-cert", b"1"), (b"client-cert-chain", b"2"), (b"client-cert-chain", b"3")]
    assert list(certificates_dropped(Headers(pairs), CertificateHeader("rfc9440"))) == pairs
    assert list(certificates_dropped(Headers(pairs), CertificateHeader("xfcc"))) == []


def test_every_known_name_is_found_by_its_words() -> None:
    # What `certificates_dropped` looks for first, in all names run together.
    assert all(b"cert" in name or b"ssl" in name for name in (*NAMES, *FAMILIES))
    assert {name.lower().encode() for name in FORMS.values()} <= NAMES
