"""Every kind of client certificate against the whole Delfinance gate: the handshake is completed,
the answer is JSON with the documented literal, and the decision log tells the seed's five checks
apart though the caller reads two messages only (seed L8-14, L45, L60; issue 3, "Rules").
"""

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import pytest

from guarita.decision_log import explain
from guarita.records import CertificatePin
from tests.certificates import SERVER, Certified, Issuer, self_signed
from tests.serving.tls.calling import (
    CERTIFICATE,
    PIN,
    Answer,
    Message,
    cert_options,
    curl,
    header_options,
    kept,
)
from tests.serving.tls.gates import Gate, Key, gate, pin_of, printed
from tests.serving.tls.support import World

NOW = dt.datetime.now(dt.UTC)
DAY = dt.timedelta(days=1)
VERSIONS = ("1.2", "1.3")
OTHER_SERIAL = "0BAD5E71A1"
OTHER_SHA256 = ":".join(["5A"] * 32)


@dataclass(frozen=True)
class Row:
    """One certificate, what is registered for the key, and what must come of it.

    `registered` None: the certificate itself, so that a refusal is for what it is. `wanted` None:
    admitted. `reason`: the decision log's.
    """

    make: Callable[[World], Certified]
    wanted: Message | None = None
    reason: str | None = None
    registered: Callable[[Certified], CertificatePin] | None = None


def _not_sent(certified: Certified) -> Certified:
    return replace(certified, above=())


def _stranger(name: str) -> Callable[[World], Certified]:
    return lambda _: Issuer.root(name).leaf("stranger's")


ROWS: dict[str, Row] = {
    "good": Row(lambda w: w.root.leaf("good")),
    "good by intermediate sent": Row(lambda w: w.intermediate.leaf("good below")),
    "no SAN": Row(lambda w: w.root.leaf("no SAN", san=())),
    "a SAN": Row(lambda w: w.root.leaf("SAN", san=("shop.example.com",))),
    "no EKU": Row(lambda w: w.root.leaf("no EKU", eku=None)),
    "server-only EKU": Row(
        lambda w: w.root.leaf("server", eku=(SERVER,)), CERTIFICATE, "certificate.wrong_purpose"
    ),
    "expired": Row(
        lambda w: w.root.leaf("expired", not_after=NOW - DAY), CERTIFICATE, "certificate.expired"
    ),
    "not yet valid": Row(
        lambda w: w.root.leaf("early", not_before=NOW + DAY),
        CERTIFICATE,
        "certificate.not_yet_valid",
    ),
    "self-signed": Row(
        lambda _: self_signed("self-signed"), CERTIFICATE, "certificate.unknown_issuer"
    ),
    "other CA": Row(_stranger("Other Root"), CERTIFICATE, "certificate.unknown_issuer"),
    "other CA of the same name": Row(
        _stranger("Test Root"), CERTIFICATE, "certificate.unknown_issuer"
    ),
    "intermediate not sent": Row(
        lambda w: _not_sent(w.intermediate.leaf("alone")),
        CERTIFICATE,
        "certificate.unknown_issuer",
    ),
    "revoked": Row(lambda w: w.root.leaf("revoked"), CERTIFICATE, "certificate.revoked"),
    "revoked by intermediate": Row(
        lambda w: w.intermediate.leaf("revoked below"), CERTIFICATE, "certificate.revoked"
    ),
    "right CA, other pin": Row(
        lambda w: w.root.leaf("other pin"),
        PIN,
        "certificate.other_serial",
        lambda _: CertificatePin(OTHER_SERIAL.zfill(20), OTHER_SHA256),
    ),
    "right fingerprint, other serial": Row(
        lambda w: w.root.leaf("other serial"),
        PIN,
        "certificate.other_serial",
        lambda one: pin_of(one, serial=OTHER_SERIAL),
    ),
    "right serial, other fingerprint": Row(
        lambda w: w.root.leaf("other fingerprint"),
        PIN,
        "certificate.other_fingerprint",
        lambda one: pin_of(one, sha256=OTHER_SHA256),
    ),
}


