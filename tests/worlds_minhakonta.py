"""The world around the gate that a case of `tests/vectors/minhakonta` is played in: keyring,
stores, clock, application.
"""

from collections.abc import Iterable
from typing import Any

from guarita import crypto
from guarita.addresses import AddressSet
from guarita.asks import (
    Ask,
    BodyProblem,
    CountHit,
    LoseOutcome,
    Outage,
    Pause,
    ReadBody,
    RecallOutcome,
    Record,
    Release,
    Reserve,
    VerifyCredential,
)
from guarita.decision import Pairs, Response
from guarita.keyring.verifier import Verifier
from guarita.layers.idempotency import OnMismatch, scope_of
from guarita.layers.signature import Form, SignedBody
from guarita.outage import OnOutage
from guarita.pipeline import Layer
from guarita.profile import Profile
from guarita.profiles.minhakonta import MINHA_KONTA, WRITE
from guarita.records import Account, AccountStatus, ApiKey, KeyStatus, SecretHash
from guarita.stores.memory import MemoryStore
from guarita.stores.memory_keyring import MemoryKeyring
from tests import vectors_minhakonta as v
from tests import worlds_common
from tests.vectors_common import Wire
from tests.vectors_minhakonta_world import NOW, PRINCIPALS, Principal
from tests.worlds_common import changed

PEPPER = b"a pepper for tests, 32 bytes lng"


class World(worlds_common.World):
    """Keyring, stores, clock, application."""

    def __init__(self, given: v.Given, first: v.Request, at: float = NOW) -> None:
        super().__init__(_profile(given.settings), given.settings.trusted_proxies, at)
        self.given = given
        self.first = first
        self.application = v.Answer()
        self.repository = MemoryKeyring()
        self.repository.insert_account(
            Account("acc_1", "First", AccountStatus(given.account.status))
        )
        self.repository.insert_account(Account("acc_2", "Other"))
        for sender, principal in PRINCIPALS.items():
            state = given.key if sender == "first" else v.KeyState()
            self.repository.insert_key(self._key(principal, state))
        self.verifier = Verifier(self.repository, PEPPER, clock=lambda: self.at)
        self.store = MemoryStore()
        self._count_hits()
        if given.record is not None:
            self._keep(given.record)

    @staticmethod
    def _key(principal: Principal, state: v.KeyState) -> ApiKey:
        secret = (state.secret or principal.client_secret).encode()
        return ApiKey(
            principal.client_id,
            Account(principal.account, ""),
            (SecretHash(crypto.secret_hash(PEPPER, secret)),),
            status=KeyStatus(state.status),
            expires_at=state.expires_at,
            permissions=frozenset(state.permissions),
            allowlist=AddressSet(state.allowlist),
            signs=state.signs,
        )

    def _count_hits(self) -> None:
        if self.given.hits:
            address = self.given.hits_of or self.first.peer
            for _ in range(self.given.hits):
                self.store.answer(CountHit(address, self.at, 60))

    def _keep(self, record: v.Record) -> None:
        """Bring the record into being with the asks a request would have made."""
        wire = v.Request(method=record.method, path=record.path, body=record.body).wire()
        scope = scope_of(self.facts(wire), "acc_1", record.key.encode())
        fingerprint = SignedBody(wire.body, Form.RAW).fingerprint(wire.query)
        self.store.answer(Reserve(scope, "before", fingerprint, record.at, 86_400))
        if record.state == "kept":
            kept = record.answer or v.Answer()
            response = Response(kept.status, _pairs(kept.headers), v.octets(kept.body))
            self.store.answer(Record(scope, "before", response))
        elif record.state == "outcome_unknown":
            self.store.answer(LoseOutcome(scope, "before"))

    def apply(self, change: v.Change | None) -> None:
        """What an operator does between two requests."""
        if change is None:
            return
        if change.key is not None:
            key = self._key(PRINCIPALS["first"], change.key)
            self.repository.update_key(
                key.client_id, lambda old: changed(key, {"account": old.account})
            )
        if change.account is not None:
            status = AccountStatus(change.account.status)
            self.repository.update_account("acc_1", lambda old: Account("acc_1", old.name, status))
        self.verifier.refresh()

    def counted(self) -> int:
        """How many requests have reached the counter."""
        return sum(1 for ask in self.asked if isinstance(ask, CountHit))

    def answered(self) -> tuple[int, Pairs, bytes]:
        app = self.application
        return app.status, _pairs(app.headers), v.octets(app.body)

    def answer_core(self, ask: Ask, wire: Wire) -> Any:
        if isinstance(ask, ReadBody):
            return wire.body if len(wire.body) <= ask.limit else BodyProblem.TOO_LARGE
        if isinstance(ask, Pause):
            self.at += ask.seconds
            return self.at
        if isinstance(ask, RecallOutcome):
            return None
        return self.answer(ask)

    def answer(self, ask: Ask) -> Any:
        self.asked.append(ask)
        layer = {
            VerifyCredential: "api_key",
            CountHit: "rate_limit",
            Reserve: "idempotency",
            Record: "idempotency",
            Release: "idempotency",
            LoseOutcome: "idempotency",
        }[type(ask)]
        if layer in self.given.outage:
            raise Outage("out of reach, says the case")
        return (
            self.verifier.answer(ask)
            if isinstance(ask, VerifyCredential)
            else self.store.answer(ask)
        )


def _pairs(headers: Iterable[tuple[str, v.Text]]) -> Pairs:
    return tuple((name.encode(), v.octets(value)) for name, value in headers)


def _profile(settings: v.Settings) -> Profile:
    layers: dict[str, Layer] = {layer.name: layer for layer in WRITE}
    members: dict[str, dict[str, Any]] = {}
    if settings.on_mismatch is not None:
        members["idempotency"] = {"on_mismatch": OnMismatch(settings.on_mismatch)}
    if settings.rate_limit_on_outage is not None:
        members["rate_limit"] = {"on_outage": OnOutage(settings.rate_limit_on_outage)}
    if settings.signature_form is not None:
        members.setdefault("signature", {}).update(
            accept_raw=settings.signature_form != "canonical",
            accept_canonical=settings.signature_form != "raw",
        )
    if settings.erlang_floats is not None:
        members.setdefault("signature", {})["erlang_floats"] = settings.erlang_floats
    return MINHA_KONTA.with_layers(
        *(changed(layers[name], other) for name, other in members.items())
    )
