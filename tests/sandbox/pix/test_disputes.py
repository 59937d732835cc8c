"""Disputes: what is blocked, who may defend it, and where the money is once a case is resolved."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from guarita.sandbox.books import transactions
from guarita.sandbox.books.audit import check_ledger
from guarita.sandbox.pix import disputes, refunds, settlement
from guarita.sandbox.pix.disputes import DefenseOrder, Infraction, Result
from guarita.sandbox.refusals import Missing, Refused
from tests.sandbox.books.made import RULES, Teller

OPENING = 1_000_000
AMOUNT = 50_000
HAD = OPENING + AMOUNT - RULES.fee


@pytest.fixture
def teller(tmp_path: Path) -> Iterator[Teller]:
    with closing(Teller(tmp_path / "bank.db")) as opened:
        opened.open("alice", "bob", balance=OPENING)
        yield opened
        with opened.database.reading() as conn:
            assert check_ledger(conn).violations == ()


def bodies(teller: Teller, event_type: str) -> list[dict[str, Any]]:
    with teller.database.reading() as conn:
        rows = conn.execute(
            "SELECT body FROM events WHERE event_type = ? ORDER BY number", (event_type,)
        )
        return [json.loads(row[0]) for row in rows]


def find(teller: Teller, case: Infraction) -> Infraction:
    with teller.database.reading() as conn:
        return disputes.find(conn, case.id)


def test_a_case_blocks_the_received_amount(teller: Teller) -> None:
    receipt = teller.receipt(amount=AMOUNT)
    case = teller.case(receipt)
    assert (case.type, case.status, case.analysis_result) == (
        "REFUND_REQUEST",
        "ACKNOWLEDGED",
        None,
    )
    assert (case.amount, case.blocked, case.reason) == (AMOUNT, AMOUNT, "fraud")
    assert case.transaction_id == receipt.transaction_id
    assert case.original_end_to_end_id == receipt.end_to_end_id
    assert (case.created_at, case.resolved_at) == ("2026-05-01T12:00:34Z", None)
    assert teller.money() == (HAD - AMOUNT, AMOUNT)


@pytest.mark.parametrize("spent", [False, True])
def test_a_case_blocks_no_more_than_is_available(teller: Teller, spent: bool) -> None:
    teller.open("carol", balance=0)
    receipt = teller.receipt("carol", amount=AMOUNT)
    left = AMOUNT - RULES.fee  # the fee is no whole number of centavos
    if spent:
        teller.refund(receipt, 400)
        left -= 40_000
    case = teller.case(receipt)
    assert case.blocked == left - left % 100
    assert case.amount == (10_000 if spent else AMOUNT)
    assert teller.money("carol")[0] == left % 100 == 50


def test_a_case_against_an_account_without_money_blocks_nothing(teller: Teller) -> None:
    teller.open("carol", balance=0)
    case = teller.case(teller.receipt("carol", amount=RULES.fee))
    assert (case.amount, case.blocked) == (RULES.fee, 0)
    resolved = teller.resolve(case, "AGREED")
    assert (resolved.status, resolved.analysis_result) == ("CLOSED", "AGREED")
    assert [name for name, _ in teller.events("carol")] == [
        "pix.charge.paid",
        "pix.infraction.created",
        "pix.infraction.resolved",
    ]


def test_only_a_receipt_can_be_disputed_once_at_a_time(teller: Teller) -> None:
    with pytest.raises(Refused, match=r"^Only a received payment can be disputed$"):
        teller.case(teller.settled_payout())
    receipt = teller.receipt()
    first = teller.case(receipt)
    with pytest.raises(Refused, match=r"^The transaction is disputed already$"):
        teller.case(receipt)
    teller.resolve(first, "DISAGREED")
    second = teller.case(receipt)
    assert second.id != first.id
    teller.resolve(second, "AGREED")
    with pytest.raises(Refused, match=r"^The transaction was refunded already$"):
        teller.case(receipt)


# The defense


def test_a_defense_is_kept_and_announced(teller: Teller) -> None:
    case = teller.case(teller.receipt())
    evidence = ({"description": "Recibo assinado", "type": "photo"}, {"url": "https://a.example"})
    order = DefenseOrder("Cliente retirou o produto.", evidence)
    with teller.database.writing() as conn:
        made = disputes.defend(conn, "alice", case.id, order, at=teller.tick(), rules=RULES)
        assert disputes.defense(conn, case.id) == made
    assert (made.infraction, made.text, made.evidence) == (case.id, order.text, evidence)
    assert made.submitted_at == "2026-05-01T12:00:35Z"
    assert teller.events("alice")[-1] == (
        "pix.infraction.defense_submitted",
        "defense_submitted",
    )
    assert find(teller, case) == case  # still open


def test_a_case_is_defended_once_and_while_it_is_open(teller: Teller) -> None:
    case = teller.case(teller.receipt())
    teller.defend(case)
    with pytest.raises(Refused, match=r"^Defense already submitted$"):
        teller.defend(case)
    teller.resolve(case, "DISAGREED")
    with pytest.raises(Refused, match=r"^Infraction is closed$"):
        teller.defend(case)
    late = teller.case(teller.receipt())
    teller.resolve(late, "CANCELLED")
    with pytest.raises(Refused, match=r"^Infraction is closed$"):
        teller.defend(late)
    with teller.database.reading() as conn:
        assert disputes.defense(conn, late.id) is None


def test_nobody_else_sees_or_defends_a_case(teller: Teller) -> None:
    case = teller.case(teller.receipt())
    with teller.database.writing() as conn:
        assert disputes.of_account(conn, "bob") == []
        for infraction_id in (case.id, "unknown", "", "\ud800", "é"):
            with pytest.raises(Missing, match=r"^Infraction not found$"):
                disputes.find(conn, infraction_id, "bob")
            with pytest.raises(Missing, match=r"^Infraction not found$"):
                disputes.defend(
                    conn, "bob", infraction_id, DefenseOrder("x"), at=teller.at, rules=RULES
                )
        assert disputes.find(conn, case.id, "alice") == disputes.find(conn, case.id) == case


@pytest.mark.parametrize(
    ("text", "evidence"),
    [
        ("", ()),
        (" \n", ()),
        ("x", ({},)),
        ("x", ({"url": ""},)),
        ("x", ({"url": "https://a.example"}, {"type": "photo", "source": "shop"})),
        ("x", ({"url": "https://a.example"},) * 11),
    ],
)
def test_a_defense_without_sound_text_and_evidence_cannot_be_made(
    text: str, evidence: tuple[dict[str, str], ...]
) -> None:
    with pytest.raises(ValueError, match=r"defense|evidence"):
        DefenseOrder(text, evidence)


def test_ten_pieces_of_evidence_are_enough() -> None:
    assert len(DefenseOrder("x", ({"url": "https://a.example"},) * 10).evidence) == 10


# How a case ends

ENDS: list[tuple[Result, str, str, str | None, int]] = [
    ("AGREED", "REFUND_REQUEST", "CLOSED", "AGREED", AMOUNT),
    ("DISAGREED", "REFUND_REQUEST", "CLOSED", "DISAGREED", 0),
    ("CANCELLED", "REFUND_CANCELLED", "CANCELLED", None, 0),
]


@pytest.mark.parametrize(("result", "kind", "status", "analysis", "refunded"), ENDS)
def test_each_result(
    teller: Teller, result: Result, kind: str, status: str, analysis: str | None, refunded: int
) -> None:
    receipt = teller.receipt(amount=AMOUNT)
    resolved = teller.resolve(teller.case(receipt), result)
    assert (resolved.type, resolved.status, resolved.analysis_result) == (kind, status, analysis)
    assert resolved.resolved_at == "2026-05-01T12:00:35Z"
    assert teller.money() == (HAD - refunded, 0)
    with teller.database.reading() as conn:
        given = transactions.giving_back(conn, receipt.transaction_id, "refund")
    assert [(each.amount, each.status, each.reason) for each in given] == (
        [(AMOUNT, "settled", "FR01")] if refunded else []
    )
    assert teller.events("alice")[1:] == [
        ("pix.infraction.created", "ACKNOWLEDGED"),
        ("pix.infraction.resolved", status),
        *([("pix.refund.completed", "settled")] if refunded else []),
    ]


@pytest.mark.parametrize("again", ["AGREED", "DISAGREED", "CANCELLED"])
def test_a_case_ends_once(teller: Teller, again: Result) -> None:
    case = teller.case(teller.receipt())
    ended = teller.resolve(case, "DISAGREED")
    for known in (case, ended):
        with pytest.raises(Refused, match=r"^Infraction is closed$"):
            teller.resolve(known, again)
    assert find(teller, case) == ended


def test_a_lost_case_refunds_what_was_blocked_and_no_more(teller: Teller) -> None:
    teller.open("carol", balance=0)
    receipt = teller.receipt("carol", amount=AMOUNT)
    case = teller.case(receipt)
    teller.resolve(case, "AGREED")
    assert teller.money("carol") == (50, 0)
    (given,) = bodies(teller, "pix.refund.completed")
    assert given["amount"] == 49_600
    again = teller.case(receipt)  # for what is still owed
    assert (again.amount, again.blocked) == (400, 0)


def test_what_a_lost_case_leaves_can_be_refunded_to_the_last_centavo(teller: Teller) -> None:
    """It refunded the fractions of a centavo that were available: orders, in centavos, could never
    refund the rest.
    """
    teller.open("carol", balance=0)
    receipt = teller.receipt("carol", amount=AMOUNT)
    teller.resolve(teller.case(receipt), "AGREED")
    teller.receipt("carol", amount=AMOUNT)
    rest = teller.settled_refund(teller.refund(receipt, 4))
    assert rest.amount == 400
    with teller.database.reading() as conn:
        assert refunds.refundable(conn, receipt) == 0


@pytest.mark.parametrize(
    ("scenario", "status"),
    [
        ("dispute-agreed", "CLOSED"),
        ("dispute-disagreed", "CLOSED"),
        ("dispute-cancelled", "CANCELLED"),
    ],
)
def test_a_scenario_of_the_defense_resolves_the_case_later(
    teller: Teller, scenario: str, status: str
) -> None:
    case = teller.case(teller.receipt())
    teller.defend(case, scenario)
    delay = RULES.settlement_delay_s
    with teller.database.writing() as conn:
        assert not settlement.work(conn, at=teller.at, rules=RULES)
        assert disputes.find(conn, case.id).status == "ACKNOWLEDGED"
        assert settlement.work(conn, at=teller.tick(delay), rules=RULES)
        resolved = disputes.find(conn, case.id)
        assert not settlement.work(conn, at=teller.tick(delay), rules=RULES)
    assert (resolved.status, resolved.scenario, resolved.due_ms) == (status, scenario, None)


def test_a_case_resolved_by_hand_is_not_due_any_more(teller: Teller) -> None:
    case = teller.case(teller.receipt())
    teller.defend(case, "dispute-agreed")
    teller.resolve(find(teller, case), "DISAGREED")
    with teller.database.writing() as conn:
        assert disputes.due(conn, 2**62, 10) == []


def test_a_defense_without_a_scenario_leaves_the_case_open(teller: Teller) -> None:
    teller.defend(teller.case(teller.receipt()))
    with teller.database.writing() as conn:
        assert disputes.due(conn, 2**62, 10) == []


# What is told


def test_cases_are_listed_newest_first(teller: Teller) -> None:
    cases = [teller.case(teller.receipt()) for _ in range(3)]
    with teller.database.reading() as conn:
        assert disputes.of_account(conn, "alice") == cases[::-1]


def test_the_events_say_which_case_and_payment_they_are_about(teller: Teller) -> None:
    receipt = teller.paid_charge()
    case = teller.case(receipt)
    teller.defend(case)
    teller.resolve(case, "AGREED")
    names = ("created", "defense_submitted", "resolved")
    found = [body for name in names for body in bodies(teller, f"pix.infraction.{name}")]
    assert len(found) == 3
    for body in found:
        assert body["med_id"] == body["entity_id"] == case.id
        assert body["original_end_to_end_id"] == receipt.end_to_end_id
        assert body["transaction_id"] == receipt.transaction_id
        assert body["amount"] == AMOUNT
    assert [body["analysis_result"] for body in found] == [None, None, "AGREED"]


def test_the_events_of_a_case_come_after_those_of_its_payment(teller: Teller) -> None:
    """One subject, so that no webhook hears of the dispute first."""
    receipt = teller.paid_charge()
    teller.resolve(teller.case(receipt), "DISAGREED")
    with teller.database.reading() as conn:
        rows = conn.execute(
            "SELECT event_type FROM events WHERE subject = ? ORDER BY number", (receipt.charge,)
        )
        assert [row[0] for row in rows] == [
            "pix.charge.created",
            "pix.charge.paid",
            "pix.infraction.created",
            "pix.infraction.resolved",
        ]
