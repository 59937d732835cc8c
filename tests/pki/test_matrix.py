"""Every kind of client certificate and the fault it is told apart by (issue 3, "Verification")."""

from collections.abc import Sequence
from ipaddress import IPv4Network

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import VerificationError

from guarita.asks import CertificateFault as Fault
from guarita.pki import paths
from guarita.pki.encodings import CertificateFileError
from guarita.pki.paths import Authorities, signed_by
from guarita.pki.verify import MOST_BYTES, ChainVerifier, Link, issuer_id
from tests.pki import made
from tests.pki.made import CLIENT, DAY, NOW, SERVER, Made, authority, certificate, client

ROOT = authority("Root")
INTERMEDIATE = authority("Intermediate", ROOT, path_length=0)
KNOWN = authority("Known intermediate", ROOT)
STRANGER = authority("Stranger")
RSA_ROOT = authority("RSA root", key=made.rsa_key(2048))
WEAK_KEY = made.rsa_key(1024)

NOT_FOR_CLIENTS = authority(
    "For servers", ROOT, extensions=[(x509.ExtendedKeyUsage(SERVER), False)]
)
FOR_CLIENTS = authority("For clients", ROOT, extensions=[(x509.ExtendedKeyUsage(CLIENT), False)])
EXPIRED_CA = authority("Expired", ROOT, ends=NOW - DAY)
BELOW_ITS_LENGTH = authority("Too deep", INTERMEDIATE)
ONLY_EXAMPLE = authority(
    "Constrained",
    ROOT,
    extensions=[(x509.NameConstraints([x509.DNSName("example.com")], None), True)],
)
ONLY_SOME_NET = authority(
    "Constrained by address",
    ROOT,
    extensions=[(x509.NameConstraints(None, [x509.IPAddress(IPv4Network("10.0.0.0/8"))]), True)],
)
SAME_NAME = authority("Root")
PLAIN_ROOT = certificate(  # what `openssl req -x509` makes of an old configuration
    "Plain root",
    ends=NOW + 300 * DAY,
    extensions=[(x509.BasicConstraints(ca=True, path_length=None), False)],
)


def alternative(name: str) -> list[tuple[x509.ExtensionType, bool]]:
    return [(x509.SubjectAlternativeName([x509.DNSName(name)]), False)]


def verifier(*, require_eku: bool = False, max_depth: int = 8) -> ChainVerifier:
    return ChainVerifier(
        [ROOT.certificate, RSA_ROOT.certificate, PLAIN_ROOT.certificate],
        [KNOWN.certificate],
        require_eku=require_eku,
        max_depth=max_depth,
    )


GOOD: dict[str, Sequence[Made]] = {
    "good": [client(ROOT)],
    "by an intermediate sent": [client(INTERMEDIATE), INTERMEDIATE],
    "by an intermediate known": [client(KNOWN)],
    "by an intermediate sent and known": [client(KNOWN), KNOWN],
    "the root sent along": [client(INTERMEDIATE), INTERMEDIATE, ROOT],
    "sent in the wrong order": [client(BELOW := authority("Below", KNOWN)), ROOT, BELOW, KNOWN],
    "with strangers sent along": [client(ROOT), STRANGER, STRANGER],
    "no SAN": [client(ROOT, extensions=[])],
    "with a SAN": [client(ROOT, extensions=alternative("shop.example.com"))],
    "no EKU": [client(ROOT, eku=())],
    "EKU for both": [client(ROOT, eku=(*SERVER, *CLIENT))],
    "any EKU": [client(ROOT, eku=(ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,))],
    "RSA 2048": [client(RSA_ROOT, key=made.rsa_key(2048))],
    "P-384": [client(ROOT, key=ec.generate_private_key(ec.SECP384R1()))],
    "P-521": [client(ROOT, key=ec.generate_private_key(ec.SECP521R1()))],
    "issuer with an EKU for clients": [client(FOR_CLIENTS), FOR_CLIENTS],
    "within its name constraint": [
        client(ONLY_EXAMPLE, extensions=alternative("a.example.com")),
        ONLY_EXAMPLE,
    ],
    "no name to constrain": [client(ONLY_SOME_NET), ONLY_SOME_NET],
    "no key usage": [certificate("bare", ROOT)],
    "by a root without key usage": [client(PLAIN_ROOT)],
}

