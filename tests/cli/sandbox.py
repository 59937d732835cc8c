"""What the tests of `guarita sandbox` share: a bank in the `run` fixture's data folder, with one
account, a payout in flight and a charge."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from guarita.sandbox.bank import Bank
from guarita.sandbox.pix.charges import CashIn
from guarita.sandbox.pix.payouts import CashOut
from guarita.sandbox.text import pix_keys

ACCOUNT = "acc_ana"
KEY = "loja@exemplo.test"


@dataclass(frozen=True)
class Books:
    """A bank's file, and the ids in it."""

    data: Path
    payout: str
    charge: str
    qr_code: str

    @contextmanager
    def bank(self) -> Iterator[Bank]:
        with Bank(self.data) as bank:
            yield bank

    def balance(self) -> tuple[int, int]:
        """Available and held, in base units."""
        with self.bank() as bank:
            balance = bank.balance(ACCOUNT)
            return balance.available, balance.pending

    def events(self) -> list[str]:
        with self.bank() as bank, bank.database.reading() as conn:
            rows = conn.execute("SELECT body FROM events ORDER BY number").fetchall()
            return [json.loads(row[0])["event_type"] for row in rows]


def books(data: Path) -> Books:
    """A bank whose account has R$ 50.000,00 and the key KEY; R$ 30,00 of it are on their way to
    another bank, and a charge of R$ 45,90 waits."""
    with Bank(data) as bank:
        bank.balance(ACCOUNT)
        with bank.customer(ACCOUNT) as (conn, at):
            from guarita.sandbox.books import accounts

            accounts.add_key(conn, ACCOUNT, pix_keys.parse(KEY), at=at)
        payout = bank.cash_out(ACCOUNT, CashOut(3000, pix_keys.parse("ana@exemplo.test")))
        charge = bank.cash_in(ACCOUNT, CashIn(4590, external_id="sub-2041"))
    return Books(data, payout.transaction_id, charge.transaction_id, charge.qr_code)
