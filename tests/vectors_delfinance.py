"""Reads `tests/vectors/delfinance/*.json`: the rules of the Delfinance page as data, typed.

What a door (the core, the ASGI middleware, the gateway) needs to run a case stands here: the
world a case starts from, the bytes of its requests with the verdict on their certificate, and
what must come back. Nothing of `src` is imported.
"""

from typing import Any, Literal

from tests import vectors_common
from tests.vectors_common import AccountState, Data
from tests.vectors_delfinance_world import (
    ADDRESS,
    NOW,
    PRINCIPALS,
    REASONS,
    SERIAL,
    SHA256,
    SUBJECT,
)

DIRECTORY = vectors_common.DIRECTORY / "delfinance"
FILES = ("errors", "order", "states", "headers", "pins", "expiry", "lockout", "environments")


Sender = Literal["first", "other"]
Header = tuple[str, str]


class Pin(Data, frozen=True, kw_only=True):
    """A certificate registered for a key; times are Unix seconds."""

    serial: str = SERIAL
    sha256: str = SHA256
    valid_until: int | None = None
    revoked_at: int | None = None


class KeyState(Data, frozen=True, kw_only=True):
    """The first key. `allowlist` entries are as saved."""

    profile: str = "delfinance"
    status: Literal["active", "inactive", "revoked", "blocked"] = "active"
    expires_at: int | None = None
    allowlist: tuple[str, ...] = (ADDRESS,)
    mode: Literal["strict", "valid", "unsafe_off"] = "strict"
    pins: tuple[Pin, ...] = (Pin(),)


class Certificate(Data, frozen=True, kw_only=True):
    """A client certificate as its verification finds it; by default the good, registered one.

    `verified_at` is Unix seconds; None means verified just now.
    """

    fault: (
        Literal[
            "malformed",
            "expired",
            "not_yet_valid",
            "wrong_purpose",
            "unknown_issuer",
            "revoked",
            "weak",
            "constraint",
            "revocation_unknown",
        ]
        | None
    ) = None
    serial: str = SERIAL
    sha256: str = SHA256
    subject: str = SUBJECT
    verified_at: int | None = None
    lapsed: bool = False


class Answer(Data, frozen=True, kw_only=True):
    """What the application answers when it is called."""

    status: int = 200
    headers: tuple[Header, ...] = (("content-type", "application/json"),)
    body: str = '{"worked":true}'


class Earlier(Data, frozen=True, kw_only=True):
    """Refused attempts with the first key that were counted before the first request, from the
    `peer` (None: from where the first request comes).
    """

    times: int
    peer: str | None = None


class Outage(Data, frozen=True, kw_only=True):
    """What is out of reach."""

    keyring: bool = False
    counter: bool = False
    certificates: bool = False


class Settings(Data, frozen=True, kw_only=True):
    """Settings of the gate that differ from its defaults; None = default."""

    trusted_proxies: tuple[str, ...] | None = None
    lockout_on_outage: Literal["admit", "refuse"] | None = None
    validation_ttl_s: int | None = None
    address_limit: int | None = None
    key_limit: int | None = None
    key_addresses: int | None = None


class Given(Data, frozen=True, kw_only=True):
    """The world before the first request."""

    environment: Literal["production", "homologation"] = "production"
    key: KeyState = KeyState()
    account: AccountState = AccountState()
    earlier: tuple[Earlier, ...] = ()
    settings: Settings = Settings()
    outage: Outage = Outage()


class Change(Data, frozen=True, kw_only=True):
    """What an operator changes before a step: the whole new state of the first key, of acc_1, or of
    what is out of reach.
    """

    key: KeyState | None = None
    account: AccountState | None = None
    outage: Outage | None = None


class Wire(vectors_common.Wire, frozen=True, kw_only=True):
    """A request ready to send, with its client certificate."""

    certificate: Certificate | None


class Request(Data, frozen=True, kw_only=True):
    """One request. `path` is raw, `query` without "?".

    Header values may hold {api_key} and {account_id}. `certificate` null means that none was
    presented.
    """

    by: Sender = "first"
    method: str = "GET"
    path: str = "/v1/resource"
    query: str = ""
    headers: tuple[Header, ...] = (
        ("x-delbank-api-key", "{api_key}"),
        ("x-delfinance-account-id", "{account_id}"),
    )
    body: str = ""
    peer: str = ADDRESS
    certificate: Certificate | None = Certificate()

    def wire(self) -> Wire:
        """The bytes to send."""
        sender = PRINCIPALS[self.by]
        return Wire(
            method=self.method,
            path=self.path.encode(),
            query=self.query.encode(),
            headers=tuple(
                (
                    name.encode(),
                    value.replace("{api_key}", sender.api_key)
                    .replace("{account_id}", sender.account)
                    .encode(),
                )
                for name, value in self.headers
            ),
            body=self.body.encode(),
            peer=self.peer,
            certificate=self.certificate,
        )


class Want(vectors_common.Want, frozen=True, kw_only=True):
    """What must come back.

    `body`: the exact text, None = not asserted. `headers` occur exactly once each. `counts`: growth
    of the first key's refused attempts. `blocks`: how often the first key was blocked meanwhile.
    """

    reasons = REASONS

    decision: Literal["admit", "refuse"]
    body: str | None = None
    headers: tuple[Header, ...] = ()
    counts: int | None = None
    blocks: int = 0


class Step(Data, frozen=True, kw_only=True):
    """One request, sent `times` times at one time; every one is answered as `want` says.

    `app_calls`: how often the application has run since the case began, this step included. A
    refusal never calls it, whether or not that is said.
    """

    at: int = NOW
    times: int = 1
    change: Change | None = None
    request: Request = Request()
    app: Answer = Answer()
    app_calls: int | None = None
    want: Want


class Case(vectors_common.Case, frozen=True, kw_only=True):
    """One rule: a world and its steps."""

    given: Given = Given()
    steps: tuple[Step, ...]


class VectorFile(vectors_common.VectorFile, frozen=True, kw_only=True):
    cases: tuple[Case, ...]


STEP_MEMBERS = ("at", "times", "change", "request", "app", "app_calls", "want")


def read(name: str) -> dict[str, Any]:
    """A file as JSON, every case with `steps`; nothing is checked yet."""
    return vectors_common.read(DIRECTORY / f"{name}.json", STEP_MEMBERS)


def load_file(name: str) -> VectorFile:
    """A whole file, but for what only `order.json` has (`vectors_delfinance_order` reads that)."""
    return vectors_common.load_file(DIRECTORY / f"{name}.json", STEP_MEMBERS, VectorFile)


def load(name: str) -> list[Case]:
    """The cases a file writes out; `vectors_delfinance_order` makes those `order.json` implies."""
    return list(load_file(name).cases)
