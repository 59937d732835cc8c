"""The Minha Konta gate behind nginx: signed bodies pass as they were signed, and what the edge's
own limit refuses moves no counter of the gate's (seed L167, L403-L419).
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from guarita.asks import CountHit
from guarita.serving.edge import TrustedProxies
from tests.edges.client import Answer, context, send
from tests.edges.gates import CALLER, EDGE, HSTS
from tests.edges.pki import Certificates
from tests.edges.running import Edge, edge, missing
from tests.edges.upstream import Echo
from tests.serving.servers import uvicorn_thread
from tests.serving.worlds import PAY, PAYMENT, PERMISSIONS, Credentials, World

BURST = 2

pytestmark = pytest.mark.slow


@dataclass
class Bank:
    """The gate, what is behind it, and the edge in front, which lets `1 + BURST` requests of a key
    and address pass.
    """

    world: World
    echo: Echo
    edge: Edge

    def pay(
        self,
        number: int,
        *,
        source: str = CALLER,
        body: bytes = PAYMENT,
        credentials: Credentials | None = None,
    ) -> Answer:
        """A payment; the signature is that of `PAYMENT`."""
        signer = credentials or self.world.credentials
        headers = signer.headers(PAYMENT, key=f"order-{number}")
        tls = context(self.edge.certificates.server)
        return send(self.edge.port, tls, "POST", PAY, headers=headers, body=body, source=source)

    def second_key(self) -> Credentials:
        """Another key of the same account and address."""
        account = self.world.credentials.account
        issued = self.world.keyring.create_key(
            account, permissions=PERMISSIONS, allowlist=(CALLER,)
        )
        self.world.verifier.refresh()
        return Credentials(issued.key.client_id, issued.secret.reveal(), account)

    def hits(self) -> int:
        return sum(isinstance(ask, CountHit) for ask in self.world.asked)


@pytest.fixture
def bank(certificates: Certificates) -> Iterator[Bank]:
    if reason := missing("nginx"):
        pytest.skip(reason)
    world, echo = World(allowlist=(CALLER,)), Echo()
    gate = world.gate(echo, trusted_proxies=TrustedProxies([EDGE]), clock=lambda: 1_750_000_000.0)
    with (
        uvicorn_thread(gate, lifespan="off") as port,
        edge("nginx", certificates, upstream=port, key_rate="1r/m", key_burst=BURST) as running,
    ):
        yield Bank(world, echo, running)


def check(answer: Answer, status: int) -> None:
    assert answer.status == status, answer
    assert answer.headers.get_all("Content-Type") == ["application/json"]
    assert answer.headers.get_all("Strict-Transport-Security") == [HSTS]


def test_a_signed_body_passes_as_it_was_signed(bank: Bank) -> None:
    answer = bank.pay(1)
    check(answer, 200)
    assert answer.headers.get_all("Ray-ID")
    assert json.loads(answer.seen.body) == json.loads(PAYMENT)
    forged = bank.pay(2, body=PAYMENT.replace(b"3050", b"9050"))
    check(forged, 401)
    assert len(forged.headers.get_all("Ray-ID") or []) == 1
    stranger = bank.pay(3, source="127.0.0.9")
    check(stranger, 403)
    assert bank.echo.reached == 1


def test_the_edges_limit_leaves_the_gates_counter_alone(bank: Bank) -> None:
    left = []
    for number in range(1 + BURST):
        answer = bank.pay(number)
        check(answer, 200)
        left.append(int(answer.headers["X-RateLimit-Remaining"]))
    assert left == [left[0] - number for number in range(1 + BURST)]
    before, asked = bank.hits(), len(bank.world.asked)
    for number in range(3):
        refused = bank.pay(100 + number)
        check(refused, 429)
        assert refused.headers.get_all("Retry-After") == ["60"]
        # The edge's own: the gate has not heard of it.
        assert refused.headers["Ray-ID"] is None
    assert (bank.hits(), len(bank.world.asked)) == (before, asked)
    # Both limits count by address, but the edge's by key besides: it lets another key pass, and the
    # gate goes on counting from where it was.
    answer = bank.pay(200, credentials=bank.second_key())
    check(answer, 200)
    assert int(answer.headers["X-RateLimit-Remaining"]) == left[-1] - 1
    assert bank.hits() == before + 1
