"""Whatever certificate a client shows, the handshake is completed and the application sees the
whole chain that was sent (DESIGN section 3, "certificates at the TLS layer").
"""

import datetime as dt
import json
import ssl
from collections.abc import Callable
from dataclasses import replace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tests.certificates import SERVER, Certified, Issuer, self_signed, shared_key
from tests.serving.tls.support import Served, World, ask_scope, chain_of, get, pems

NOW = dt.datetime.now(dt.UTC)
DAY = dt.timedelta(days=1)


def _below(issuer: Issuer, depth: int) -> Certified:
    for number in range(depth):
        issuer = issuer.intermediate(f"Level {number}")
    return issuer.leaf("deep")


def _with(client: Certified, *others: x509.Certificate) -> Certified:
    return replace(client, above=others)


def _forged(client: Certified) -> Certified:
    """Its signature is wrong; OpenSSL reads the certificate all the same."""
    damaged = bytearray(client.der)
    damaged[-1] ^= 1
    return replace(client, certificate=x509.load_der_x509_certificate(bytes(damaged)))


def _unknown_extension(world: World) -> Certified:
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.55555.1"), b"\x05\x00")
    return world.root.leaf("unknown", extensions=[(unknown, True)])


CASES: dict[str, Callable[[World], Certified]] = {
    "good": lambda w: w.root.leaf("good"),
    "good by an intermediate": lambda w: w.intermediate.leaf("good"),
    "intermediate not sent": lambda w: _with(w.intermediate.leaf("good")),
    "root sent too": lambda w: _with(
        w.intermediate.leaf("good"), w.intermediate.certificate, w.root.certificate
    ),
    "strangers sent too": lambda w: _with(
        w.root.leaf("good"), Issuer.root("A").certificate, w.root.leaf("other").certificate
    ),
    "sent twice": lambda w: _twice(w.root.leaf("twice")),
    "twelve levels": lambda w: _below(w.root, 12),
    "self-signed": lambda w: self_signed("self-signed"),
    "another authority": lambda w: Issuer.root("Another Root").leaf("good"),
    "another authority of the same name": lambda w: Issuer.root("Test Root").leaf("good"),
    "expired": lambda w: w.root.leaf("expired", not_after=NOW - DAY),
    "not yet valid": lambda w: w.root.leaf("early", not_before=NOW + DAY),
    "for servers only": lambda w: w.root.leaf("server", eku=[SERVER]),
    "no extended key usage": lambda w: w.root.leaf("plain", eku=None),
    "an authority": lambda w: w.intermediate,
    "below an expired intermediate": lambda w: w.root.intermediate(
        "Expired", not_before=NOW - 30 * DAY, not_after=NOW - DAY
    ).leaf("good"),
    "below a leaf": lambda w: _below_leaf(w),
    "path too long": lambda w: (
        w.root.intermediate("Last", path_length=0).intermediate("More").leaf("good")
    ),
    "outside of the name constraints": lambda w: w.root.intermediate(
        "Narrow", extensions=[(_only("example.test"), True)]
    ).leaf("outside", san=["other.test"]),
    "forged signature": lambda w: _forged(w.root.leaf("forged")),
    "forged intermediate": lambda w: _with(
        w.intermediate.leaf("good"), _forged(w.intermediate).certificate
    ),
    "unknown critical extension": _unknown_extension,
    "weak key": lambda w: w.root.leaf("weak", key=shared_key("rsa-1024")),
    "RSA": lambda w: w.root.leaf("rsa", key=shared_key("rsa-2048")),
    "P-384": lambda w: w.root.leaf("p384", key="ec-p384"),
    "Ed25519": lambda w: w.root.leaf("ed25519", key="ed25519"),
}


def _twice(client: Certified) -> Certified:
    return _with(client, client.certificate)


def _only(name: str) -> x509.NameConstraints:
    return x509.NameConstraints(permitted_subtrees=[x509.DNSName(name)], excluded_subtrees=None)


def _below_leaf(world: World) -> Certified:
    """Issued by a certificate that may not issue."""
    leaf = world.root.leaf("no authority")
    return Issuer(certificate=leaf.certificate, key=leaf.key).leaf("below")


def _sent(name: str, client: Certified) -> tuple[bytes, ...]:
    # A certificate sent twice running is told of once.
    return client.der_chain[:1] if name == "sent twice" else client.der_chain


@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize("name", CASES)
def test_any_certificate_reaches_the_application(served: Served, name: str, version: str) -> None:
    client = CASES[name](served.world)
    scope = served.scope(client, version)
    assert chain_of(scope) == _sent(name, client)
    assert scope["tls"]["client_cert_error"]


