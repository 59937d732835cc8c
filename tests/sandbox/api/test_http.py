"""The bank over HTTP: bodies, shapes, identity and everything that is refused."""

import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.types import Receive, Scope, Send

from guarita.sandbox import Bank, create_app
from guarita.sandbox.api.endpoint import Call, Reply
from guarita.sandbox.api.errors import Malformed
from guarita.sandbox.api.operations.payments import CASH_OUT_BODY
from guarita.sandbox.api.reading import MAX_BODY_BYTES, parse_object
from tests.sandbox.support import ACCOUNT, FEE, Clock, client, vectors

VECTORS = vectors("sandbox_cash_out.json")
OPENING = 500_000_000
GOOD = b'{"amount":3000,"pix_key":"52998224725"}'
BALANCE = {"worked": True, "balance": OPENING, "available": OPENING, "pending": 0}


def sent(case: dict[str, Any]) -> bytes:
    body: str = case["body"]
    for name, (text, times) in case.get("repeat", {}).items():
        body = body.replace(name, text * times)
    return body.encode()


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Any]:
    clock = Clock()
    made = create_app(tmp_path, account=ACCOUNT, clock=clock, work=False)
    made.state.clock = clock
    with closing(made.state.bank):
        yield made


@pytest.fixture
async def http(app: Any) -> AsyncIterator[httpx.AsyncClient]:
    async with client(app) as opened:
        yield opened


async def test_balance(http: httpx.AsyncClient) -> None:
    answer = await http.get("/balance")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.text == (
        '{"worked":true,"balance":500000000,"available":500000000,"pending":0,"currency":"BRL"}'
    )


@pytest.mark.parametrize("case", VECTORS["accepted"], ids=lambda c: c["body"][:90])
async def test_accepted_bodies_pay_once(
    app: Any, http: httpx.AsyncClient, case: dict[str, Any]
) -> None:
    amount = json.loads(case["body"])["amount"] * 100
    answer = await http.post("/pix/cash-out", content=sent(case))
    assert answer.status_code == 200
    paid = answer.json()
    ids = {"transaction_id": paid["transaction_id"], "end_to_end_id": paid["end_to_end_id"]}
    assert re.fullmatch(r"E39929224202605011200[a-zA-Z0-9]{11}", paid["end_to_end_id"])
    assert paid == {
        "worked": True,
        **ids,
        "external_id": case["external_id"],
        "amount": amount,
        "fee_amount": FEE,
        "net_amount": amount + FEE,
        "status": "processing",
        "detail": "PIX enviado para processamento",
    }
    held = (await http.get("/balance")).json()
    assert held["balance"] == OPENING
    assert held["pending"] == amount + FEE

    app.state.clock.advance(seconds=1)
    app.state.bank.work()
    assert app.state.bank.count_payments(ACCOUNT) == 1
    assert (await http.get("/balance")).json() == {
        "worked": True,
        "balance": OPENING - amount - FEE,
        "available": OPENING - amount - FEE,
        "pending": 0,
        "currency": "BRL",
    }
    answer = await http.get(f"/transactions/{ids['transaction_id']}")
    assert answer.status_code == 200
    found = answer.json()
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", found["data"].pop("id"))
    assert found == {
        "worked": True,
        "data": {
            **ids,
            "external_id": case["external_id"],
            "type": "pix",
            "direction": "outbound",
            "status": "settled",
            "amount": amount,
            "fee_amount": FEE,
            "net_amount": amount + FEE,
            "description": case["description"],
            "counterparty_name": found["data"]["counterparty_name"],
            "recipient_key": case["recipient_key"],
            "created_at": "2026-05-01T12:00:30Z",
            "completed_at": "2026-05-01T12:00:31Z",
        },
    }
    # Compact, and UTF-8 rather than ASCII escapes.
    assert ", " not in answer.text
    assert ": " not in answer.text
    assert "\\u" not in answer.text


@pytest.mark.parametrize("case", VECTORS["refused"], ids=lambda c: c["body"][:90])
async def test_refused_bodies_move_no_money(
    app: Any, http: httpx.AsyncClient, case: dict[str, Any]
) -> None:
    answer = await http.post("/pix/cash-out", content=sent(case))
    assert answer.status_code == case["status"]
    atom, detail = {
        400: ("bad_request", case.get("fields")),
        422: ("unprocessable_entity", case.get("detail")),
    }[case["status"]]
    assert answer.json() == {"errors": {atom: detail}}
    app.state.clock.advance(hours=3)
    app.state.bank.work()
    assert app.state.bank.count_payments(ACCOUNT) == 0
    assert (await http.get("/balance")).json() == BALANCE | {"currency": "BRL"}
    assert app.state.bank.check_ledger().ok


async def test_a_body_that_is_not_utf_8_is_refused(http: httpx.AsyncClient) -> None:
    answer = await http.post("/pix/cash-out", content=GOOD.replace(b"529", b"\xff29"))
    assert answer.json() == {"errors": {"bad_request": {"body": ["must be a JSON object"]}}}


