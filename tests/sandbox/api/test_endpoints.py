"""Every row of the fact sheet's endpoint tables, through the HTTP application."""

import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from guarita.profiles.minhakonta import TABLE
from guarita.sandbox.api.endpoints import ENDPOINTS, PREFIX
from guarita.sandbox.pix.scenarios import HEADER
from tests.sandbox.api import contract
from tests.sandbox.api.scene import Scene, entries, rows
from tests.sandbox.support import ACCOUNT, REPOSITORY, vectors

VECTORS = vectors("sandbox_endpoints.json")


def differences(expected: Any, actual: Any, at: str = "") -> list[str]:
    """Where an answer is not as a row has it. Members the row does not name are not looked at."""
    if isinstance(expected, dict):
        if not isinstance(actual, dict):
            return [f"{at}: {actual!r} is no object"]
        return [
            found
            for name, each in expected.items()
            for found in (
                differences(each, actual[name], f"{at}.{name}")
                if name in actual
                else [f"{at}.{name} is missing"]
            )
        ]
    if isinstance(expected, list):
        if not isinstance(actual, list) or len(actual) != len(expected):
            return [f"{at}: {actual!r}, not {len(expected)} items"]
        pairs = enumerate(zip(expected, actual, strict=True))
        return [found for i, (a, b) in pairs for found in differences(a, b, f"{at}.{i}")]
    if isinstance(expected, str) and expected.startswith("~"):
        fits = isinstance(actual, str) and re.fullmatch(expected[1:], actual)
        return [] if fits else [f"{at}: {actual!r} does not match {expected[1:]!r}"]
    same = expected == actual and type(expected) is type(actual)
    return [] if same else [f"{at}: {actual!r}, not {expected!r}"]


def at(answer: Any, place: str) -> Any:
    for step in filter(None, place.split(".")):
        answer = answer[int(step) if step.isdigit() else step]
    return answer


async def call(http: httpx.AsyncClient, scene: Scene, case: dict[str, Any]) -> httpx.Response:
    method, path = scene.fill(case["call"]).split(" ", 1)
    body = None if "body" not in case else json.dumps(scene.fill(case["body"])).encode()
    headers = {HEADER: case["scenario"]} if "scenario" in case else {}
    return await http.request(method, path, content=body, headers=headers)


@pytest.mark.parametrize("case", VECTORS["rows"], ids=lambda case: str(case["name"]))
async def test_rows_of_the_fact_sheet(scene: Scene, tmp_path: Path, case: dict[str, Any]) -> None:
    async with scene.opened(tmp_path) as (bank, http):
        before = entries(tmp_path)
        operation = contract.operation(*scene.fill(case["call"]).split(" ", 1))
        answer = await call(http, scene, case)
        assert answer.status_code == case["status"], answer.text
        assert answer.headers["content-type"] == "application/json"
        if not answer.is_success:
            assert entries(tmp_path) == before, "a refusal moves no money"
        first = answer.json()
        assert contract.problems(contract.answer_schema(operation, answer.status_code), first) == []
        if "body" in case and "; see docs/sandbox.md" not in answer.text:  # of a scenario
            broken = contract.problems(contract.body_schema(operation), scene.fill(case["body"]))
            fits = case.get("fits", answer.status_code != 400)
            assert (broken == []) == fits, "400 is for what the schema refuses"
        if "then" in case:
            answer = await call(http, scene, {"call": case["then"]})
            assert answer.status_code == 200
        found = answer.json()
        assert differences(scene.fill(case.get("answer", {})), found) == []
        if case.get("whole"):
            assert found == scene.fill(case["answer"])
        if "length" in case:
            assert len(found["data"]) == case["length"]
        for place, members in case.get("members", {}).items():
            assert set(at(found, place)) == set(members), place
        if "stored" in case:
            recorded = bank.transaction(ACCOUNT, first["refund_id"])
            assert {name: getattr(recorded, name) for name in case["stored"]} == case["stored"]
        assert bank.check_ledger().ok


