"""Files of certificates: every usual form is read, and what is wrong with one is said."""

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs7,
    pkcs12,
)
from hypothesis import given
from hypothesis import strategies as st

from guarita.pki.encodings import CertificateFileError, load_certificates
from tests.pki.made import authority, client, crl_pem, revocation_list

ROOT = authority("Root")
LEAF = client(ROOT)
BOTH = [LEAF.certificate, ROOT.certificate]
KEY = LEAF.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
PASSWORD = b"a password of the test"
P12 = pkcs12.serialize_key_and_certificates(
    b"name", LEAF.key, LEAF.certificate, [ROOT.certificate], BestAvailableEncryption(PASSWORD)
)
OPEN_P12 = pkcs12.serialize_key_and_certificates(
    None, LEAF.key, LEAF.certificate, None, NoEncryption()
)
EMPTY_P12 = pkcs12.serialize_key_and_certificates(None, LEAF.key, None, None, NoEncryption())


@pytest.mark.parametrize(
    "data",
    [
        LEAF.pem + ROOT.pem,
        b"subject=/CN=client\n" + LEAF.pem + b"\n# the root\n" + ROOT.pem,
        (LEAF.pem + ROOT.pem).replace(b"\n", b"\r\n"),
        KEY + LEAF.pem + ROOT.pem,
        pkcs7.serialize_certificates(BOTH, Encoding.PEM),
        pkcs7.serialize_certificates(BOTH, Encoding.DER),
    ],
)
def test_several(data: bytes) -> None:
    assert set(load_certificates(data, "file")) == set(BOTH)


def test_one() -> None:
    assert load_certificates(LEAF.der, "file") == [LEAF.certificate]
    assert load_certificates(LEAF.pem, "file") == [LEAF.certificate]
    assert load_certificates(LEAF.pem + ROOT.pem, "file") == BOTH


def test_pkcs12() -> None:
    assert load_certificates(P12, "client.p12", PASSWORD) == BOTH
    assert load_certificates(OPEN_P12, "client.p12") == [LEAF.certificate]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "the file is empty"),
        (b" \n", "the file is empty"),
        (b"hello", "neither PEM"),
        (b"-----BEGIN CERTIFICATE-----\n", "truncated"),
        (LEAF.pem[:-40], "truncated"),
        (LEAF.pem[:200] + ROOT.pem, "truncated"),
        (LEAF.pem[:100] + b"\n-----END CERTIFICATE-----\n", "damaged|base64"),
        (LEAF.pem.replace(b"\n", b"\n!", 3), "not base64"),
        (LEAF.pem + b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "block 2"),
        (LEAF.der[:-5], "damaged"),
        (LEAF.der + b"\x00", "damaged"),
        (KEY, "no certificate, only: PRIVATE KEY"),
        (crl_pem(revocation_list(ROOT)), "only: X509 CRL"),
        (P12, "no password was given"),
        (EMPTY_P12, "without a certificate"),
        (P12[:-9], "damaged"),
    ],
)
def test_faults_name_the_file(data: bytes, words: str) -> None:
    with pytest.raises(CertificateFileError, match=words) as caught:
        load_certificates(data, "certs/client.pem")
    assert str(caught.value).startswith("certs/client.pem")


def test_a_wrong_password_is_said_and_not_shown() -> None:
    with pytest.raises(CertificateFileError) as caught:
        load_certificates(P12, "client.p12", b"hunter2-of-the-test")
    assert str(caught.value) == (
        "client.p12: PKCS#12, but the password is wrong, or the file is damaged"
    )
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_a_key_in_the_file_is_never_shown() -> None:
    body = KEY.splitlines()[1]
    for data in (KEY, KEY[:-30], KEY[:80], KEY + LEAF.pem[:90]):
        with pytest.raises(CertificateFileError) as caught:
            load_certificates(data, "file")
        assert body[:12].decode() not in str(caught.value)


@given(st.binary(max_size=300) | st.sampled_from([LEAF.der, LEAF.pem, P12]), st.data())
def test_anything_is_read_or_refused(data: bytes, draw: st.DataObject) -> None:
    if data in (LEAF.der, LEAF.pem, P12):
        place = draw.draw(st.integers(0, len(data) - 1))
        data = data[:place] + draw.draw(st.binary(min_size=1, max_size=3)) + data[place + 1 :]
    said = "file"
    try:
        assert load_certificates(data, "file", PASSWORD)
    except CertificateFileError as error:
        said = str(error)
    assert said.startswith("file")
