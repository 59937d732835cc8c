"""Refunds and disputes of one receipt, in any order: never more goes back than came in."""

import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guarita.sandbox.books.audit import check_ledger
from guarita.sandbox.books.transactions import Transaction
from guarita.sandbox.pix import disputes, refunds
from guarita.sandbox.refusals import Refused
from tests.sandbox.books.made import RULES, Teller

OPENING = 1_000_000
FEE = RULES.fee

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("refund"), st.integers(1, 500), st.booleans()),
        st.tuples(st.just("end"), st.just(0), st.just(False)),
        st.tuples(st.just("dispute"), st.just(0), st.just(False)),
        st.tuples(
            st.sampled_from(["AGREED", "DISAGREED", "CANCELLED"]), st.just(0), st.just(False)
        ),
    ),
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(steps=STEPS, opening=st.sampled_from([0, 20_000, OPENING]), amount=st.integers(100, 50_000))
def test_refunds_and_disputes_never_give_back_more_than_was_received(
    steps: list[tuple[str, int, bool]], opening: int, amount: int
) -> None:
    """Against a model of one receipt: what is available, in flight, blocked and gone."""
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(Teller(Path(folder) / "bank.db")) as teller,
    ):
        teller.open("alice", balance=opening)
        receipt = teller.receipt(amount=amount)
        free, blocked, gone = opening + amount - min(FEE, amount), 0, 0
        flying: list[Transaction] = []
        case: disputes.Infraction | None = None
        for kind, centavos, released in steps:
            in_flight = sum(each.amount for each in flying)
            left = amount - gone - in_flight - blocked
            if kind == "refund":
                scenario = refunds.RELEASED if released else None
                if centavos * 100 > left or centavos * 100 > free:
                    with pytest.raises(Refused):
                        teller.refund(receipt, centavos, scenario)
                else:
                    flying.append(teller.refund(receipt, centavos, scenario))
                    free -= centavos * 100
            elif kind == "end" and flying:
                ended = teller.settled_refund(flying.pop())
                if ended.status == "settled":
                    gone += ended.amount
                else:
                    free += ended.amount
            elif kind == "dispute" and case is None and left:
                case = teller.case(receipt)
                assert case.amount == left
                assert case.blocked == min(free, left) // 100 * 100
                blocked = case.blocked
                free -= blocked
            elif kind == "dispute":
                with pytest.raises(Refused):
                    teller.case(receipt)
            elif case is not None and kind in ("AGREED", "DISAGREED", "CANCELLED"):
                teller.resolve(case, kind)  # type: ignore[arg-type]
                gone += blocked if kind == "AGREED" else 0
                free += 0 if kind == "AGREED" else blocked
                case, blocked = None, 0
            held = sum(each.amount for each in flying) + blocked
            assert teller.money() == (free, held)
            assert 0 <= gone + held <= amount
        with teller.database.reading() as conn:
            assert check_ledger(conn).violations == ()
