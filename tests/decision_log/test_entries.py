"""What an entry holds, and what it never holds."""

from base64 import b64encode
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guarita.crypto import signature
from guarita.decision import INTERNAL_ERROR, Decision, Known, Pass, Refuse
from guarita.decision_log import Entry, MemoryLog, explain
from guarita.decision_log.entry import LARGEST_ENTRY, encoded
from guarita.profiles.minhakonta import MINHA_KONTA
from tests.decision_log.scenes import (
    AT,
    CLIENT_ID,
    HEADERS,
    IDEMPOTENT,
    REFUSALS,
    SECRET,
    STORED,
    TWICE,
    Decided,
)


def entry_of(one: Decided, status: int = 0, decision: Decision | None = None) -> Entry:
    log = MemoryLog()
    log.add(MINHA_KONTA, one.route_class, one.facts, decision or one.decision, status)
    return log.entries[0]


def test_admission() -> None:
    entry = entry_of(Decided(headers=IDEMPOTENT))
    assert entry == Entry(
        ray="ray-0001",
        at=AT,
        method="POST",
        path="/api/external/pix/cash-out",
        peer="10.0.0.1",
        client="203.0.113.5",
        profile="minhakonta",
        route_class="write",
        layers=tuple(layer.name for layer in MINHA_KONTA.classes[0].layers),
        decision="admit",
        layer=None,
        reason=None,
        status=0,
        account="acc_1",
        client_id=CLIENT_ID,
        values=entry.values,
    )
    assert entry.saw == [
        ("well_formed", None),
        ("media_type", "application/json"),
        ("key_case", None),
        ("api_key", CLIENT_ID),
        ("address", "203.0.113.5"),
        ("account", "acc_1"),
        ("signature", [45, "raw"]),
        ("rate_limit", ["203.0.113.5", 7, 90_000]),
        ("idempotency", ["order-1", "reserved"]),
        ("permission", ["transfer:write"]),
    ]


@pytest.mark.parametrize("reason", REFUSALS)
def test_refusal(reason: str) -> None:
    one = Decided(**REFUSALS[reason])
    entry = entry_of(one, 403)
    assert (entry.decision, entry.reason, entry.status) == ("refuse", reason, 403)
    assert entry.layer == reason.partition(".")[0]
    assert entry.saw[-1][0] == entry.layer
    assert len(entry.saw) == len(one.decision.verdicts)


def test_replay() -> None:
    entry = entry_of(Decided(headers=IDEMPOTENT, reserved=STORED), 201)
    assert (entry.decision, entry.layer, entry.reason) == ("replay", "idempotency", None)
    assert (entry.status, entry.replayed) == (201, "idempotency")


def test_replay_refused_by_a_later_layer() -> None:
    one = Decided(headers=IDEMPOTENT, reserved=STORED, **REFUSALS["permission.lacking"])
    entry = entry_of(one, 403)
    assert (entry.decision, entry.layer, entry.replayed) == ("refuse", "permission", "idempotency")


def test_refusal_after_the_layers() -> None:
    one = Decided(
        headers={"x-key-case": b"camelCase", "hmac": signature(SECRET, TWICE).encode()}, body=TWICE
    )
    entry = entry_of(one, 400)
    assert (entry.decision, entry.reason) == ("refuse", "key_case.collision")
    assert (entry.layer, entry.values[-1], entry.account) == ("key_case", "pix_key", "acc_1")
    assert entry.refused_late
    assert dict(entry.saw)["key_case"] == "camelCase"


def test_what_broke_before_any_verdict() -> None:
    nothing = Decision(Refuse(INTERNAL_ERROR), Known(), [], [])
    entry = entry_of(Decided(), 500, nothing)
    assert (entry.reason, entry.saw, entry.account) == ("serving.internal_error", [], None)


def test_query_and_body_are_not_kept() -> None:
    one = Decided()
    entry = encoded(MINHA_KONTA, one.route_class, one.facts, one.decision, 0)
    assert b"maria" not in entry
    assert b"12345678901" not in entry


def test_path_is_cut() -> None:
    assert entry_of(Decided(path="/" + "x" * 600)).path == "/" + "x" * 511


hostile = st.recursive(
    st.none()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(), max_size=2000)
    | st.builds(object)
    | st.just("\ud800" * 3),
    lambda inner: st.lists(inner, max_size=60) | st.tuples(inner, inner),
    max_leaves=40,
)


@given(hostile, st.text(max_size=2000), st.just("\udcff" * 3) | st.text(max_size=200))
def test_nothing_a_layer_says_can_break_it(saw: Any, method: str, ray: str) -> None:
    one = Decided(method=method, ray=ray)
    decision = Decision(one.decision.result, Known(), [Pass(saw=saw)] * 10, [])
    entry = encoded(MINHA_KONTA, one.route_class, one.facts, decision, 0)
    assert len(entry) < 2 * LARGEST_ENTRY
    explanation = explain(msgspec.msgpack.decode(entry, type=Entry))
    assert len(explanation.layers) == len(one.route_class.layers)
    assert explanation.text().replace("\n", "").isprintable()


secrets = st.binary(min_size=12, max_size=40).map(lambda raw: b"sk_" + raw.hex().encode())


def kept(one: Decided) -> str:
    """Everything of a request that is stored or told, as one text."""
    entry = entry_of(one, 401)
    return repr(entry) + explain(entry).text() + repr(msgspec.msgpack.encode(entry))


@given(
    secrets,
    st.sampled_from(sorted(REFUSALS)),
    st.sampled_from(["ApiKey ", "Basic ", "Bearer ", ""]),
    st.sampled_from(["cli_x:{}", "{}", "{}:cli_x", ":{}", "{}:{}", " {} : x"]),
    st.dictionaries(
        st.sampled_from(["hmac", "idempotency-key", "content-type", "x-key-case", "x-note"]),
        st.sampled_from([b"%b", b"application/json; charset=%b", b"a\n%b"]),
    ),
    st.sampled_from(["/api/external/%s", "/api/external/transactions/%s", "/%s"]),
)
def test_no_secret_is_kept_wherever_it_was_put(
    secret: bytes, scene: str, scheme: str, form: str, others: dict[str, bytes], path: str
) -> None:
    pasted = form.format(*[secret.decode()] * 2).encode()
    value = scheme.encode() + (b64encode(pasted) if scheme == "Basic " else pasted)
    headers = {name: other % secret for name, other in others.items()}
    request = REFUSALS[scene] | {
        "headers": {**REFUSALS[scene].get("headers", {}), **headers, "authorization": value},
        "path": path % secret.decode(),
    }
    text = kept(Decided(**request))
    assert secret.decode()[3:11] not in text
    assert b64encode(pasted).decode()[:12] not in text


@given(
    st.text(st.characters(codec="latin-1"), min_size=12), st.text("abcdef0123456789", min_size=128)
)
def test_secret_part_and_signature_are_never_kept(secret: str, hmac: str) -> None:
    headers = {
        "authorization": b"ApiKey cli_x:" + secret.encode("latin-1"),
        "hmac": hmac.encode(),
    }
    for scene in ({}, {"key": None}, {"key": None, "known_id": False}):
        text = kept(Decided(headers=headers, **scene))
        assert secret not in text
        assert hmac not in text


def test_the_demo_request_holds_what_must_not_be_kept() -> None:
    # Otherwise the laws above would be about nothing.
    assert SECRET in HEADERS["authorization"]
    text = kept(Decided())
    assert SECRET.decode() not in text
    assert HEADERS["hmac"].decode() not in text
