"""The memory store's log of records: it goes as an ordered dict does, and gives memory back."""

from hashlib import sha256
from math import inf
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from guarita.asks import Reserve, Scope
from guarita.decision import Response
from guarita.stores import kept_log
from guarita.stores.kept import Kept
from guarita.stores.kept_log import KeptLog

RAYS = st.from_regex(r"[0-9a-f]{28}", fullmatch=True)
TEXTS = st.text(max_size=5)
TOKENS = RAYS | RAYS.map(str.upper) | st.text("0 ", min_size=28, max_size=28) | TEXTS
HEADERS = st.lists(st.tuples(st.binary(max_size=3), st.binary(max_size=3)), max_size=2).map(tuple)
RESPONSES = st.none() | st.builds(
    Response, st.sampled_from([200, 201]), HEADERS, st.binary(max_size=40)
)


@st.composite
def reserves(draw: st.DrawFn) -> Reserve:
    account, path = draw(TEXTS), draw(TEXTS)
    key = draw(st.binary(max_size=2))
    digest = sha256(b"%d" % draw(st.integers(0, 9))).digest()
    scope = Scope(digest, account, draw(st.sampled_from(["POST", "PUT"])), path, key)
    times = draw(st.floats(0, 100)), draw(st.integers(1, 100))
    return Reserve(scope, draw(TOKENS), draw(st.binary(max_size=33)), *times)


class Model(RuleBasedStateMachine):
    """A list of records, of which the later ones of a digest are the ones that count."""

    def __init__(self) -> None:
        super().__init__()
        self.log = KeptLog()
        self.order: list[tuple[Kept, bool]] = []  # and whether it is not forgotten

    def of(self, digest: bytes) -> list[int]:
        return [
            n
            for n, (kept, live) in enumerate(self.order)
            if live and kept.reserve.scope.digest == digest
        ]

    @rule(reserve=reserves(), response=RESPONSES)
    def add(self, reserve: Reserve, response: Response | None) -> None:
        digest = reserve.scope.digest
        self.log.forget(digest)
        for number in self.of(digest):
            self.order[number] = self.order[number][0], False
        self.log.add(reserve, response)
        self.order.append((Kept(reserve, response), True))

    @precondition(lambda self: self.order)
    @rule(data=st.data())
    def forget(self, data: st.DataObject) -> None:
        kept, _ = data.draw(st.sampled_from(self.order))
        digest = kept.reserve.scope.digest
        self.log.forget(digest)
        assert self.log.get(digest) is None
        for number in self.of(digest):
            self.order[number] = self.order[number][0], False

    @rule(at=st.floats(0, 220), limit=st.integers(0, 5))
    def purge(self, at: float, limit: int) -> None:
        self.log.purge(at, limit)
        while limit and self.order and expiry(self.order[0][0]) <= at:
            del self.order[0]
            limit -= 1

    @rule(number=st.integers(0, 9))
    def look(self, number: int) -> None:
        digest = sha256(b"%d" % number).digest()
        found = self.of(digest)
        kept = self.order[found[0]][0] if found else None
        assert self.log.get(digest) == kept
        answer = self.log.answer(digest)
        if kept is None:
            assert answer is None
        else:
            reserve = kept.reserve
            assert answer == (reserve.at, reserve.keep_s, kept.response, reserve.fingerprint)

    @rule()
    def list(self) -> None:
        assert list(self.log.records()) == [kept for kept, live in self.order if live]
        assert len(self.log) == len(self.order)
        assert self.log.next_at == (expiry(self.order[0][0]) if self.order else inf)


def expiry(kept: Kept) -> float:
    return kept.reserve.at + kept.reserve.keep_s


@pytest.mark.parametrize("chunk_bytes", [1, 300, 1 << 18])
def test_the_log_goes_as_a_list(chunk_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_log, "_CHUNK_BYTES", chunk_bytes)
    monkeypatch.setattr(kept_log, "_FEWEST_CHAINS", 2)
    run_state_machine_as_test(Model)


def numbered(number: int, at: float = 0.0, **other: Any) -> Reserve:
    digest = sha256(b"%d" % number).digest()
    scope = Scope(digest, "acc_1", "POST", "/pix", b"%d" % number)
    return Reserve(scope, other.get("token", "t"), digest, at, 60)


def test_records_are_found_while_the_table_doubles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_log, "_FEWEST_CHAINS", 4)
    monkeypatch.setattr(kept_log, "_CHUNK_BYTES", 1000)
    log = KeptLog()
    for number in range(3_000):
        log.add(numbered(number, number), Response(201, (), b"%d" % number))
    assert len(log._chains) >= 2_048
    log.purge(1_059.0, 2_000)
    found = [log.get(numbered(number).scope.digest) for number in range(3_000)]
    assert found[:1_000] == [None] * 1_000
    bodies = [kept.response.body for kept in found[1_000:] if kept and kept.response]
    assert bodies == [b"%d" % number for number in range(1_000, 3_000)]


def test_a_record_that_cannot_be_packed_leaves_nothing_behind() -> None:
    log = KeptLog()
    wrong = Response(200, ((b"content-type", b"x"),), b"first")
    lone = numbered(1)
    scope = Scope(lone.scope.digest, "acc_\ud800", "POST", "/pix", b"1")
    with pytest.raises(UnicodeEncodeError):
        log.add(Reserve(scope, "t", b"f", 0.0, 60), wrong)
    assert list(log.records()) == []
    log.add(numbered(2), wrong)
    log.add(numbered(3), wrong)
    assert [kept.response for kept in log.records()] == [wrong, wrong]
    assert [kept.reserve.scope.account for kept in log.records()] == ["acc_1", "acc_1"]


@pytest.mark.parametrize("wrong", [b"", bytes(31), bytes(33)])
def test_the_log_takes_whole_digests_only(wrong: bytes) -> None:
    scope = Scope(wrong, "acc_1", "POST", "/pix", b"k")
    with pytest.raises(ValueError, match="32 bytes"):
        KeptLog().add(Reserve(scope, "t", b"f", 0.0, 60), None)


def test_the_log_refuses_endless_tokens() -> None:
    log = KeptLog()
    log.add(numbered(1, token="t" * 32_767), None)
    with pytest.raises(ValueError, match=r"at most 32,767 bytes, this one 32768"):
        log.add(numbered(2, token="t" * 32_768), None)
    assert [len(kept.reserve.token) for kept in log.records()] == [32_767]


def test_header_pairs_of_an_application_may_be_lists() -> None:
    log = KeptLog()
    pairs: Any = ([b"content-type", bytearray(b"text/plain")], [b"location", b"/1"])
    for number in range(2):
        log.add(numbered(number), Response(201, pairs, b"x"))
    expected = Response(201, ((b"content-type", b"text/plain"), (b"location", b"/1")), b"x")
    assert [kept.response for kept in log.records()] == [expected, expected]


def test_what_was_listed_is_not_changed_by_what_comes_after() -> None:
    log = KeptLog()
    for number in range(3):
        log.add(numbered(number), None)
    listed = log.records()
    log.forget(numbered(0).scope.digest)
    log.add(numbered(3), None)
    log.purge(60.0, 2)
    assert [kept.reserve.scope.key for kept in listed] == [b"0", b"1", b"2"]
    assert [kept.reserve.scope.key for kept in log.records()] == [b"2", b"3"]
