"""Every row of the table of scenarios, through HTTP: the answer, the states, the events, the money.

The clock is driven from one due moment to the next; nothing is waited for.
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from guarita.sandbox import Bank, Rules, create_app
from guarita.sandbox.api import faults
from guarita.sandbox.pix.scenarios import ANY, SCENARIOS, Operation, Scenario
from guarita.sandbox.world import World
from tests.sandbox.support import ACCOUNT, Clock, client

OPENING = 10_000_000
FEE = 350
AMOUNT = 12_501  # centavos; its half is no whole number of them
LONGEST_S = 3 * 3600.0  # past the two hours of a queued payout, short of the end of a charge

# What happens without a scenario, in the words of the fact sheet's §7.1.
USUAL: dict[Operation, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "cash-out": (("processing", "settled"), ("pix.payout.processing", "pix.payout.confirmed")),
    "cash-in": (("active",), ("pix.charge.created",)),
    "refund": (("processing", "settled"), ("pix.refund.requested", "pix.refund.completed")),
    "defense": (("defense_submitted", "ACKNOWLEDGED"), ("pix.infraction.defense_submitted",)),
    "other": ((), ()),
}


@dataclass
class Sandbox:
    """A bank on a driven clock, and what there is to refund and defend."""

    bank: Bank
    http: httpx.AsyncClient
    clock: Clock
    receipt: str = ""
    case: str = ""

    async def prepare(self, operation: Operation) -> None:
        """Receive a payment to refund, or one that is disputed."""
        if operation in ("refund", "defense"):
            charge = (await self.http.post("/pix/cash-in", json={"amount": AMOUNT})).json()
            world = World(self.bank)
            self.receipt = world.pay(charge["transaction_id"]).transaction_id
            if operation == "defense":
                self.case = world.infraction(self.receipt).id

    async def order(
        self, operation: Operation, *, text: str | None = None, key: str | None = None, **more: Any
    ) -> httpx.Response:
        """The operation's request, with `text` as its description or defense."""
        described = {} if text is None else {"description": text}
        if operation == "cash-out":
            body = {"amount": AMOUNT, "pix_key": key or "ana@exemplo.test", **described}
            return await self.http.post("/pix/cash-out", json=body, **more)
        if operation == "cash-in":
            return await self.http.post("/pix/cash-in", json={"amount": AMOUNT} | described, **more)
        if operation == "refund":
            body = {"original_transaction_id": self.receipt, **described}
            return await self.http.post("/pix/refund", json=body, **more)
        if operation == "defense":
            path = f"/med/{self.case}/defense"
            return await self.http.post(path, json={"defense_text": text or "Entregue."}, **more)
        return await self.http.get("/balance", **more)

    async def states(self, operation: Operation, answer: dict[str, Any]) -> list[str]:
        """The status of the answer, then those that queries show until nothing is due any more."""
        path, member = {
            "cash-out": (f"/transactions/{answer.get('transaction_id')}", "data"),
            "cash-in": (f"/transactions/{answer.get('transaction_id')}", "data"),
            "refund": (f"/transactions/{answer.get('refund_id')}", "data"),
            "defense": (f"/med/{self.case}", "med"),
            "other": ("/balance", ""),
        }[operation]
        seen = [answer["status"]] if "status" in answer else []
        async for _ in self.time():
            if member:
                shown = (await self.http.get(path)).json()[member]["status"]
                if operation != "defense" and (not seen or shown != seen[-1]):
                    seen.append(shown)
                elif operation == "defense":
                    seen = [seen[0], shown]
        return seen

    async def time(self) -> AsyncIterator[None]:
        """Go from one due moment to the next."""
        end = self.clock.now.timestamp() + LONGEST_S
        due = self.bank.work()
        yield
        while due is not None and due.timestamp() <= end:
            self.clock.now = due
            due = self.bank.work()
            yield

    def events(self) -> list[str]:
        with self.bank.database.reading() as conn:
            return [row[0] for row in conn.execute("SELECT event_type FROM events ORDER BY number")]

    async def money(self) -> int:
        shown = (await self.http.get("/balance")).json()
        assert shown["balance"] == shown["available"] + shown["pending"]
        balance: int = shown["balance"]
        return balance


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[Sandbox]:
    clock = Clock()
    rules = Rules(opening_balance=OPENING, fee=FEE, queue_retry_s=60)
    app = create_app(tmp_path, account=ACCOUNT, rules=rules, clock=clock, work=False)
    async with client(app) as http:
        yield Sandbox(app.state.bank, http, clock)
    assert app.state.bank.check_ledger().ok
    app.state.bank.close()


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that were to be slept; nobody does."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    assert faults.serve.__kwdefaults__ is not None
    monkeypatch.setitem(faults.serve.__kwdefaults__, "sleep", sleep)
    return slept


