"""Revocation lists in force: replaced while running, going stale, missing, from files and URLs."""

import logging
import os
import threading
from collections.abc import Callable, Iterator
from http.client import IncompleteRead
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import perf_counter

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from guarita.asks import CertificateFault as Fault
from guarita.pki.crl import CrlError
from guarita.pki.crl_sources import fetch_list
from guarita.pki.revocation import Revocations, Standing
from guarita.pki.verify import Link, issuer_id
from tests.pki import made
from tests.pki.made import DAY, NOW, authority, crl_pem, revocation_list

ROOT = authority("Root")
INTERMEDIATE = authority("Intermediate", ROOT)
OTHER = authority("Other")
KNOWN = [ROOT.certificate, INTERMEDIATE.certificate]
LEAF = Link(issuer_id(INTERMEDIATE.certificate), 77)
MIDDLE = Link(issuer_id(ROOT.certificate), INTERMEDIATE.serial)
GOOD = (None, False)
URL = "http://ca.example/crl"


class Clock:
    def __init__(self) -> None:
        self.at = NOW

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    upper, lower = tmp_path / "root.pem", tmp_path / "intermediate.pem"
    upper.write_bytes(crl_pem(revocation_list(ROOT)))
    lower.write_bytes(crl_pem(revocation_list(INTERMEDIATE)))
    return upper, lower


def told(
    known: Revocations, at: float = NOW, counted_from: float | None = None
) -> tuple[Fault | None, bool]:
    found = known.standing((LEAF, MIDDLE), at if counted_from is None else counted_from, at)
    assert found.since <= at < found.until
    return found.fault, found.lapsed


def test_nothing_is_revoked(files: tuple[Path, Path], clock: Clock) -> None:
    assert told(Revocations(KNOWN, files=files, clock=clock)) == GOOD


def test_a_replaced_file_counts_at_the_next_look(files: tuple[Path, Path], clock: Clock) -> None:
    known = Revocations(KNOWN, files=files, clock=clock)
    before = known.generation
    known.refresh()
    assert known.generation == before, "nothing changed"
    files[1].write_bytes(crl_pem(revocation_list(INTERMEDIATE, [77])))
    assert told(known) == GOOD, "no I/O on the request path"
    known.refresh()
    assert told(known) == (Fault.REVOKED, False)
    assert known.generation == before + 1
    files[1].write_bytes(crl_pem(revocation_list(INTERMEDIATE, [78], starts=NOW - 7200)))
    known.refresh()
    assert told(known) == GOOD, "what the operator puts there counts, also an older list"


def test_a_change_of_the_same_size_and_a_rename_are_seen(
    files: tuple[Path, Path], clock: Clock
) -> None:
    known = Revocations(KNOWN, files=files, clock=clock)
    one, other = (crl_pem(revocation_list(INTERMEDIATE, [serial])) for serial in (77, 78))
    files[1].write_bytes(one)
    os.utime(files[1], (NOW, NOW))
    known.refresh()
    assert told(known) == (Fault.REVOKED, False)
    draft = files[1].with_suffix(".new")
    draft.write_bytes(other)
    os.utime(draft, (NOW, NOW))
    draft.replace(files[1])
    known.refresh()
    assert told(known) == GOOD


def test_a_revoked_intermediate_counts_unless_only_leaves_are_looked_up(
    files: tuple[Path, Path], clock: Clock
) -> None:
    files[0].write_bytes(crl_pem(revocation_list(ROOT, [INTERMEDIATE.serial])))
    assert told(Revocations(KNOWN, files=files, clock=clock)) == (Fault.REVOKED, False)
    assert told(Revocations(KNOWN, files=files, clock=clock, scope="leaf")) == GOOD


def test_a_missing_list_is_unknown(files: tuple[Path, Path], clock: Clock) -> None:
    only_root = Revocations(KNOWN, files=files[:1], clock=clock)
    assert told(only_root) == (Fault.REVOCATION_UNKNOWN, False)
    only_leaf = Revocations(KNOWN, files=files[1:], clock=clock)
    assert told(only_leaf) == (Fault.REVOCATION_UNKNOWN, False)
    assert told(Revocations(KNOWN, files=files[1:], clock=clock, scope="leaf")) == GOOD
    states = {each.issuer: each.state for each in only_leaf.states(NOW)}
    assert states == {"CN=Root": "missing", "CN=Intermediate": "current"}


