"""Commands go by the rules that the bank of the folder is served with."""

import asyncio
import json
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from guarita.sandbox import Rules, create_app
from guarita.sandbox.bank import Bank
from guarita.sandbox.pix.payouts import CashOut
from guarita.sandbox.pix.rules import Bucket
from guarita.sandbox.text import pix_keys, timestamps
from tests.cli.conftest import Merchant, Runner
from tests.sandbox.support import client

ACCOUNT = "loja"
SERVED = Rules(fee=0, opening_balance=0, review_s=77.0, dict_global=Bucket(3, 0.5))


def serve(data: Path, rules: Rules | None = None) -> str:
    """Serve the bank for a moment, in which an account opens. Returns the account's key."""
    app = create_app(data, account=ACCOUNT, rules=rules, work=False)

    async def ask() -> str:
        async with app.router.lifespan_context(app), client(app) as http:
            key: str = (await http.get("/pix/keys")).json()["keys"][0]["key"]
            return key

    return asyncio.run(ask())


@pytest.fixture
def data(run: Runner, tmp_path: Path) -> Path:
    return tmp_path / "data"


def test_fee_and_opening_balance(run: Runner, data: Path, merchant: Merchant) -> None:
    key = serve(data, SERVED)
    receipt = run("sandbox", "pay", key, "--amount", "1000", "--json").json
    assert (receipt["fee_amount"], receipt["net_amount"]) == (0, 100_000)
    added = run("sandbox", "key-add", merchant.account_id, "nova@exemplo.test", "--json")
    assert added.status == 0, added.err
    with Bank(data) as bank:
        assert bank.rules == SERVED
        assert bank.balance(ACCOUNT).available == 100_000
        assert bank.balance(merchant.account_id).available == 0
        assert bank.check_ledger().ok


def test_delays(run: Runner, data: Path) -> None:
    serve(data, SERVED)
    with Bank(data, rules=Rules()) as bank:
        bank.balance("rich")
        order = CashOut(100, pix_keys.parse("ana@exemplo.test"))
        payout = bank.cash_out("rich", order)
        before = bank.now()
    assert run("sandbox", "hold", payout.transaction_id).status == 0
    with Bank(data) as bank:
        due_ms = bank.transaction("rich", payout.transaction_id).due_ms
    assert due_ms is not None
    assert due_ms >= timestamps.milliseconds(before + timedelta(seconds=77))


def test_the_last_who_serves_counts(run: Runner, data: Path) -> None:
    key = serve(data, SERVED)
    serve(data)
    assert run("sandbox", "pay", key, "--amount", "1000", "--json").json["fee_amount"] == 350


def test_rules_that_cannot_be_used(run: Runner, data: Path) -> None:
    serve(data)
    wrong: list[object] = [{"fee": -1}, {"dict_global": {"size": 3}}, [1], "fee", None]
    for kept in wrong:
        with closing(sqlite3.connect(data / "bank.db")) as conn:
            conn.execute("UPDATE settings SET value = ?", (json.dumps(kept),))
            conn.commit()
        result = run("sandbox", "check-ledger")
        assert (result.status, result.out) == (1, "")
        assert "rules that cannot be used" in result.err


def test_a_rule_of_a_later_version_is_left_out(run: Runner, data: Path) -> None:
    serve(data)
    with closing(sqlite3.connect(data / "bank.db")) as conn:
        conn.execute("UPDATE settings SET value = ?", (json.dumps({"fee": 5, "newer": 1}),))
        conn.commit()
    with Bank(data) as bank:
        assert bank.rules == Rules(fee=5)
