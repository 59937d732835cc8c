"""A real bank over HTTP and the model of it, driven together: one clock, the same orders, and every
answer compared.
"""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from hypothesis.stateful import RuleBasedStateMachine, invariant

from guarita.sandbox import Rules, create_app
from guarita.sandbox.pix.rules import Bucket
from guarita.sandbox.world import Impossible, World
from tests.sandbox.model import books
from tests.sandbox.model.bank import Model
from tests.sandbox.model.records import Case, Charge, Merchant, Payment
from tests.sandbox.model.values import UUID, Answer, Learned
from tests.sandbox.support import client

START = datetime(2026, 5, 1, 12, 0, 30, tzinfo=UTC)
# So that what two steps set going is never due at one time: all delays are whole seconds, and 500
# ticks go by before one falls on the same millisecond of a second. Even, for the buckets' sums.
TICK_MS = 14
PAUSES_S = (0, 0, 1, 0, 0, 2, 0, 11)  # between steps, over and over
NAMES = ("acc_1", "acc_2", "acc_3")

RULES = Rules(
    opening_balance=books.OPENING,
    fee=books.FEE,
    settlement_delay_s=books.SETTLES_MS / 1000,
    review_s=books.REVIEW_MS / 1000,
    queue_retry_s=books.RETRY_MS / 1000,
    queue_limit_s=books.LIMIT_MS / 1000,
    charge_lifetime_s=books.LIFETIME_MS / 1000,
    sweep_s=books.SWEEP_MS / 1000,
    dict_per_account=Bucket(books.OWN_BUCKET[0], float(books.OWN_BUCKET[1])),
    dict_global=Bucket(books.ALL_BUCKET[0], float(books.ALL_BUCKET[1])),
)

CALLED: set[tuple[str, str]] = set()
"""Every operation that was called: method and path, parameters by their names."""

T = TypeVar("T")


class Driven(RuleBasedStateMachine):
    """The bank, its model, and how to ask both."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = TemporaryDirectory(prefix="guarita-model-")
        app = create_app(
            Path(self._folder.name),
            trust_identity_headers=True,
            rules=RULES,
            clock=lambda: datetime.fromtimestamp(self.model.now / 1000, UTC),
            work=False,
        )
        self.bank = app.state.bank
        self.world = World(self.bank)
        self._http = client(app)
        self._loop = asyncio.Runner()
        merchants = [Merchant(name, books.OPENING) for name in NAMES]
        self.model = Model(merchants, round(START.timestamp() * 1000))
        self._steps = 0
        self._compared = dict.fromkeys(NAMES, 0)
        for merchant in merchants:
            self._open(merchant)

    def _open(self, merchant: Merchant) -> None:
        """Its first request opens the account, with one random key."""
        status, body = self.ask(merchant, "GET", "/pix/keys")
        [key] = body["keys"]
        assert (status, key["key_type"], key["status"]) == (200, "evp", "active")
        assert Learned(UUID) == key["key"]
        merchant.key = key["key"]

    # --- asking -----------------------------------------------------------------------------------

    def ask(
        self,
        merchant: Merchant,
        method: str,
        path: str,
        body: Any = None,
        *,
        scenario: str | None = None,
        query: dict[str, str] | None = None,
        **parameters: object,
    ) -> Answer:
        """The bank's answer to the merchant's request."""
        CALLED.add((method, path))
        headers = {"guarita-account": merchant.name}
        if scenario is not None:
            headers["sandbox-scenario"] = scenario
        filled = path.format(**{name: str(value) for name, value in parameters.items()})
        answer = self._loop.run(
            self._http.request(method, filled, json=body, headers=headers, params=query)
        )
        return answer.status_code, answer.json()

    def compare(self, expected: Answer, actual: Answer) -> None:
        """Both answer the same. What the bank chose is learned from `actual`."""
        assert expected == actual, f"the model says {expected}, the bank {actual}"

    def happens(self, possible: bool, command: Any, *arguments: Any) -> bool:
        """Run a command of the world. It is refused exactly where the model calls it impossible."""
        try:
            command(*arguments)
        except Impossible:
            if possible:
                raise
            return False
        assert possible, "the model calls it impossible"
        return True

    # --- time -------------------------------------------------------------------------------------

    def tick(self) -> None:
        """The time between two steps."""
        self._steps += 1
        pause_s = PAUSES_S[self._steps % len(PAUSES_S)]
        self.pass_until(self.model.now + pause_s * 1000 + TICK_MS)

    def pass_until(self, end: int) -> None:
        """From one due moment to the next, as both see them."""
        while (due := self.model.next_due()) is not None and due <= end:
            self.model.now = due
            upcoming = self.bank.work()
            self.model.work()
            expected = self.model.next_due()
            assert expected == (None if upcoming is None else round(upcoming.timestamp() * 1000))
        self.model.now = end
        self.the_events_are_the_same()

    # --- choosing ---------------------------------------------------------------------------------

    def merchant(self, number: int) -> Merchant:
        return self.model.merchants[number % len(NAMES)]

    def payments(self) -> list[Payment]:
        return [payment for merchant in self.model.merchants for payment in merchant.payments]

    def charges(self) -> list[Charge]:
        return [charge for merchant in self.model.merchants for charge in merchant.charges]

    def cases(self) -> list[Case]:
        return [case for merchant in self.model.merchants for case in merchant.cases]

    def has_payments(self) -> bool:
        return bool(self.payments())

    def has_charges(self) -> bool:
        return bool(self.charges())

    def has_cases(self) -> bool:
        return bool(self.cases())

    @staticmethod
    def choose(number: int, among: Sequence[T]) -> T | None:
        return among[number % len(among)] if among else None

    # --- what always holds ------------------------------------------------------------------------

    @invariant()
    def the_money_is_the_same(self) -> None:
        for merchant in self.model.merchants:
            assert min(merchant.free, merchant.held) >= 0, "the model itself is wrong"
            self.compare((200, merchant.balance()), self.ask(merchant, "GET", "/balance"))

    @invariant()
    def the_events_are_the_same(self) -> None:
        """Also how the model learns the ids of what nobody ordered."""
        with self.bank.database.reading() as conn:
            for merchant in self.model.merchants:
                rows = conn.execute(
                    "SELECT body FROM events WHERE account = ? ORDER BY number LIMIT -1 OFFSET ?",
                    (merchant.name, self._compared[merchant.name]),
                ).fetchall()
                expected = merchant.events[self._compared[merchant.name] :]
                actual = [json.loads(row[0]) for row in rows]
                assert expected == actual, f"the model says {expected}, the bank {actual}"
                self._compared[merchant.name] = len(merchant.events)

    def teardown(self) -> None:
        try:
            assert self.bank.check_ledger().violations == ()
        finally:
            self._loop.run(self._http.aclose())
            self._loop.close()
            self.bank.close()
            self._folder.cleanup()
