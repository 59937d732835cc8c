"""The signature and its headers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guarita.sandbox.webhooks import outbox, receiver, signing
from tests.sandbox.webhooks.support import vectors


def test_vector_of_the_fact_sheet() -> None:
    vector = vectors()["signature"]
    made = signing.signature(vector["secret"], vector["timestamp"], vector["body"].encode())
    assert made == vector["value"]


def test_headers() -> None:
    names = signing.HeaderNames("X-Owem-")
    made = signing.headers(
        names, "secret-1", event_id="evt_1", event_type="webhook.test", body=b"{}", at_s=7
    )
    assert made == {
        "Content-Type": "application/json",
        "User-Agent": "guarita-sandbox",
        "X-Owem-Signature": signing.signature("secret-1", "7", b"{}"),
        "X-Owem-Timestamp": "7",
        "X-Owem-Event-Id": "evt_1",
        "X-Owem-Event-Type": "webhook.test",
    }


@pytest.mark.parametrize(
    "prefix", ["", "X", "X-Minha Konta-", "X:", "X-\r\n-", "-", "é-", "X" * 70]
)
def test_a_prefix_that_cannot_be_one(prefix: str) -> None:
    with pytest.raises(ValueError, match="header prefix"):
        signing.HeaderNames(prefix)


@given(
    secret=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=8, max_size=256),
    members=st.dictionaries(st.text(max_size=9), st.text(max_size=9) | st.integers(), max_size=4),
    at_s=st.integers(0, 10**10),
)
def test_what_is_signed_is_verified(secret: str, members: dict[str, object], at_s: int) -> None:
    body = outbox.encode({**members, "event_type": "webhook.test"})
    headers = signing.headers(
        signing.HeaderNames(), secret, event_id="e", event_type="webhook.test", body=body, at_s=at_s
    )
    assert receiver.verify(secret, headers, body, now=at_s).body == body
