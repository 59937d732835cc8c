"""The certificate authority: what it issues verifies, what it revokes is listed, and its files are
its own.
"""

import stat
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key, pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import PolicyBuilder, Store

from guarita.asks import CertificateFault as Fault
from guarita.pki.authority import Authority
from guarita.pki.encodings import BadSpelling, serial_text, sha256_of
from guarita.pki.key_files import AuthorityError
from guarita.pki.signed_list import REASONS
from guarita.pki.verify import ChainVerifier
from tests.pki import made
from tests.pki.made import DAY, NOW

PASSPHRASE = b"the passphrase of this test"
Make = Callable[..., Authority]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def making(name: str = "Test CA", **settings: object) -> Authority:
        folder = tmp_path / name.replace(" ", "-")
        known: dict[str, object] = {"days": 365, "passphrase": PASSPHRASE, "clock": lambda: NOW}
        return Authority.create(folder, name, **(known | settings))  # type: ignore[arg-type]

    return making


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def mode(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


@pytest.mark.parametrize("kind", ["ec-p256", "rsa-3072"])
def test_what_it_issues_verifies(make: Make, kind: str) -> None:
    own = make(key=kind)
    issued = own.issue_client("acme", days=30, account="acc_1", key_id="key_1", key=kind)
    found = ChainVerifier([own.certificate], require_eku=True).verify(
        [der(issued.certificate)], NOW
    )
    assert (found.fault, found.detail) == (None, "")
    assert found.subject == "CN=acme,O=acc_1"
    assert isinstance(
        issued.private_key, ec.EllipticCurvePrivateKey if kind == "ec-p256" else rsa.RSAPrivateKey
    )
    key = load_pem_private_key(issued.private_key_pem(), None)
    assert key.public_key() == issued.certificate.public_key()
    assert issued.certificate.not_valid_after_utc.timestamp() == NOW + 30 * DAY


def test_through_an_intermediate(make: Make) -> None:
    root = make("Root")
    middle = make("Middle", parent=root, days=100, path_length=0)
    issued = middle.issue_client("acme", days=30)
    assert issued.chain == (middle.certificate, root.certificate)
    sent = [der(each) for each in x509.load_pem_x509_certificates(issued.pem())]
    assert sent == [der(issued.certificate), der(middle.certificate)], "the root is not sent"
    assert ChainVerifier([root.certificate]).verify(sent, NOW).fault is None
    assert [each.kind for each in root.issued()] == ["authority"]
    again = Authority.open(middle.folder, PASSPHRASE)
    assert again.chain == middle.chain
    with pytest.raises(AuthorityError, match="the authority itself ends"):
        make("Too long", parent=middle, days=200)


def test_a_request(make: Make) -> None:
    own = make()
    key = ec.generate_private_key(ec.SECP384R1())
    builder = x509.CertificateSigningRequestBuilder(made.named("not taken over"))
    wanted = x509.BasicConstraints(ca=True, path_length=None)
    request = builder.add_extension(wanted, critical=True).sign(key, hashes.SHA256())
    for encoding in (Encoding.PEM, Encoding.DER):
        issued = own.issue_client("acme", days=1, csr=request.public_bytes(encoding))
        assert issued.private_key is None
        assert issued.certificate.public_key() == key.public_key()
        assert issued.certificate.subject == made.named("acme")
        found = ChainVerifier([own.certificate]).verify([der(issued.certificate)], NOW)
        assert found.fault is None
        with pytest.raises(AuthorityError, match="made for a request"):
            issued.private_key_pem()
        with pytest.raises(AuthorityError, match="made for a request"):
            issued.pkcs12(b"x")


def test_requests_that_are_refused(make: Make) -> None:
    own = make()
    key = made.rsa_key(1024)
    builder = x509.CertificateSigningRequestBuilder(made.named("x"))
    weak = builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
    with pytest.raises(AuthorityError, match="1024 bits"):
        own.issue_client("acme", days=1, csr=weak)
    good = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    forged = bytearray(good.public_bytes(Encoding.DER))
    forged[-1] ^= 1
    with pytest.raises(AuthorityError, match="not signed by the key it is for"):
        own.issue_client("acme", days=1, csr=bytes(forged))
    for junk in (b"", b"junk", good.public_bytes(Encoding.PEM)[:-40]):
        with pytest.raises(AuthorityError, match="cannot be read"):
            own.issue_client("acme", days=1, csr=junk)
    assert own.issued() == []


def test_a_server(make: Make) -> None:
    own = make()
    issued = own.issue_server(["localhost", "127.0.0.1", ip_address("::1")], days=9)
    builder = PolicyBuilder().store(Store([own.certificate])).time(made.moment(NOW))
    for name in (x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))):
        assert builder.build_server_verifier(name).verify(issued.certificate, [])
    found = ChainVerifier([own.certificate]).verify([der(issued.certificate)], NOW)
    assert found.fault is Fault.WRONG_PURPOSE
    for names, words in (([], "needs a host name"), (["a b" * 90], "neither a host name|name")):
        with pytest.raises(AuthorityError, match=words):
            own.issue_server(names, days=1)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"days": 0}, "1 to 36500 days"),
        ({"days": 366}, "the authority itself ends"),
        ({"subject_cn": ""}, "1 to 64 printable"),
        ({"subject_cn": "x" * 65}, "1 to 64 printable"),
        ({"subject_cn": "a\nb"}, "1 to 64 printable"),
        ({"account": "x" * 65}, "1 to 64 printable"),
        ({"key": "dsa"}, '"ec-p256" or "rsa-3072"'),
    ],
)
def test_values_that_are_refused(make: Make, settings: dict[str, object], words: str) -> None:
    own = make()
    with pytest.raises(AuthorityError, match=words):
        own.issue_client(**({"subject_cn": "x", "days": 1} | settings))  # type: ignore[arg-type]
    assert own.issued() == []


