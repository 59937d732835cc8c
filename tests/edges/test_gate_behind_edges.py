"""The whole Delfinance gate behind nginx, HAProxy and Envoy: a client certificate that the edge
only passes on is judged as one shown to the gate itself, and nobody but the edge is believed
(seed L8-14, L45, L60, L78, L87, L96; issue 3, "Rules").
"""

import datetime as dt
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from guarita.layers.certificate import ClientCertificate
from guarita.profiles.delfinance import PRODUCTION
from guarita.records import CertificatePin
from guarita.serving.certificates import NAMES, poses_as_certificate
from tests.certificates import SERVER, Certified, Issuer, self_signed
from tests.edges.gates import (
    CALLER,
    EDGE,
    HAPROXY_WITH_TIME,
    HEADERS,
    STRANGER,
    Behind,
    behind,
    headers_of,
    written,
)
from tests.serving.tls.calling import (
    ACCOUNT,
    ADDRESS,
    CERTIFICATE,
    EXPIRED,
    PIN,
    Message,
    cert_options,
    curl,
    header_options,
)
from tests.serving.tls.gates import DAY_S, pin_of, printed
from tests.serving.tls.support import World

NOW = dt.datetime.now(dt.UTC)
DAY = dt.timedelta(days=1)
TLS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]
OTHER_SHA256 = ":".join(["5A"] * 32)
(TTL_S,) = (
    layer.ttl_s for layer in PRODUCTION.classes[0].layers if isinstance(layer, ClientCertificate)
)

pytestmark = pytest.mark.slow
both_versions = pytest.mark.parametrize("version", TLS, ids=lambda version: version.name)


@dataclass(frozen=True)
class Row:
    """One certificate, registered for the key as it is, or as `registered` has it; `reason` None:
    admitted.
    """

    make: Callable[[World], Certified]
    wanted: Message = CERTIFICATE
    reason: str | None = None
    registered: Callable[[Certified], CertificatePin] = pin_of


ROWS: dict[str, Row] = {
    "good": Row(lambda w: w.root.leaf("good")),
    "by intermediate": Row(lambda w: w.intermediate.leaf("good below")),
    "with alternative names": Row(lambda w: w.root.leaf("named", san=("client.test",))),
    "for no purpose in particular": Row(lambda w: w.root.leaf("no EKU", eku=None)),
    "self-signed": Row(lambda _: self_signed("self-signed"), reason="unknown_issuer"),
    "expired": Row(lambda w: w.root.leaf("expired", not_after=NOW - DAY), reason="expired"),
    "not yet valid": Row(
        lambda w: w.root.leaf("early", not_before=NOW + DAY), reason="not_yet_valid"
    ),
    "other CA": Row(
        lambda _: Issuer.root("Other Root").leaf("stranger's"), reason="unknown_issuer"
    ),
    "other CA of the same name": Row(
        lambda _: Issuer.root("Test Root").leaf("forged"), reason="unknown_issuer"
    ),
    "made for servers": Row(lambda w: w.root.leaf("server", eku=(SERVER,)), reason="wrong_purpose"),
    "other serial": Row(
        lambda w: w.root.leaf("other serial"),
        PIN,
        "other_serial",
        lambda one: pin_of(one, serial="0BAD5E71A1"),
    ),
    "other fingerprint": Row(
        lambda w: w.root.leaf("other pin"),
        PIN,
        "other_fingerprint",
        lambda one: pin_of(one, sha256=OTHER_SHA256),
    ),
}


@pytest.fixture(scope="module", params=list(HEADERS))
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Behind]:
    with behind(request.param, tmp_path_factory.mktemp(request.param)) as running:
        yield running


# --- certificates ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ROWS)
def test_certificate(served: Behind, name: str) -> None:
    row = ROWS[name]
    client = row.make(served.gate.world)
    key = served.gate.key(pins=(row.registered(client),), allowed=(CALLER,))
    seen = printed(client)
    for version in TLS:
        reply = served.get(client, version, headers_of(key))
        reply.over_tls()
        # The gate judged this very certificate, whatever came of it.
        subject = client.certificate.subject.rfc4514_string()
        assert reply.saw["certificate"] == [seen.sha256, seen.serial, subject]
        if row.reason is None:
            reply.admitted(key, client)
        else:
            reply.refused(row.wanted, f"certificate.{row.reason}")


