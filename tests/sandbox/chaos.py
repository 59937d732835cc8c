"""Clients that all pay at once while their server is killed again and again: what they send, and
what they learn of it.
"""

import http.client
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from threading import Event, Lock, Thread
from typing import Any

from guarita.sandbox import Bank
from guarita.sandbox.world import Impossible, World
from tests.sandbox.chaos_server import RULES
from tests.serving.client import Reply
from tests.serving.servers import Process

CLIENTS = 64
ACCOUNTS = 4
LOST = (ConnectionError, TimeoutError, http.client.HTTPException)
"""What a client sees of a server that died: nothing that tells whether its request was executed."""

SCENARIOS: dict[str, tuple[str | None, ...]] = {
    "/pix/cash-out": (None, None, None, "rejected-ac03", "held", "returned", "returned-partly",
                      "queued"),
    "/pix/cash-in": (None, None, "paid", "paid", "disputed"),
    "/pix/refund": (None, "refund-released"),
    "defense": (None, "dispute-agreed", "dispute-disagreed", "dispute-cancelled"),
}  # fmt: skip

Send = Callable[["Order"], Reply | None]
"""Sends an order as often as it makes sense; `None` where no answer ever came."""
Get = Callable[[int, str], Any]


@dataclass
class Order:
    """A POST. Its `tag` is found again in what the bank keeps of it."""

    account: int
    kind: str
    path: str
    body: dict[str, Any]
    tag: str
    scenario: str | None
    reply: Reply | None = None

    @property
    def bytes(self) -> bytes:
        return json.dumps(self.body, separators=(",", ":"), sort_keys=True).encode()


@dataclass
class Crowd:
    """The clients, and what they tell one another."""

    send: Send
    get: Get
    seed: int
    orders: list[Order] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)
    done: int = 0
    _lock: Lock = field(default_factory=Lock)
    _milestones: dict[int, Event] = field(default_factory=dict)

    def run(self, process: Process, *, each: int, kills: int) -> None:
        """Every client sends `each` orders; the server is killed after as many numbers of answers,
        chosen by the seed.
        """
        total = CLIENTS * each
        chosen = sorted(Random(self.seed).sample(range(total // 20, total * 9 // 10), kills))
        self._milestones = {count: Event() for count in chosen}
        with ThreadPoolExecutor(CLIENTS) as pool:
            clients = [pool.submit(self._client, number, each) for number in range(CLIENTS)]
            for count in chosen:
                assert self._milestones[count].wait(60), "the crowd stands still"
                process.kill()
                process.start()
            for client in clients:
                client.result(120)

    def _client(self, number: int, orders: int) -> None:
        random = Random(self.seed * 1000 + number)
        for count in range(orders):
            order = self._order(random, number % ACCOUNTS, f"order-{number}-{count}")
            order.reply = self.send(order)
            with self._lock:
                self.orders.append(order)
                self.done += 1
                answered = order.reply is not None and order.reply.status == 200
                if order.reply is not None and answered and order.kind == "charge":
                    self.codes.append(json.loads(order.reply.body)["qr_code"])
                for milestone, event in self._milestones.items():
                    if self.done >= milestone:
                        event.set()

    def _order(self, random: Random, account: int, tag: str) -> Order:
        kind = random.choice(["key", "key", "key", "code", "code", "charge", "charge", "refund",
                              "defense"])  # fmt: skip
        amount = random.choice([100, 999, 2_500, 6_000])
        body: dict[str, Any] = {"amount": amount, "description": tag}
        if kind == "refund":
            body["original_transaction_id"] = self._receipt(random, account)
            return self._made(random, account, kind, "/pix/refund", body, tag)
        if kind == "defense":
            path = f"/med/{self._case(random, account)}/defense"
            return self._made(random, account, kind, path, {"defense_text": tag}, tag)
        if kind == "charge":
            return self._made(random, account, kind, "/pix/cash-in", body, tag)
        if kind == "code" and self.codes:
            body["emv"] = random.choice(self.codes[-20:])
        else:
            body["pix_key"] = f"client-{random.randrange(40)}@exemplo.test"
        return self._made(random, account, kind, "/pix/cash-out", body, tag)

    def _made(
        self, random: Random, account: int, kind: str, path: str, body: dict[str, Any], tag: str
    ) -> Order:
        scenario = random.choice(SCENARIOS["defense" if kind == "defense" else path])
        return Order(account, kind, path, body, tag, scenario)

    def _receipt(self, random: Random, account: int) -> str:
        shown = self.get(account, "/statement?per_page=100")
        receipts = [each for each in shown["data"] if each["direction"] == "inbound"]
        return str(random.choice(receipts)["transaction_id"]) if receipts else "none"

    def _case(self, random: Random, account: int) -> str:
        cases = self.get(account, "/med")["meds"]
        return str(random.choice(cases)["id"]) if cases else "none"


class Interference:
    """A second process over the same file, to the server's mind: settles as well, and pays."""

    def __init__(self, data: Path, crowd: Crowd) -> None:
        self._bank = Bank(data, rules=RULES)
        self._crowd = crowd
        self._end = Event()
        self._thread = Thread(target=self._run)
        self.failure: BaseException | None = None

    def _run(self) -> None:
        try:
            world, random = World(self._bank), Random(self._crowd.seed)
            while not self._end.wait(0.03):
                self._bank.work()
                if self._crowd.codes:
                    with suppress(Impossible):
                        world.pay(random.choice(self._crowd.codes))
        except BaseException as failure:
            self.failure = failure

    def __enter__(self) -> "Interference":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join(60)
        self._bank.close()
        assert self.failure is None, repr(self.failure)
