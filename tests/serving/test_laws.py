"""Laws of the middleware, over arbitrary requests (hypothesis).

The oracle knows the rules of admission by itself and looks at nothing of `src`: a request that it
does not call good must not reach the application; whatever the request, the gate answers, and never
with a 5xx.
"""

import asyncio
import base64
import binascii
import hashlib
import hmac
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.serving.by_hand import Call, scope_of
from tests.serving.client import Reply
from tests.serving.worlds import PREFIX, Credentials, Headers, World, is_one_of_the_shapes

WORLD = World()
KEY = WORLD.credentials
GOOD_BODY = b'{"amount":3050,"pixKey":"1","pix_key_type":"cpf"}'
SIGNED = {"POST", "PUT", "PATCH"}

OPERATIONS = {  # seed L471-492, without the parameters' names
    ("POST", "/pix/cash-in"),
    ("POST", "/pix/cash-out"),
    ("POST", "/pix/refund"),
    ("POST", "/med/*/defense"),
    ("POST", "/cpf/validate"),
    ("POST", "/webhooks"),
    ("GET", "/webhooks"),
    ("DELETE", "/webhooks/*"),
    ("GET", "/balance"),
    ("GET", "/transactions"),
    ("GET", "/transactions/*"),
    ("GET", "/transactions/e2e/*"),
    ("GET", "/transactions/tag/*"),
    ("GET", "/transactions/ref/*"),
    ("GET", "/transactions/*/receipt"),
    ("GET", "/pix/keys"),
    ("GET", "/med"),
    ("GET", "/med/*"),
    ("GET", "/statement"),
}


def is_operation(method: str, raw: str) -> bool:
    if not raw.startswith(PREFIX + "/"):
        return False
    segments = raw.removeprefix(PREFIX + "/").split("/")
    if any(segment in ("", ".", "..") for segment in segments):
        return False
    for wanted_method, pattern in OPERATIONS:
        wanted = pattern[1:].split("/")
        if wanted_method == method and len(wanted) == len(segments):
            fits = all(w in ("*", s) for w, s in zip(wanted, segments, strict=True))
            if fits:
                return True
    return False


def is_authentic(headers: Headers, key: Credentials) -> bool:
    """Exactly one Authorization header, with this key's id and secret."""
    values = [value for name, value in headers if name == "authorization"]
    if len(values) != 1:
        return False
    scheme, _, rest = values[0].strip(" \t").partition(" ")
    rest = rest.lstrip(" ")
    if scheme.lower() == "basic":
        try:
            rest = base64.b64decode(rest.encode("latin-1"), validate=True).decode("latin-1")
        except binascii.Error:
            return False
    elif scheme.lower() != "apikey":
        return False
    return rest == f"{key.client_id}:{key.secret}"


def is_signed(headers: Headers, body: bytes, key: Credentials) -> bool:
    """One hmac header over the bytes as sent, or over the same JSON value (the canonical text is
    one of its spellings).
    """
    values = [value for name, value in headers if name == "hmac"]
    if len(values) != 1:
        return False
    try:
        document = json.loads(body)
    except ValueError:
        return False
    spellings = [
        body,
        json.dumps(document, separators=(",", ":"), sort_keys=True, ensure_ascii=False).encode(),
    ]
    right = [hmac.new(key.secret.encode(), text, hashlib.sha512).hexdigest() for text in spellings]
    return values[0].lower() in right


def may_reach(method: str, target: str, headers: Headers, body: bytes, peer: str) -> bool:
    """What must hold, at least, of a request that reaches the application."""
    types = [
        value.split(";")[0].strip(" \t").lower()
        for name, value in headers
        if name == "content-type"
    ]
    return (
        is_operation(method, target.partition("?")[0])
        and is_authentic(headers, KEY)
        and peer in ("127.0.0.1", "::1", "::ffff:127.0.0.1")
        and (method not in SIGNED or (len(types) == 1 and is_signed(headers, body, KEY)))
        and not any(c in name + value for name, value in headers for c in "\r\n\0")
    )


def ask(method: str, target: str, headers: Headers, body: bytes, peer: str) -> tuple[Reply, int]:
    """The gate's answer, and how often the application was called."""
    calls = 0

    async def app(scope: Any, receive: Any, send: Any) -> None:
        nonlocal calls
        calls += 1
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"from the application"})

    async def once() -> Reply:
        scope = scope_of(method, target, headers, client=(peer, 1))
        return await Call(WORLD.gate(app), scope, body[:5], body[5:]).answer()

    return asyncio.run(once()), calls


def holds(method: str, target: str, headers: Headers, body: bytes, peer: str) -> Reply:
    reply, calls = ask(method, target, headers, body, peer)
    replayed = reply.all("x-idempotent-replay") == ["true"]
    if calls or replayed:
        assert may_reach(method, target, headers, body, peer)
        assert reply.status == 200
        assert reply.body == b"from the application"
        return reply
    assert 400 <= reply.status < 500
    assert is_one_of_the_shapes(reply.status, reply.body)
    assert reply.one("content-length") == str(len(reply.body))
    assert reply.one("content-type") == "application/json"
    assert reply.all("x-ratelimit-remaining") == []
    return reply


