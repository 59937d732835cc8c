"""No passphrase, private key or password is shown by a repr, an error or a log line."""

import logging
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from rich.pretty import pretty_repr

from guarita.pki.authority import Authority
from guarita.pki.encodings import CertificateFileError, load_certificates
from guarita.pki.key_files import AuthorityError, find_passphrase, read_key
from guarita.pki.revocation import Revocations
from tests.pki.made import NOW

PASSPHRASE = b"correct-horse-battery-staple"
PASSWORD = b"pkcs12-password-of-the-test"


@pytest.fixture
def own(tmp_path: Path) -> Authority:
    return Authority.create(tmp_path / "ca", "CA", days=9, passphrase=PASSPHRASE, clock=lambda: NOW)


def pieces_of_the_key(pem: bytes) -> Iterator[str]:
    for line in pem.decode().splitlines():
        if not line.startswith("-----"):
            yield line[:20]


def clean(text: str, *pems: bytes) -> None:
    for secret in (PASSPHRASE, PASSWORD):
        assert secret.decode() not in text
        assert secret.hex() not in text
    for pem in pems:
        for piece in pieces_of_the_key(pem):
            assert piece not in text


def test_what_is_shown_of_objects(own: Authority) -> None:
    issued = own.issue_client("acme", days=1)
    key = issued.private_key_pem()
    for shown in (own, issued, own.issued(), own.issued()[0], issued.private_key, own.certificate):
        for text in (repr(shown), str(shown), f"{shown}", pretty_repr(shown)):
            clean(text, key)
    assert repr(issued) == "Issued('CN=acme')"
    assert "key" not in pretty_repr(issued).lower()


def test_what_errors_say(own: Authority, tmp_path: Path) -> None:
    issued = own.issue_client("acme", days=1)
    key, p12 = issued.private_key_pem(), issued.pkcs12(PASSWORD)
    file = own.folder / "ca.key"
    whole = file.read_bytes()
    said: list[str] = []

    def note(error: BaseException) -> None:
        said.append("".join(traceback.format_exception(error)))

    for data in (whole, whole[:-60], whole.replace(b"ENCRYPTED ", b""), key, b"", b"\xff"):
        file.write_bytes(data)
        with pytest.raises(AuthorityError) as caught:
            Authority.open(own.folder, PASSPHRASE + b"!")
        note(caught.value)
    file.chmod(0o644)
    for open_it in (lambda: read_key(file, PASSPHRASE), lambda: Authority.open(own.folder)):
        with pytest.raises(AuthorityError) as caught:
            open_it()
        note(caught.value)
    for environ in ({"GUARITA_CA_PASSPHRASE": "hunter2"}, {}):
        with pytest.raises(AuthorityError) as caught:
            find_passphrase(own.folder, environ)
        note(caught.value)
    for data, password in ((p12, PASSWORD + b"!"), (p12[:-30], PASSWORD), (key, PASSWORD)):
        with pytest.raises(CertificateFileError) as wrong:
            load_certificates(data, str(tmp_path / "client.p12"), password)
        note(wrong.value)
    with pytest.raises(AuthorityError) as caught:
        own.issue_client("acme", days=1, csr=key)
    note(caught.value)
    assert len(said) == 14
    for text in said:
        clean(text, key, whole)
        assert "hunter2" not in text


def test_what_is_logged(own: Authority, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A key put in the place of a revocation list is named, not shown."""
    with caplog.at_level(logging.DEBUG):
        issued = own.issue_client("acme", days=1)
        key = issued.private_key_pem()
        issued.pkcs12(PASSWORD)
        own.publish_crl()
        known = Revocations([own.certificate], files=[own.folder / "crl.pem"], clock=lambda: NOW)
        (own.folder / "crl.pem").write_bytes(key)
        known.refresh()
    assert "only: PRIVATE KEY" in caplog.text
    clean(caplog.text, key)


def test_what_is_on_the_disk(own: Authority) -> None:
    """The keys of issued certificates are kept nowhere, and the authority's own only encrypted."""
    issued = own.issue_client("acme", days=1)
    assert issued.private_key is not None
    number = issued.private_key.private_numbers()
    secret = number.private_value.to_bytes(32, "big")  # type: ignore[union-attr]
    own_key = own._key.private_numbers().private_value.to_bytes(32, "big")  # type: ignore[union-attr]
    for file in own.folder.iterdir():
        data = file.read_bytes()
        assert secret not in data
        assert own_key not in data
        assert PASSPHRASE not in data
    stored = (own.folder / "issued.db").read_bytes()
    assert issued.certificate.public_bytes(Encoding.DER)[-30:] in stored
