"""What is measured: the trivial application, bare or behind a gate in one of its deployments, and
what such a gate stands on.
"""

from collections.abc import Callable
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from time import time
from typing import Any

from benchmarks.wire import ANSWER, CLIENT_ID, SECRET
from guarita import crypto
from guarita.addresses import AddressSet
from guarita.asks import Record, Reserve, Scope
from guarita.decision import Response
from guarita.decision_log import DecisionLog
from guarita.keyring.verifier import Verifier
from guarita.profiles.minhakonta import MINHA_KONTA
from guarita.records import Account, ApiKey, SecretHash
from guarita.serving.asgi import Guarita
from guarita.serving.backend import Backend
from guarita.stores.group_commit import GroupCommit
from guarita.stores.memory import MemoryStore
from guarita.stores.memory_keyring import MemoryKeyring
from guarita.stores.sqlite.store import SqliteStore

PEPPER = bytes(range(32))
KEEP_S = 86_400
_LENGTH = b"%d" % len(ANSWER)


class Setup(StrEnum):
    """Bare, or where the gate keeps its reservations. Rate counters are always in the process, as
    in the embedded default.
    """

    BARE = "bare"
    MEMORY = "memory"
    DURABLE = "durable"


class TrivialApp:
    """Reads the body and answers 200 with a constant. `calls` counts how often."""

    def __init__(self) -> None:
        self.calls = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.calls += 1
        while (await receive()).get("more_body", False):
            pass
        headers = [(b"content-type", b"application/json"), (b"content-length", _LENGTH)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": ANSWER})


class World:
    """A trivial application and, but for `BARE`, the gate before it.

    Attributes:
        app: the innermost application.
        asgi: what a server should serve.
        gate, backend, memory: the gate, its backend, and the memory store within; None under
            `BARE`.
        log: the decision log, if there is one.
    """

    def __init__(self, setup: Setup, folder: Path, *, decision_log: bool = False) -> None:
        """`folder` takes the files of a durable store and of a decision log."""
        self.app = TrivialApp()
        self.asgi: Any = self.app
        self.gate: Guarita | None = None
        self.backend: Backend | None = None
        self.memory: MemoryStore | None = None
        self.log: DecisionLog | None = None
        self._closing: list[Callable[[], object]] = []
        if setup is Setup.BARE:
            return
        self.memory = MemoryStore()
        reservations: MemoryStore | GroupCommit = self.memory
        if setup is Setup.DURABLE:
            store = SqliteStore(folder / "guarita.db")
            reservations = GroupCommit(store)
            self._closing += [reservations.close, store.close]
        if decision_log:
            self.log = DecisionLog(folder / "decisions.db")
            self._closing.append(self.log.close)
        self.backend = Backend(Verifier(keyring(), PEPPER), self.memory, reservations)
        self.gate = Guarita(self.app, MINHA_KONTA, self.backend, decision_log=self.log)
        self.asgi = self.gate

    def close(self) -> None:
        for close in self._closing:
            close()


def keyring() -> MemoryKeyring:
    """A keyring with the seed's example key, as the demo would issue it."""
    repository = MemoryKeyring()
    account = Account("acc_0123456789abcdef", "Benchmark")
    repository.insert_account(account)
    repository.insert_key(
        ApiKey(
            CLIENT_ID,
            account,
            (SecretHash(crypto.secret_hash(PEPPER, SECRET)),),
            permissions=MINHA_KONTA.table.permissions,
            allowlist=AddressSet(["127.0.0.1", "::1"]),
        )
    )
    return repository


def reservation(number: int, at: float) -> tuple[Reserve, Record]:
    """What the gate asks a store for one admitted POST: distinct for each `number`."""
    key = b"filled-%08d" % number
    digest = sha256(key).digest()
    scope = Scope(digest, "acc_0123456789abcdef", "POST", "/api/external/pix/cash-out", key)
    token = f"{int(at * 1000):012x}{number:016x}"
    response = Response(200, ((b"content-type", b"application/json"),), ANSWER)
    return Reserve(scope, token, digest, at, KEEP_S), Record(scope, token, response)


def fill(store: MemoryStore, records: int) -> None:
    """Put `records` live answers into `store` by its own asks, evenly over the last 20 hours."""
    age = 72_000.0
    begin = time() - age
    for number in range(records):
        reserve, record = reservation(number, begin + age * number / records)
        store.answer(reserve)
        store.answer(record)