def bad_bodies() -> list[tuple[str, str, dict[str, Any]]]:
    """(operation, body as sent, the fields that are wrong), for every POST."""
    cases = []
    good = VECTORS["good"]
    for operation, body in good.items():
        for text, problem in VECTORS["malformed"]:
            cases.append((operation, text, {"body": [problem]}))
        deep = '{"deep":' + "[" * 100 + "]" * 100 + "}"
        cases.append((operation, deep, {"body": ["must be at most 64 levels deep"]}))
        opened = '{"deep":' + "[" * 100_000
        cases.append((operation, opened, {"body": ["must be a JSON object"]}))
        for name in ("unknown", "Amount", "", "\ud800", "x" * 65):
            shown = name[:64].encode("utf-8", "replace").decode()
            cases.append((operation, json.dumps(body | {name: 1}), {shown: ["is unknown"]}))
    for operation, member, kind in VECTORS["members"]:
        body = {name: each for name, each in good[operation].items() if name != member}
        if member in ("emv", "codigo_copia_cola"):
            del body["pix_key"]  # they do not go together
        for text, problem in VECTORS["wrong"][kind]:
            sent = json.dumps(body | {member: "VALUE"}).replace('"VALUE"', text)
            cases.append((operation, sent, {member: [problem]}))
    return cases


BAD = bad_bodies()


@pytest.mark.parametrize("operation", VECTORS["good"])
async def test_bad_bodies_are_refused_and_move_no_money(
    scene: Scene, tmp_path: Path, operation: str
) -> None:
    """All bad bodies of one operation on one bank: a leak of any of them shows."""
    cases = [case for case in BAD if case[0] == operation]
    assert len(cases) > 25
    async with scene.opened(tmp_path) as (bank, http):
        before, count = entries(tmp_path), rows(tmp_path)
        path = scene.fill(operation).split(" ")[1]
        for _, sent, wrong in cases:
            answer = await http.post(
                path, content=scene.fill(sent).encode("utf-8", "surrogatepass")
            )
            bare = operation == "POST /webhooks" and "body" not in wrong  # fields without an atom
            expected = wrong if bare else {"bad_request": wrong}
            assert answer.status_code == 400, sent[:200]
            assert answer.json() == {"errors": expected}, sent[:200]
            described = contract.operation(*scene.fill(operation).split(" "))
            assert contract.problems(contract.answer_schema(described, 400), answer.json()) == []
        assert entries(tmp_path) == before
        assert rows(tmp_path) == count
        assert bank.check_ledger().ok
        good = scene.fill(VECTORS["good"][operation])
        assert (await http.post(path, json=good)).is_success, "the bodies were bad, not the rest"


def test_the_table_is_that_of_the_gate() -> None:
    ours = {(each.method, each.path, each.permission) for each in ENDPOINTS}
    gate = {
        (row.method, re.sub(r":(\w+)", r"{\1}", row.pattern), row.permission) for row in TABLE.rows
    }
    assert ours == gate
    assert len(ENDPOINTS) == 19
    assert TABLE.prefix == PREFIX


def test_every_operation_has_a_row() -> None:
    called = {re.sub(r"\{[^}]*\}", "x", case["call"].split("?")[0]) for case in VECTORS["rows"]}
    for each in ENDPOINTS:
        pattern = f"{each.method} " + re.sub(r"\{\w+\}", "[^/]+", each.path)
        assert any(re.fullmatch(pattern, one) for one in called), pattern


@pytest.mark.parametrize(("literal", "source"), VECTORS["literals"].items())
def test_literals_stand_in_the_seed(literal: str, source: str) -> None:
    seeds = list((REPOSITORY.parent / "shared" / "spec" / "seeds").glob("004*.txt"))
    if not seeds:
        pytest.skip("shared/vectors absent: the seed page is beside it")
    line = int(source.removeprefix("seed L"))
    assert literal in seeds[0].read_text("utf-8").splitlines()[line - 1]
    assert any(literal in json.dumps(case) for case in VECTORS["rows"] if case.get("whole"))
