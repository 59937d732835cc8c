"""Faults on demand: what each does to a request, and what a real client sees of it, with and
without the gate in front.
"""

import http.client
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from guarita.sandbox import create_app
from guarita.sandbox.api import errors, faults
from guarita.sandbox.pix import scenarios
from guarita.stores.reservations import State
from tests.serving.client import Client, Reply
from tests.serving.servers import uvicorn_thread
from tests.serving.worlds import PAY, PAYMENT, PREFIX, World

HEADER = scenarios.HEADER


class Bank:
    """Serves one path, through `faults.serve`, and counts what it executes."""

    def __init__(self) -> None:
        self.executions = 0
        self.told = 0
        self.slept: list[float] = []
        self.app = Starlette(routes=[Route(PAY, self.pay, methods=["POST", "GET"])])

    async def pay(self, request: Request) -> Response:
        name = request.headers.get(HEADER)
        return await faults.serve(name, self.execute, sleep=self.sleep)

    async def execute(self) -> Response:
        self.executions += 1
        return JSONResponse({"worked": True}, background=BackgroundTask(self.tell))

    async def tell(self) -> None:
        self.told += 1

    async def sleep(self, seconds: float) -> None:
        assert self.executions == 0
        self.slept.append(seconds)


@pytest.fixture
def bank() -> Bank:
    return Bank()


def test_every_fault_of_the_table_is_served() -> None:
    of_any = {name for name, row in scenarios.SCENARIOS.items() if row.operations == scenarios.ANY}
    assert of_any == faults.NAMES


def test_errors_are_of_the_banks_own_family() -> None:
    for status, detail in faults.ERRORS.values():
        [(atom, text)] = detail.items()
        assert json.loads(bytes(errors.error(status, text).body)) == {"errors": {atom: text}}
        assert scenarios.SCENARIOS[f"error-{status}"].answer == status


@pytest.mark.parametrize("name", sorted(faults.ERRORS))
async def test_an_error_executes_nothing(bank: Bank, name: str) -> None:
    answer = await faults.serve(name, bank.execute)
    status, detail = faults.ERRORS[name]
    assert name == f"error-{status}"
    assert (answer.status_code, json.loads(bytes(answer.body))) == (status, {"errors": detail})
    assert bank.executions == 0


def test_the_literals_of_the_seed() -> None:
    """Seed L376-394."""
    assert faults.ERRORS["error-400"][1] == {"bad_request": {"amount": ["is required"]}}
    assert faults.ERRORS["error-401"][1] == {"unauthorized": "invalid credentials"}
    assert faults.ERRORS["error-404"][1] == {"not_found": "Transaction not found"}
    assert faults.ERRORS["error-422"][1] == {"unprocessable_entity": "Invalid PIX key format"}


@pytest.mark.parametrize(("name", "seconds"), [("slow-1s", 1), ("slow-5s", 5), ("slow-30s", 30)])
async def test_a_slow_one_waits_and_is_served(bank: Bank, name: str, seconds: float) -> None:
    answer = await faults.serve(name, bank.execute, sleep=bank.sleep)
    assert bank.slept == [seconds]
    assert (answer.status_code, bank.executions) == (200, 1)


@pytest.mark.parametrize("name", [None, "settled", "held"])
async def test_what_is_no_fault_is_served(bank: Bank, name: str | None) -> None:
    answer = await faults.serve(name, bank.execute, sleep=bank.sleep)
    assert (answer.status_code, bank.executions, bank.slept) == (200, 1, [])


async def test_what_execution_raises_is_raised(bank: Bank) -> None:
    async def fails() -> Response:
        raise LookupError("no such payment")

    with pytest.raises(LookupError):
        await faults.serve("drop-after", fails)


async def _messages(response: Response) -> list[Any]:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError("nothing is read")

    with pytest.raises(faults.Dropped):
        await response({"type": "http"}, receive, send)
    return sent


async def test_a_drop_promises_a_body_and_breaks_its_word(bank: Bank) -> None:
    for name, executions in (("drop-before", 0), ("drop-after", 1)):
        [start] = await _messages(await faults.serve(name, bank.execute))
        assert start["status"] == 200
        assert (b"content-length", b"2") in start["headers"]
        assert (bank.executions, bank.told) == (executions, executions)


# --- over real connections ------------------------------------------------------------------------