async def test_a_body_beyond_the_limit_is_refused(app: Any, http: httpx.AsyncClient) -> None:
    padded = GOOD + b" " * (MAX_BODY_BYTES - len(GOOD))
    assert (await http.post("/pix/cash-out", content=padded)).status_code == 200
    answer = await http.post("/pix/cash-out", content=padded + b" ")
    assert answer.status_code == 413
    assert answer.json() == {"errors": {"request_entity_too_large": "Request body is too large"}}
    assert (await http.get("/statement")).json()["data"][1:] == []


async def test_a_body_cut_off_by_the_client_pays_nothing(app: Any) -> None:
    parts = iter(
        [{"type": "http.request", "body": GOOD, "more_body": True}, {"type": "http.disconnect"}]
    )
    answered: list[Any] = []

    async def receive() -> Any:
        return next(parts)

    async def send(message: Any) -> None:
        answered.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/api/external/pix/cash-out",
        "query_string": b"",
        "headers": [],
    }
    await app(scope, receive, send)
    assert answered[0]["status"] == 400
    assert app.state.bank.check_ledger().postings == 0


@pytest.mark.parametrize(
    ("method", "path", "status", "errors"),
    [
        ("GET", "/transactions/unknown", 404, {"not_found": "Transaction not found"}),
        ("GET", "/transactions/%ED%A0%80", 404, {"not_found": "Transaction not found"}),
        ("GET", "/transactions/", 404, {"not_found": "Route not found"}),
        ("GET", "/balance/", 404, {"not_found": "Route not found"}),
        ("GET", "/Balance", 404, {"not_found": "Route not found"}),
        ("GET", "/nothing", 404, {"not_found": "Route not found"}),
        ("POST", "/pix/cash-out/", 404, {"not_found": "Route not found"}),
        ("GET", "/pix/cash-out", 405, {"method_not_allowed": "Method not allowed"}),
        ("PUT", "/pix/cash-out", 405, {"method_not_allowed": "Method not allowed"}),
        ("POST", "/balance", 405, {"method_not_allowed": "Method not allowed"}),
        ("DELETE", "/transactions/x", 405, {"method_not_allowed": "Method not allowed"}),
        ("HEAD", "/nothing", 404, None),
        ("HEAD", "/balance", 405, None),
        ("OPTIONS", "/balance", 405, {"method_not_allowed": "Method not allowed"}),
        ("PATCH", "/webhooks", 405, {"method_not_allowed": "Method not allowed"}),
        ("GET", "/webhooks/x", 405, {"method_not_allowed": "Method not allowed"}),
        ("GET", "/med/x/defense", 405, {"method_not_allowed": "Method not allowed"}),
        ("GET", "/transactions/a/b", 404, {"not_found": "Route not found"}),
        ("GET", "/transactions/tag/a/b", 404, {"not_found": "Route not found"}),
        ("GET", "/transactions/tag/", 404, {"not_found": "Route not found"}),
        ("GET", "/transactions/a%2Fb", 404, {"not_found": "Route not found"}),
        ("GET", "/transactions/e2e/%ED%A0%80", 404, {"not_found": "Transaction not found"}),
        ("GET", "/transactions/ref/%00", 404, {"not_found": "Transaction not found"}),
        ("GET", "/transactions/%00/receipt", 404, {"not_found": "Transaction not found"}),
        ("GET", "/med/%ED%A0%80", 404, {"not_found": "Infraction not found"}),
        ("DELETE", "/webhooks/%ED%A0%80", 404, {"not_found": "Webhook not found"}),
    ],
)
async def test_nothing_else_leads_anywhere(
    http: httpx.AsyncClient, method: str, path: str, status: int, errors: dict[str, str] | None
) -> None:
    answer = await http.request(method, path)
    assert answer.status_code == status
    if errors is not None:
        assert answer.json() == {"errors": errors}
    assert answer.headers["content-type"] == "application/json"
    assert ("allow" in answer.headers) == (status == 405)


@pytest.mark.parametrize(
    ("path", "allowed"),
    [("/balance", {"GET"}), ("/webhooks", {"GET", "POST"}), ("/webhooks/x", {"DELETE"})],
)
async def test_the_methods_of_a_path(http: httpx.AsyncClient, path: str, allowed: set[str]) -> None:
    answer = await http.put(path)
    assert set(answer.headers["allow"].split(", ")) == allowed


async def test_a_fault_tells_the_caller_nothing(
    app: Any, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_bank: Bank, _account: str) -> None:
        raise fault

    fault = RuntimeError("secret detail of the disk")
    monkeypatch.setattr(Bank, "balance", broken)
    answer = await http.get("/balance")
    assert answer.status_code == 500
    assert answer.json() == {"errors": {"internal_server_error": "Internal server error"}}


class Identity:
    """What a gate puts into the scope, as far as the bank looks at it."""

    def __init__(self, account: object) -> None:
        self.account = account