def test_past_its_end_a_list_has_lapsed_or_is_unknown(
    files: tuple[Path, Path], clock: Clock
) -> None:
    """DESIGN section 3, "Validation expired": what was verified under it has lapsed, what comes
    afterwards is refused as unverifiable."""
    known = Revocations(KNOWN, files=files, clock=clock)
    ends = NOW + DAY
    assert told(known, at=ends - 0.001) == GOOD
    assert told(known, at=ends, counted_from=NOW) == (None, True)
    assert told(known, at=ends, counted_from=ends) == (Fault.REVOCATION_UNKNOWN, False)
    assert [each.state for each in known.states(ends)] == ["stale", "stale"]
    for file, issuer in zip(files, (ROOT, INTERMEDIATE), strict=True):
        file.write_bytes(crl_pem(revocation_list(issuer, starts=NOW, ends=ends + DAY)))
    known.refresh()
    assert told(known, at=ends, counted_from=NOW) == GOOD, "a fresh list has come"


def test_one_lapsed_and_one_unknown_is_unknown(files: tuple[Path, Path], clock: Clock) -> None:
    files[0].write_bytes(crl_pem(revocation_list(ROOT, ends=NOW + 10)))
    known = Revocations(KNOWN, files=files, clock=clock)
    at = NOW + DAY + 1
    assert told(known, at=at, counted_from=NOW + 20) == (Fault.REVOCATION_UNKNOWN, False)
    assert told(known, at=at, counted_from=NOW) == (None, True)


def test_tolerance(files: tuple[Path, Path], clock: Clock) -> None:
    known = Revocations(KNOWN, files=files, stale=600, clock=clock)
    at = NOW + DAY + 599
    assert told(known, at=at) == GOOD
    assert told(known, at=at + 1) == (Fault.REVOCATION_UNKNOWN, False)
    assert told(known, at=at + 1, counted_from=at) == (None, True)


