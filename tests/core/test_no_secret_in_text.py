"""No secret in any text: not in a repr, not in what a pretty printer shows, not in an error."""

import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from guarita.asks import Outage, Verified, VerifyCredential
from guarita.canonical import InvalidJson, canonical
from guarita.casing import Collision, query_to_snake
from guarita.crypto import (
    mac_state,
    secret_hash,
    signature,
)
from guarita.decision import Decision, Pass
from guarita.drivers import run
from guarita.facts import Headers
from guarita.layers.api_key import Credential
from guarita.layers.signature import Form, SignedBody
from guarita.pipeline import decide
from guarita.profiles.minhakonta import WRITE
from guarita.records import SecretHash
from tests.core.made import NOW, PEPPER, SECRET, api_key, facts

# --- no secret in any text -----------------------------------------------------------------------

HASH = secret_hash(PEPPER, SECRET)
HEADERS = Headers([(b"authorization", b"ApiKey cli_1:" + SECRET)])
PRIVATE_BODY = b'{"note":"' + SECRET + b'"}'
CREDENTIAL = Credential(api_key(), mac_state(SECRET))
VERIFIED = Verified(api_key(), mac_state(SECRET), client_id_known=True)


def admitted() -> Decision:
    """A whole decision about a request that carries secrets in header and body."""
    request = facts(
        headers=[
            *HEADERS.pairs,
            (b"content-type", b"application/json"),
            (b"hmac", signature(SECRET, PRIVATE_BODY).encode()),
        ]
    )
    answers = {"VerifyCredential": VERIFIED, "ReadBody": PRIVATE_BODY, "CountHit": 1}
    return run(decide(WRITE, request), lambda ask: answers[type(ask).__name__])


CARRIERS: dict[str, Callable[[], Any]] = {
    "SecretHash": lambda: SecretHash(HASH, NOW),
    "ApiKey": api_key,
    "Verified": lambda: VERIFIED,
    "VerifyCredential": lambda: VerifyCredential(b"cli_1", SECRET),
    "Credential": lambda: CREDENTIAL,
    "Headers": lambda: HEADERS,
    "Facts": lambda: facts(headers=HEADERS.pairs),
    "MacState": lambda: mac_state(SECRET),
    "SignedBody": lambda: SignedBody(PRIVATE_BODY, Form.RAW),
    "Pass": lambda: Pass(CREDENTIAL),
    "Decision": admitted,
}


def leaks(text: str) -> bool:
    """Whether `text` has a good part of the secret, or of what is stored of it, in any spelling."""
    spellings = [SECRET.decode(), SECRET.hex(), HASH.hex(), repr(HASH)[2:-1]]
    return any(spelling[at : at + 12] in text for spelling in spellings for at in range(0, 20, 4))


def test_the_search_for_leaks_finds_them() -> None:
    for text in (SECRET.decode(), repr(SECRET), SECRET.hex(), repr(HASH), HASH.hex()):
        assert leaks(f"x {text} y")


@pytest.mark.parametrize("name", CARRIERS)
def test_no_repr_shows_a_secret(name: str) -> None:
    carrier = CARRIERS[name]()
    for text in (repr(carrier), str(carrier), f"{carrier}", repr([carrier]), repr({1: (carrier,)})):
        assert not leaks(text), text


@pytest.mark.parametrize("name", CARRIERS)
def test_no_pretty_printer_shows_a_secret(name: str) -> None:
    """msgspec gives every Struct a `__rich_repr__`, which rich prefers to `__repr__`: in
    `print`, and for the locals of a traceback. So a Struct with a `__repr__` of its own needs a
    `__rich_repr__` as well.
    """
    shown = list(rich_texts(CARRIERS[name]()))
    assert not any(map(leaks, shown)), shown


def rich_texts(value: Any) -> Iterator[str]:
    """The texts rich would print for `value`: what it takes from `__rich_repr__`, containers and
    all.
    """
    if isinstance(value, dict):
        for member in value.values():
            yield from rich_texts(member)
    elif isinstance(value, list | tuple | frozenset):
        for member in value:
            yield from rich_texts(member)
    elif hasattr(value, "__rich_repr__"):
        for shown in value.__rich_repr__():
            yield from rich_texts(shown[1] if isinstance(shown, tuple) else shown)
    else:
        yield repr(value)


@pytest.mark.parametrize(
    "body",
    [
        PRIVATE_BODY[:-1],
        PRIVATE_BODY + b"\xff",
        b"\xef\xbb\xbf" + PRIVATE_BODY,
        b'{"' + SECRET + b'":1,"' + SECRET + b'":2}',
        b'{"' + SECRET + b'":NaN}',
        b'["' + SECRET + b'\\ud800"]',
        b"[" * 70 + b'"' + SECRET + b'"' + b"]" * 70,
    ],
)
def test_no_error_about_a_body_shows_it(body: bytes) -> None:
    with pytest.raises(InvalidJson) as raised:
        canonical(body)
    assert not leaks("".join(traceback.format_exception(raised.value)))
    assert raised.value.__context__ is None


def test_no_error_of_the_core_shows_a_secret() -> None:
    """Whatever an answerer does wrong, the exception that goes up is without the request's
    secrets.
    """
    request = facts(
        headers=[*HEADERS.pairs, (b"content-type", b"application/json"), (b"hmac", b"0")]
    )
    wrong: list[Any] = [None, 1, "text"]
    for answer in wrong:
        answers = {"VerifyCredential": answer, "ReadBody": PRIVATE_BODY, "CountHit": 1}

        def respond(ask: Any, answers: dict[str, Any] = answers) -> Any:
            return answers[type(ask).__name__]

        with pytest.raises(AttributeError) as raised:
            run(decide(WRITE, request), respond)
        assert not leaks(str(raised.value))

    def later(ask: Any) -> Any:
        async def nothing() -> None: ...

        coroutine = nothing()
        coroutine.close()
        return coroutine

    with pytest.raises(TypeError) as refused:
        run(decide(WRITE, request), later)
    assert not leaks(str(refused.value))
    with pytest.raises(AttributeError) as frozen:
        VerifyCredential(b"cli_1", SECRET).secret = b""  # type: ignore[misc]
    assert not leaks(str(frozen.value))
    with pytest.raises(Collision) as collision:
        query_to_snake(b"aB=" + SECRET + b"&a_b=" + SECRET)
    assert not leaks(str(collision.value))
    assert not leaks(str(Outage("the keyring is out of reach")))
