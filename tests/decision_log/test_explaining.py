"""Words for every reason, every layer, every outcome."""

import string

import msgspec
import pytest

from guarita.crypto import signature
from guarita.decision import SERVING_REASONS, Decision, Known, Refuse
from guarita.decision_log import Explanation, MemoryLog, explain
from guarita.decision_log.words import NO_ADVICE, PASSES, REASONS
from guarita.layers import idempotency, key_case, rate_limit
from guarita.profiles.delfinance import PRODUCTION
from guarita.profiles.minhakonta import MINHA_KONTA
from tests.decision_log.scenes import IDEMPOTENT, REFUSALS, SECRET, STORED, TWICE, Decided


def explained(one: Decided, status: int = 0, decision: Decision | None = None) -> Explanation:
    log = MemoryLog()
    log.add(MINHA_KONTA, one.route_class, one.facts, decision or one.decision, status)
    return explain(log.entries[0])


def test_every_reason_has_advice_and_no_other_has() -> None:
    profiles = (MINHA_KONTA, PRODUCTION)
    assert set(REASONS) == {str(reason) for one in profiles for reason in one.reasons()}
    assert all(len(row.advice) > 40 for row in REASONS.values())
    assert NO_ADVICE not in {row.advice for row in REASONS.values()}


def test_every_layer_has_words_and_no_other_has() -> None:
    classes = (*MINHA_KONTA.classes, *PRODUCTION.classes)
    assert set(PASSES) == {layer.name for one in classes for layer in one.layers}


def test_every_reason_a_request_alone_can_cause_has_its_scene() -> None:
    by_setting_or_adapter = {
        *SERVING_REASONS,
        key_case.COLLISION,
        rate_limit.OUTAGE,
        idempotency.OTHER_BODY,
    }
    reachable = set(MINHA_KONTA.reasons()) - by_setting_or_adapter
    assert set(REFUSALS) == {str(reason) for reason in reachable}


def test_templates_name_no_value_they_do_not_get() -> None:
    rows = [*PASSES.values(), *(row.saw for row in REASONS.values())]
    for count, template in [pair for row in rows for pair in row.items()]:
        fields = {field for _, field, _, _ in string.Formatter().parse(template) if field}
        assert fields <= {"all", *map(str, range(count))}


@pytest.mark.parametrize("reason", REFUSALS)
def test_refusals_are_told_layer_by_layer(reason: str) -> None:
    one = Decided(**REFUSALS[reason])
    explanation = explained(one, 401)
    verdicts = [line.verdict for line in explanation.layers]
    reached = len(one.decision.verdicts)
    assert verdicts == [
        *["passed"] * (reached - 1),
        "refused",
        *["not reached"] * (len(one.route_class.layers) - reached),
    ]
    refusing = explanation.layers[reached - 1]
    assert refusing.layer == explanation.layer
    assert refusing.saw
    assert explanation.advice == REASONS[reason].advice
    text = explanation.text()
    assert reason in text
    assert refusing.saw in text
    assert "{" not in refusing.saw


TOLD = {
    "well_formed.control_character": "a CR, LF or NUL inside the header: x-note",
    "api_key.missing": "no Authorization header",
    "api_key.invalid": 'id "cli_a1b2c3d4": wrong secret',
    "api_key.expired": "key cli_a1b2c3d4 expired at 2026-01-01T00:00:00.000Z",
    "address.list_empty": "the key's allowlist is empty; the client is 203.0.113.5",
    "address.unknown": "the client's address could not be read",
    "account.not_active": "account acc_1 is suspended",
    "signature.body_not_json": "body of 1 bytes is not strict JSON: syntax",
    "signature.mismatch": (
        "body of 45 bytes, hmac header of 128 characters; it signs no accepted form"
    ),
    "rate_limit.too_many": (
        "request 90001 in this window, for address 203.0.113.5; 90000 are admitted"
    ),
    "idempotency.in_flight": 'Idempotency-Key "order-1": in flight',
    "permission.wrong_method": "the path takes POST",
    "permission.lacking": "the key lacks transfer:write",
}


