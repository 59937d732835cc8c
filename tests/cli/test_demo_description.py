"""The document of the bank behind the gate: what callers send besides the bank's own, and every
refusal of the gate."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs
import pytest

from guarita.cli import demo_description
from guarita.cli.demo_description import METHODS, DescriptionBesideGate, document
from guarita.crypto import signature
from guarita.data_folder import DataFolder
from guarita.keyring.keyring import IssuedKey
from guarita.profiles.minhakonta import MINHA_KONTA
from guarita.sandbox import create_app
from guarita.sandbox.api import openapi
from guarita.serving.asgi import Guarita
from guarita.serving.backend import Backend
from tests.cli.conftest import Runner

DOCUMENT = document()
OPERATIONS = {
    f"{method.upper()} {path}": methods[method]
    for path, methods in DOCUMENT["paths"].items()
    for method in METHODS
    if method in methods
}
BODY = b'{"amount":100,"pix_key":"ana@exemplo.test"}'


def names(operation: dict[str, Any]) -> list[str]:
    return [each["name"] for each in operation["parameters"] if each["in"] == "header"]


def schema(operation: dict[str, Any], status: int) -> dict[str, Any]:
    found = operation["responses"][str(status)]["content"]["application/json"]["schema"]
    return {**found, "components": DOCUMENT["components"]}


@pytest.mark.parametrize("name", OPERATIONS)
def test_what_each_operation_takes(name: str) -> None:
    operation = OPERATIONS[name]
    assert operation["security"] == [{"apiKey": []}, {"basic": []}]
    assert DOCUMENT["components"]["securitySchemes"].keys() == {"apiKey", "basic"}
    signed = ["X-Key-Case", "hmac", "Idempotency-Key"] if name.startswith("POST") else []
    assert names(operation) == ["Sandbox-Scenario", *(signed or ["X-Key-Case"])]
    required = [each["name"] for each in operation["parameters"] if each.get("required")]
    assert ("hmac" in required) == name.startswith("POST")
    statuses = {int(status) for status in operation["responses"]}
    assert {401, 403, 415} <= statuses
    assert (409 in statuses) == name.startswith("POST")
    assert (429 in statuses) == (name != "GET /balance")
    assert "Ray-ID" in operation["responses"]["401"]["headers"]


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_refusal_of_the_gate_is_described(name: str) -> None:
    """Each reason a layer of the operation can give, with the example the profile words."""
    method, path = name.split(" ")
    layers = MINHA_KONTA.route_class(method, MINHA_KONTA.prefix + path).layers
    examined = 0
    for reason in (reason for layer in layers for reason in layer.reasons):
        worded = MINHA_KONTA.wording[reason]
        if worded.status in (404, 405):
            continue
        content = OPERATIONS[name]["responses"][str(worded.status)]["content"]["application/json"]
        assert content["examples"][str(reason)]["value"] == worded.body
        described = schema(OPERATIONS[name], worded.status)
        assert jsonschema_rs.Draft202012Validator(described).is_valid(worded.body)
        assert not jsonschema_rs.Draft202012Validator(described).is_valid({"error": 1})
        examined += 1
    assert examined > 10


def test_the_bank_itself_knows_no_gate() -> None:
    text = json.dumps(openapi.document())
    assert not any(word in text for word in ("hmac", "Idempotency-Key", "securitySchemes"))
    assert document() == DOCUMENT, "made from the bank's own each time, which stays as it was"


def test_the_command_says_which_it_prints(run: Runner) -> None:
    assert run("sandbox", "openapi", "--behind-gate", "--json").json == DOCUMENT
    assert run("sandbox", "openapi", "--json").json == openapi.document()
    help_text = run("sandbox", "openapi", "--help").out
    assert "--behind-gate" in help_text
    assert "bank alone" in help_text


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[DataFolder]:
    with DataFolder(tmp_path / "data", permissions=MINHA_KONTA.table.permissions) as opened:
        yield opened


@pytest.fixture
def key(folder: DataFolder) -> IssuedKey:
    return folder.keyring.create_key(
        folder.keyring.create_account("Loja").account_id,
        profile="minhakonta",
        permissions=["transfer:write"],
        allowlist=["127.0.0.1"],
    )


async def test_answers_are_as_described(folder: DataFolder, key: IssuedKey) -> None:
    bank = create_app(folder.path, work=False)
    backend = Backend.embedded(folder)
    gate = DescriptionBesideGate(Guarita(bank, MINHA_KONTA, backend))
    secret = key.secret.reveal()
    usual = {
        "Authorization": f"ApiKey {key.key.client_id}:{secret}",
        "Content-Type": "application/json",
        "hmac": signature(secret.encode(), BODY),
        "Idempotency-Key": "order-1",
    }
    cases: list[tuple[dict[str, str], int]] = [
        ({}, 200),
        ({}, 200),
        ({"Authorization": "ApiKey a:b"}, 401),
        ({"hmac": "0" * 128}, 401),
        ({"Content-Type": "text/plain"}, 415),
        ({"Idempotency-Key": "k" * 257}, 400),
        ({"Sandbox-Scenario": "error-400", "Idempotency-Key": "2"}, 400),
        ({"Sandbox-Scenario": "error-503", "Idempotency-Key": "3"}, 503),
    ]
    operation = OPERATIONS["POST /pix/cash-out"]
    transport = httpx.ASGITransport(gate, raise_app_exceptions=False)
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://bank.test") as http:
            served = await http.get(demo_description.PATH)
            assert served.json() == DOCUMENT
            for changed, status in cases:
                answer = await http.post(
                    "/api/external/pix/cash-out", content=BODY, headers=usual | changed
                )
                assert answer.status_code == status, answer.text
                described = schema(operation, status)
                validator = jsonschema_rs.Draft202012Validator(described)
                assert validator.is_valid(answer.json()), answer.text
                assert "Ray-ID" in answer.headers
            refused = await http.get(
                "/api/external/balance", headers={"Authorization": usual["Authorization"]}
            )
            described = schema(OPERATIONS["GET /balance"], 403)
            assert refused.status_code == 403
            assert jsonschema_rs.Draft202012Validator(described).is_valid(refused.json())
    finally:
        bank.state.bank.close()
        backend.close()