def test_pkcs12(make: Make) -> None:
    own = make()
    issued = own.issue_client("acme", days=30)
    opened = pkcs12.load_pkcs12(issued.pkcs12(b"of the test"), b"of the test")
    assert opened.cert is not None
    assert opened.cert.certificate == issued.certificate
    assert [each.certificate for each in opened.additional_certs] == [own.certificate]
    with pytest.raises(ValueError, match="Invalid password"):
        pkcs12.load_pkcs12(issued.pkcs12(b"of the test"), b"another")
    with pytest.raises(AuthorityError, match="needs a password"):
        issued.pkcs12(b"")


def test_what_it_remembers(make: Make) -> None:
    own = make()
    issued = own.issue_client("acme", days=30, account="acc_1", key_id="key_1").certificate
    (record,) = Authority.open(own.folder, PASSPHRASE).issued()
    assert (record.kind, record.account, record.key_id) == ("client", "acc_1", "key_1")
    assert record.serial == serial_text(issued.serial_number)
    assert record.sha256 == sha256_of(der(issued))
    assert record.subject == "CN=acme,O=acc_1"
    assert (record.not_after, record.issued_at, record.revoked_at) == (NOW + 30 * DAY, NOW, None)
    assert own.find(record.serial.lower()) == issued
    assert own.find("ab") is None


def test_serials_are_random_and_never_twice(make: Make) -> None:
    own = make()
    serials = {own.issue_client("x", days=1).certificate.serial_number for _ in range(50)}
    assert len(serials) == 50
    assert all(0 < serial < 2**159 for serial in serials)
    assert max(serials).bit_length() > 128


