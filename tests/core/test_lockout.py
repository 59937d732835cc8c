"""The lockout by hand: what it asks and when, its edges, and the law that a stranger who knows a
key locks out himself alone (DESIGN section 3, "too many invalid attempts").

The same rules through the whole profile and every door: `tests/vectors/delfinance/lockout.json`.
"""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guarita.addresses import AddressSet
from guarita.asks import BlockKey, CountFault, Faults, FaultsOf, Outage
from guarita.decision import SERVING_REASONS, End, Outcome, Pass, Reason, Refuse
from guarita.layers import certificate, lockout
from guarita.layers.lockout import Lockout, Watch
from guarita.outage import ADMIT, REFUSE
from guarita.profiles.delfinance import COUNTED as IN_PRODUCTION
from guarita.profiles.delfinance import WORDING
from tests.core.made import CLIENT, NOW, ends, ends_after, ends_with, facts, known

COUNTED = Reason("certificate", "other_serial")
LAYER = Lockout(
    frozenset({COUNTED}),
    address_limit=3,
    key_limit=7,
    key_addresses=2,
    window_s=900,
    on_outage=ADMIT,
)
REFUSED = Outcome(End.ANSWERED, 403, reason=COUNTED)


def changed(**members: Any) -> Lockout:
    present = {name: getattr(LAYER, name) for name in LAYER.__struct_fields__}
    return Lockout(**{**present, **members})


def passed(layer: Lockout = LAYER, client: str | None = CLIENT, **key: Any) -> Watch:
    """The settlement of a request that was let through."""
    flow: Any = layer.check(facts(client=client), known(**key))
    next(flow)
    verdict = ends_with(flow, Faults(0, 0, 0))
    assert isinstance(verdict, Pass)
    assert isinstance(verdict.settle, Watch)
    return verdict.settle


# --- the check --------------------------------------------------------------------------------


@given(st.integers(1, 50), st.integers(0, 60), st.integers(0, 10**6), st.integers(0, 10**6))
def test_exactly_the_limit_locks_an_address_out(
    limit: int, of_address: int, of_key: int, addresses: int
) -> None:
    """Whatever the key's other addresses have done."""
    layer = changed(address_limit=limit, key_limit=limit + 1)
    flow: Any = layer.check(facts(), known())
    ask = next(flow)
    assert isinstance(ask, FaultsOf), "looking counts nothing"
    assert (ask.key, ask.at, ask.window_s) == ("cli_1", NOW, 900)
    verdict = ends_with(flow, Faults(of_address, of_key, addresses))
    if of_address < limit:
        assert isinstance(verdict, Pass)
        assert verdict.settle is not None
    else:
        assert isinstance(verdict, Refuse)
        assert verdict.reason == lockout.ADDRESS_BLOCKED
    assert verdict.saw[1:] == [of_address, limit]


def test_who_is_counted_together() -> None:
    def label(client: str | None, allowlist: list[str], prefix: int = 64) -> str:
        layer = changed(ipv6_prefix=prefix)
        found = known(allowlist=AddressSet(allowlist))
        ask = next(layer.check(facts(client=client), found))
        assert isinstance(ask, FaultsOf)
        return ask.address

    assert label("203.0.113.45", []) != label("203.0.113.46", [])
    assert label("2001:db8:0:1::5", []) == label("2001:db8:0:1:ffff::", [])
    assert label("2001:db8:0:1::5", []) != label("2001:db8:0:2::5", [])
    assert label("2001:db8:0:1::5", [], 48) == label("2001:db8:0:2::5", [], 48)
    assert label("2001:db8:0:1::5", [], 128) != label("2001:db8:0:1::6", [], 128)
    assert label(None, []) == label(None, ["203.0.113.45"])
    # A stranger in the same /64 must not be counted with the key's own address.
    assert label("2001:db8:0:1::6", ["2001:db8:0:1::5"]) != label(
        "2001:db8:0:1::5", ["2001:db8:0:1::5"]
    )


