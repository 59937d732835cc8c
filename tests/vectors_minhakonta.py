"""Reads `tests/vectors/minhakonta/*.json`: the rules of the Minha Konta page as data, typed.

What a door (the core, the ASGI middleware, the gateway) needs to run a case stands here: the
world a case starts from, the bytes of its requests, and what must come back. Nothing of `src` is
imported.
"""

import base64
import hashlib
import hmac
from typing import Any, Literal

from tests import vectors_common
from tests.vectors_common import AccountState, Data, Wire
from tests.vectors_minhakonta_world import ADDRESS, NOW, PERMISSIONS, PRINCIPALS, REASONS

DIRECTORY = vectors_common.DIRECTORY / "minhakonta"
FILES = (
    "errors",
    "order",
    "credentials",
    "signature",
    "rate",
    "idempotency",
    "permission",
    "media_type",
    "key_case_requests",
)


Sender = Literal["first", "second", "other"]


class Octets(Data, frozen=True, kw_only=True):
    """Bytes that JSON text cannot say plainly: base64, or one text repeated."""

    b64: str | None = None
    repeat: str | None = None
    times: int = 1


Part = str | Octets
Text = str | Octets | tuple[Part, ...]
Header = tuple[str, Text]


def octets(text: Text) -> bytes:
    """The bytes meant: text is UTF-8, a list is the concatenation of its parts."""
    if isinstance(text, tuple):
        return b"".join(octets(part) for part in text)
    if isinstance(text, str):
        return text.encode()
    if text.b64 is not None:
        return base64.b64decode(text.b64, validate=True)
    return (text.repeat or "").encode() * text.times


class KeyState(Data, frozen=True, kw_only=True):
    """The first key. `allowlist` entries are as saved; `secret` None is the sample secret."""

    status: Literal["active", "inactive", "blocked"] = "active"
    expires_at: int | None = None
    permissions: tuple[str, ...] = PERMISSIONS
    allowlist: tuple[str, ...] = (ADDRESS,)
    signs: bool = True
    secret: str | None = None


class Answer(Data, frozen=True, kw_only=True):
    """What the application answers when it is called."""

    status: int = 200
    headers: tuple[Header, ...] = (("content-type", "application/json"),)
    body: Text = '{"worked":true}'


class Record(Data, frozen=True, kw_only=True):
    """An idempotency record of acc_1 from before the first request; made for `body`."""

    key: str
    state: Literal["kept", "in_flight", "outcome_unknown"]
    method: str = "POST"
    path: str = "/api/external/pix/cash-out"
    body: Text
    answer: Answer | None = None  # with state "kept"
    at: int = NOW


class Settings(Data, frozen=True, kw_only=True):
    """Settings of the gate that differ from its defaults; None = default."""

    on_mismatch: Literal["replay", "refuse"] | None = None  # same idempotency key, other body
    rate_limit_on_outage: Literal["admit", "refuse"] | None = None
    trusted_proxies: tuple[str, ...] | None = None
    signature_form: Literal["either", "raw", "canonical"] | None = None
    erlang_floats: bool | None = None


class Given(Data, frozen=True, kw_only=True):
    """The world before the first request.

    `hits`: requests already counted in the first request's window for the address `hits_of`
    (default: its peer). `outage`: layers whose store is out of reach.
    """

    key: KeyState = KeyState()
    account: AccountState = AccountState()
    hits: int = 0
    hits_of: str | None = None
    record: Record | None = None
    settings: Settings = Settings()
    outage: tuple[Literal["api_key", "rate_limit", "idempotency"], ...] = ()


class Change(Data, frozen=True, kw_only=True):
    """What an operator changes before a step: the whole new state of the first key or of acc_1."""

    key: KeyState | None = None
    account: AccountState | None = None


class Request(Data, frozen=True, kw_only=True):
    """One request. `path` is raw, `query` without "?".

    Header values may hold {client_id}, {client_secret} and {basic}. `sign` says what the hmac
    header is computed over: the body's bytes, `signed_text`, or nothing ("wrong": 128 zeros).
    "absent" adds no header; `signed_text` then says what a literal one was computed over.
    """

    by: Sender = "first"
    method: str
    path: str
    query: str = ""
    headers: tuple[Header, ...] = ()
    body: Text = ""
    peer: str = ADDRESS
    sign: Literal["raw", "text", "wrong", "absent"] = "absent"
    signed_text: str | None = None

    def wire(self, secret: str | None = None) -> Wire:
        """The bytes to send; `secret` replaces the sender's own (a case's `given.key.secret`)."""
        sender = PRINCIPALS[self.by]
        secret = secret or sender.client_secret
        pair = f"{sender.client_id}:{secret}".encode()
        body = octets(self.body)
        headers = []
        for name, text in self.headers:
            value = octets(text)
            value = value.replace(b"{client_id}", sender.client_id.encode())
            value = value.replace(b"{client_secret}", secret.encode())
            headers.append((name.encode(), value.replace(b"{basic}", base64.b64encode(pair))))
        if self.sign == "wrong":
            headers.append((b"hmac", b"0" * 128))
        elif self.sign != "absent":
            message = body if self.sign == "raw" else (self.signed_text or "").encode()
            digest = hmac.new(secret.encode(), message, hashlib.sha512).hexdigest()
            headers.append((b"hmac", digest.encode()))
        return Wire(
            method=self.method,
            path=self.path.encode(),
            query=self.query.encode(),
            headers=tuple(headers),
            body=body,
            peer=self.peer,
        )


class Want(vectors_common.Want, frozen=True, kw_only=True):
    """What must come back.

    `body`: the exact bytes, None = not asserted. `shape`: which of the page's four error shapes it
    has (seed L206-209). `headers` occur exactly once each. `counts`: growth of the limiter's count.
    """

    reasons = REASONS

    decision: Literal["admit", "refuse", "replay"]
    body: Text | None = None
    shape: Literal[1, 2, 3, 4] | None = None
    headers: tuple[Header, ...] = ()
    counts: Literal[0, 1] | None = None


class Seen(Data, frozen=True, kw_only=True):
    """The request as the application receives it; None = not asserted."""

    body: Text | None = None
    query: str | None = None
    headers: tuple[Header, ...] = ()


class Step(Data, frozen=True, kw_only=True):
    """One request at one time.

    `app_calls`: how often the application has run since the case began, this step included. A
    refusal and a replay never call it, whether or not that is said.
    """

    at: int = NOW
    change: Change | None = None
    request: Request
    app: Answer = Answer()
    app_sees: Seen | None = None
    app_calls: int | None = None
    want: Want


class Case(vectors_common.Case, frozen=True, kw_only=True):
    """One rule: a world and its steps."""

    given: Given = Given()
    steps: tuple[Step, ...]


class VectorFile(vectors_common.VectorFile, frozen=True, kw_only=True):
    cases: tuple[Case, ...]


STEP_MEMBERS = ("at", "change", "request", "app", "app_sees", "app_calls", "want")


def read(name: str) -> dict[str, Any]:
    """A file as JSON, every case with `steps`; nothing is checked yet."""
    return vectors_common.read(DIRECTORY / f"{name}.json", STEP_MEMBERS)


def load_file(name: str) -> VectorFile:
    """A whole file, but for what only `order.json` has (`vectors_minhakonta_order` reads that)."""
    return vectors_common.load_file(DIRECTORY / f"{name}.json", STEP_MEMBERS, VectorFile)


def load(name: str) -> list[Case]:
    """The cases a file writes out; `vectors_minhakonta_order` makes those `order.json` implies."""
    return list(load_file(name).cases)
