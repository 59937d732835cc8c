"""A key is accepted over HTTP as GET /pix/keys lists it, whatever its shape."""

from pathlib import Path

import pytest

from guarita.sandbox import create_app
from guarita.sandbox.world import World
from tests.sandbox.support import ACCOUNT, client

LISTED = "12345678901"  # a CPF without its check digits (seed L153): of itself, a phone number


@pytest.mark.anyio
async def test_a_listed_key_makes_charges_and_is_paid(tmp_path: Path) -> None:
    app = create_app(tmp_path, trust_identity_headers=True, work=False)
    World(app.state.bank).add_key(ACCOUNT, LISTED, "cpf")
    own, other = {"guarita-account": ACCOUNT}, {"guarita-account": "acc_2"}
    async with client(app) as http:
        keys = (await http.get("/pix/keys", headers=own)).json()["keys"]
        assert keys[-1]["key"] == LISTED
        body = {"amount": 100, "pix_key": LISTED}
        made = await http.post("/pix/cash-in", json=body, headers=own)
        assert made.status_code == 200, made.json()
        refused = await http.post("/pix/cash-in", json=body, headers=other)
        assert (refused.status_code, refused.json()) == (
            422,
            {"errors": {"unprocessable_entity": "PIX key not found"}},
        )
        paid = await http.post("/pix/cash-out", json=body, headers=other)
        assert paid.status_code == 200, paid.json()
    payout = app.state.bank.transaction("acc_2", paid.json()["transaction_id"])
    assert (payout.receiver, payout.pix_key) == (ACCOUNT, LISTED)
    app.state.bank.close()