def by_header(name: str) -> dict[str, Any]:
    return {"headers": {"Sandbox-Scenario": name}}


def by_text(name: str) -> dict[str, Any]:
    return {"text": f"sandbox:{name}"}


def by_key(name: str) -> dict[str, Any]:
    return {"key": f"{name}@sandbox.example"}


def _cases() -> list[Any]:
    return [
        pytest.param(row, way, id=f"{row.name}-{way.__name__}")
        for row in SCENARIOS.values()
        if row.operations != ANY
        for way in (by_header, by_text, by_key)
        if way is not by_key or row.operations == ("cash-out",)
    ]


@pytest.mark.parametrize(("row", "way"), _cases())
async def test_the_row_is_true(
    sandbox: Sandbox, row: Scenario, way: Callable[[str], dict[str, Any]]
) -> None:
    [operation] = row.operations
    await sandbox.prepare(operation)
    before, earlier = await sandbox.money(), len(sandbox.events())
    answer = await sandbox.order(operation, **way(row.name))
    assert answer.status_code == row.answer
    assert row.statuses is not None
    if answer.is_error:
        assert row.statuses == row.events == ()
        assert (await sandbox.http.get("/transactions")).json()["data"] == []
    else:
        assert tuple(await sandbox.states(operation, answer.json())) == row.statuses
    assert tuple(sandbox.events()[earlier:]) == row.events
    assert await sandbox.money() - before == money_moved(row.name)
    if row.reason is not None:
        found = (await sandbox.http.get(f"/transactions/{answer.json()['transaction_id']}")).json()
        assert found["data"]["failure_reason"] == row.reason


def money_moved(name: str) -> int:
    """What a scenario leaves of the money, in base units."""
    amount = AMOUNT * 100
    moved = {
        "settled": -amount - FEE,
        "held": -amount - FEE,
        "queued": -amount - FEE,
        "returned": -FEE,
        "returned-partly": -amount - FEE + 6_251_00,
        "paid": amount - FEE,
        "disputed": amount - FEE,
        "dispute-agreed": -amount,  # the fee of the payment is kept
    }
    return moved.get(name, 0)


def _faults() -> list[Any]:
    return [
        pytest.param(row, operation, id=f"{row.name}-{operation}")
        for row in SCENARIOS.values()
        for operation in row.operations
        if row.operations == ANY
    ]


@pytest.mark.parametrize(("row", "operation"), _faults())
async def test_the_row_of_a_fault_is_true(
    sandbox: Sandbox, slept: list[float], row: Scenario, operation: Operation
) -> None:
    await sandbox.prepare(operation)
    before, earlier = await sandbox.money(), len(sandbox.events())
    answer = await sandbox.order(operation, **by_header(row.name))
    executed = row.statuses is None
    if row.name.startswith("drop-"):
        assert (row.answer, answer.content, answer.headers["content-length"]) == (None, b"", "2")
        async for _ in sandbox.time():
            pass
    elif executed:
        assert (row.answer, answer.status_code) == (None, 200)
        assert tuple(await sandbox.states(operation, answer.json())) == USUAL[operation][0]
    else:
        assert answer.status_code == row.answer
        async for _ in sandbox.time():
            pass
    assert tuple(sandbox.events()[earlier:]) == (USUAL[operation][1] if executed else ())
    assert executed or await sandbox.money() == before
    assert slept == ([faults.DELAYS_S[row.name]] if row.name in faults.DELAYS_S else [])


@pytest.mark.parametrize("way", [by_text, by_key])
@pytest.mark.parametrize("name", ["error-503", "drop-before"])
async def test_a_fault_can_be_asked_for_in_the_body(
    sandbox: Sandbox, way: Callable[[str], dict[str, Any]], name: str
) -> None:
    answer = await sandbox.order("cash-out", **way(name))
    assert (answer.status_code, answer.content == b"") == ((503, False), (200, True))[
        name == "drop-before"
    ]
    assert sandbox.events() == []


@pytest.mark.parametrize("operation", ["cash-out", "cash-in", "refund", "defense"])
async def test_an_unknown_scenario_is_refused_and_nothing_happens(
    sandbox: Sandbox, operation: Operation
) -> None:
    await sandbox.prepare(operation)
    earlier = len(sandbox.events())
    member = "defense_text" if operation == "defense" else "description"
    for way, where in ((by_header, "Sandbox-Scenario"), (by_text, member)):
        refused = await sandbox.order(operation, **way("nonsense"))
        problem = "unknown scenario nonsense; see docs/sandbox.md"
        assert refused.status_code == 400
        assert refused.json() == {"errors": {"bad_request": {where: [problem]}}}
    assert len(sandbox.events()) == earlier
