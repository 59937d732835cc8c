"""The bank against an independent model of it: random orders, queries and happenings over HTTP,
every answer, balance and event compared after each step.
"""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from guarita.sandbox.api.endpoints import ENDPOINTS
from tests.sandbox.model.driving import CALLED
from tests.sandbox.model.happening import Happening
from tests.sandbox.model.looking import Looking
from tests.sandbox.model.ordering import Ordering

SETTINGS = settings(
    max_examples=40,
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


class Everything(Ordering, Happening, Looking):
    """All steps together."""


@pytest.mark.slow
def test_the_bank_does_what_the_model_says() -> None:
    run_state_machine_as_test(Everything, settings=SETTINGS)


@pytest.fixture
def driven() -> Iterator[Everything]:
    machine = Everything()
    yield machine
    machine.teardown()


def test_a_day_with_every_operation(driven: Everything) -> None:
    """The steps reach all nineteen operations of the table."""
    CALLED.clear()
    first, second = 0, 1
    driven.make_a_charge(second, 15_000, "pedido-1", None, None, "header")
    driven.pay_a_code(first, 1, 15_000, "pedido-2", None, None, "emv")
    driven.pay_a_key(first, 0, 4_999, None, "Pedido 7", "returned-partly", "header")
    driven.time_passes(65)
    driven.disputed(1)
    driven.defend(second, 1, 3, "dispute-agreed", "header")
    driven.pay_a_key(first, 7, 3_000, None, None, None, "header", times=2)
    driven.a_key_is_paid(second, 100)
    driven.time_passes(2)
    driven.refund(second, 1, "id", "original_transaction_id", None, None, None)
    driven.time_passes(2)
    for what in range(8):
        driven.one_payment(first, what)
    driven.one_charge(second, 0)
    for external_id in ("pedido-1", "pedido-2"):
        driven.by_external_id(second, external_id)
    driven.by_tag(second, 0, 3)
    for path in ("/transactions", "/statement"):
        driven.a_statement(second, path, None, 1, 20, None, None)
    driven.disputes(second, 0)
    driven.keys(first)
    driven.a_cpf(first, "cpf", "529.982.247-25")
    driven.a_webhook(first, 3, None)
    driven.webhooks(first, first, True)
    driven.time_passes(11)
    driven.the_money_is_the_same()
    driven.the_events_are_the_same()
    assert {(endpoint.method, endpoint.path) for endpoint in ENDPOINTS} == CALLED
    told = {payment.reason for payment in driven.payments() if payment.status == "failed"}
    assert told == {"DUPL"}
    returns = [payment for payment in driven.payments() if payment.kind == "return"]
    assert [payment.reason for payment in returns] == ["MD06", "FR01", "MD06"]