def test_what_a_stale_list_revokes_stays_revoked(files: tuple[Path, Path], clock: Clock) -> None:
    files[1].write_bytes(crl_pem(revocation_list(INTERMEDIATE, [77], ends=NOW - 1)))
    known = Revocations(KNOWN, files=files, clock=clock)
    assert told(known, at=NOW + 9 * DAY) == (Fault.REVOKED, False)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (b"", "empty"),
        (crl_pem(revocation_list(INTERMEDIATE))[:-40], "truncated"),
        (crl_pem(revocation_list(OTHER)), "none of the known"),
        (
            crl_pem(revocation_list(OTHER, name=INTERMEDIATE.certificate.subject)),
            "the signature is not",
        ),
    ],
)
def test_a_file_that_turns_bad_leaves_what_was_in_force(
    bad: bytes,
    words: str,
    files: tuple[Path, Path],
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    files[1].write_bytes(crl_pem(revocation_list(INTERMEDIATE, [77])))
    known = Revocations(KNOWN, files=files, clock=clock)
    files[1].write_bytes(bad)
    with caplog.at_level(logging.WARNING, "guarita.pki"):
        for _ in range(3):
            known.refresh()
    assert told(known) == (Fault.REVOKED, False)
    assert len(caplog.records) == 1, "said once"
    assert str(files[1]) in caplog.text
    assert words in caplog.text
    assert known.problems() == [record.getMessage().partition(": ")[2] for record in caplog.records]
    files[1].write_bytes(crl_pem(revocation_list(INTERMEDIATE)))
    known.refresh()
    assert told(known) == GOOD
    assert known.problems() == []


def test_a_file_that_goes_away_leaves_what_was_in_force(
    files: tuple[Path, Path], clock: Clock
) -> None:
    known = Revocations(KNOWN, files=files, clock=clock)
    files[1].unlink()
    known.refresh()
    assert told(known) == GOOD
    assert known.problems() == [f"{files[1]}: cannot be read: No such file or directory"]


def test_a_file_that_comes_back_unchanged_is_no_problem_any_more(
    files: tuple[Path, Path], clock: Clock
) -> None:
    known = Revocations(KNOWN, files=files, clock=clock)
    away = files[1].with_name("away")
    files[1].rename(away)
    known.refresh()
    assert known.problems()
    away.rename(files[1])
    known.refresh()
    assert known.problems() == []


def test_a_list_of_the_future_counts_once_it_begins(files: tuple[Path, Path], clock: Clock) -> None:
    known = Revocations(KNOWN, files=files, clock=clock)
    files[1].write_bytes(crl_pem(revocation_list(INTERMEDIATE, [77], starts=NOW + 5)))
    known.refresh()
    assert told(known) == GOOD
    assert "not yet valid" in known.problems()[0]
    clock.at += 5
    known.refresh()
    assert told(known, at=clock.at) == (Fault.REVOKED, False)


def test_a_bad_file_at_the_start_is_an_error(files: tuple[Path, Path], clock: Clock) -> None:
    files[1].write_bytes(b"junk")
    with pytest.raises(CrlError, match=f"{files[1]}: not a certificate revocation list"):
        Revocations(KNOWN, files=files, clock=clock)
    with pytest.raises(CrlError, match=r"absent\.pem: cannot be read"):
        Revocations(KNOWN, files=[files[0], files[0].with_name("absent.pem")], clock=clock)


def test_wrong_settings(files: tuple[Path, Path]) -> None:
    with pytest.raises(CrlError, match="no file and no URL"):
        Revocations(KNOWN)
    for stale in (-1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match='"refuse" or a number'):
            Revocations(KNOWN, files=files, stale=stale)
    with pytest.raises(ValueError, match='"chain" or "leaf"'):
        Revocations(KNOWN, files=files, scope="all")  # type: ignore[arg-type]
    for url in ("file:///etc/passwd", "ftp://ca.example/crl", "ca.example/crl"):
        with pytest.raises(CrlError, match="begins with http"):
            Revocations(KNOWN, urls=[url])
    with pytest.raises(CrlError, match=r"ca\.example.*password") as caught:
        Revocations(KNOWN, urls=["https://user:hunter2@ca.example/crl"])
    assert "hunter2" not in str(caught.value)


def test_of_two_lists_of_one_authority_the_newer_counts(
    files: tuple[Path, Path], clock: Clock, tmp_path: Path
) -> None:
    newer = tmp_path / "newer.pem"
    newer.write_bytes(crl_pem(revocation_list(INTERMEDIATE, [77], starts=NOW - 10)))
    for order in ([*files, newer], [newer, *files]):
        assert told(Revocations(KNOWN, files=order, clock=clock)) == (Fault.REVOKED, False)


def test_the_thread_reads_by_itself(files: tuple[Path, Path], clock: Clock) -> None:
    known = Revocations(KNOWN, files=files, clock=clock, poll_s=0.01)
    changed = threading.Event()
    merge = known._merge

    def merged() -> None:
        merge()
        changed.set()

    known._merge = merged  # type: ignore[method-assign]
    known.watch()
    known.watch()
    try:
        draft = files[1].with_suffix(".new")
        draft.write_bytes(crl_pem(revocation_list(INTERMEDIATE, [77])))
        draft.replace(files[1])
        assert changed.wait(10)
        assert told(known) == (Fault.REVOKED, False)
    finally:
        known.close()
    assert not [each for each in threading.enumerate() if "revocation" in each.name]


# URLs


class Network:
    """Answers fetches by hand."""

    def __init__(self) -> None:
        self.answer: bytes | Exception = b""
        self.fetches = 0

    def __call__(self, url: str) -> bytes:
        assert url == URL
        self.fetches += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def over_network(network: Network, clock: Clock) -> Revocations:
    return Revocations(
        KNOWN,
        urls=[URL],
        scope="leaf",
        clock=clock,
        fetch=network,
        url_every_s=3600,
        url_retry_s=60,
    )


def test_a_url_is_fetched_at_intervals(clock: Clock) -> None:
    network = Network()
    network.answer = revocation_list(INTERMEDIATE).public_bytes(Encoding.DER)
    known = over_network(network, clock)
    assert told(known) == GOOD
    clock.at += 3599
    known.refresh()
    assert network.fetches == 1
    network.answer = crl_pem(revocation_list(INTERMEDIATE, [77], starts=NOW))
    clock.at += 1
    known.refresh()
    assert network.fetches == 2
    assert told(known, at=clock.at) == (Fault.REVOKED, False)


def test_a_url_is_fetched_when_its_list_ends(clock: Clock) -> None:
    network = Network()
    network.answer = crl_pem(revocation_list(INTERMEDIATE, ends=NOW + 100))
    known = over_network(network, clock)
    clock.at = NOW + 100
    known.refresh()
    assert network.fetches == 2


@pytest.mark.parametrize(
    "fault", [OSError("no route"), TimeoutError("timed out"), IncompleteRead(b""), ValueError("x")]
)
def test_a_url_out_of_reach(fault: Exception, clock: Clock) -> None:
    network = Network()
    network.answer = fault
    known = over_network(network, clock)
    assert told(known) == (Fault.REVOCATION_UNKNOWN, False)
    assert known.problems()[0].startswith(f"{URL}: cannot be fetched")
    clock.at += 59
    known.refresh()
    assert network.fetches == 1
    network.answer = crl_pem(revocation_list(INTERMEDIATE))
    clock.at += 1
    known.refresh()
    assert told(known, at=clock.at) == GOOD
    network.answer = fault
    clock.at += 3600
    known.refresh()
    assert told(known, at=clock.at) == GOOD, "what it gave before stays until its end"


def test_an_older_list_from_the_network_is_refused(clock: Clock) -> None:
    network = Network()
    network.answer = crl_pem(revocation_list(INTERMEDIATE, [77], starts=NOW - 10))
    known = over_network(network, clock)
    network.answer = crl_pem(revocation_list(INTERMEDIATE, starts=NOW - 3600))
    clock.at += 3600
    known.refresh()
    assert told(known, at=clock.at) == (Fault.REVOKED, False)
    assert known.problems() == [f"{URL}: older than the list in force"]


class _Server(BaseHTTPRequestHandler):
    body = b""
    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status if self.path != "/moved" else 302)
        if self.path == "/moved":
            self.send_header("Location", "file:///etc/passwd")
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def served() -> Iterator[Callable[[bytes, int], str]]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Server)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()

    def serve(body: bytes, status: int = 200) -> str:
        _Server.body, _Server.status = body, status
        return f"http://127.0.0.1:{server.server_address[1]}"

    yield serve
    server.shutdown()
    thread.join()
    server.server_close()