class Served:
    """One gate for all rows, with a certificate for each."""

    def __init__(self, gate: Gate, made: dict[str, Certified]) -> None:
        self.gate = gate
        self.made = made
        self.ca = gate.world.ca_file

    @cached_property
    def rows(self) -> dict[str, tuple[Certified, Key]]:
        """Each row's certificate with its own key: refusals of one must not lock another out."""
        found = {}
        for name, row in ROWS.items():
            made = self.made[name]
            pin = pin_of(made) if row.registered is None else row.registered(made)
            found[name] = made, self.gate.key(pins=(pin,))
        return found

    def check(self, name: str, answer: Answer) -> None:
        """Literal and status for the caller; for the operator, which check it was and why."""
        made, key = self.rows[name]
        row, seen = ROWS[name], printed(made)
        entry = self.gate.entry(answer.ray)
        assert (entry.client_id, entry.path) == (key.key_id, "/v1/resource")
        saw = [seen.sha256, seen.serial, made.certificate.subject.rfc4514_string()]
        assert dict(entry.saw)["certificate"] == saw
        if row.wanted is None:
            shown = answer.admitted(key)["certificate"]
            assert [shown["sha256"], shown["serial"], shown["subject"]] == saw
            assert (entry.decision, entry.reason) == ("admit", None)
            return
        answer.is_(row.wanted)
        assert (entry.decision, entry.layer, entry.reason) == ("refuse", "certificate", row.reason)
        assert entry.status == row.wanted.status
        words = str(explain(entry))
        assert seen.sha256 in words
        assert key.api_key not in words


@pytest.fixture(scope="module")
def served(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    made = {name: row.make(world) for name, row in ROWS.items()}
    revoked = tuple(one for name, one in made.items() if name.startswith("revoked"))
    with gate(world, tmp_path_factory.mktemp("matrix"), revoked=revoked) as running:
        yield Served(running, made)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", ROWS)
def test_curl(served: Served, name: str, version: str) -> None:
    made, key = served.rows[name]
    (answer,) = curl(
        served.gate.port,
        served.ca,
        *(f"--tlsv{version}", "--tls-max", version),
        *cert_options(served.gate.world.files(made)),
        *header_options(key.headers),
    )
    served.check(name, answer)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", ROWS)
def test_s_client_and_its_connection_goes_on(served: Served, name: str, version: str) -> None:
    """A refusal ends neither the handshake nor the connection."""
    made, key = served.rows[name]
    files = served.gate.world.files(made)
    with kept(served.gate.port, served.ca, files, version) as connection:
        for _ in range(2):
            served.check(name, connection.get(key.headers))
        other = connection.get((*key.headers, "Connection: close"))
        served.check(name, replace(other, headers=_open(other.headers)))
        assert connection.ended()


def _open(headers: dict[str, str]) -> dict[str, str]:
    assert headers["connection"] == "close"  # as the client asked
    return {name: value for name, value in headers.items() if name != "connection"}


@pytest.mark.parametrize("version", VERSIONS)
def test_no_certificate(served: Served, version: str) -> None:
    _, key = served.rows["good"]
    (answer,) = curl(
        served.gate.port,
        served.ca,
        *(f"--tlsv{version}", "--tls-max", version),
        *header_options(key.headers),
    )
    answer.is_(CERTIFICATE)
    entry = served.gate.entry(answer.ray)
    assert (entry.reason, dict(entry.saw)["certificate"]) == ("certificate.not_presented", None)


def test_pkcs12(served: Served) -> None:
    made, key = served.rows["good by intermediate sent"]
    file = served.gate.world.folder / "matrix.p12"
    file.write_bytes(made.pkcs12(b"changeit"))
    (answer,) = curl(
        served.gate.port,
        served.ca,
        *("--cert-type", "P12", "--cert", f"{file}:changeit"),
        *header_options(key.headers),
    )
    served.check("good by intermediate sent", answer)


def test_what_is_told_apart_is_the_five_checks_of_the_seed() -> None:
    """Presented is `test_no_certificate`; by the authority, revoked, serial, fingerprint are rows
    (seed L10-14)."""
    told = {row.reason for row in ROWS.values() if row.reason}
    by_authority = {"expired", "not_yet_valid", "wrong_purpose", "unknown_issuer"}
    others = {"revoked", "other_serial", "other_fingerprint"}
    assert told == {f"certificate.{name}" for name in by_authority | others}