latin = st.text(st.characters(max_codepoint=255), max_size=40)
header_names = st.one_of(
    st.sampled_from(
        [
            "authorization",
            "content-type",
            "content-length",
            "hmac",
            "idempotency-key",
            "x-key-case",
            "x-forwarded-for",
            "ray-id",
            "expect",
            "x-http-method-override",
            "guarita-account",
        ]
    ),
    latin.map(str.lower).filter(str.isascii),
)
good_values = st.sampled_from(
    [
        KEY.authorization(),
        KEY.basic(),
        KEY.signature(GOOD_BODY),
        "application/json",
        "camelCase",
        "127.0.0.1",
        "Basic " + base64.b64encode(f"{KEY.client_id}:{KEY.secret}\n".encode()).decode(),
        f"ApiKey {KEY.client_id}:wrong",
        f"ApiKey {KEY.client_id}",
        "10",
        "1048577",
    ]
)
headers = st.lists(st.tuples(header_names, st.one_of(good_values, latin)), max_size=6)
methods = st.one_of(
    st.sampled_from(
        ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "CONNECT", "get", "post"]
    ),
    latin,
)
paths = st.one_of(
    st.sampled_from([PREFIX + p.replace("*", "x1") for _, p in sorted(OPERATIONS)]),
    st.sampled_from(["", "*", "/", PREFIX, PREFIX + "/", "http://a/api/external/balance"]),
    latin.map(lambda text: "/" + text),
    st.tuples(
        st.sampled_from([p.replace("*", "x1") for _, p in sorted(OPERATIONS)]),
        st.sampled_from(
            [
                "/",
                "//",
                "/.",
                "/..",
                "%2e",
                "%2F",
                "%00",
                "%",
                "%zz",
                "%C3%A1",
                ";a",
                "\\",
                "?a=1&a=2",
            ]
        ),
        st.integers(0, 12),
    ).map(lambda p: PREFIX + p[0][: p[2]] + p[1] + p[0][p[2] :]),
)
bodies = st.one_of(st.just(GOOD_BODY), st.binary(max_size=60), st.just(b""), st.just(b"[" * 1000))
documents = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.lists(inner) | st.dictionaries(st.text("aB_1é", max_size=4), inner),
    max_leaves=8,
).map(lambda document: json.dumps(document).encode())
peers = st.sampled_from(
    ["127.0.0.1", "::1", "::ffff:127.0.0.1", "10.0.0.1", "testclient", "", "127.0.0.1%lo"]
)


@settings(max_examples=700, deadline=None)
@given(methods, paths, headers, bodies, peers)
def test_whatever_arrives(method: str, target: str, sent: Headers, body: bytes, peer: str) -> None:
    holds(method, target, sent, body, peer)


@settings(max_examples=500, deadline=None)
@given(
    st.sampled_from(sorted(OPERATIONS)),
    st.sampled_from(["authorization", "content-type", "hmac", "idempotency-key", "x-key-case"]),
    st.sampled_from(["drop", "double", "alter", "keep"]),
    latin,
    st.booleans(),
    peers,
)
def test_one_fault_in_a_good_request(
    operation: tuple[str, str], name: str, fault: str, text: str, change_body: bool, peer: str
) -> None:
    """Near misses: everything right but one header, and perhaps the body."""
    method, pattern = operation
    target = PREFIX + pattern.replace("*", "abc")
    body = GOOD_BODY if method in SIGNED else b""
    good = [*KEY.headers(body if method in SIGNED else None), ("x-key-case", "camelCase")]
    sent = [pair for pair in good if pair[0] != name]
    changed = [pair for pair in good if pair[0] == name]
    if fault == "double":
        changed += changed
    elif fault == "alter":
        changed = [(name, text)]
    elif fault == "drop":
        changed = []
    altered = body.replace(b"3050", b"3051") if change_body else body
    reply = holds(method, target, sent + changed, altered, peer)
    if fault == "keep" and altered == body and peer == "127.0.0.1":
        assert reply.status == 200


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from([KEY.authorization(), KEY.basic()]),
    st.sampled_from(["authorization", "hmac"]),
    st.integers(0, 200),
    st.integers(0, 1),
    st.one_of(st.sampled_from(["", "!", " ", "=", ":", "A", "-", "\n", "é"]), latin),
)
def test_one_byte_off(value: str, name: str, at: int, cut: int, put: str) -> None:
    """A credential or a signature in which something was put, lost or exchanged."""
    right = dict([*KEY.headers(GOOD_BODY), ("authorization", value)])
    right[name] = right[name][:at] + put + right[name][at + cut :]
    holds("POST", PREFIX + "/pix/cash-out", list(right.items()), GOOD_BODY, "127.0.0.1")


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.binary(max_size=80), documents), st.booleans())
def test_signed_bytes_of_any_kind(body: bytes, camel: bool) -> None:
    """A right signature over anything: strict JSON is admitted, all else refused."""
    more = [("x-key-case", "camelCase")] if camel else []
    reply = holds("POST", PREFIX + "/pix/cash-out", [*KEY.headers(body), *more], body, "127.0.0.1")
    assert reply.status in (200, 400)
