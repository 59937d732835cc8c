"""schemathesis over the served document: every operation with good and bad data, and the sequences
its links lead to. Nothing may answer what the document does not say, and the books must be right.
"""

import asyncio
import copy
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from schemathesis import Config
from schemathesis.engine import from_schema
from schemathesis.engine.events import FatalError, NonFatalError, ScenarioFinished
from starlette.types import Receive, Scope, Send

from guarita.sandbox import create_app
from guarita.sandbox.api.faults import NAMES
from guarita.sandbox.books.statement import StatementQuery
from guarita.sandbox.pix.scenarios import HEADER
from tests.sandbox.api.scene import FILE, Scene
from tests.sandbox.support import ACCOUNT, client


class Served:
    """The bank without its lifespan, of which schemathesis would start and end one per request.
    After each request that may have made work a second passes, and the work is done.
    """

    def __init__(self, app: Any, scene: Scene) -> None:
        self.app = app
        self.scene = scene
        self.requests = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            for step in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{step}.complete"})
            return
        self.requests += 1
        await self.app(scope, receive, send)
        if scope["method"] == "POST":
            self.scene.clock.advance(seconds=1)
            self.app.state.bank.work()


@pytest.fixture
def served(scene: Scene, tmp_path: Path) -> Iterator[Served]:
    (tmp_path / FILE).write_bytes((scene.folder / FILE).read_bytes())
    now = scene.clock.now
    app = create_app(tmp_path, account=ACCOUNT, clock=scene.clock, work=False)
    with closing(app.state.bank):
        yield Served(app, scene)
    scene.clock.now = now


async def document(app: Any) -> dict[str, Any]:
    async with client(app) as http:
        answer = await http.get("http://bank.test/openapi.json")
    loaded: dict[str, Any] = answer.json()
    return loaded


def without_faults(served: dict[str, Any]) -> dict[str, Any]:
    """The document without the scenarios in which the bank breaks its word on purpose."""
    found = copy.deepcopy(served)
    for methods in found["paths"].values():
        for operation in methods.values():
            for each in operation["parameters"]:
                if each["name"] == HEADER:
                    each["schema"]["enum"] = [n for n in each["schema"]["enum"] if n not in NAMES]
            operation["parameters"] = [
                each
                for each in operation["parameters"]
                if each["name"] != HEADER or each["schema"]["enum"]
            ]
    return found


CONFIG = {
    "seed": 4,
    "suppress-health-check": ["filter_too_much"],
    "generation": {"deterministic": True, "max-examples": 15},
    "phases": {"stateful": {"max-steps": 6}},
    # 400 is for what the schema refuses; 422 for what business does.
    "checks": {
        "positive_data_acceptance": {
            "expected-statuses": ["2xx", "404", "422"],
        },
        "negative_data_rejection": {"expected-statuses": ["400", "404", "405", "413", "422"]},
    },
}


@pytest.mark.slow
def test_the_bank_keeps_to_its_document(served: Served) -> None:
    found = without_faults(asyncio.run(document(served)))
    schema = schemathesis.openapi.from_dict(found, config=Config.from_dict(CONFIG))
    schema.app = served
    schema.hook("map_case")(as_integer)
    failures: list[str] = []
    seen: dict[str, int] = {}
    for event in from_schema(schema).execute():
        if isinstance(event, NonFatalError):
            failures.append(f"{event.label}: {event.info.format()}")
        elif isinstance(event, FatalError):
            raise event.exception
        elif isinstance(event, ScenarioFinished):
            seen[str(event.phase)] = seen.get(str(event.phase), 0) + 1
            failures += described(event)
    assert not failures, "\n".join(failures)
    assert served.app.state.bank.check_ledger().ok
    assert seen.keys() == {"examples", "coverage", "fuzzing", "stateful"}
    assert served.requests > 800
    made = served.app.state.bank.statement(ACCOUNT, StatementQuery(per_page=100))
    assert len(made) > 20, "some of it was business"


def as_integer(_context: Any, case: schemathesis.Case[Any]) -> schemathesis.Case[Any]:
    """A JSON schema calls 30.0 an integer, which the bank refuses (and its own tests say so)."""
    if isinstance(case.body, dict):
        amount = case.body.get("amount")
        if isinstance(amount, float) and amount.is_integer():
            case.body["amount"] = int(amount)
    return case


def described(event: ScenarioFinished) -> list[str]:
    """What the failed checks of a scenario say."""
    return [
        f"{checks_of} {check.name}: {check.failure_info.failure.title} "
        f"{check.failure_info.failure.message} {check.failure_info.code_sample}"
        for checks_of, checks in event.recorder.checks.items()
        for check in checks
        if check.failure_info is not None
    ]
