"""Client certificates of X.509 version 1: accepted from a known authority, within the same bounds
as all others.
"""

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from guarita.asks import CertificateFault as Fault
from guarita.pki.verify import ChainVerifier
from tests.pki import made
from tests.pki.made import DAY, NOW, Made, authority, client, version_1

ROOT = authority("Root")
RSA_ROOT = authority("RSA root", key=made.rsa_key(2048))
BOUNDED = authority("Bounded", path_length=0)
INTERMEDIATE = authority("Intermediate", ROOT)
SHORT = authority("Short", ROOT, path_length=0)
CONSTRAINED = authority(
    "Constrained",
    ROOT,
    extensions=[(x509.NameConstraints([x509.DNSName("example.com")], None), True)],
)


def judged(*chain: bytes, at: float = NOW) -> Fault | None:
    roots = [each.certificate for each in (ROOT, RSA_ROOT, BOUNDED)]
    return ChainVerifier(roots).verify(chain, at).fault


def test_it_is_version_1() -> None:
    found = x509.load_der_x509_certificate(version_1(ROOT))
    assert found.version is x509.Version.v1
    assert len(found.extensions) == 0


@pytest.mark.parametrize("issuer", [ROOT, RSA_ROOT, BOUNDED], ids=["ECDSA", "RSA", "bounded"])
def test_from_a_root(issuer: Made) -> None:
    assert judged(version_1(issuer)) is None


def test_from_an_intermediate() -> None:
    assert judged(version_1(INTERMEDIATE), INTERMEDIATE.der) is None
    assert judged(version_1(SHORT), SHORT.der) is None
    found = ChainVerifier([ROOT.certificate]).verify(
        [version_1(INTERMEDIATE), INTERMEDIATE.der], NOW
    )
    assert len(found.links) == 2


def test_dates() -> None:
    leaf = version_1(ROOT, ends=NOW + 10)
    assert judged(leaf, at=NOW + 10.9) is None
    assert judged(leaf, at=NOW + 11) is Fault.EXPIRED
    assert judged(leaf, at=NOW - 2 * DAY) is Fault.NOT_YET_VALID
    late = authority("Late", ROOT, ends=NOW - 1)
    assert judged(version_1(late), late.der) is Fault.EXPIRED


def test_strangers_and_forgeries() -> None:
    assert judged(version_1(authority("Root"))) is Fault.UNKNOWN_ISSUER
    forged = bytearray(version_1(ROOT))
    forged[-1] ^= 1
    assert judged(bytes(forged)) is Fault.UNKNOWN_ISSUER
    assert judged(version_1(INTERMEDIATE)) is Fault.UNKNOWN_ISSUER
    someone = Made(ROOT.certificate, ec.generate_private_key(ec.SECP256R1()))
    assert judged(version_1(someone)) is Fault.UNKNOWN_ISSUER


def test_a_client_issues_nothing_of_version_1_either() -> None:
    middle = client(ROOT, "middle")
    assert judged(version_1(middle), middle.der) is Fault.CONSTRAINT
    old = Made(x509.load_der_x509_certificate(version_1(ROOT, "old")), ROOT.key)
    assert judged(version_1(old), old.der) is not None


def test_path_length() -> None:
    below = authority("Below", SHORT)
    assert judged(version_1(below), below.der, SHORT.der) is Fault.CONSTRAINT
    under_root = authority("Under a bounded root", BOUNDED)
    assert judged(version_1(under_root), under_root.der) is Fault.CONSTRAINT
    assert judged(client(under_root).der, under_root.der) is Fault.CONSTRAINT


def test_name_constraints_above_it_are_disputed() -> None:
    assert judged(version_1(CONSTRAINED), CONSTRAINED.der) is Fault.CONSTRAINT
    deeper = authority("Deeper", CONSTRAINED)
    assert judged(version_1(deeper), deeper.der, CONSTRAINED.der) is Fault.CONSTRAINT


def test_depth() -> None:
    one = authority("One", ROOT)
    two = authority("Two", one)
    chain = [version_1(two), two.der, one.der]
    assert ChainVerifier([ROOT.certificate], max_depth=2).verify(chain, NOW).fault is None
    found = ChainVerifier([ROOT.certificate], max_depth=1).verify(chain, NOW)
    assert found.fault is Fault.CONSTRAINT
    none_between = ChainVerifier([ROOT.certificate], max_depth=0)
    assert none_between.verify([version_1(ROOT)], NOW).fault is None
    assert none_between.verify([version_1(one), one.der], NOW).fault is Fault.CONSTRAINT


def test_an_issuer_for_servers_only() -> None:
    usage = x509.ExtendedKeyUsage(made.SERVER)
    servers = authority("Servers", ROOT, extensions=[(usage, False)])
    assert judged(version_1(servers), servers.der) is Fault.WRONG_PURPOSE