FAULTY: dict[str, tuple[Fault, Sequence[Made]]] = {
    "server-only EKU": (Fault.WRONG_PURPOSE, [client(ROOT, eku=SERVER)]),
    "EKU for code only": (
        Fault.WRONG_PURPOSE,
        [client(ROOT, eku=(ExtendedKeyUsageOID.CODE_SIGNING,))],
    ),
    "an authority itself": (Fault.WRONG_PURPOSE, [INTERMEDIATE]),
    "a root itself": (Fault.WRONG_PURPOSE, [ROOT]),
    "key usage without signing": (
        Fault.WRONG_PURPOSE,
        [certificate("k", ROOT, extensions=[(made.usage("key_encipherment"), True)])],
    ),
    "key usage to sign certificates": (
        Fault.WRONG_PURPOSE,
        [
            certificate(
                "k", ROOT, extensions=[(made.usage("digital_signature", "key_cert_sign"), True)]
            )
        ],
    ),
    "issuer not for clients": (Fault.WRONG_PURPOSE, [client(NOT_FOR_CLIENTS), NOT_FOR_CLIENTS]),
    "expired": (Fault.EXPIRED, [client(ROOT, starts=NOW - 9 * DAY, ends=NOW - 1)]),
    "not yet valid": (Fault.NOT_YET_VALID, [client(ROOT, starts=NOW + 1)]),
    "expired intermediate": (Fault.EXPIRED, [client(EXPIRED_CA), EXPIRED_CA]),
    "expired and for servers": (
        Fault.EXPIRED,
        [client(ROOT, eku=SERVER, starts=NOW - 9 * DAY, ends=NOW - 1)],
    ),
    "self-signed": (Fault.UNKNOWN_ISSUER, [client(None)]),
    "other CA": (Fault.UNKNOWN_ISSUER, [client(STRANGER), STRANGER]),
    "other CA, expired": (
        Fault.UNKNOWN_ISSUER,
        [client(STRANGER, starts=NOW - 9 * DAY, ends=NOW - 1)],
    ),
    "other CA of the same name": (Fault.UNKNOWN_ISSUER, [client(SAME_NAME), SAME_NAME]),
    "intermediate neither sent nor known": (Fault.UNKNOWN_ISSUER, [client(INTERMEDIATE)]),
    "issued by a client": (Fault.CONSTRAINT, [client(c := client(ROOT, "c")), c]),
    "path too long": (
        Fault.CONSTRAINT,
        [client(BELOW_ITS_LENGTH), BELOW_ITS_LENGTH, INTERMEDIATE],
    ),
    "outside its name constraint": (
        Fault.CONSTRAINT,
        [client(ONLY_EXAMPLE, extensions=alternative("example.org")), ONLY_EXAMPLE],
    ),
    "unknown critical extension": (
        Fault.CONSTRAINT,
        [
            client(
                ROOT,
                extensions=[
                    (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4.5"), b"x"), True)
                ],
            )
        ],
    ),
    "RSA 1024": (Fault.WEAK, [client(RSA_ROOT, key=WEAK_KEY)]),
    "P-192": (Fault.WEAK, [client(ROOT, key=ec.generate_private_key(ec.SECP192R1()))]),
    "secp256k1": (Fault.WEAK, [client(ROOT, key=ec.generate_private_key(ec.SECP256K1()))]),
    "by an intermediate of RSA 1024": (
        Fault.WEAK,
        [client(weak := authority("Weak", ROOT, key=WEAK_KEY)), weak],
    ),
}


@pytest.mark.parametrize("kind", GOOD)
def test_good(kind: str) -> None:
    chain = [each.der for each in GOOD[kind]]
    found = verifier().verify(chain, NOW)
    assert (found.fault, found.detail) == (None, "")
    assert found.links[0] == Link(found.links[0].issuer, GOOD[kind][0].serial)
    assert found.since <= NOW < found.until


@pytest.mark.parametrize("kind", FAULTY)
def test_faulty(kind: str) -> None:
    fault, chain = FAULTY[kind]
    found = verifier().verify([each.der for each in chain], NOW)
    assert found.fault is fault, found.detail
    assert found.detail
    assert found.links == ()
    assert found.subject == chain[0].certificate.subject.rfc4514_string()


def test_an_eku_is_demanded_only_where_that_is_set() -> None:
    chain = [client(ROOT, eku=()).der]
    assert verifier().verify(chain, NOW).fault is None
    assert verifier(require_eku=True).verify(chain, NOW).fault is Fault.WRONG_PURPOSE
    assert verifier(require_eku=True).verify([client(ROOT).der], NOW).fault is None
    version_1 = [made.version_1(ROOT)]
    assert verifier(require_eku=True).verify(version_1, NOW).fault is Fault.WRONG_PURPOSE


def test_sha1_and_md5_signatures_are_weak() -> None:
    good = client(RSA_ROOT)
    weak = {
        "1.2.840.113549.1.1.5": made.SHA1,
        "1.2.840.113549.1.1.4": made.MD5,
        "1.2.840.113549.1.1.14": hashes.SHA224(),
    }
    for oid, algorithm in weak.items():
        found = verifier().verify([made.resigned(good, RSA_ROOT, algorithm, oid)], NOW)
        assert found.fault is Fault.WEAK, (oid, found.detail)
    oid = "1.2.840.113549.1.1.12"
    assert verifier().verify([made.resigned(good, RSA_ROOT, hashes.SHA384(), oid)], NOW).fault is (
        None
    )


def test_a_forged_signature_leads_to_nobody() -> None:
    der = bytearray(client(ROOT).der)
    der[-1] ^= 1
    assert verifier().verify([bytes(der)], NOW).fault is Fault.UNKNOWN_ISSUER


@pytest.mark.parametrize(
    "chain",
    [
        (),
        (b"",),
        (b"junk",),
        (b"\x30\x82\x01",),
        (client(ROOT).der[:-1],),
        (client(ROOT).der + b"\x00",),
        (client(ROOT).der, b"x" * MOST_BYTES),
    ],
)
def test_malformed(chain: tuple[bytes, ...]) -> None:
    found = verifier().verify(chain, NOW)
    assert found.fault is Fault.MALFORMED
    assert (found.serial, found.subject) == ("", "")


def test_what_cannot_be_read_besides_the_first_is_passed_over() -> None:
    assert verifier().verify([client(ROOT).der, b"junk"], NOW).fault is None
    chain = [client(INTERMEDIATE).der, b"junk", INTERMEDIATE.der]
    assert verifier().verify(chain, NOW).fault is None


def test_the_dates_of_a_result_are_those_of_everything_in_play() -> None:
    leaf = client(INTERMEDIATE, starts=NOW - 10, ends=NOW + 10)
    check = ChainVerifier([ROOT.certificate])
    for at, fault in (
        (NOW - 10.001, Fault.NOT_YET_VALID),
        (NOW - 10, None),
        (NOW + 10, None),
        (NOW + 10.999, None),  # the last second counts in full (RFC 5280 4.1.2.5)
        (NOW + 11, Fault.EXPIRED),
    ):
        found = check.verify([leaf.der, INTERMEDIATE.der], at)
        assert found.fault is fault, at
        assert found.since <= at < found.until
    assert check.verify([leaf.der, INTERMEDIATE.der], NOW).since == NOW - 10
    assert check.verify([leaf.der, INTERMEDIATE.der], NOW).until == NOW + 11


def test_links_name_issuer_and_serial_from_the_client_upwards() -> None:
    leaf = client(INTERMEDIATE)
    found = verifier().verify([leaf.der, INTERMEDIATE.der], NOW)
    assert found.links == (
        Link(issuer_id(INTERMEDIATE.certificate), leaf.serial),
        Link(issuer_id(ROOT.certificate), INTERMEDIATE.serial),
    )


def test_the_depth_of_a_path_is_bounded() -> None:
    path = [authority("1", ROOT)]
    path += [authority("2", path[0])]
    chain = [each.der for each in (client(path[1]), path[1], path[0])]
    assert verifier(max_depth=2).verify(chain, NOW).fault is None
    assert verifier(max_depth=1).verify(chain, NOW).fault is Fault.CONSTRAINT


def test_authorities_that_sign_each_other_in_circles_cost_little(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The library gets none of them to see, and the search for a reason ends early."""
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(3)]
    twins = [
        authority("Twin", Made(authority("Twin").certificate, keys[one]), key=keys[other])
        for one in range(3)
        for other in range(3)
    ]
    checked: list[x509.Certificate] = []

    def counting(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
        checked.append(certificate)
        return signed_by(certificate, issuer)

    monkeypatch.setattr(paths, "signed_by", counting)
    check = ChainVerifier([ROOT.certificate])
    own = Made(twins[0].certificate, keys[0])
    for leaf in (client(own).der, made.version_1(own)):
        checked.clear()
        found = check.verify([leaf, *(each.der for each in twins)], NOW)
        assert found.fault is Fault.UNKNOWN_ISSUER
        assert sum(each.subject == each.issuer for each in checked) <= 9 + 16
    library = _Refusing()
    monkeypatch.setattr(check, "_verifier", lambda *_: library)
    check.verify([client(own).der, *(each.der for each in twins[:8]), INTERMEDIATE.der], NOW)
    assert library.given == [[INTERMEDIATE.certificate]]


def test_genuine_authorities_are_remembered_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    check = Authorities([ROOT.certificate])
    sent = [each.certificate for each in (BELOW_ITS_LENGTH, STRANGER, client(ROOT), INTERMEDIATE)]
    genuine = {INTERMEDIATE.certificate, BELOW_ITS_LENGTH.certificate}
    assert set(check.among(sent)) == genuine
    monkeypatch.setattr(paths, "signed_by", lambda *_: False)
    assert set(check.among(sent)) == genuine
    monkeypatch.undo()
    for number in range(300):
        check.among([authority(f"{number}", ROOT).certificate])
    assert len(check._genuine) <= 256


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (client(ROOT), "basicConstraints"),
        (
            certificate(
                "No signer",
                extensions=[
                    (x509.BasicConstraints(ca=True, path_length=None), True),
                    (made.usage("digital_signature"), True),
                ],
            ),
            "key usage",
        ),
        (authority("Weak root", key=WEAK_KEY), "1024 bits"),
    ],
)
def test_what_is_no_authority_is_refused_at_once(wrong: Made, words: str) -> None:
    with pytest.raises(CertificateFileError, match=words):
        ChainVerifier([wrong.certificate])
    with pytest.raises(CertificateFileError, match=words):
        ChainVerifier([ROOT.certificate], [wrong.certificate])
    with pytest.raises(CertificateFileError, match="no root"):
        ChainVerifier([])


def test_a_root_of_version_1_is_refused_at_once() -> None:
    old = x509.load_der_x509_certificate(made.version_1(ROOT))
    with pytest.raises(CertificateFileError, match="version 1"):
        ChainVerifier([old])


def test_ed25519_is_not_among_the_accepted_keys() -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    builder = x509.CertificateBuilder(
        ROOT.certificate.subject,
        made.named("ed"),
        key.public_key(),
        7,
        made.moment(NOW - 1),
        made.moment(NOW + 1),
    )
    der = Made(builder.sign(ROOT.key, hashes.SHA256()), made.rsa_key(2048)).der
    found = verifier().verify([der], NOW)
    assert found.fault is Fault.WEAK
    assert "Ed25519" in found.detail


def test_the_library_decides_and_what_follows_only_explains(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing that the library refuses is admitted by the search for a reason."""
    chain = [client(ROOT).der]
    assert verifier().verify(chain, NOW).fault is None
    policy = ChainVerifier([STRANGER.certificate])
    assert policy.verify(chain, NOW).fault is Fault.UNKNOWN_ISSUER
    refusing = verifier()
    monkeypatch.setattr(refusing, "_verifier", lambda *_: _Refusing())
    assert refusing.verify(chain, NOW).fault is Fault.CONSTRAINT


class _Refusing:
    """Stands for the library, and notes the intermediates it is given."""

    def __init__(self) -> None:
        self.given: list[list[x509.Certificate]] = []

    def verify(self, _: x509.Certificate, others: list[x509.Certificate]) -> None:
        self.given.append(others)
        raise VerificationError("for a reason of its own")