@pytest.mark.parametrize("reason", TOLD)
def test_what_a_refusing_layer_saw(reason: str) -> None:
    lines = explained(Decided(**REFUSALS[reason])).layers
    assert [line.saw for line in lines if line.verdict == "refused"] == [TOLD[reason]]


def test_admission_in_full() -> None:
    assert explained(Decided(headers=IDEMPOTENT)).text() == (
        "Ray ID ray-0001\n"
        "\n"
        "  time     2026-01-01T00:00:00.000Z\n"
        "  request  POST /api/external/pix/cash-out\n"
        "  client   203.0.113.5 (through 10.0.0.1)\n"
        "  key      cli_a1b2c3d4, account acc_1\n"
        "  policy   minhakonta, route class write\n"
        "  outcome  admitted: every layer passed, and the application was called\n"
        "\n"
        "What each layer saw and decided:\n"
        "  well_formed  passed       no control character in any header\n"
        '  media_type   passed       Content-Type "application/json"\n'
        "  key_case     passed       no conversion asked for\n"
        "  api_key      passed       key cli_a1b2c3d4, and its secret was right\n"
        "  address      passed       client address 203.0.113.5 is on the key's allowlist\n"
        "  account      passed       account acc_1 is active\n"
        "  signature    passed       body of 45 bytes; the hmac header signs its raw form\n"
        "  rate_limit   passed       request 7 of 90000 in this window, for address 203.0.113.5\n"
        '  idempotency  passed       Idempotency-Key "order-1": reserved\n'
        "  permission   passed       the key holds transfer:write\n"
    )


def test_replay() -> None:
    explanation = explained(Decided(headers=IDEMPOTENT, reserved=STORED), 201)
    assert [line.layer for line in explanation.layers if line.verdict == "replayed"] == [
        "idempotency"
    ]
    assert "answered 201 as the first time" in explanation.outcome
    assert explanation.advice is not None
    assert "nothing was executed again" in explanation.advice


def test_replay_that_a_later_layer_refused() -> None:
    one = Decided(headers=IDEMPOTENT, reserved=STORED, **REFUSALS["permission.lacking"])
    verdicts = {line.layer: line.verdict for line in explained(one, 403).layers}
    assert verdicts["idempotency"] == "replayed"
    assert verdicts["permission"] == "refused"


def test_refusal_after_the_layers() -> None:
    one = Decided(
        headers={"x-key-case": b"camelCase", "hmac": signature(SECRET, TWICE).encode()}, body=TWICE
    )
    lines = {line.layer: line for line in explained(one, 400).layers}
    assert lines["key_case"].verdict == "refused"
    assert lines["key_case"].saw == 'two spellings of the member or parameter "pix_key"'
    assert lines["permission"].verdict == "passed"


@pytest.mark.parametrize("reason", SERVING_REASONS, ids=str)
def test_refusals_of_the_adapter_get_a_line_of_their_own(reason: object) -> None:
    nothing = Decision(Refuse(reason), Known(), [], [])  # type: ignore[arg-type]
    lines = explained(Decided(), 500, nothing).layers
    assert [line.verdict for line in lines] == ["not reached"] * 10 + ["refused"]
    assert lines[-1].layer == "serving"


def test_what_a_caller_sent_cannot_drive_a_terminal() -> None:
    one = Decided(
        path="/\x1b]0;owned\x07/\u202egnp", headers={"content-type": b"text/\x1b[2J{0.__class__}"}
    )
    text = explained(one, 415).text()
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert r"/\x1b]0;owned\x07/\u202egnp" in text
    assert r'"text/\x1b[2J{0.__class__}"' in text


def test_explanations_are_data() -> None:
    told = msgspec.to_builtins(explained(Decided(**REFUSALS["signature.mismatch"]), 401))
    assert told["reason"] == "signature.mismatch"
    assert told["layers"][6] == {
        "layer": "signature",
        "verdict": "refused",
        "saw": TOLD["signature.mismatch"],
    }
