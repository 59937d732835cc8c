"""An independent opinion: the openssl command line agrees with what is printed, issued, listed and
verified here.
"""

import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from guarita.asks import CertificateFault as Fault
from guarita.pki.authority import Authority
from guarita.pki.encodings import (
    load_certificates,
    parse_serial,
    parse_sha256,
    serial_text,
    sha256_of,
)
from guarita.pki.revocation import Revocations
from guarita.pki.verify import ChainVerifier
from tests.pki.made import NOW, authority, certificate

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")

PASSPHRASE = b"the passphrase of this test"
AT = int(NOW)


def openssl(*arguments: str | Path, status: int = 0) -> str:
    done = subprocess.run(
        ["openssl", *map(str, arguments)], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == status, done.stderr + done.stdout
    return done.stdout + done.stderr


@pytest.fixture
def own(tmp_path: Path) -> Authority:
    return Authority.create(
        tmp_path / "ca", "Test CA", days=365, passphrase=PASSPHRASE, clock=lambda: NOW
    )


@pytest.mark.parametrize("serial", [1, 10, 127, 128, 255, 256, 4103, 2**64 - 1, 2**158 + 5])
def test_serial_and_fingerprint_as_openssl_prints_them(serial: int, tmp_path: Path) -> None:
    made = certificate("client", authority("Root"), serial=serial)
    file = tmp_path / "cert.pem"
    file.write_bytes(made.pem)
    printed = openssl("x509", "-in", file, "-noout", "-serial")
    assert printed == f"serial={serial_text(serial)}\n"
    assert parse_serial(printed) == serial_text(serial)
    # The seed's line, "How to check the fingerprint".
    printed = openssl("x509", "-in", file, "-noout", "-fingerprint", "-sha256")
    assert printed.strip().partition("=")[2] == sha256_of(made.der)
    assert parse_sha256(printed) == sha256_of(made.der)
    text = openssl("x509", "-in", file, "-noout", "-text", "-certopt", "no_subject")
    after = text[text.index("Serial Number:") :].partition("Signature Algorithm")[0]
    assert parse_serial(after) == serial_text(serial)


def test_openssl_verifies_what_is_issued_and_sees_what_is_revoked(
    own: Authority, tmp_path: Path
) -> None:
    middle = Authority.create(
        tmp_path / "middle",
        "Middle",
        days=100,
        passphrase=PASSPHRASE,
        parent=own,
        clock=lambda: NOW,
    )
    issued = middle.issue_client("acme", days=30)
    leaf, root, chain = tmp_path / "leaf.pem", tmp_path / "ca" / "ca.pem", tmp_path / "chain.pem"
    leaf.write_bytes(issued.certificate.public_bytes(Encoding.PEM))
    chain.write_bytes(issued.pem())
    lists = tmp_path / "lists.pem"
    common: list[str | Path] = [
        "verify", "-x509_strict", "-purpose", "sslclient", "-attime", str(AT), "-crl_check_all",
        "-CAfile", root, "-untrusted", chain, "-CRLfile", lists,
    ]  # fmt: skip
    lists.write_bytes(own.publish_crl().read_bytes() + middle.publish_crl().read_bytes())
    assert openssl(*common, leaf).endswith("OK\n")
    middle.revoke(serial_text(issued.certificate.serial_number), "keyCompromise", NOW)
    lists.write_bytes(own.publish_crl().read_bytes() + middle.publish_crl().read_bytes())
    assert "certificate revoked" in openssl(*common, leaf, status=2)
    printed = openssl("crl", "-in", middle.folder / "crl.pem", "-noout", "-text")
    assert serial_text(issued.certificate.serial_number) in printed
    assert "Key Compromise" in printed
    der = openssl("crl", "-inform", "DER", "-in", middle.folder / "crl.der", "-noout", "-text")
    assert der == printed


def test_openssl_opens_the_files(own: Authority, tmp_path: Path) -> None:
    issued = own.issue_client("acme", days=30)
    p12, key = tmp_path / "client.p12", tmp_path / "client.key"
    p12.write_bytes(issued.pkcs12(b"of the test"))
    key.write_bytes(issued.private_key_pem())
    shown = openssl("pkcs12", "-in", p12, "-nodes", "-passin", "pass:of the test")
    assert shown.count("-----BEGIN CERTIFICATE-----") == 2
    assert "-----BEGIN PRIVATE KEY-----" in shown
    assert openssl("pkey", "-in", key, "-noout", "-check").startswith("Key is valid")
    assert openssl(
        "pkey", "-in", own.folder / "ca.key", "-noout", "-passin", f"pass:{PASSPHRASE.decode()}"
    ) == ""  # fmt: skip
    openssl("pkey", "-in", own.folder / "ca.key", "-noout", "-passin", "pass:wrong", status=1)


def test_a_request_by_openssl(own: Authority, tmp_path: Path) -> None:
    request = tmp_path / "client.csr"
    openssl(
        "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
        "-subj", "/CN=anything", "-keyout", tmp_path / "client.key", "-out", request,
    )  # fmt: skip
    issued = own.issue_client("acme", days=30, csr=request.read_bytes())
    der = issued.certificate.public_bytes(Encoding.DER)
    assert ChainVerifier([own.certificate]).verify([der], NOW).fault is None


def test_an_authority_made_with_openssl_alone(tmp_path: Path) -> None:
    """What people have: a root by `req -x509`, a client by `x509 -req` without extensions, a list
    by `ca -gencrl`."""
    root, key = tmp_path / "root.pem", tmp_path / "root.key"
    openssl(
        "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=Home made",
        "-keyout", key, "-out", root,
    )  # fmt: skip
    request, leaf = tmp_path / "client.csr", tmp_path / "client.pem"
    openssl(
        "req", "-new", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=client",
        "-keyout", tmp_path / "client.key", "-out", request,
    )  # fmt: skip
    openssl(
        "x509", "-req", "-in", request, "-CA", root, "-CAkey", key, "-set_serial", "0x1007",
        "-days", "9", "-out", leaf,
    )  # fmt: skip
    database, settings, crl = tmp_path / "index.txt", tmp_path / "ca.cnf", tmp_path / "crl.pem"
    database.write_text("")
    settings.write_text(
        f"[ca]\ndefault_ca = own\n[own]\ndatabase = {database}\ncertificate = {root}\n"
        f"private_key = {key}\ndefault_md = sha256\ndefault_crl_days = 9\n"
    )
    openssl("ca", "-config", settings, "-gencrl", "-out", crl)
    roots = load_certificates(root.read_bytes(), str(root))
    chains = ChainVerifier(roots)
    (client,) = load_certificates(leaf.read_bytes(), str(leaf))
    at = client.not_valid_before_utc.timestamp() + 60
    found = chains.verify([client.public_bytes(Encoding.DER)], at)
    assert (found.fault, found.serial) == (None, "1007")
    known = Revocations(roots, files=[crl], clock=lambda: at)
    assert known.standing(found.links, at, at).fault is None
    openssl("ca", "-config", settings, "-revoke", leaf)
    openssl("ca", "-config", settings, "-gencrl", "-out", crl)
    known.refresh()
    assert known.standing(found.links, at, at).fault is Fault.REVOKED
