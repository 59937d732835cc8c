"""64 clients, every endpoint that moves money, and a server that is killed at random moments: what
was answered is in the books, once, and the books are right.

The server is a process of its own (`chaos_server`), settling while it serves; a second one settles
beside it. Seeds choose who sends what and after how many answers the server dies.
"""

import http.client
import json
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from guarita.data_folder import DataFolder
from guarita.sandbox import Bank
from tests.sandbox.chaos import ACCOUNTS, LOST, Crowd, Interference, Order
from tests.sandbox.chaos_books import Books
from tests.sandbox.chaos_server import RULES
from tests.serving.client import Client, Reply
from tests.serving.servers import Process, listener
from tests.serving.worlds import PERMISSIONS, PREFIX, Credentials

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="needs inherited sockets and SIGKILL"),
]

EACH = 10
KILLS = 5
ATTEMPTS = 40


@contextmanager
def server(data: Path, form: str) -> Iterator[Process]:
    with listener() as listening:
        arguments = ("tests.sandbox.chaos_server", str(data), form)
        with Process(listening, *arguments) as process:
            yield process


def at_last(data: Path) -> Bank:
    """The bank hours later, with everything done that was due by then, and what follows from it."""
    now = datetime.now(UTC) + timedelta(hours=3)
    end = now + timedelta(hours=1)
    bank = Bank(data, rules=RULES, clock=lambda: now)
    while (due := bank.work()) is not None and due <= end:
        now = max(now, due)
    return bank


class Plain:
    """Sends once, as the account the header names."""

    def __init__(self, port: int) -> None:
        self._port = port

    def send(self, order: Order) -> Reply | None:
        headers = {"Guarita-Account": f"acc_{order.account}", "Content-Type": "application/json"}
        if order.scenario is not None:
            headers["Sandbox-Scenario"] = order.scenario
        try:
            return self._request("POST", order.path, headers, order.bytes)
        except LOST:
            return None

    def get(self, account: int, path: str) -> Any:
        for _ in range(ATTEMPTS):
            try:
                reply = self._request("GET", path, {"Guarita-Account": f"acc_{account}"})
            except LOST:
                continue
            assert reply.status == 200
            return json.loads(reply.body)
        raise AssertionError("never answered")

    def _request(
        self, method: str, path: str, headers: dict[str, str], body: bytes | None = None
    ) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        try:
            connection.request(method, PREFIX + path, body, headers)
            response = connection.getresponse()
            return Reply(response.status, response.getheaders(), response.read())
        finally:
            connection.close()


class Guarded:
    """Signs, and sends under one Idempotency-Key until there is an answer."""

    def __init__(self, port: int, credentials: list[Credentials]) -> None:
        self._clients = [Client(port, each) for each in credentials]

    def send(self, order: Order) -> Reply | None:
        more = [] if order.scenario is None else [("sandbox-scenario", order.scenario)]
        client = self._clients[order.account]
        for _ in range(ATTEMPTS):
            try:
                return client.post(PREFIX + order.path, order.bytes, key=order.tag, more=more)
            except LOST:
                continue
        raise AssertionError("never answered")

    def get(self, account: int, path: str) -> Any:
        for _ in range(ATTEMPTS):
            try:
                reply = self._clients[account].get(PREFIX + path)
            except LOST:
                continue
            assert reply.status == 200
            return json.loads(reply.body)
        raise AssertionError("never answered")


def outcomes(orders: list[Order]) -> Counter[int | None]:
    return Counter(None if order.reply is None else order.reply.status for order in orders)


@pytest.mark.parametrize("seed", [1, 2])
def test_the_books_survive(tmp_path: Path, seed: int) -> None:
    with server(tmp_path, "plain") as process:
        client = Plain(process.port)
        for account in range(ACCOUNTS):
            client.get(account, "/balance")
        crowd = Crowd(client.send, client.get, seed)
        with Interference(tmp_path, crowd):
            crowd.run(process, each=EACH, kills=KILLS)
        process.kill()

    with at_last(tmp_path) as bank:
        audit = bank.check_ledger()
        assert audit.violations == ()
    Books(tmp_path).check(crowd.orders)
    seen = outcomes(crowd.orders)
    assert set(seen) <= {200, 202, 404, 422, None}
    assert min(seen[200], seen[202], seen[422]) > 0, seen


@pytest.mark.parametrize("seed", [3, 4])
def test_no_key_executes_twice(tmp_path: Path, seed: int) -> None:
    with ExitStack() as stack:
        folder = stack.enter_context(DataFolder(tmp_path))
        credentials = [_credentials(folder) for _ in range(ACCOUNTS)]
        process = stack.enter_context(server(tmp_path, "gate"))
        client = Guarded(process.port, credentials)
        for account in range(ACCOUNTS):
            client.get(account, "/balance")
        crowd = Crowd(client.send, client.get, seed)
        with Interference(tmp_path, crowd):
            crowd.run(process, each=EACH, kills=KILLS)
        _replays_change_nothing(client, crowd.orders)
        unknown = folder.store.reservations(state="outcome_unknown")
        process.kill()

    with at_last(tmp_path) as bank:
        assert bank.check_ledger().violations == ()
    Books(tmp_path).check(crowd.orders)
    seen = outcomes(crowd.orders)
    assert set(seen) <= {200, 202, 404, 409, 422}
    assert min(seen[200], seen[202], seen[422]) > 0, seen
    assert {row.scope.key.decode() for row in unknown} == {
        order.tag for order in crowd.orders if order.reply and order.reply.status == 409
    }


def _credentials(folder: DataFolder) -> Credentials:
    account = folder.keyring.create_account("Merchant")
    issued = folder.keyring.create_key(
        account.account_id, permissions=PERMISSIONS, allowlist=["127.0.0.1"]
    )
    return Credentials(issued.key.client_id, issued.secret.reveal(), account.account_id)


def _replays_change_nothing(client: Guarded, orders: list[Order]) -> None:
    """An answered key gives the same answer again; an unknown one stays unknown."""
    again = [order for order in orders if order.reply and order.reply.status in (200, 202, 409)]
    for order in again[::7]:
        assert order.reply is not None
        replay = client.send(order)
        assert replay is not None
        assert (replay.status, replay.body) == (order.reply.status, order.reply.body)
        assert replay.all("x-idempotent-replay") == (["true"] if replay.status < 300 else [])
