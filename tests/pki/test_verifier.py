"""The answer to `VerifyCertificate`: verified once, dates and revocation looked at every time."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from guarita.asks import CertificateFault as Fault
from guarita.asks import CertificateVerdict, VerifyCertificate
from guarita.facts import PresentedCertificate
from guarita.pki.encodings import serial_text, sha256_of
from guarita.pki.revocation import Revocations, RevocationSource, Standing
from guarita.pki.verifier import CertificateVerifier
from guarita.pki.verify import ChainVerifier, Link
from tests.pki.made import DAY, NOW, authority, client, crl_pem, revocation_list

ROOT = authority("Root")
LEAF = client(ROOT, ends=NOW + 2 * DAY)
CHAIN = (LEAF.der,)
CHAINS = ChainVerifier([ROOT.certificate])


def ask(
    at: float, chain: tuple[bytes, ...] = CHAIN, since: float = NOW, connection: str = "1"
) -> VerifyCertificate:
    return VerifyCertificate(PresentedCertificate(chain, since, connection), at)


def test_a_good_one() -> None:
    verifier = CertificateVerifier(CHAINS)
    assert verifier.answer(ask(NOW + 1)) == CertificateVerdict(
        None, serial_text(LEAF.serial), sha256_of(LEAF.der), "CN=client", NOW, lapsed=False
    )


def test_a_warm_connection_costs_no_verification() -> None:
    verifier = CertificateVerifier(CHAINS)
    for second in range(100):
        assert verifier.answer(ask(NOW + second)).fault is None
    assert verifier.verifications == 1
    assert verifier.answer(ask(NOW + 100, since=NOW + 99, connection="2")).verified_at == NOW + 99
    bytes_again = (bytes(bytearray(LEAF.der)),)
    assert verifier.answer(ask(NOW + 100, bytes_again)).fault is None
    assert verifier.verifications == 1, "a chain is the same on every connection"


def test_dates_are_looked_at_on_every_ask() -> None:
    verifier = CertificateVerifier(CHAINS)
    faults = [
        (NOW, None),
        (NOW + 2 * DAY + 0.5, None),
        (NOW + 2 * DAY + 1, Fault.EXPIRED),
        (NOW + 3 * DAY, Fault.EXPIRED),
        (NOW, None),
        (NOW - 2 * DAY, Fault.NOT_YET_VALID),
        (NOW, None),
    ]
    for at, fault in faults:
        assert verifier.answer(ask(at)).fault is fault, at
    counted = verifier.verifications
    assert counted <= len(faults)
    for _ in range(10):
        verifier.answer(ask(NOW))
    assert verifier.verifications == counted


def test_one_that_expires_is_verified_again_once_and_not_at_every_ask() -> None:
    verifier = CertificateVerifier(CHAINS)
    verifier.answer(ask(NOW))
    for second in range(50):
        assert verifier.answer(ask(NOW + 3 * DAY + second)).fault is Fault.EXPIRED
    assert verifier.verifications == 2


@pytest.mark.parametrize(
    ("chain", "fault"),
    [
        ((client(authority("Other")).der,), Fault.UNKNOWN_ISSUER),
        ((b"junk",), Fault.MALFORMED),
        ((), Fault.MALFORMED),
    ],
)
def test_faults_are_answered(chain: tuple[bytes, ...], fault: Fault) -> None:
    verifier = CertificateVerifier(CHAINS)
    for _ in range(3):
        assert verifier.answer(ask(NOW, chain)).fault is fault
    assert verifier.explain(chain, NOW)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "crl.pem"
    path.write_bytes(crl_pem(revocation_list(ROOT)))
    return path


def test_a_revocation_is_seen_at_the_next_request_of_a_warm_connection(file: Path) -> None:
    revocations = Revocations([ROOT.certificate], files=[file], clock=lambda: NOW)
    verifier = CertificateVerifier(CHAINS, revocations)
    assert verifier.answer(ask(NOW + 1)).fault is None
    file.write_bytes(crl_pem(revocation_list(ROOT, [LEAF.serial])))
    revocations.refresh()
    assert verifier.answer(ask(NOW + 1)).fault is Fault.REVOKED
    file.write_bytes(crl_pem(revocation_list(ROOT, [LEAF.serial + 1])))
    revocations.refresh()
    assert verifier.answer(ask(NOW + 1)).fault is None
    assert verifier.verifications == 1


def test_a_list_that_ends_lapses_old_connections_and_refuses_new_ones(file: Path) -> None:
    revocations = Revocations([ROOT.certificate], files=[file], clock=lambda: NOW)
    verifier = CertificateVerifier(CHAINS, revocations)
    ends = NOW + DAY

    def told(at: float, since: float) -> tuple[Fault | None, bool]:
        found = verifier.answer(ask(at, since=since))
        return found.fault, found.lapsed

    assert told(ends - 1, NOW) == (None, False)
    assert told(ends, NOW) == (None, True)
    assert told(ends + 5, NOW) == (None, True)
    assert told(ends + 5, ends + 5) == (Fault.REVOCATION_UNKNOWN, False)
    assert told(ends - 1, NOW) == (None, False)
    file.write_bytes(crl_pem(revocation_list(ROOT, ends=NOW + 2 * DAY)))
    revocations.refresh()
    assert told(ends + 5, NOW) == (None, False)
    assert told(ends + 6, ends + 5) == (None, False)


def test_a_faulty_chain_is_not_looked_up(file: Path) -> None:
    verifier = CertificateVerifier(CHAINS, _Never())
    assert verifier.answer(ask(NOW + 9 * DAY)).fault is Fault.EXPIRED


class _Never:
    generation = 0

    def standing(self, links: Sequence[Link], counted_from: float, at: float) -> Standing:
        raise AssertionError("looked up")


class _Responder:
    """Another source of revocation, as OCSP will be one."""

    def __init__(self) -> None:
        self.generation = 0
        self.told = Standing(None)
        self.asked: list[tuple[tuple[Link, ...], float, float]] = []

    def standing(self, links: Sequence[Link], counted_from: float, at: float) -> Standing:
        self.asked.append((tuple(links), counted_from, at))
        return self.told


def test_another_source_of_revocation_takes_the_same_place() -> None:
    source: RevocationSource = (responder := _Responder())
    verifier = CertificateVerifier(CHAINS, source)
    responder.told = Standing(None, until=NOW + 10)
    assert verifier.answer(ask(NOW)).fault is None
    assert verifier.answer(ask(NOW + 9)).fault is None
    assert len(responder.asked) == 1, "the answer holds until its end"
    assert responder.asked[0][0][0].serial == LEAF.serial
    responder.told = Standing(Fault.REVOKED)
    assert verifier.answer(ask(NOW + 10)).fault is Fault.REVOKED
    responder.told = Standing(None)
    assert verifier.answer(ask(NOW + 10)).fault is Fault.REVOKED
    responder.generation += 1
    assert verifier.answer(ask(NOW + 10)).fault is None


def test_what_strangers_send_pushes_out_nothing_that_is_in_use() -> None:
    verifier = CertificateVerifier(CHAINS, remember=4, remember_bad=4)
    verifier.answer(ask(NOW))
    other = authority("Other")
    for number in range(20):
        verifier.answer(ask(NOW, (client(other, f"stranger {number}").der,)))
    before = verifier.verifications
    verifier.answer(ask(NOW))
    assert verifier.verifications == before


def test_memory_is_bounded_and_what_is_in_use_stays() -> None:
    verifier = CertificateVerifier(CHAINS, remember=8)
    chains = [(client(ROOT, f"c{number}").der,) for number in range(40)]
    for chain in chains:
        verifier.answer(ask(NOW, chain))
        verifier.answer(ask(NOW, chains[0]))
    assert verifier.verifications == 40
    assert len(verifier._good._young) + len(verifier._good._old) <= 9
    for second in range(1000):
        verifier.answer(ask(NOW + second, since=NOW + second))
    known = verifier._good.get(CHAIN)
    assert known is not None
    assert len(known.memos) <= 64
