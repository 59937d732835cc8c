"""The served document: complete, true of examples and of every event the bank sends."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs
import pytest

from guarita.sandbox import create_app
from guarita.sandbox.api.endpoints import ENDPOINTS
from guarita.sandbox.pix.scenarios import HEADER, SCENARIOS
from guarita.sandbox.webhooks.event_types import EVENT_TYPES, WEBHOOK_TEST
from tests.sandbox.api import contract
from tests.sandbox.support import ACCOUNT, REPOSITORY, Clock, client

DOCUMENT = contract.DOCUMENT
OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
}


async def test_it_is_served_without_an_identity(tmp_path: Path) -> None:
    app = create_app(tmp_path, work=False)
    with closing(app.state.bank):
        async with client(app) as http:
            answer = await http.get("http://bank.test/openapi.json")
            assert (await http.get("/openapi.json")).status_code == 404
            assert (await http.get("/balance")).status_code == 401
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == DOCUMENT
    assert DOCUMENT["openapi"].startswith("3.1.")


def test_every_operation_is_in_it() -> None:
    assert OPERATIONS.keys() == {f"{each.method} {each.path}" for each in ENDPOINTS}
    for each in ENDPOINTS:
        operation = OPERATIONS[f"{each.method} {each.path}"]
        assert operation["x-permission"] == each.permission
        assert each.permission in operation["description"]
        assert ("requestBody" in operation) == (each.method == "POST")
    ids = [operation["operationId"] for operation in OPERATIONS.values()]
    assert len(set(ids)) == 19


def test_its_schemas_are_schemas() -> None:
    for name, schema in DOCUMENT["components"]["schemas"].items():
        assert jsonschema_rs.meta.is_valid(schema), name
    references = json.dumps(DOCUMENT).split('"#/components/schemas/')[1:]
    named = {text.split('"')[0] for text in references}
    assert named == DOCUMENT["components"]["schemas"].keys()


@pytest.mark.parametrize("name", OPERATIONS)
def test_examples_are_as_described(name: str) -> None:
    operation = OPERATIONS[name]
    if "requestBody" in operation:
        content = operation["requestBody"]["content"]["application/json"]
        assert examples(content)
        for each in examples(content):
            assert contract.problems(content["schema"], each) == []
    for status, response in operation["responses"].items():
        content = response["content"]["application/json"]
        assert examples(content), status
        for each in examples(content):
            assert contract.problems(content["schema"], each) == [], status


def examples(content: dict[str, Any]) -> list[Any]:
    if "example" in content:
        return [content["example"]]
    return [each["value"] for each in content["examples"].values()]


@pytest.mark.parametrize("name", [name for name in OPERATIONS if name.startswith("POST")])
async def test_examples_of_bodies_are_accepted(tmp_path: Path, name: str) -> None:
    content = OPERATIONS[name]["requestBody"]["content"]["application/json"]
    app = create_app(tmp_path, account=ACCOUNT, work=False)
    with closing(app.state.bank):
        async with client(app) as http:
            for each in examples(content):
                answer = await http.post(name.split(" ")[1].replace("{id}", "x"), json=each)
                # What the examples of a refund and a defense are about is not there.
                assert answer.is_success or answer.status_code == 404


async def every_event(folder: Path) -> list[dict[str, Any]]:
    """The bodies of all events of a bank in which every scenario was asked for."""
    clock = Clock()
    app = create_app(folder, account=ACCOUNT, clock=clock, work=False)
    bank = app.state.bank
    with closing(bank):
        async with client(app) as http:

            async def ask(operation: str, path: str, body: dict[str, Any]) -> None:
                for number, each in enumerate(SCENARIOS.values()):
                    if each.operations == (operation,):  # of amounts of their own, or DUPL
                        sent = body | {"amount": body["amount"] + number}
                        await http.post(path, json=sent, headers={HEADER: each.name})

            def later(**time: float) -> None:
                clock.advance(**time)
                bank.work()

            await ask("cash-out", "/pix/cash-out", {"amount": 100, "pix_key": "52998224725"})
            await ask("cash-in", "/pix/cash-in", {"amount": 900})
            for amount, scenario in ((5000, "paid"), *[(90, "disputed")] * 3):
                headers = {HEADER: scenario}
                await http.post("/pix/cash-in", json={"amount": amount}, headers=headers)
            later(seconds=1)
            later(seconds=11)
            paid = (await http.get("/statement?per_page=100")).json()["data"]
            for each in paid:
                if each["direction"] == "inbound" and each["amount"] == 500_000:
                    refund = {"original_transaction_id": each["transaction_id"], "amount": 1}
                    await http.post("/pix/refund", json=refund)
                    await ask("refund", "/pix/refund", refund)
            scenarios = ["dispute-agreed", "dispute-disagreed", "dispute-cancelled"]
            for each in (await http.get("/med")).json()["meds"]:
                if scenarios:
                    defense = {"defense_text": f"sandbox:{scenarios.pop()}"}
                    answer = await http.post(f"/med/{each['id']}/defense", json=defense)
                    assert answer.is_success
            later(hours=3)
        assert bank.check_ledger().ok
    with closing(sqlite3.connect(folder / "bank.db")) as conn:
        return [json.loads(body) for (body,) in conn.execute("SELECT body FROM events")]


async def test_every_event_is_as_described(tmp_path: Path) -> None:
    described = {
        name: webhook["post"]["requestBody"]["content"]["application/json"]["schema"]
        for name, webhook in DOCUMENT["webhooks"].items()
    }
    assert described.keys() == {each.name for each in EVENT_TYPES.values() if each.sent}
    seen = set()
    for event in await every_event(tmp_path):
        assert contract.problems(described[event["event_type"]], event) == [], event
        seen.add((event["event_type"], event["status"]))
    assert seen == {
        (each.name, status)
        for each in EVENT_TYPES.values()
        for status in each.statuses
        if each.sent and each.name != WEBHOOK_TEST
    }


def test_scenarios_are_listed_where_they_can_be_asked_for() -> None:
    for endpoint in ENDPOINTS:
        operation = OPERATIONS[f"{endpoint.method} {endpoint.path}"]
        (header,) = [each for each in operation["parameters"] if each["name"] == HEADER]
        names = set(header["schema"]["enum"])
        assert names == {
            each.name for each in SCENARIOS.values() if endpoint.operation in each.operations
        }


async def test_an_unknown_scenario_is_refused_everywhere(tmp_path: Path) -> None:
    app = create_app(tmp_path, account=ACCOUNT, work=False)
    wrong = {HEADER: ["unknown scenario x; see docs/sandbox.md"]}
    with closing(app.state.bank):
        async with client(app) as http:
            for endpoint in ENDPOINTS:
                path = endpoint.path.replace("{", "").replace("}", "")
                operation = OPERATIONS[f"{endpoint.method} {endpoint.path}"]
                body = None
                if "requestBody" in operation:
                    body = examples(operation["requestBody"]["content"]["application/json"])[0]
                answer = await http.request(endpoint.method, path, json=body, headers={HEADER: "x"})
                assert answer.status_code == 400
                assert answer.json() == {"errors": {"bad_request": wrong}}
                twice: list[tuple[str, str]] = [(HEADER, "error-500")] * 2
                answer = await http.request(endpoint.method, path, json=body, headers=twice)
                expected = {HEADER: ["is given more than once"]}
                assert answer.json() == {"errors": {"bad_request": expected}}


@pytest.mark.parametrize("status", [400, 401, 404, 422, 500, 503])
async def test_every_operation_can_be_made_to_fail(tmp_path: Path, status: int) -> None:
    app = create_app(tmp_path, account=ACCOUNT, work=False)
    with closing(app.state.bank):
        async with client(app) as http:
            for name, operation in OPERATIONS.items():
                method, path = name.split(" ")
                body = None
                if "requestBody" in operation:
                    body = examples(operation["requestBody"]["content"]["application/json"])[0]
                headers = {HEADER: f"error-{status}"}
                answer = await http.request(
                    method, path.replace("{", "").replace("}", ""), json=body, headers=headers
                )
                assert answer.status_code == status
                schema = contract.answer_schema(operation, status)
                assert contract.problems(schema, answer.json()) == []
        assert app.state.bank.check_ledger().postings == 0


def test_no_statement_of_the_document_names_a_machine() -> None:
    text = httpx.Response(200, json=DOCUMENT).text
    assert str(REPOSITORY) not in text
    assert "localhost" not in text
