"""What becomes of a verification while its connection lives: revocation, the end of the list, the
end of the certificate, the verification's time to live (seed L12, L96-98; DESIGN section 3,
`Validation expired`). The list is a file that the tests rewrite.
"""

import datetime as dt
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from guarita.layers.certificate import ClientCertificate
from guarita.outage import REFUSE
from guarita.profiles.delfinance import PRODUCTION
from tests.certificates import Certified, Issuer
from tests.serving.tls.calling import (
    CERTIFICATE,
    EXPIRED,
    Answer,
    Kept,
    cert_options,
    curl,
    header_options,
    kept,
)
from tests.serving.tls.gates import Gate, Key, gate, until
from tests.serving.tls.support import World

HOUR_S = 3600.0
MONTH_S = 30 * 86_400.0
VERSIONS = ("1.2", "1.3")


@pytest.fixture
def served(world: World, tmp_path: Path) -> Iterator[Gate]:
    with gate(world, tmp_path) as running:
        yield running


def fresh(served: Gate, client: Certified, key: Key) -> Answer:
    """A request on a connection of its own."""
    options = cert_options(served.world.files(client))
    (answer,) = curl(served.port, served.world.ca_file, *options, *header_options(key.headers))
    return answer


def connected(
    served: Gate, client: Certified, version: str = "1.3"
) -> AbstractContextManager[Kept]:
    """A connection that is kept; its handshake is over for certain once it has had an answer."""
    return kept(served.port, served.world.ca_file, served.world.files(client), version)


def reason(served: Gate, answer: Answer) -> str | None:
    return served.entry(answer.ray).reason


# --- revocation -----------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
def test_a_kept_connection_sees_a_revocation_at_its_next_request(
    served: Gate, version: str
) -> None:
    client, other = served.world.intermediate.leaf("revoked"), served.world.root.leaf("other")
    key, others = served.key(client), served.key(other)
    with connected(served, client, version) as mine, connected(served, other, version) as theirs:
        mine.get(key.headers).admitted(key)
        theirs.get(others.headers).admitted(others)
        served.publish(client)
        refused = mine.get(key.headers)
        refused.is_(CERTIFICATE)
        assert reason(served, refused) == "certificate.revoked"
        theirs.get(others.headers).admitted(others)
    assert reason(served, fresh(served, client, key)) == "certificate.revoked"


def test_an_authority_can_be_revoked(served: Gate) -> None:
    client, other = served.world.intermediate.leaf("below"), served.world.root.leaf("beside")
    key, others = served.key(client), served.key(other)
    with connected(served, client) as mine, connected(served, other) as theirs:
        mine.get(key.headers).admitted(key)
        served.publish(served.world.intermediate)
        refused = mine.get(key.headers)
        refused.is_(CERTIFICATE)
        assert reason(served, refused) == "certificate.revoked"
        theirs.get(others.headers).admitted(others)


def test_a_list_that_is_not_to_be_believed_changes_nothing(served: Gate) -> None:
    client, revoked = served.world.root.leaf("good"), served.world.root.leaf("revoked")
    key, ended = served.key(client), served.key(revoked)
    served.publish(revoked)
    forger = Issuer.root(served.world.root.certificate.subject.rfc4514_string()[3:])
    served.lists.write_by(forger, served.clock())
    until(lambda: bool(served.revocations.problems()))
    (problem,) = served.revocations.problems()
    assert problem.startswith(f"{served.lists.pem}: the signature is not that of")
    fresh(served, client, key).admitted(key)
    fresh(served, revoked, ended).is_(CERTIFICATE)


# --- the end of the list --------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
def test_a_list_past_its_next_update(served: Gate, version: str) -> None:
    client = served.world.root.leaf("good")
    key = served.key(client)
    served.publish(next_s=600)
    with connected(served, client, version) as connection:
        connection.get(key.headers).admitted(key)
        served.clock.at += 599
        connection.get(key.headers).admitted(key)
        served.clock.at += 1
        refused = connection.get(key.headers)
        refused.is_(EXPIRED)
        assert reason(served, refused) == "certificate.lapsed"
        assert connection.ended()
    stale = fresh(served, client, key)
    stale.is_(CERTIFICATE)
    assert reason(served, stale) == "certificate.revocation_unknown"
    served.publish(next_s=600)
    fresh(served, client, key).admitted(key)


def test_an_operators_late_list_locks_nobody_out(served: Gate) -> None:
    client = served.world.root.leaf("good")
    key = served.key(client)
    served.publish(next_s=600)
    served.clock.at += 600
    options = (*cert_options(served.world.files(client)), *header_options(key.headers))
    path = "/v1/resource?[1-12]"
    for answer in curl(served.port, served.world.ca_file, *options, path=path):
        answer.is_(CERTIFICATE)
    served.publish(next_s=600)
    fresh(served, client, key).admitted(key)


def test_a_list_renewed_in_time_is_not_noticed(served: Gate) -> None:
    client = served.world.intermediate.leaf("good")
    key = served.key(client)
    served.publish(next_s=600)
    with connected(served, client) as connection:
        connection.get(key.headers).admitted(key)
        served.clock.at += 500
        served.publish(next_s=600)
        served.clock.at += 500
        connection.get(key.headers).admitted(key)