NONE = Row(lambda w: w.root.leaf("unused"), reason="not_presented")


@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize("name", [*ROWS, "none"])
def test_certificate_by_curl(served: Behind, name: str, version: str) -> None:
    """The same by a client of another make."""
    row = ROWS.get(name, NONE)
    client = None if name == "none" else row.make(served.gate.world)
    key = served.gate.key(pins=(row.registered(client),) if client else (), allowed=(CALLER,))
    shown = () if client is None else cert_options(served.gate.world.files(client))
    [answer] = curl(
        served.edge.port,
        served.edge.certificates.server,
        *("--interface", CALLER, "--tlsv" + version, "--tls-max", version, *shown),
        *header_options([f"{header}: {value}" for header, value in headers_of(key)]),
    )
    if row.reason is None:
        answer.admitted(key)
    else:
        answer.check()
        # Not `is_`: after a certificate nginx would itself refuse, nginx ends the connection.
        assert (answer.status, answer.json) == (row.wanted.status, {"message": row.wanted.text})
        assert served.gate.entry(answer.ray).reason == f"certificate.{row.reason}"


@both_versions
def test_an_intermediate_that_is_not_sent(served: Behind, version: ssl.TLSVersion) -> None:
    """Where the gate does not know it either, nothing leads to the root."""
    client = replace(served.gate.world.intermediate.leaf("alone"), above=())
    key = served.key(client)
    reply = served.get(client, version, headers_of(key))
    reply.over_tls()
    if served.edge.name == "nginx":
        reply.admitted(key, client)
    else:
        reply.refused(CERTIFICATE, "certificate.unknown_issuer")


@both_versions
def test_no_certificate(served: Behind, version: ssl.TLSVersion) -> None:
    key = served.key(served.gate.world.root.leaf("at home"))
    reply = served.get(None, version, headers_of(key))
    reply.over_tls()
    reply.refused(CERTIFICATE, "certificate.not_presented")


@both_versions
@pytest.mark.parametrize("by", ["root", "intermediate"])
def test_a_kept_connection_sees_a_revocation_at_its_next_request(
    served: Behind, by: str, version: ssl.TLSVersion
) -> None:
    issuer: Issuer = getattr(served.gate.world, by)
    client, other = issuer.leaf("revoked"), issuer.leaf("not revoked")
    key, others = served.key(client), served.key(other)
    with (
        served.connection(client, version) as mine,
        served.connection(other, version) as theirs,
    ):
        mine.get(headers_of(key)).admitted(key, client)
        theirs.get(headers_of(others)).admitted(others, other)
        socket = mine.http.sock
        served.gate.publish(client)
        assert mine.http.sock is socket
        reply = mine.get(headers_of(key))
        reply.over_tls()
        reply.refused(CERTIFICATE, "certificate.revoked")
        theirs.get(headers_of(others)).admitted(others, other)
    fresh = served.get(client, version, headers_of(key))
    fresh.refused(CERTIFICATE, "certificate.revoked")


# --- who is believed ------------------------------------------------------------------------------


@both_versions
@pytest.mark.parametrize("shown", [False, True], ids=["no certificate", "a certificate"])
def test_a_spoofed_header_from_outside(
    served: Behind, shown: bool, version: ssl.TLSVersion
) -> None:
    """A caller with the victim's key and certificate (which is public) gets nowhere."""
    victim = served.gate.world.root.leaf("victim")
    own = served.gate.world.root.leaf("own") if shown else None
    key = served.key(victim)
    reached = len(served.gate.reached)
    # Nine refusals: the tenth would lock the key out at this address.
    for form in ("nginx-escaped-pem", "base64-der", "xfcc"):
        value = written(form, victim)
        spoofed = [(name.decode(), value) for name in sorted(NAMES)]
        twins = [(name.replace("-", "_"), value) for name, _ in spoofed]
        for some in ([(served.header.name.decode(), value)], spoofed, twins):
            reply = served.get(own, version, [*headers_of(key), *some])
            reply.over_tls()
            if own is None:
                reply.refused(CERTIFICATE, "certificate.not_presented")
                assert reply.saw["certificate"] is None
            else:
                reply.refused(PIN, "certificate.other_serial")
                assert reply.saw["certificate"][0] == printed(own).sha256
    assert len(served.gate.reached) == reached