@asynccontextmanager
async def served(
    folder: Path, scope_identity: object = None, **options: Any
) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(folder, work=False, **options)

    async def gated(scope: Scope, receive: Receive, send: Send) -> None:
        if scope_identity is not None:
            scope["guarita"] = scope_identity
        await app(scope, receive, send)

    with closing(app.state.bank):
        async with client(gated) as opened:
            yield opened


IDENTITIES = [
    # options, identity in the scope, headers sent, the account served (None = 401)
    ({"account": "own"}, None, [], "own"),
    ({"account": "own"}, None, [("Guarita-Account", "other")], "own"),
    ({"account": "own"}, Identity("scoped"), [], "scoped"),
    ({"account": "own"}, Identity(None), [], None),
    ({"account": "own"}, Identity(""), [], None),
    ({"account": "own"}, Identity(7), [], None),
    ({"account": "own"}, object(), [], None),
    ({}, None, [], None),
    ({}, None, [("Guarita-Account", "other")], None),
    ({}, Identity("scoped"), [("Guarita-Account", "other")], "scoped"),
    ({"trust_identity_headers": True}, None, [("Guarita-Account", "other")], "other"),
    ({"trust_identity_headers": True}, None, [("guarita-account", "other")], "other"),
    ({"trust_identity_headers": True}, None, [], None),
    ({"trust_identity_headers": True}, None, [("Guarita-Account", "")], None),
    ({"trust_identity_headers": True}, None, [("Guarita-Account", "a b")], None),
    ({"trust_identity_headers": True}, None, [("Guarita-Account", "a")] * 2, None),
    ({"trust_identity_headers": True}, Identity("scoped"), [("Guarita-Account", "x")], "scoped"),
]


@pytest.mark.parametrize(("options", "identity", "headers", "account"), IDENTITIES)
async def test_whose_money_it_is(
    tmp_path: Path,
    options: dict[str, Any],
    identity: object,
    headers: list[tuple[str, str]],
    account: str | None,
) -> None:
    async with served(tmp_path, identity, **options) as http:
        answer = await http.post("/pix/cash-out", content=GOOD, headers=headers)
    with Bank(tmp_path) as bank:
        if account is None:
            assert answer.status_code == 401
            assert answer.json() == {"errors": {"unauthorized": "invalid credentials"}}
            assert bank.check_ledger().postings == 0
        else:
            assert answer.status_code == 200
            assert bank.balance(account).pending == 3000 * 100 + FEE
            assert bank.check_ledger().postings == 2  # its opening balance and the payment's hold


async def test_another_accounts_transaction_is_not_found(tmp_path: Path) -> None:
    async with served(tmp_path, trust_identity_headers=True) as http:
        paid = await http.post("/pix/cash-out", content=GOOD, headers={"Guarita-Account": "a"})
        path = f"/transactions/{paid.json()['transaction_id']}"
        assert (await http.get(path, headers={"Guarita-Account": "a"})).status_code == 200
        answer = await http.get(path, headers={"Guarita-Account": "b"})
    assert answer.status_code == 404
    assert answer.json() == {"errors": {"not_found": "Transaction not found"}}


def test_settings_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="choose one"):
        create_app(tmp_path, account=ACCOUNT, trust_identity_headers=True)
    with pytest.raises(ValueError, match="account id"):
        create_app(tmp_path, account="not an id")


async def test_the_end_of_the_lifespan_closes_the_bank(app: Any) -> None:
    async with app.router.lifespan_context(app):
        assert app.state.bank.balance(ACCOUNT).balance == OPENING
    with pytest.raises(RuntimeError, match="closed"):
        app.state.bank.balance(ACCOUNT)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
MEMBERS = st.dictionaries(
    st.sampled_from(
        ["amount", "pix_key", "pix_key_type", "description", "external_id", "emv", "end_to_end_id"]
    ),
    JSON_VALUES | st.sampled_from(["52998224725", "cpf", 3000]),
)


@settings(max_examples=300)
@given(body=st.binary() | MEMBERS.map(lambda members: json.dumps(members).encode()))
def test_no_body_is_read_as_anything_but_an_order_or_a_refusal(body: bytes) -> None:
    try:
        values = CASH_OUT_BODY.read(parse_object(body))
    except Malformed as refusal:
        json.dumps(refusal.fields, ensure_ascii=False).encode()
    else:
        assert type(values["amount"]) is int
        assert 0 < values["amount"] < 10**12
        assert (values["pix_key"] is None) != (values["emv"] is None)


def test_neither_calls_nor_replies_show_what_they_hold(tmp_path: Path) -> None:
    with Bank(tmp_path) as bank:
        call = Call(bank, ACCOUNT, {}, {"secret": "whsec_of_a_caller"})
    assert "whsec" not in repr(call)
    assert "whsec" not in repr(Reply({"secret": "whsec_of_a_caller"}, 201))