DROPS = pytest.mark.parametrize(("name", "executions"), [("drop-before", 0), ("drop-after", 1)])


@pytest.fixture(params=["httptools", "h11"])
def serving(request: pytest.FixtureRequest) -> Callable[[Any], Any]:
    @contextmanager
    def serve(app: Any) -> Iterator[int]:
        with uvicorn_thread(app, http=request.param, log_level="critical") as port:
            yield port

    return serve


@DROPS
def test_httpx_sees_the_connection_end(
    bank: Bank, serving: Callable[[Any], Any], name: str, executions: int
) -> None:
    with serving(bank.app) as port, httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
        with pytest.raises(httpx.RemoteProtocolError, match="without sending complete"):
            client.post(PAY, headers={HEADER: name})
        assert (bank.executions, bank.told) == (executions, executions)
        assert client.post(PAY).status_code == 200  # the server is well


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
@DROPS
def test_curl_sees_the_connection_end(
    bank: Bank, serving: Callable[[Any], Any], name: str, executions: int
) -> None:
    with serving(bank.app) as port:
        curl = ["curl", "--silent", "--show-error", "--max-time", "10", "-X", "POST"]
        address = f"http://127.0.0.1:{port}{PAY}"
        run = subprocess.run(
            [*curl, "-H", f"{HEADER}: {name}", address], capture_output=True, check=False
        )
    assert (run.returncode, run.stdout) == (18, b"")  # CURLE_PARTIAL_FILE
    assert bank.executions == executions


@contextmanager
def gated(
    bank: Bank, serving: Callable[[Any], Any]
) -> Iterator[tuple[World, Callable[[str | None, str | None], Reply]]]:
    """The bank behind a gate, and how to pay through it: with an Idempotency-Key, and a fault."""
    world = World()
    with serving(world.gate(bank.app)) as port:
        client = Client(port, world.credentials)

        def pay(key: str | None, name: str | None) -> Reply:
            more = [] if name is None else [(HEADER.lower(), name)]
            return client.post(PAY, PAYMENT, key=key, more=more)

        yield world, pay


@DROPS
def test_behind_the_gate_the_outcome_is_unknown(
    bank: Bank, serving: Callable[[Any], Any], name: str, executions: int
) -> None:
    """The gate holds an answer until it is whole, and so it can tell the client that none came. It
    cannot know whether the payment was executed: no retry under the key is let through.
    """
    with gated(bank, serving) as (world, pay):
        first = pay("k", name)
        assert (first.status, json.loads(first.body)) == (
            500,
            {"errors": {"internal_server_error": "Internal server error"}},
        )
        assert world.states() == [State.OUTCOME_UNKNOWN]
        for again in (None, name):
            retry = pay("k", again)
            assert retry.status == 409
            assert b"outcome of the request with this Idempotency-Key is unknown" in retry.body
        assert bank.executions == executions
        assert pay("another", None).status == 200


@DROPS
def test_behind_the_gate_without_a_key_the_connection_ends(
    bank: Bank, serving: Callable[[Any], Any], name: str, executions: int
) -> None:
    with gated(bank, serving) as (world, pay):
        with pytest.raises(http.client.IncompleteRead):
            pay(None, name)
        assert bank.executions == executions
        assert world.states() == []


@pytest.mark.parametrize("name", sorted(faults.ERRORS))
def test_behind_the_gate_an_error_can_be_retried(
    bank: Bank, serving: Callable[[Any], Any], name: str
) -> None:
    with gated(bank, serving) as (world, pay):
        assert pay("k", name).status == faults.ERRORS[name][0]
        assert world.states() == []
        assert pay("k", None).status == 200
        assert pay("k", None).one("x-idempotent-replay") == "true"
    assert bank.executions == 1


@DROPS
def test_the_real_bank_pays_once_at_most(
    tmp_path: Path, serving: Callable[[Any], Any], name: str, executions: int
) -> None:
    """The whole of it: the bank behind the gate, and a client that retries under its key."""
    world = World()
    app = create_app(tmp_path, work=False)
    with serving(world.gate(app)) as port:
        client = Client(port, world.credentials)
        more = [(HEADER.lower(), name)]
        statuses = [client.post(PAY, PAYMENT, key="k", more=more).status for _ in range(3)]
        assert statuses == [500, 409, 409]
        shown = json.loads(client.get(f"{PREFIX}/transactions").body)
        assert len(shown["data"]) == executions
