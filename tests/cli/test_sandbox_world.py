"""`guarita sandbox pay|settle|reject|hold|return|expire|infraction|resolve`: each changes the books
as it says, prints one document, and refuses what cannot happen."""

from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Runner
from tests.cli.sandbox import ACCOUNT, KEY, Books, books

OPENING, HELD, FEE = 500_000_000, 300_350, 350


@pytest.fixture
def made(run: Runner, tmp_path: Path) -> Books:
    return books(tmp_path / "data")


def document(run: Runner, *words: str) -> dict[str, Any]:
    result = run("sandbox", *words, "--json")
    assert result.status == 0, result.err
    found: dict[str, Any] = result.json
    return found


def test_a_key_is_paid(run: Runner, made: Books) -> None:
    receipt = document(
        run, "pay", KEY, "--amount", "1000", "--payer-name", "Ana Souza", "--description", "Café"
    )
    assert (receipt["account"], receipt["kind"], receipt["status"]) == (
        ACCOUNT,
        "receipt",
        "settled",
    )
    assert (receipt["amount"], receipt["fee_amount"]) == (100_000, FEE)
    assert (receipt["counterparty_name"], receipt["description"]) == ("Ana Souza", "Café")
    assert made.balance() == (OPENING - HELD + 100_000 - FEE, HELD)


def test_the_longest_name_and_description(run: Runner, made: Books) -> None:
    name, text = "ç" * 140, "d" * 140
    receipt = document(
        run, "pay", KEY, "--amount", "1", "--payer-name", name, "--description", text
    )
    assert (receipt["counterparty_name"], receipt["description"]) == (name, text)


@pytest.mark.parametrize("by", ["charge", "qr_code"])
def test_a_charge_is_paid_once(run: Runner, made: Books, by: str) -> None:
    receipt = document(run, "pay", getattr(made, by))
    assert (receipt["charge"], receipt["amount"]) == (made.charge, 459_000)
    again = run("sandbox", "pay", made.charge)
    assert (again.status, again.out) == (1, "")
    assert "paid already" in again.err


def test_text_is_for_people(run: Runner, made: Books) -> None:
    result = run("sandbox", "pay", KEY, "--amount", "1000")
    assert result.status == 0
    assert "amount             R$ 10,00\n" in result.out
    assert "original" not in result.out  # what does not apply is left out


def test_settle(run: Runner, made: Books) -> None:
    assert document(run, "settle", made.payout)["status"] == "settled"
    assert made.balance() == (OPENING - HELD, 0)
    again = run("sandbox", "settle", made.payout)
    assert again.status == 1
    assert "settled payout" in again.err


@pytest.mark.parametrize(
    ("options", "reason"), [((), "AC03"), (("--reason", "ab03"), "AB03")], ids=["usual", "chosen"]
)
def test_reject(run: Runner, made: Books, options: tuple[str, ...], reason: str) -> None:
    rejected = document(run, "reject", made.payout, *options)
    assert (rejected["status"], rejected["reason"]) == ("failed", reason)
    assert made.balance() == (OPENING, 0)
    assert made.events()[-1] == "pix.payout.failed"


def test_hold(run: Runner, made: Books) -> None:
    held = document(run, "hold", made.payout)
    assert (held["status"], held["in_review"]) == ("processing", True)
    assert made.events()[-1] == "pix.payout.held"
    assert document(run, "settle", made.payout)["status"] == "settled"


def test_return_in_parts(run: Runner, made: Books) -> None:
    document(run, "settle", made.payout)
    part = document(run, "return", made.payout, "--amount", "1000", "--reason", "BE08")
    assert (part["kind"], part["original"], part["reason"]) == ("return", made.payout, "BE08")
    too_much = run("sandbox", "return", made.payout, "--amount", "2001")
    assert too_much.status == 1
    assert "2000 centavos can be given back" in too_much.err
    assert document(run, "return", made.payout)["amount"] == 200_000
    assert made.balance() == (OPENING - FEE, 0)
    assert made.events()[-1] == "pix.payout.returned"


def test_expire(run: Runner, made: Books) -> None:
    expired = document(run, "expire", made.charge)
    assert (expired["transaction_id"], expired["status"]) == (made.charge, "expired")
    assert run("sandbox", "pay", made.charge).status == 1


@pytest.mark.parametrize(
    ("result", "status", "back"),
    [("agreed", "CLOSED", 459_000), ("disagreed", "CLOSED", 0), ("cancelled", "CANCELLED", 0)],
)
def test_a_dispute(run: Runner, made: Books, result: str, status: str, back: int) -> None:
    document(run, "pay", made.charge)
    paid, held = made.balance()
    case = document(run, "infraction", made.charge, "--reason", "Not recognised")
    assert (case["status"], case["blocked"], case["reason"]) == (
        "ACKNOWLEDGED",
        459_000,
        "Not recognised",
    )
    assert made.balance() == (paid - 459_000, held + 459_000)
    assert document(run, "resolve", case["id"], result)["status"] == status
    assert made.balance() == (paid - back, held)
    again = run("sandbox", "resolve", case["id"], result)
    assert again.status == 1


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["pay", KEY], "needs an amount"),
        (["pay", "ana@exemplo.test", "--amount", "1"], "no account of this bank"),
        (["pay", "nonsense!", "--amount", "1"], "no PIX key"),
        (["pay", "00020126", "--amount", "1"], "Invalid BR Code"),
        (["settle", "PIXOUT1"], "no transaction 'PIXOUT1'"),
        (["reject", "PIXOUT1", "--reason", "XX99"], "'XX99' is no reason"),
        (["reject", "PIXOUT1", "--reason", ""], "'' is no reason"),
        (["pay", KEY, "--amount", "1", "--payer-name", "n" * 141], "name has at most 140"),
        (["pay", KEY, "--amount", "1", "--description", "d" * 141], "description has at most 140"),
        (["infraction", "PIXIN1", "--reason", "r" * 2001], "dispute has at most 2000"),
        (["return", "PIXOUT1", "--reason", "too long"], "code of four"),
        (["infraction", "PIXIN1"], "no transaction 'PIXIN1'"),
        (["resolve", "no-such-case", "agreed"], "no dispute 'no-such-case': give the id"),
        (["expire", "no-such-charge"], "no charge 'no-such-charge'"),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, list) else "",
)
def test_what_cannot_happen_is_refused(
    run: Runner, made: Books, words: list[str], says: str
) -> None:
    before = made.balance(), made.events()
    result = run("sandbox", *words, "--json")
    assert (result.status, result.out) == (1, "")
    assert says in result.err
    assert (made.balance(), made.events()) == before


@pytest.mark.parametrize(
    "words",
    [
        ["pay", KEY, "--amount", "0"],
        ["pay", KEY, "--amount", "30.00"],
        ["pay", KEY, "--amount", "0x10"],
        ["qr", KEY, "--amount", "30,00"],
        ["return", "PIXOUT1", "--amount", "-1"],
        ["resolve", "MED", "maybe"],
        ["resolve", "MED"],
        ["settle"],
    ],
    ids=" ".join,
)
def test_wrong_usage(run: Runner, made: Books, words: list[str]) -> None:
    result = run("sandbox", *words)
    assert (result.status, result.out) == (2, "")
    assert result.err