def test_over_http(served: Callable[..., str], clock: Clock) -> None:
    address = served(crl_pem(revocation_list(INTERMEDIATE, [77])))
    known = Revocations(KNOWN, urls=[f"{address}/crl"], scope="leaf", clock=clock)
    assert told(known) == (Fault.REVOKED, False)
    served(b"gone", 404)
    with pytest.raises(OSError, match="404"):
        fetch_list(f"{address}/crl")
    served(b"")
    with pytest.raises(OSError, match=r"file|allowed"):
        fetch_list(f"{address}/moved")


# Size


def test_looking_up_costs_the_same_with_100_000_entries(tmp_path: Path, clock: Clock) -> None:
    """In force a list is a set: nothing of it is walked through on the request path."""
    file = tmp_path / "crl.der"
    serials = [2**150 + each for each in range(100_000)]
    at = made.moment(NOW - 1)
    entries = [x509.RevokedCertificateBuilder(each, at, []).build() for each in serials]
    builder = x509.CertificateRevocationListBuilder(
        INTERMEDIATE.certificate.subject, at, made.moment(NOW + DAY), [], entries
    )
    crl = builder.sign(INTERMEDIATE.key, hashes.SHA256())
    file.write_bytes(crl.public_bytes(Encoding.DER))
    large = Revocations(KNOWN, files=[file], scope="leaf", clock=clock)
    assert large.states(NOW)[1].entries == 100_000
    file.write_bytes(revocation_list(INTERMEDIATE, [5]).public_bytes(Encoding.DER))
    small = Revocations(KNOWN, files=[file], scope="leaf", clock=clock)

    def cost(known: Revocations) -> float:
        best = 1.0
        for _ in range(7):
            begun = perf_counter()
            for _ in range(2_000):
                known.standing((LEAF,), NOW, NOW)
            best = min(best, perf_counter() - begun)
        return best

    assert large.standing((Link(LEAF.issuer, serials[-1]),), NOW, NOW) == Standing(Fault.REVOKED)
    assert large.standing((LEAF,), NOW, NOW).fault is None
    assert cost(large) < 5 * cost(small), "a walk would cost thousands of times as much"