def test_a_revoked_certificate_stays_revoked_under_a_late_list(served: Gate) -> None:
    client = served.world.root.leaf("revoked")
    key = served.key(client)
    served.publish(client, next_s=600)
    served.clock.at += 601
    refused = fresh(served, client, key)
    refused.is_(CERTIFICATE)
    assert reason(served, refused) == "certificate.revoked"


def test_a_late_list_can_be_tolerated_for_a_stated_time(world: World, tmp_path: Path) -> None:
    client = world.root.leaf("good")
    with gate(world, tmp_path, next_s=600, stale=300) as served:
        key = served.key(client)
        with connected(served, client) as connection:
            connection.get(key.headers).admitted(key)
            served.clock.at += 899
            connection.get(key.headers).admitted(key)
            fresh(served, client, key).admitted(key)
            served.clock.at += 1
            connection.get(key.headers).is_(EXPIRED)
        fresh(served, client, key).is_(CERTIFICATE)


# --- time to live ---------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
def test_validation_expires_and_a_retry_validates_afresh(
    world: World, tmp_path: Path, version: str
) -> None:
    client = world.root.leaf("good")
    short = PRODUCTION.with_layers(ClientCertificate(30, on_outage=REFUSE))
    with gate(world, tmp_path, short) as served:
        key = served.key(client)
        with connected(served, client, version) as connection:
            connection.get(key.headers).admitted(key)
            served.clock.at += 29
            connection.get(key.headers).admitted(key)
            served.clock.at += 1
            refused = connection.get(key.headers)
            refused.is_(EXPIRED)
            assert reason(served, refused) == "certificate.lapsed"
            assert connection.ended()
        fresh(served, client, key).admitted(key)


def test_validation_expires_after_an_hour_by_default(served: Gate) -> None:
    client = served.world.root.leaf("good")
    key = served.key(client)
    with connected(served, client) as first:
        first.get(key.headers).admitted(key)
        served.clock.at += HOUR_S - 1
        first.get(key.headers).admitted(key)
        with connected(served, client) as second:
            second.get(key.headers).admitted(key)
            served.clock.at += 1
            first.get(key.headers).is_(EXPIRED)
            second.get(key.headers).admitted(key)  # verified later


def test_a_certificate_can_end_on_a_warm_connection(world: World, tmp_path: Path) -> None:
    ends = dt.datetime.now(dt.UTC).replace(microsecond=0) + dt.timedelta(days=2)
    client = world.root.leaf("ending", not_after=ends)
    long = PRODUCTION.with_layers(ClientCertificate(MONTH_S, on_outage=REFUSE))
    with gate(world, tmp_path, long, next_s=MONTH_S) as served:
        key = served.key(client)
        with connected(served, client) as connection:
            served.clock.at = ends.timestamp()
            connection.get(key.headers).admitted(key)
            served.clock.at += 1
            refused = connection.get(key.headers)
            refused.is_(CERTIFICATE)
            assert reason(served, refused) == "certificate.expired"


def test_a_warm_connection_costs_no_verification(served: Gate) -> None:
    client = served.world.intermediate.leaf("warm")
    key = served.key(client)
    before = served.chains.verifications
    with connected(served, client) as connection:
        connection.get(key.headers).admitted(key)
        assert served.chains.verifications == before + 1
        for _ in range(20):
            connection.get(key.headers).admitted(key)
        served.publish()
        connection.get(key.headers).admitted(key)
        assert served.chains.verifications == before + 1


# --- the list over HTTP ---------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["pem", "der"])
def test_the_list_over_http_is_the_file(served: Gate, form: str) -> None:
    revoked = served.world.root.leaf("revoked")
    served.publish(revoked)
    (answer,) = curl(served.port, served.world.ca_file, path=f"/crl.{form}")
    file = served.lists.pem if form == "pem" else served.lists.der
    assert (answer.status, answer.body) == (200, file.read_bytes())
    words = ["openssl", "crl", "-inform", form.upper(), "-noout", "-text"]
    words += ["-CAfile", str(served.world.ca_file)]
    read = subprocess.run(words, input=answer.body, capture_output=True, check=True)
    assert b"verify OK" in read.stderr
    assert b"Serial Number: %X" % revoked.certificate.serial_number in read.stdout.replace(
        b"Serial Number: 0", b"Serial Number: "
    )


def test_the_list_over_http_carries_ray_and_hsts_as_every_answer(served: Gate) -> None:
    (answer,) = curl(served.port, served.world.ca_file, path="/crl.der")
    answer.check()


def test_only_the_list_is_there_without_a_key(served: Gate) -> None:
    for path in ("/crl.der/", "/crl.key", "/%2e%2e/crl.der", "/v1/crl.der"):
        (answer,) = curl(served.port, served.world.ca_file, "--path-as-is", path=path)
        assert answer.status == 401, path
    (answer,) = curl(served.port, served.world.ca_file, "-X", "POST", path="/crl.der")
    assert answer.status == 401