def test_counter_out_of_reach() -> None:
    flow: Any = LAYER.check(facts(), known())
    next(flow)
    assert ends_after(flow, Outage()) == Pass(saw="counter out of reach: admitted")
    flow = changed(on_outage=REFUSE).check(facts(), known())
    next(flow)
    assert ends_after(flow, Outage()) == Refuse(lockout.OUTAGE, saw="counter out of reach")


# --- counting ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "outcome",
    [
        Outcome(End.ANSWERED, 200),
        Outcome(End.ANSWERED, 403),  # the application's own
        Outcome(End.ANSWERED, 401, reason=certificate.LAPSED),
        Outcome(End.ANSWERED, 503, reason=certificate.OUTAGE),
        Outcome(End.FAILED),
        Outcome(End.LOST),
    ],
)
def test_what_does_not_count_asks_nothing(outcome: Outcome) -> None:
    watch = passed(allowlist=AddressSet([CLIENT]))
    assert ends(watch.run(outcome)) == ()
    assert not watch.wants_body(outcome.status)


def test_an_attempt_from_an_unlisted_address_counts_once_and_never_blocks() -> None:
    watch = passed(allowlist=AddressSet(["192.0.2.1"]))
    flow: Any = watch.run(REFUSED)
    ask = next(flow)
    assert isinstance(ask, CountFault)
    assert (ask.key, ask.at, ask.window_s) == ("cli_1", NOW, 900)
    assert ends_with(flow, Faults(10**6, 10**6, 10**6)) == ()


def test_an_attempt_from_an_unreadable_address_counts_as_a_strangers() -> None:
    flow: Any = passed(client=None, allowlist=AddressSet([CLIENT])).run(REFUSED)
    assert isinstance(next(flow), CountFault)
    assert ends_with(flow, Faults(10**6, 10**6, 10**6)) == ()


@pytest.mark.parametrize(
    ("of_key", "addresses", "blocks"),
    [(6, 2, False), (7, 1, False), (7, 2, True), (8, 2, True), (10**6, 1, False), (6, 99, False)],
)
def test_a_key_is_blocked_at_its_limit_over_several_listed_addresses(
    of_key: int, addresses: int, blocks: bool
) -> None:
    watch = passed(allowlist=AddressSet([CLIENT]))
    flow: Any = watch.run(REFUSED)
    first = next(flow)
    second = flow.send(Faults(3, 10**6, 10**6))  # strangers among them: of no account
    assert isinstance(first, CountFault)
    assert isinstance(second, CountFault)
    assert second.key != first.key, "listed addresses are counted apart"
    assert (second.address, second.at, second.window_s) == (first.address, NOW, 900)
    if not blocks:
        assert ends_with(flow, Faults(3, of_key, addresses)) == ()
        return
    block = flow.send(Faults(3, of_key, addresses))
    assert block == BlockKey("cli_1", "too many invalid attempts")
    assert ends_with(flow, None) == ()


@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_counter_lost_meanwhile_does_not_touch_the_refusal(at: int) -> None:
    flow: Any = passed(allowlist=AddressSet([CLIENT])).run(REFUSED)
    next(flow)
    for _ in range(at):
        flow.send(Faults(99, 99, 99))
    assert ends_after(flow, Outage()) == ()


# --- settings ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "members",
    [
        {"address_limit": 0},
        {"window_s": 0},
        {"address_limit": 7},
        {"address_limit": 8},
        {"key_addresses": 1},
        {"ipv6_prefix": 0},
        {"ipv6_prefix": 129},
    ],
)
def test_settings_are_checked(members: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must"):
        changed(**members)


def test_production_counts_the_errors_3_to_6_and_no_other() -> None:
    numbers = {
        "Valid client certificate required (mTLS)": 3,
        "Client certificate does not match allowed certificate (mTLS STRICT)": 4,
        "IP not allowed for this API key": 5,
        "Invalid or inexistent account_id.": 6,
    }
    worded = {one for one, wording in WORDING.items() if wording.body["message"] in numbers}
    own_fault = Reason("certificate", "revocation_unknown")  # a list the operator let run out
    assert worded - {own_fault} == IN_PRODUCTION
    assert not IN_PRODUCTION & set(SERVING_REASONS)
