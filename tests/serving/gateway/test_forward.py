"""The request as the upstream gets it (DESIGN rule 10; RFC 9110, 7.6)."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guarita.decision import Known
from guarita.facts import Facts, Headers
from guarita.layers.api_key import Credential
from guarita.layers.certificate import VerifiedCertificate
from guarita.records import Account, ApiKey
from guarita.serving.certificates import CertificateHeader
from guarita.serving.gateway.forward import Forwarding, framing_of, plain_value

Pairs = list[tuple[bytes, bytes]]
KEY = ApiKey(
    "cli_1",
    Account("acc_1", "Loja da Ana"),
    (),
    permissions=frozenset({"pix:write", "account:read"}),
)
KNOWN = Known({Credential: Credential(KEY, None)})
IDENTITY = {
    b"guarita-account": b"acc_1",
    b"guarita-key": b"cli_1",
    b"guarita-permissions": b"account:read,pix:write",
    b"guarita-address": b"203.0.113.45",
    b"guarita-ray": b"ray-1",
}


def facts(pairs: Pairs, **changed: Any) -> Facts:
    values: dict[str, Any] = {
        "method": "POST",
        "path": "/a%20b",
        "query": b"",
        "headers": Headers(pairs),
        "peer": "203.0.113.45",
        "client": "203.0.113.45",
        "at": 1_760_000_000.0,
        "ray": "ray-1",
        "token": "token",
        **changed,
    }
    return Facts(**values)


def head(
    pairs: Pairs,
    forwarding: Forwarding | None = None,
    known: Known | None = KNOWN,
    query: bytes = b"",
    edge: CertificateHeader | None = None,
    **changed: Any,
) -> tuple[bytes, Pairs]:
    """Request line and fields, names in lower case."""
    made = (forwarding or Forwarding()).head(
        facts([(b"host", b"api.test"), *pairs], **changed),
        known,
        query,
        edge,
        framing_of("POST", b"abc", None),
    )
    assert made.endswith(b"\r\ncontent-length: 3\r\n\r\n")
    line, *fields = made[:-4].split(b"\r\n")
    return line, [
        (name.lower(), value) for name, _, value in (one.partition(b": ") for one in fields)
    ]


def passed_on(pairs: Pairs, *arguments: Any, **settings: Any) -> Pairs:
    """What of `pairs` the upstream gets."""
    _, fields = head(pairs, *arguments, **settings)
    sent = {name for name, _ in pairs}
    own = {*IDENTITY, b"host", b"x-forwarded-for", b"x-forwarded-proto", b"content-length"}
    assert fields[-2] == (b"via", b"1.1 guarita")
    del fields[-2]
    return [pair for pair in fields if pair[0] in sent and pair[0] not in own]


def test_a_whole_request() -> None:
    line, fields = head([(b"accept", b"*/*"), (b"idempotency-key", b"k")], query=b"c=d")
    assert line == b"POST /a%20b?c=d HTTP/1.1"
    assert dict(fields) == {
        b"accept": b"*/*",
        b"idempotency-key": b"k",
        b"host": b"api.test",
        **IDENTITY,
        b"x-forwarded-for": b"203.0.113.45",
        b"x-forwarded-proto": b"http",
        b"via": b"1.1 guarita",
        b"content-length": b"3",
    }
    assert len(fields) == len(dict(fields))


@pytest.mark.parametrize(
    ("method", "body", "announced", "framing"),
    [
        ("POST", None, None, b"transfer-encoding: chunked\r\n\r\n"),
        ("GET", None, 9, b"content-length: 9\r\n\r\n"),
        ("POST", b"", None, b"content-length: 0\r\n\r\n"),
        ("GET", b"", None, b"\r\n"),
        ("DELETE", b"ab", 9, b"content-length: 2\r\n\r\n"),
    ],
)
def test_framing(method: str, body: bytes | None, announced: int | None, framing: bytes) -> None:
    assert framing_of(method, body, announced) == framing
    made = Forwarding().head(facts([(b"host", b"a")]), None, b"", None, framing)
    assert made.endswith(b"x-forwarded-proto: http\r\nvia: 1.1 guarita\r\n" + framing)


def test_identity_of_a_certificate() -> None:
    certificate = VerifiedCertificate("CN=Padaria São João\r\nX: y,O=100%", "01", "AB:CD")
    known = Known(KNOWN)
    known[VerifiedCertificate] = certificate
    _, fields = head([], known=known)
    subject = b"CN=Padaria S%C3%A3o Jo%C3%A3o%0D%0AX: y,O=100%25"
    assert dict(fields)[b"guarita-certificate-subject"] == subject
    assert dict(fields)[b"guarita-certificate-sha256"] == b"AB:CD"


def test_another_prefix() -> None:
    forwarding = Forwarding("X-Gate-")
    twins = [(b"x-gate-account", b"x"), (b"guarita-account", b"x"), (b"x_gate_key", b"x")]
    _, fields = head(twins, forwarding)
    got = dict(fields)
    assert got[b"x-gate-account"] == b"acc_1"
    assert [name for name, _ in fields].count(b"x-gate-account") == 1
    assert b"guarita-account" not in got
    assert b"x_gate_key" not in got


@pytest.mark.parametrize("prefix", ["", "-", "Guarita", "Gua rita-", "Gua:-", "X\r\n-", "é-", "1-"])
def test_bad_prefixes(prefix: str) -> None:
    with pytest.raises(ValueError, match="hyphen at the end"):
        Forwarding(prefix)


@pytest.mark.parametrize("prefix", ["X-", "Content-", "accept-", "X-Forwarded-", "Ray-"])
def test_prefixes_of_ordinary_fields(prefix: str) -> None:
    with pytest.raises(ValueError, match="a word of your own"):
        Forwarding(prefix)


@pytest.mark.parametrize("host", ["", "a b", "a\r\nX: y", "a/b", "user@a", "a:port", "é"])
def test_bad_hosts(host: str) -> None:
    with pytest.raises(ValueError, match="name or an address"):
        Forwarding(host=host)


def test_host_kept_or_replaced() -> None:
    assert dict(head([])[1])[b"host"] == b"api.test"
    for host in ("app.internal", "app.internal:8080", "[::1]:80"):
        assert dict(head([], Forwarding(host=host))[1])[b"host"] == host.encode()


def test_a_changed_key_is_seen() -> None:
    forwarding = Forwarding()
    head([], forwarding)
    other = ApiKey("cli_1", KEY.account, (), permissions=frozenset({"pix:read"}))
    known = Known({Credential: Credential(other, None)})
    assert dict(head([], forwarding, known)[1])[b"guarita-permissions"] == b"pix:read"
    known = Known({Credential: Credential(ApiKey("cli_2", KEY.account, ()), None)})
    assert dict(head([], forwarding, known)[1])[b"guarita-permissions"] == b""


def test_unguarded_requests_have_no_identity() -> None:
    _, fields = head([(b"guarita-account", b"x"), (b"guarita-role", b"x")], known=None)
    assert not [name for name, _ in fields if name.startswith(b"guarita")]


TWINS = [
    b"guarita-account",
    b"guarita_account",
    b"guarita.account",
    b"guarita-anything",
    b"guarita_ray",
    b"authorization",
    b"hmac",
    b"x-delbank-api-key",
    b"x_delbank_api_key",
    b"x.delbank-api_key",
    b"x_delfinance_account_id",
    b"idempotency_key",
    b"x_forwarded_for",
    b"x-forwarded_proto",
    b"x-forwarded-host",
    b"x-real-ip",
    b"x_real_ip",
    b"forwarded",
    b"content_length",
    b"transfer_encoding",
    b"x-http-method-override",
    b"x_http_method_override",
    b"x-method-override",
    b"x-original-url",
    b"x_rewrite_url",
    b"x-rewrite-url",
    b"x-original-uri",
    b"proxy",
    b"x-forwarded-port",
    b"x-forwarded-prefix",
    b"x-forwarded-user",
    b"x_forwarded_scheme",
    b"front-end-https",
    b"x-url-scheme",
    b"x-client-ip",
    b"true-client-ip",
    b"cf-connecting-ip",
    b"cf_connecting-ip",
    b"x-client-verify",
    b"x-client-dn",
    b"x-ssl-verify",
    b"x-remote-user",
    b"hmac_",
    b"_hmac",
    b"x-key_case",
    b"content_type",
    b"ray-id",
    b"ray_id",
    b"client-cert",
    b"client_cert",
    b"x-forwarded-client-cert",
    b"ssl_client_cert",
    b"x-ssl-client-s-dn",
    b"ssl-client-verify",
    b"te",
    b"trailer",
    b"upgrade",
    b"keep-alive",
    b"proxy-authorization",
    b"proxy-connection",
    b"http2-settings",
    b"expect",
    b"connection",
    b"transfer-encoding",
]


@pytest.mark.parametrize("name", TWINS, ids=lambda name: name.decode())
def test_what_stays_behind(name: bytes) -> None:
    pairs = [(b"accept", b"*/*"), (name, b"x"), (name, b"y"), (b"x-kept", b"z")]
    assert passed_on(pairs) == [(b"accept", b"*/*"), (b"x-kept", b"z")]


KEPT = [
    b"x-delfinance-account-id",
    b"idempotency-key",
    b"x-key-case",
    b"content-type",
    b"cookie",
    b"x_own_header",
    b"x.own",
    b"user-agent",
    b"x-certainly",
]


@pytest.mark.parametrize("name", KEPT, ids=lambda name: name.decode())
def test_what_is_handed_on(name: bytes) -> None:
    assert passed_on([(name, b"x"), (name, b"y")]) == [(name, b"x"), (name, b"y")]


def test_credentials_by_setting() -> None:
    pairs = [(b"authorization", b"x"), (b"x-secret", b"y"), (b"x_secret", b"y")]
    forwarding = Forwarding(credentials=["X-Secret"], keep_credentials=["Authorization"])
    assert passed_on(pairs, forwarding) == [(b"authorization", b"x")]
    with pytest.raises(ValueError, match="'host' is none of authorization"):
        Forwarding(keep_credentials=["Host"])


def test_the_edges_own_certificate_header() -> None:
    edge = CertificateHeader("base64-der", "X-My-Certificate", time_name="X-My-Cert-Time")
    pairs = [(b"x-my-certificate", b"x"), (b"x_my_certificate", b"x"), (b"x-my-cert-time", b"1")]
    assert passed_on(pairs, edge=edge) == []


def test_a_ray_is_handed_on_where_the_gate_took_it_over() -> None:
    assert passed_on([(b"ray-id", b"ray-1")]) == [(b"ray-id", b"ray-1")]
    assert passed_on([(b"ray-id", b"ray-2")]) == []
    assert passed_on([(b"ray-id", b"ray-1"), (b"ray-id", b"ray-1")]) == []


def test_a_kept_credential_has_no_twin() -> None:
    pairs = [(b"hmac", b"x"), (b"hmac_", b"y"), (b"h_mac", b"z")]
    forwarding = Forwarding(keep_credentials=["hmac"])
    assert passed_on(pairs, forwarding) == [(b"hmac", b"x"), (b"h_mac", b"z")]


def test_fields_that_connection_lists() -> None:
    pairs = [
        (b"connection", b"close, X-Hop ,,"),
        (b"connection", b"x-other"),
        (b"x-hop", b"1"),
        (b"x-other", b"2"),
        (b"x-third", b"3"),
    ]
    assert passed_on(pairs) == [(b"x-third", b"3")]


def test_connection_cannot_take_identity_away() -> None:
    listed = b"guarita-account, x-forwarded-for, host, content-length"
    _, fields = head([(b"connection", listed)])
    got = dict(fields)
    for name in (b"guarita-account", b"x-forwarded-for", b"host", b"content-length"):
        assert name in got


def test_a_gateway_names_itself_behind_those_before_it() -> None:
    """RFC 9110, 7.6.3. The caller's own word stays, and cannot stand in the gateway's place."""
    before = [(b"via", b"1.0 fred, 2 edge"), (b"accept", b"*/*"), (b"via", b"1.1 guarita")]
    made = head(before)[1]
    told = [value for name, value in made if name == b"via"]
    assert told == [b"1.0 fred, 2 edge", b"1.1 guarita", b"1.1 guarita"]
    made = head([(b"connection", b"via"), (b"via", b"1.0 fred")])[1]
    assert [value for name, value in made if name == b"via"] == [b"1.1 guarita"]
    old = Forwarding().head(facts([]), KNOWN, b"", None, b"\r\n", 0)
    assert old.endswith(b"\r\nvia: 1.0 guarita\r\n\r\n")


def test_who_the_gateway_says_is_calling() -> None:
    forged = [(b"x-forwarded-for", b"10.0.0.1"), (b"x-forwarded-proto", b"https")]
    got = head(forged)[1]
    assert [value for name, value in got if name == b"x-forwarded-for"] == [b"203.0.113.45"]
    assert [value for name, value in got if name == b"x-forwarded-proto"] == [b"http"]
    assert dict(head(forged, secure=True)[1])[b"x-forwarded-proto"] == b"https"
    assert b"x-forwarded-for" not in dict(head(forged, client=None)[1])


NAMES = st.text("abcdefghijklmnopqrstuvwxyz-_.!~guarita", min_size=1, max_size=20)
VALUES = st.text(
    st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=30
)


@given(st.lists(st.tuples(NAMES, VALUES), max_size=12))
def test_nothing_is_ever_added(pairs: list[tuple[str, str]]) -> None:
    """Whatever fields come: one identity, one framing, no line that was not a field."""
    raw = [(name.encode(), value.strip().encode("latin-1")) for name, value in pairs]
    _, fields = head(raw)
    for name, value in {**IDENTITY, b"content-length": b"3", b"host": b"api.test"}.items():
        assert [found for one, found in fields if one == name] == [value]
    strangers = [pair for pair in fields if pair[0].startswith(b"guarita")]
    assert {name for name, _ in strangers if name.startswith(b"guarita-")} == set(IDENTITY)
    assert len(fields) <= len(pairs) + len(IDENTITY) + 5


@given(st.text())
def test_plain_values_are_one_line_of_ascii(text: str) -> None:
    value = plain_value(text)
    assert value.isascii()
    assert not set(value) & set(b"\r\n\0")
