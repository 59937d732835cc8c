"""A payment executes once: over two server processes on one SQLite file, and over kill -9 at the
worst moment.

What counts is what the ledger holds (DESIGN section 3, rows "idempotency scope" and "crash …").
"""

import http.client
import random
import sqlite3
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Literal

import pytest

from guarita.data_folder import DataFolder
from guarita.decision import Response
from guarita.sandbox import Bank
from guarita.stores.reservations import ReservationRow, State
from tests.serving.client import Client, Reply
from tests.serving.servers import Process, listener
from tests.serving.worlds import PAY, PERMISSIONS, Credentials

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="needs inherited sockets and SIGKILL"),
]

LOST = (ConnectionError, http.client.HTTPException)
"""What a client sees of a server that died: nothing that tells whether its request was executed."""


def payment(number: int) -> bytes:
    return (
        b'{"amount":3050,"pix_key":"12345678901","pix_key_type":"cpf","external_id":"order-%d"}'
        % number
    )


class Bankers:
    """A data folder with one key, and server processes over it."""

    def __init__(self, path: Path, stack: ExitStack) -> None:
        self.folder = stack.enter_context(DataFolder(path))
        account = self.folder.keyring.create_account("Merchant")
        issued = self.folder.keyring.create_key(
            account.account_id, permissions=PERMISSIONS, allowlist=["127.0.0.1"]
        )
        self.credentials = Credentials(
            issued.key.client_id, issued.secret.reveal(), account.account_id
        )
        self._stack = stack
        self.ahead = timedelta()

    def server(self) -> tuple[Process, Client]:
        listening = self._stack.enter_context(listener())
        process = Process(listening, "tests.serving.bank_server", str(self.folder.path))
        self._stack.enter_context(process)
        return process, Client(process.port, self.credentials)

    def postings(self, kind: str = "settlement") -> Counter[str]:
        """How many payments the ledger executed (`kind="hold"`: took in; the bank itself rejects a
        payment submitted twice in a minute), by the caller's own number for them.
        """
        self.ahead += timedelta(hours=1)  # each time beyond what the bank has seen
        with Bank(self.folder.path, clock=lambda: datetime.now(UTC) + self.ahead) as bank:
            assert bank.work() is None  # all have settled
        with closing(sqlite3.connect(self.folder.path / "bank.db")) as conn:
            rows = conn.execute(
                "SELECT external_id FROM transactions JOIN postings USING (transaction_id)"
                " WHERE postings.kind = ?",
                (kind,),
            ).fetchall()
        with Bank(self.folder.path) as bank:
            executed = bank.count_payments(self.credentials.account)
            assert executed == len(rows) or kind == "hold"
            assert bank.check_ledger().ok
        return Counter(external_id for (external_id,) in rows)

    def unknown(self) -> list[ReservationRow]:
        return self.folder.store.reservations(state="outcome_unknown")


@pytest.fixture
def bankers(tmp_path: Path) -> Iterator[Bankers]:
    with ExitStack() as stack:
        yield Bankers(tmp_path / "data", stack)


def is_unknown(reply: Reply) -> bool:
    return reply.status == 409 and b"outcome" in reply.body


def test_64_twins_over_two_processes(bankers: Bankers) -> None:
    clients = [bankers.server()[1], bankers.server()[1]]
    for client in clients:
        assert client.get("/api/external/balance").status == 200
    with ThreadPoolExecutor(32) as pool:
        replies = list(
            pool.map(lambda n: clients[n % 2].post(PAY, payment(1), key="twin"), range(64))
        )
    assert bankers.postings() == {"order-1": 1}
    assert Counter(reply.status for reply in replies) == {200: 64}
    assert len({reply.body for reply in replies}) == 1
    originals = [reply for reply in replies if not reply.all("x-idempotent-replay")]
    assert len(originals) == 1
    assert {reply.one("idempotency-key") for reply in replies} == {"twin"}
    assert len({reply.one("ray-id") for reply in replies}) == 64


STORED = Response(
    200, ((b"content-type", b"application/json"),), b'{"worked":true,"by":"operator"}'
)


@pytest.mark.parametrize("resolution", ["release", STORED], ids=["release", "response"])
def test_killed_between_commit_and_record(
    bankers: Bankers, resolution: Literal["release"] | Response
) -> None:
    process, client = bankers.server()
    assert client.get("/api/external/balance").status == 200
    (bankers.folder.path / "die").touch()
    with pytest.raises(LOST):
        client.post(PAY, payment(1), key="k")
    assert process.wait() == -9
    assert bankers.postings() == {"order-1": 1}

    process.start()
    assert is_unknown(client.post(PAY, payment(1), key="k"))
    assert is_unknown(client.post(PAY, payment(1), key="k"))
    assert client.post(PAY, payment(2), key="another").status == 200
    assert bankers.postings() == {"order-1": 1, "order-2": 1}
    [row] = bankers.unknown()
    assert (row.scope.key, row.scope.path, row.state) == (b"k", PAY, State.OUTCOME_UNKNOWN)
    assert row.scope.account == bankers.credentials.account

    assert bankers.folder.store.resolve(row.scope.digest, resolution)
    reply = client.post(PAY, payment(1), key="k")
    assert reply.status == 200
    if resolution == "release":
        assert reply.all("x-idempotent-replay") == []
        # the operator's word: execute again
        assert bankers.postings("hold")["order-1"] == 2
    else:
        assert (reply.body, reply.one("x-idempotent-replay")) == (STORED.body, "true")
        assert bankers.postings()["order-1"] == 1
    assert bankers.unknown() == []


def test_the_other_process_knows_of_the_death_at_once(bankers: Bankers) -> None:
    process, client = bankers.server()
    _, survivor = bankers.server()
    assert client.get("/api/external/balance").status == 200
    (bankers.folder.path / "die").touch()
    with pytest.raises(LOST):
        client.post(PAY, payment(1), key="k")
    process.wait()
    assert is_unknown(survivor.post(PAY, payment(1), key="k"))
    assert bankers.postings() == {"order-1": 1}


def test_killed_at_random_moments(bankers: Bankers) -> None:
    """60 payments by four clients; the server is killed four times meanwhile; every payment is
    retried until answered.
    """
    process, client = bankers.server()
    assert client.get("/api/external/balance").status == 200
    chosen = random.Random(20)
    kill_after = sorted(chosen.sample(range(5, 55), 4))
    done = Counter[str]()
    reached = {count: Event() for count in kill_after}

    def pay(number: int) -> Reply:
        for _attempt in range(30):
            try:
                reply = client.post(PAY, payment(number), key=f"key-{number}")
            except LOST:
                continue
            done["answers"] += 1
            for count, event in reached.items():
                if done["answers"] >= count:
                    event.set()
            return reply
        raise AssertionError("never answered")

    with ThreadPoolExecutor(4) as pool:
        futures = [pool.submit(pay, number) for number in range(60)]
        for count in kill_after:
            assert reached[count].wait(30)
            process.kill()
            process.start()
        replies = [future.result(60) for future in futures]

    postings = bankers.postings()
    assert set(postings.values()) <= {1}
    for number, reply in enumerate(replies):
        assert reply.status == 200 or is_unknown(reply)
        if reply.status == 200:
            assert postings[f"order-{number}"] == 1
    assert Counter(reply.status for reply in replies)[200] >= 40
    unknown = {row.scope.key.decode() for row in bankers.unknown()}
    assert unknown == {
        f"key-{number}" for number, reply in enumerate(replies) if reply.status == 409
    }
