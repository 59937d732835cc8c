"""One account, one key, a gate: what the tests of the middleware and of real servers stand on.

The keyring, verifier and stores are the real ones; only what a test says is replaced.
"""

import hashlib
import hmac
import json
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from guarita.asks import Ask, VerifyCredential
from guarita.keyring.keyring import Keyring
from guarita.keyring.verifier import Verifier
from guarita.profiles.minhakonta import MINHA_KONTA
from guarita.serving.asgi import ASGIApp, Guarita
from guarita.serving.backend import Backend
from guarita.stores.memory import MemoryStore
from guarita.stores.memory_keyring import MemoryKeyring
from guarita.stores.reservations import State

PREFIX = "/api/external"
PAY = PREFIX + "/pix/cash-out"
BALANCE = PREFIX + "/balance"
PEPPER = b"a pepper for tests, 32 bytes lng"
PERMISSIONS = MINHA_KONTA.table.permissions
PAYMENT = b'{"amount":3050,"pix_key":"12345678901","pix_key_type":"cpf"}'

Headers = list[tuple[str, str]]


@dataclass(frozen=True)
class Credentials:
    """A client id and its secret, and what a client makes of them (seed L34-52, L67-71)."""

    client_id: str
    secret: str
    account: str

    def authorization(self) -> str:
        return f"ApiKey {self.client_id}:{self.secret}"

    def basic(self) -> str:
        return "Basic " + b64encode(f"{self.client_id}:{self.secret}".encode()).decode()

    def signature(self, body: bytes) -> str:
        return hmac.new(self.secret.encode(), body, hashlib.sha512).hexdigest()

    def headers(self, body: bytes | None = None, key: str | None = None) -> Headers:
        """The headers of a good request; `body` None: of a GET."""
        headers = [("authorization", self.authorization())]
        if body is not None:
            headers.append(("content-type", "application/json"))
            headers.append(("hmac", self.signature(body)))
        if key is not None:
            headers.append(("idempotency-key", key))
        return headers


class World:
    """A key that may do everything from loopback, and the stores behind its gate.

    Attributes:
        asked: every ask that went to a store, in order.
        intercept: called with each of them first; what it returns, unless None, is the answer.
    """

    def __init__(self, *, allowlist: tuple[str, ...] = ("127.0.0.1", "::1")) -> None:
        repository = MemoryKeyring()
        keyring = Keyring(repository, PEPPER)
        account = keyring.create_account("First")
        issued = keyring.create_key(
            account.account_id, permissions=PERMISSIONS, allowlist=allowlist
        )
        self.credentials = Credentials(
            issued.key.client_id, issued.secret.reveal(), account.account_id
        )
        self.keyring = keyring
        self.verifier = Verifier(repository, PEPPER)
        self.store = MemoryStore()
        self.asked: list[Ask] = []
        self.intercept: Callable[[Ask], Any] = lambda ask: None
        self.backend = Backend(self, self, self)

    def answer(self, ask: Ask) -> Any:
        self.asked.append(ask)
        answer = self.intercept(ask)
        return self.plainly(ask) if answer is None else answer

    def plainly(self, ask: Ask) -> Any:
        """What the stores answer."""
        if isinstance(ask, VerifyCredential):
            return self.verifier.answer(ask)
        return self.store.answer(ask)

    def gate(self, app: ASGIApp, **settings: Any) -> Guarita:
        return Guarita(app, settings.pop("profile", MINHA_KONTA), self.backend, **settings)

    def asked_kinds(self) -> list[str]:
        return [type(ask).__name__ for ask in self.asked]

    def states(self) -> list[State]:
        """The states of all reservations."""
        return [row.state for row in self.store.reservations()]


def is_one_of_the_shapes(status: int, body: bytes) -> bool:
    """Whether a refusal's body has one of the four shapes of the page (seed L206-209)."""
    match json.loads(body):
        case {"error": {"status": int(told), "message": str(), **more}}:
            return told == status and more.keys() <= {"hint"}
        case {"error": "forbidden", "message": str(), **more}:
            return status == 403 and not more
        case {"worked": False, "detail": str(), **more}:
            return not more
        case {"errors": dict(kinds), **more}:
            return not more and len(kinds) == 1
    return False