@both_versions
def test_a_spoofed_header_beside_a_certificate_of_ones_own(
    served: Behind, version: ssl.TLSVersion
) -> None:
    victim, own = (served.gate.world.root.leaf(name) for name in ("victim", "own"))
    key = served.key(own)
    value = written(served.header.form, victim)
    spoofed = [(name.decode(), value) for name in sorted(NAMES)]
    served.get(own, version, [*headers_of(key), *spoofed]).admitted(key, own)
    sent = [(name, text) for name, text in served.gate.reached[-1]["headers"] if b"_" not in name]
    assert not [name for name, _ in sent if poses_as_certificate(name, served.header)]
    assert value.encode() not in [text for _, text in sent]


def test_only_the_edge_is_believed(served: Behind) -> None:
    """The same bytes, sent past the edge: by the edge's own address they are true, by another they
    are nobody's."""
    client = served.gate.world.root.leaf("good")
    key = served.gate.key(client, allowed=(CALLER, STRANGER))
    said = [
        *headers_of(key),
        (served.header.name.decode(), written(served.header.form, client)),
        ("X-Forwarded-For", CALLER),
        ("X-Forwarded-Proto", "https"),
    ]
    believed = served.directly(EDGE, said)
    believed.over_tls()
    believed.admitted(key, client)
    reply = served.directly(STRANGER, said)
    reply.refused(CERTIFICATE, "certificate.not_presented")
    assert reply.entry.client == STRANGER
    assert reply.answer.headers["Strict-Transport-Security"] is None


@both_versions
def test_the_address_is_the_one_the_edge_saw(served: Behind, version: ssl.TLSVersion) -> None:
    client = served.gate.world.root.leaf("good")
    key = served.key(client)
    for claimed in ([], [("X-Forwarded-For", CALLER)], [("X-Forwarded-For", f"{CALLER}, {EDGE}")]):
        reply = served.get(client, version, [*headers_of(key), *claimed], STRANGER)
        reply.over_tls()
        reply.refused(ADDRESS, "address.not_listed")
        assert (reply.entry.peer, reply.entry.client) == (EDGE, STRANGER)
    served.get(client, version, headers_of(key)).admitted(key, client)


@both_versions
def test_no_account_header(served: Behind, version: ssl.TLSVersion) -> None:
    client = served.gate.world.root.leaf("good")
    key = served.key(client)
    reply = served.get(client, version, headers_of(key)[:1])
    reply.over_tls()
    reply.refused(ACCOUNT, "account_header.missing")


# --- the verification's time to live --------------------------------------------------------------


def test_without_a_time_header_a_verification_counts_from_each_arrival(served: Behind) -> None:
    client = served.gate.world.root.leaf("good")
    key = served.key(client)
    clock = served.gate.clock
    began = clock.at
    try:
        with served.connection(client) as connection:
            for hours in (0, 1, 10, 20):  # the revocation list is good for a day
                clock.at = began + hours * TTL_S
                connection.get(headers_of(key)).admitted(key, client)
    finally:
        clock.at = began


def test_with_a_time_header_it_counts_from_the_handshake(tmp_path: Path) -> None:
    with behind("haproxy", tmp_path, HAPROXY_WITH_TIME) as served:
        client = served.gate.world.root.leaf("good")
        key = served.key(client)
        served.gate.publish(next_s=30 * DAY_S)
        with served.connection(client) as connection:
            connection.get(headers_of(key)).admitted(key, client)
            served.gate.clock.at += TTL_S / 2
            connection.get(headers_of(key)).admitted(key, client)
            served.gate.clock.at += TTL_S
            reply = connection.get(headers_of(key))
            reply.over_tls()
            reply.refused(EXPIRED, "certificate.lapsed")
            assert reply.answer.headers.get_all("Connection") == ["close"]