@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize("name", ["good by an intermediate", "self-signed", "expired", "RSA"])
def test_curl_gets_its_answer(served: Served, name: str, version: str) -> None:
    client = CASES[name](served.world)
    files = served.world.files(client)
    done = served.curl(
        "/scope",
        *(f"--tlsv{version}", "--tls-max", version),
        *("--cert", str(files.chain_file), "--key", str(files.key_file)),
    )
    assert (done.returncode, done.stderr) == (0, b"")
    # curl completes a chain by the root it knows.
    sent = chain_of(json.loads(done.stdout))
    assert sent[: len(client.der_chain)] == client.der_chain


def test_curl_with_pkcs12(served: Served) -> None:
    client = served.world.intermediate.leaf("pkcs12")
    file = served.world.folder / "client.p12"
    file.write_bytes(client.pkcs12(b"changeit"))
    done = served.curl("/scope", "--cert-type", "P12", "--cert", f"{file}:changeit")
    assert (done.returncode, done.stderr) == (0, b"")
    assert chain_of(json.loads(done.stdout)) == client.der_chain


@pytest.mark.parametrize("version", ["1_2", "1_3"])
@pytest.mark.parametrize("name", ["good by an intermediate", "self-signed", "expired"])
def test_s_client_gets_its_answer(served: Served, name: str, version: str) -> None:
    client = CASES[name](served.world)
    files = served.world.files(client)
    done = served.s_client(
        get(close=True),
        *(f"-tls{version}", "-cert", str(files.certificate_file), "-key", str(files.key_file)),
        *("-cert_chain", str(files.chain_file), "-quiet"),
    )
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK"), done
    assert chain_of(json.loads(body))[0] == client.der


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_no_certificate_is_needed(served: Served, version: str) -> None:
    scope = served.scope(None, version)
    assert scope["scheme"] == "https"
    assert scope["certificate"] is None
    assert scope["tls"]["client_cert_chain"] == []
    assert scope["tls"]["client_cert_name"] is None
    assert scope["tls"]["client_cert_error"] is None


@pytest.mark.parametrize(("version", "number"), [("1.2", 0x0303), ("1.3", 0x0304)])
def test_scope_follows_the_asgi_tls_extension(served: Served, version: str, number: int) -> None:
    client = served.world.intermediate.leaf("Extension, Ltd.")
    context = served.world.client_context(client, version)
    with served.tls(context=context) as connection:
        cipher = connection.cipher()
        shown = connection.getpeercert(binary_form=True)
    assert cipher is not None
    assert shown is not None
    tls = served.scope(client, version)["tls"]
    suites = {one["name"]: one["id"] & 0xFFFF for one in context.get_ciphers()}
    assert tls["tls_version"] == number
    assert tls["cipher_suite"] == suites[cipher[0]]
    assert tls["server_cert"] == ssl.DER_cert_to_PEM_cert(shown)
    assert "".join(tls["client_cert_chain"]) == pems(client.der_chain)
    assert tls["client_cert_name"] == r"CN=Extension\, Ltd."


def test_the_certificate_belongs_to_the_connection(served: Served) -> None:
    client = served.world.root.leaf("kept")
    before = dt.datetime.now(dt.UTC).timestamp()
    connection = served.http(client)
    first, second = ask_scope(connection), ask_scope(connection)
    connection.close()
    other = served.scope(client)
    after = dt.datetime.now(dt.UTC).timestamp()
    assert first["certificate"] == second["certificate"]
    assert before <= first["certificate"]["at"] <= other["certificate"]["at"] <= after
    assert first["certificate"]["connection"] != other["certificate"]["connection"]


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_sessions_are_not_resumed(served: Served, version: str) -> None:
    """A resumed session would come without the intermediates."""
    client = served.world.intermediate.leaf("again")
    context = served.world.client_context(client, version)
    session = None
    for _ in range(3):
        with served.tls(context=context, session=session) as connection:
            connection.sendall(get(close=True))
            answer = b"".join(iter(lambda c=connection: c.recv(65_536), b""))  # type: ignore[misc]
            assert not connection.session_reused
            session = connection.session
        assert chain_of(json.loads(answer.partition(b"\r\n\r\n")[2])) == client.der_chain


def test_a_subject_that_cannot_be_read_is_no_fault(served: Served) -> None:
    """OpenSSL takes a certificate that `cryptography` refuses: here of an unknown version."""
    good = served.world.root.leaf("version")
    odd = good.der.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x05", 1)
    with pytest.raises(x509.InvalidVersion):
        x509.load_der_x509_certificate(odd)
    files = served.world.files(good)
    files.chain_file.write_text(pems([odd]))
    with served.tls(files) as connection:
        connection.sendall(get(close=True))
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    scope = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert chain_of(scope) == (odd,)
    assert scope["tls"]["client_cert_name"] is None


def test_pem_of_the_helper_is_what_the_certificate_is(served: Served) -> None:
    """The other tests compare with what this helper says was sent."""
    client = served.world.intermediate.leaf("helper")
    listed = x509.load_pem_x509_certificates(client.pem(chain=True))
    assert tuple(one.public_bytes(Encoding.DER) for one in listed) == client.der_chain
