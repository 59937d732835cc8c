"""What is killed, and what must survive it: the sandbox bank and `guarita serve`, each a process of
its own, and clients that pay until they are answered.
"""

import http.client
import json
import signal
import socket
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from threading import Event, Lock

from guarita.sandbox import Bank, Rules
from tests.cli.serve.gateways import DEADLINE_S, Gateway, Merchant, accepts, free_port
from tests.cli.support import environment
from tests.serving.client import Reply
from tests.serving.worlds import PAY

LOST = (ConnectionError, TimeoutError, http.client.HTTPException)
"""What a client sees of a gateway that died: nothing tells whether its request was executed."""

RULES = Rules(opening_balance=10**12, settlement_delay_s=0.2)


@contextmanager
def held_port() -> Iterator[int]:
    """A port that is nobody else's, neither to listen on nor to connect from: one that is bound
    without listening is passed over, and `SO_REUSEADDR` lets a server have it all the same.
    """
    with socket.socket() as placeholder:
        placeholder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        placeholder.bind(("127.0.0.1", 0))
        yield placeholder.getsockname()[1]


class Ledger:
    """The bank's file: `python -m guarita.sandbox --data folder`, and what it holds afterwards."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def serving(self) -> Iterator[str]:
        """The bank over HTTP, for a gateway; gives its URL."""
        self.folder.mkdir(exist_ok=True)
        port = free_port()
        words = ["--data", str(self.folder), "--port", str(port), "--trust-identity-headers"]
        words += ["--opening-balance", str(RULES.opening_balance)]
        words += ["--settlement-delay-s", str(RULES.settlement_delay_s)]
        with (self.folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "guarita.sandbox", *words],
                stdout=log,
                stderr=log,
                env=environment(),
            )
            try:
                while not accepts(port):
                    try:
                        raise AssertionError(f"the bank ended with {process.wait(0.05)}")
                    except subprocess.TimeoutExpired:
                        continue
                yield f"http://127.0.0.1:{port}"
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(DEADLINE_S)

    def executed(self, kind: str) -> dict[str, list[str]]:
        """External id → transaction ids of the payments with a posting of that kind ("hold": taken
        in; "settlement": paid), once all of them have come to their end and the books are right.
        """
        later = datetime.now(UTC) + timedelta(hours=1)
        with Bank(self.folder, rules=RULES, clock=lambda: later) as bank:
            assert bank.work() is None
            assert bank.check_ledger().ok
        with closing(sqlite3.connect(self.folder / "bank.db")) as conn:
            rows = conn.execute(
                "SELECT external_id, transaction_id FROM transactions"
                " JOIN postings USING (transaction_id) WHERE postings.kind = ?",
                (kind,),
            ).fetchall()
        found: dict[str, list[str]] = {}
        for external_id, transaction_id in rows:
            found.setdefault(external_id, []).append(transaction_id)
        return found


def configure(file: Path, url: str, port: int, *, data: str = "", upstream: str = "") -> Path:
    """A configuration on a port of its own; files of one folder share the data folder."""
    file.write_text(
        f'[data]\nfolder = "data"\n{data}\n[[site]]\nname = "pay"\n'
        f'listen = ["127.0.0.1:{port}"]\nprofile = "minhakonta"\n'
        f'[site.upstream]\nurl = "{url}"\n{upstream}\n',
        "utf-8",
    )
    return file


class Mortal:
    """`guarita serve`, killed and started again on the same port and folder.

    Attributes:
        up: cleared while there is none.
    """

    def __init__(self, config: Path) -> None:
        self.config = config
        self.up = Event()
        self.start()

    def start(self) -> None:
        self.gateway = Gateway(self.config)
        self.port = self.gateway.port()
        self.up.set()

    def kill(self) -> None:
        """SIGKILL: no handler, no clean-up."""
        self.up.clear()
        self.gateway.process.kill()
        assert self.gateway.ended() == -signal.SIGKILL

    def __enter__(self) -> "Mortal":
        return self

    def __exit__(self, *_: object) -> None:
        if self.gateway.process.poll() is None:
            assert self.gateway.stop() == 0, self.gateway.log


class Payer:
    """One client on a connection that it keeps for as long as it lasts."""

    def __init__(self, port: int, merchant: Merchant) -> None:
        self._merchant = merchant
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE_S)

    def pay(self, key: str, body: bytes) -> Reply:
        """A signed payment. Raises one of `LOST`."""
        try:
            headers = self._merchant.signed(body, Idempotency_Key=key)
            self._connection.request("POST", PAY, body, headers)
            response = self._connection.getresponse()
            return Reply(response.status, response.getheaders(), response.read())
        except LOST:
            self._connection.close()
            raise

    def close(self) -> None:
        self._connection.close()


def payment(name: str) -> bytes:
    """A payment that differs from all others; `name` is found again in the ledger."""
    amount = 1000 + sum(name.encode())
    return (
        f'{{"amount":{amount},"pix_key":"12345678901","pix_key_type":"cpf","external_id":"{name}"}}'
    ).encode()


def is_unknown(reply: Reply) -> bool:
    return reply.status == 409 and b"Idempotency-Key is unknown" in reply.body


@dataclass
class Crowd:
    """Clients that all pay at once; every payment is retried until it is answered for good.

    Attributes:
        answers: key → the first answer that arrived whole, 200 or "outcome unknown".
        lost: how often a client lost its gateway in the middle of a request.
        others: further statuses there were.
    """

    mortal: Mortal
    merchant: Merchant
    answers: dict[str, Reply] = field(default_factory=dict)
    lost: int = 0
    others: Counter[int] = field(default_factory=Counter)
    _sent: int = 0
    _lock: Lock = field(default_factory=Lock)
    _moments: dict[int, Event] = field(default_factory=dict)

    def run(self, *, clients: int, payments: int, kills: int, seed: int) -> None:
        """The gateway is killed when as many requests have been sent as the seed says."""
        chosen = sorted(Random(seed).sample(range(payments // 50, payments * 49 // 50), kills))
        self._moments = {count: Event() for count in chosen}
        names = iter([f"pay-{number}" for number in range(payments)])
        with ThreadPoolExecutor(clients) as pool:
            running = [pool.submit(self._client, names) for _ in range(clients)]
            for count in chosen:
                assert self._moments[count].wait(DEADLINE_S), "the crowd stands still"
                self.mortal.kill()
                self.mortal.start()
            for one in running:
                one.result(DEADLINE_S)

    def _client(self, names: Iterator[str]) -> None:
        with closing(Payer(self.mortal.port, self.merchant)) as payer:
            while (name := self._next(names)) is not None:
                self._insist(payer, name)

    def _next(self, names: Iterator[str]) -> str | None:
        with self._lock:
            return next(names, None)

    def _insist(self, payer: Payer, name: str) -> None:
        for _attempt in range(100):
            assert self.mortal.up.wait(DEADLINE_S)
            self._sends()
            try:
                reply = payer.pay(name, payment(name))
            except LOST:
                with self._lock:
                    self.lost += 1
                continue
            if reply.status == 200 or is_unknown(reply):
                self.answers[name] = reply
                return
            with self._lock:
                self.others[reply.status] += 1
        raise AssertionError(f"{name} was never answered")

    def _sends(self) -> None:
        with self._lock:
            self._sent += 1
            moment = self._moments.get(self._sent)
        if moment is not None:
            moment.set()


def transaction_of(reply: Reply) -> str:
    """The id in the answer to a payment."""
    found: str = json.loads(reply.body)["transaction_id"]
    return found
