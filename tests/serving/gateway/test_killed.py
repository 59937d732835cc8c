"""`kill -9` of `guarita serve` while a thousand payments go through it into a ledger, and twins
over two of them: no key executes twice, none is lost.

What counts is what the ledger of the sandbox bank holds, a process of its own behind the gateway.
"""

import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from threading import Barrier

import pytest

from tests.cli.serve.gateways import DEADLINE_S, Merchant, Upstream, guarita, serving
from tests.serving.client import Reply
from tests.serving.gateway.killing import (
    LOST,
    Crowd,
    Ledger,
    Mortal,
    Payer,
    configure,
    held_port,
    is_unknown,
    payment,
    transaction_of,
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL"),
]

CLIENTS = 24
PAYMENTS = 1000
KILLS = 8
SHARED = 'counters = "shared"'


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    one = Upstream()
    yield one
    one.close()


def records(config: Path, merchant: Merchant, state: str) -> set[str]:
    """The keys that `guarita idempotency list` shows in that state."""
    rows = guarita("idempotency", "list", "--state", state, config=config)
    assert {row["account_id"] for row in rows} <= {merchant.account}
    keys = Counter(row["key"] for row in rows)
    assert set(keys.values()) <= {1}
    return set(keys)


def answered_again(mortal: Mortal, merchant: Merchant, answers: dict[str, Reply]) -> None:
    """Every key once more: the same bytes, or still unknown."""
    with closing(Payer(mortal.port, merchant)) as payer:
        for name, first in answers.items():
            again = payer.pay(name, payment(name))
            if is_unknown(first):
                assert is_unknown(again), name
            else:
                assert (again.status, again.body) == (200, first.body), name
                assert again.one("x-idempotent-replay") == "true"
                assert again.one("content-type") == first.one("content-type")


def test_a_thousand_payments_and_a_gateway_that_is_killed(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "bank")
    with ExitStack() as stack:
        url = stack.enter_context(ledger.serving())
        port = stack.enter_context(held_port())
        config = configure(tmp_path / "guarita.toml", url, port)
        merchant = Merchant(config, "minhakonta", "--all-permissions")
        mortal = stack.enter_context(Mortal(config))
        crowd = Crowd(mortal, merchant)
        crowd.run(clients=CLIENTS, payments=PAYMENTS, kills=KILLS, seed=5)
        # The replays come from a process that has seen none of the answers.
        mortal.kill()
        mortal.start()
        answered_again(mortal, merchant, crowd.answers)
        unknown = records(config, merchant, "outcome_unknown")
        stored = records(config, merchant, "stored")
        assert records(config, merchant, "in_flight") == set()

    held, settled = ledger.executed("hold"), ledger.executed("settlement")
    assert {name: len(ids) for name, ids in held.items() if len(ids) > 1} == {}
    assert held == settled
    paid = {name for name, reply in crowd.answers.items() if reply.status == 200}
    assert len(crowd.answers) == PAYMENTS
    assert crowd.others == {}
    assert {name: held.get(name) for name in paid} == {
        name: [transaction_of(crowd.answers[name])] for name in paid
    }
    assert stored == paid
    assert unknown == crowd.answers.keys() - paid
    assert held.keys() - paid <= unknown
    # The kills hit something, and nothing that they did not hit is in doubt.
    assert crowd.lost >= KILLS
    assert 0 < len(unknown) <= CLIENTS * KILLS


def test_64_twins_over_two_gateways(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "bank")
    with ExitStack() as stack:
        url = stack.enter_context(ledger.serving())
        configs = [configure(tmp_path / f"{n}.toml", url, 0, data=SHARED) for n in range(2)]
        merchant = Merchant(configs[0], "minhakonta", "--all-permissions")
        gateways = [stack.enter_context(serving(config)) for config in configs]
        together = Barrier(64)

        def pay(number: int) -> Reply:
            with closing(Payer(gateways[number % 2].port(), merchant)) as payer:
                together.wait(DEADLINE_S)
                return payer.pay("twin", payment("twin"))

        with ThreadPoolExecutor(64) as pool:
            replies = list(pool.map(pay, range(64)))
        assert records(configs[1], merchant, "stored") == {"twin"}

    assert Counter(reply.status for reply in replies) == {200: 64}
    assert len({reply.body for reply in replies}) == 1
    assert len([reply for reply in replies if not reply.all("x-idempotent-replay")]) == 1
    assert {reply.one("idempotency-key") for reply in replies} == {"twin"}
    assert len({reply.one("ray-id") for reply in replies}) == 64
    assert ledger.executed("hold") == {"twin": [transaction_of(replies[0])]}
    assert ledger.executed("settlement") == ledger.executed("hold")


def test_twins_of_a_payment_whose_gateway_was_killed(tmp_path: Path, upstream: Upstream) -> None:
    """They wait at another gateway, which knows of the death at once: none of them executes."""
    body = payment("twin")
    with ExitStack() as stack:
        configs = [
            configure(tmp_path / f"{n}.toml", upstream.url, 0, data=SHARED) for n in range(2)
        ]
        merchant = Merchant(configs[0], "minhakonta", "--all-permissions")
        mortal = stack.enter_context(Mortal(configs[0]))
        survivor = stack.enter_context(serving(configs[1]))
        upstream.hold.clear()

        def pay(port: int) -> Reply:
            with closing(Payer(port, merchant)) as payer:
                return payer.pay("twin", body)

        with ThreadPoolExecutor(17) as pool:
            first = pool.submit(pay, mortal.port)
            assert upstream.begun.wait(DEADLINE_S)
            twins = [pool.submit(pay, survivor.port()) for _ in range(16)]
            mortal.kill()
            with pytest.raises(LOST):
                first.result(DEADLINE_S)
            replies = [twin.result(DEADLINE_S) for twin in twins]
        upstream.hold.set()
        assert all(is_unknown(reply) for reply in replies), Counter(r.status for r in replies)
        mortal.start()
        assert is_unknown(pay(mortal.port))
        assert records(configs[0], merchant, "outcome_unknown") == {"twin"}
        assert len(upstream.seen) == 1

        # An operator who has looked into the books lets it run.
        [row] = guarita("idempotency", "list", config=configs[0])
        guarita("idempotency", "resolve", row["digest"], "--release", config=configs[0])
        assert pay(survivor.port()).status == 200
        assert pay(mortal.port).one("x-idempotent-replay") == "true"
        assert len(upstream.seen) == 2
