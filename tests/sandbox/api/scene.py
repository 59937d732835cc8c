"""A bank with a history, made once through its own API and copied for each test: payments in every
state, charges, disputes, a webhook, and a second account with the like.
"""

import re
import shutil
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from guarita.sandbox import Bank, create_app
from guarita.sandbox.pix.scenarios import HEADER
from guarita.sandbox.text.brcode import BrCode
from guarita.sandbox.text.pix_keys import PixKey
from tests.sandbox.support import ACCOUNT, Clock, client

OTHER = "acc_2"
FILE = "bank.db"
EVENTS = ["pix.charge.paid", "pix.payout.confirmed"]
STATIC = BrCode.static(
    PixKey("email", "ana@exemplo.test"), merchant_name="Ana", city="SAO PAULO"
).text


@dataclass
class Scene:
    """The folder of the bank, its time, and what the answers called things: `names["payout"]` is
    the answer to the request that made it.
    """

    folder: Path
    clock: Clock
    names: dict[str, dict[str, Any]] = field(default_factory=dict)

    def fill(self, template: Any) -> Any:
        """The template with each `{payout.transaction_id}` in its texts replaced."""
        if isinstance(template, dict):
            return {name: self.fill(each) for name, each in template.items()}
        if isinstance(template, list):
            return [self.fill(each) for each in template]
        if not isinstance(template, str):
            return template
        return re.sub(
            r"\{([a-z_]+)\.([a-z0-9_]+)\}",
            lambda found: str(self.names[found[1]][found[2]]),
            template,
        )

    @asynccontextmanager
    async def opened(self, folder: Path) -> AsyncIterator[tuple[Bank, httpx.AsyncClient]]:
        """A copy of the bank in another folder, and its HTTP. The time is that of the scene."""
        shutil.copy(self.folder / FILE, folder / FILE)
        app = create_app(folder, trust_identity_headers=True, clock=self.clock, work=False)
        with closing(app.state.bank):
            async with client(app) as http:
                http.headers["Guarita-Account"] = ACCOUNT
                yield app.state.bank, http


def entries(folder: Path) -> list[tuple[Any, ...]]:
    """Every entry of the books, with its posting."""
    with closing(sqlite3.connect(folder / FILE)) as conn:
        return conn.execute(
            "SELECT p.id, p.kind, p.transaction_id, p.infraction, p.posted_at,"
            " e.ledger_account_id, e.amount FROM postings p JOIN entries e ON e.posting_id = p.id"
            " ORDER BY p.id, e.ledger_account_id"
        ).fetchall()


def rows(folder: Path) -> dict[str, int]:
    """How many rows each table holds."""
    with closing(sqlite3.connect(folder / FILE)) as conn:
        tables = conn.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        return {
            name: conn.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for (name,) in tables
        }


async def made(folder: Path) -> Scene:
    """The scene, made in a folder."""
    scene = Scene(folder, Clock())
    app = create_app(folder, trust_identity_headers=True, clock=scene.clock, work=False)
    bank: Bank = app.state.bank
    with closing(bank):
        async with client(app) as http:
            http.headers["Guarita-Account"] = ACCOUNT

            async def post(name: str, path: str, body: dict[str, Any], scenario: str = "") -> None:
                headers = {HEADER: scenario} if scenario else {}
                answer = await http.post(scene.fill(path), json=scene.fill(body), headers=headers)
                assert answer.is_success, answer.text
                scene.names[name] = answer.json()

            def later(seconds: float) -> None:
                scene.clock.advance(seconds=seconds)
                bank.work()

            pay = {"amount": 3000, "pix_key": "12345678901", "pix_key_type": "cpf"}
            await post("webhook", "/webhooks", {"url": "https://loja.example/", "events": EVENTS})
            await post("payout", "/pix/cash-out", pay | {"external_id": "pay-77"})
            await post(
                "rejected", "/pix/cash-out", pay | {"external_id": "pay-bad"}, "rejected-ac03"
            )
            await post("charge", "/pix/cash-in", {"amount": 4590, "external_id": "sub-1"})
            await post("paid", "/pix/cash-in", {"amount": 5000, "external_id": "sub-2"}, "paid")
            await post("disputed", "/pix/cash-in", {"amount": 2000}, "disputed")
            await post("closed", "/pix/cash-in", {"amount": 1000}, "disputed")
            http.headers["Guarita-Account"] = OTHER
            await post("others_payout", "/pix/cash-out", pay | {"external_id": "other-1"})
            await post("others_paid", "/pix/cash-in", {"amount": 700}, "paid")
            await post("others_charge", "/pix/cash-in", {"amount": 888})
            await post(
                "others_webhook", "/webhooks", {"url": "https://b.example/", "events": EVENTS}
            )
            http.headers["Guarita-Account"] = ACCOUNT
            scene.names["key"] = (await http.get("/pix/keys")).json()["keys"][0]
            scene.names["static"] = {"text": STATIC, "wrong": STATIC[:-4] + "0000"}
            later(1)
            for name, account in (("paid", ACCOUNT), ("others_paid", OTHER)):
                receipt = bank.receipt(account, scene.names[name]["transaction_id"])
                scene.names[f"{name}_receipt"] = {
                    "transaction_id": receipt.transaction_id,
                    "end_to_end_id": receipt.end_to_end_id,
                }
            later(10)
            cases = (await http.get("/med")).json()["meds"]
            scene.names |= {
                "med" if each["amount"] == 200_000 else "med_closed": each for each in cases
            }
            defense = {"defense_text": "Entregue."}
            await post("defense", "/med/{med_closed.id}/defense", defense, "dispute-disagreed")
            refund = {"original_transaction_id": "{paid.transaction_id}", "amount": 1000}
            await post("refund", "/pix/refund", refund)
            later(1)
            await post("queued", "/pix/cash-out", pay | {"external_id": "pay-q"}, "queued")
            await post("flying", "/pix/cash-out", pay | {"external_id": "pay-fly"})
        assert bank.check_ledger().ok
    return scene