def test_a_serial_that_is_taken_is_not_used(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    own = make()
    drawn = iter([7, 7, 7, 8])
    monkeypatch.setattr(x509, "random_serial_number", lambda: next(drawn))
    assert own.issue_client("a", days=1).certificate.serial_number == 7
    assert own.issue_client("b", days=1).certificate.serial_number == 8


# Revocation


def test_revoking(make: Make) -> None:
    own = make()
    issued = own.issue_client("acme", days=30).certificate
    serial = serial_text(issued.serial_number)
    assert len(own.crl()) == 0
    record = own.revoke(serial.lower(), "keyCompromise", NOW + 5)
    assert (record.revoked_at, record.revoked_reason) == (NOW + 5, "keyCompromise")
    again = own.revoke(serial, "superseded", NOW + 9)
    assert again == record, "the first time and reason stay"
    (entry,) = own.crl(NOW + 10)
    assert entry.serial_number == issued.serial_number
    assert entry.revocation_date_utc == made.moment(NOW + 5)
    reason = entry.extensions.get_extension_for_class(x509.CRLReason).value
    assert reason.reason is x509.ReasonFlags.key_compromise
    for reason_text in REASONS:
        other = own.issue_client("x", days=1).certificate
        own.revoke(f"{other.serial_number:x}", reason_text)
    assert len(own.crl()) == 1 + len(REASONS)


def test_revocations_that_are_refused(make: Make) -> None:
    own = make()
    with pytest.raises(AuthorityError, match="no certificate with serial 0ABC"):
        own.revoke("abc")
    with pytest.raises(BadSpelling):
        own.revoke("not a serial")
    for reason in ("lost", "removeFromCRL", "certificateHold", ""):
        with pytest.raises(AuthorityError, match="revoked for one of"):
            own.revoke("abc", reason)
    with pytest.raises(AuthorityError, match="at least one second"):
        own.crl(next_update_s=0)


def test_the_list(make: Make) -> None:
    own = make()
    first, second = own.crl(NOW, next_update_s=60), own.crl(NOW + 1)
    assert first.is_signature_valid(own.certificate.public_key())  # type: ignore[arg-type]
    assert first.last_update_utc == made.moment(NOW)
    assert first.next_update_utc == made.moment(NOW + 60)
    numbers = [
        each.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
        for each in (first, second)
    ]
    assert numbers == [1, 2]


def test_a_certificate_leaves_the_list_a_week_after_its_end(make: Make) -> None:
    own = make()
    issued = own.issue_client("acme", days=1).certificate
    own.revoke(f"{issued.serial_number:x}")
    assert len(own.crl(NOW + 8 * DAY - 1)) == 1
    assert len(own.crl(NOW + 8 * DAY)) == 0


def test_publishing(make: Make) -> None:
    own = make()
    pem = own.publish_crl()
    assert pem == own.folder / "crl.pem"
    one = x509.load_pem_x509_crl(pem.read_bytes())
    assert x509.load_der_x509_crl((own.folder / "crl.der").read_bytes()) == one
    assert mode(pem) == 0o644
    before = sorted(each.name for each in own.folder.iterdir())
    own.publish_crl()
    assert sorted(each.name for each in own.folder.iterdir()) == before
    assert before == ["ca.key", "ca.pem", "crl.der", "crl.pem", "issued.db"]


# Its files


def test_modes(make: Make) -> None:
    own = make(passphrase=None)
    assert mode(own.folder) == 0o700
    assert {name: mode(own.folder / name) for name in ("ca.key", "passphrase", "issued.db")} == {
        "ca.key": 0o600,
        "passphrase": 0o600,
        "issued.db": 0o600,
    }
    assert b"ENCRYPTED PRIVATE KEY" in (own.folder / "ca.key").read_bytes()


@pytest.mark.parametrize("bits", [0o640, 0o604, 0o660, 0o602, 0o644, 0o610])
@pytest.mark.parametrize("name", ["ca.key", "passphrase"])
def test_files_that_others_may_read_or_write(make: Make, name: str, bits: int) -> None:
    own = make(passphrase=None)
    (own.folder / name).chmod(bits)
    with pytest.raises(AuthorityError, match=f"{own.folder / name}; run: chmod 600"):
        Authority.open(own.folder, environ={})


def test_a_folder_that_others_may_write_to(make: Make) -> None:
    own = make()
    own.folder.chmod(0o770)
    with pytest.raises(AuthorityError, match="run: chmod go-w"):
        Authority.open(own.folder, PASSPHRASE)


def test_the_passphrase_comes_from_the_variable_or_the_file(make: Make) -> None:
    kept = make("Kept", passphrase=None)
    assert Authority.open(kept.folder, environ={}).certificate == kept.certificate
    own = make("Own")
    given = {"GUARITA_CA_PASSPHRASE": PASSPHRASE.decode()}
    assert Authority.open(own.folder, environ=given).certificate == own.certificate
    assert not (own.folder / "passphrase").exists()
    with pytest.raises(AuthorityError, match="neither in the variable GUARITA_CA_PASSPHRASE nor"):
        Authority.open(own.folder, environ={})


def test_passphrases_that_are_refused(make: Make) -> None:
    for passphrase in (b"", b"too short", b"x" * 1024):
        with pytest.raises(AuthorityError, match="16 to 1023 bytes"):
            make(passphrase=passphrase)


def test_a_folder_that_is_in_use(make: Make, tmp_path: Path) -> None:
    own = make()
    with pytest.raises(AuthorityError, match="cannot make an authority in"):
        make()
    assert Authority.open(own.folder, PASSPHRASE).certificate == own.certificate
    assert [each.name for each in tmp_path.iterdir()] == [own.folder.name], "no draft is left"
    (tmp_path / "Empty").mkdir()
    assert make("Empty").folder == tmp_path / "Empty"


def test_damaged_folders(make: Make, tmp_path: Path) -> None:
    with pytest.raises(AuthorityError, match=f"no authority in {tmp_path / 'absent'}"):
        Authority.open(tmp_path / "absent", PASSPHRASE)
    own, other = make(), make("Other")
    key = own.folder / "ca.key"
    whole = key.read_bytes()
    for data, words in (
        (whole[:-50], "truncated"),
        (whole[:100] + whole[120:], "passphrase is wrong, or the file is damaged"),
        (b"", "holds no private key"),
        (own.issue_client("x", days=1).private_key_pem(), "is not encrypted"),
        ((other.folder / "ca.key").read_bytes(), "is not the key of"),
    ):
        key.write_bytes(data)
        with pytest.raises(AuthorityError, match=words) as caught:
            Authority.open(own.folder, PASSPHRASE)
        assert str(key) in str(caught.value)
    key.write_bytes(whole)
    with pytest.raises(AuthorityError, match=r"ca\.key: the passphrase is wrong"):
        Authority.open(own.folder, b"some other passphrase")
    certificate = own.folder / "ca.pem"
    certificate.write_bytes(certificate.read_bytes()[:-40])
    with pytest.raises(AuthorityError, match=r"ca\.pem: truncated"):
        Authority.open(own.folder, PASSPHRASE)


def test_a_register_that_is_lost_or_damaged(make: Make) -> None:
    own = make()
    file = own.folder / "issued.db"
    file.write_bytes(b"not a database, but long enough to be looked at" * 30)
    with pytest.raises(AuthorityError, match=r"issued\.db: cannot be used"):
        own.issue_client("x", days=1)
    file.unlink()
    with pytest.raises(AuthorityError, match=r"issued\.db: cannot be used"):
        own.issued()
    assert not file.exists(), "an empty one in its place would forget what was revoked"


def test_issued_certificates_are_of_one_kind(make: Make) -> None:
    own = make()
    certificate = own.issue_client("acme", days=1).certificate
    usages = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usages) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    assert (constraints.critical, constraints.value.ca) == (True, False)
