"""Revocation lists: which are believed, and what is said about the others."""

from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from guarita.pki.crl import CrlError, read_lists
from guarita.pki.verify import issuer_id
from tests.pki import made
from tests.pki.made import DAY, NOW, Made, authority, client, crl_pem, revocation_list

ROOT = authority("Root")
OTHER = authority("Other")
RSA_ROOT = authority("RSA root", key=made.rsa_key(2048))
NO_LISTS = authority("Signs no lists", signs_lists=False)
KNOWN = [each.certificate for each in (ROOT, RSA_ROOT, NO_LISTS)]
GOOD = revocation_list(ROOT, [5, 6])
SHA1_RSA = "1.2.840.113549.1.1.5"


def read(data: bytes, *, unsafe_sha1: bool = False) -> list[frozenset[int]]:
    found = read_lists(data, "crl.pem", KNOWN, NOW, unsafe_sha1=unsafe_sha1)
    return [each.serials for each in found]


def scope(**only: bool) -> tuple[x509.ExtensionType, bool]:
    names = (
        "only_contains_user_certs",
        "only_contains_ca_certs",
        "indirect_crl",
        "only_contains_attribute_certs",
    )
    values = {name: only.get(name, False) for name in names}
    point = None if only else [x509.UniformResourceIdentifier("http://ca.example/1.crl")]
    return (x509.IssuingDistributionPoint(point, None, only_some_reasons=None, **values), True)


def test_pem_der_and_several() -> None:
    assert read(crl_pem(GOOD)) == [{5, 6}]
    assert read(GOOD.public_bytes(Encoding.DER)) == [{5, 6}]
    assert read(crl_pem(GOOD) + crl_pem(revocation_list(RSA_ROOT, [7]))) == [{5, 6}, {7}]
    assert read(ROOT.pem + crl_pem(GOOD)) == [{5, 6}]
    assert read(crl_pem(revocation_list(ROOT))) == [frozenset()]


def test_what_is_read() -> None:
    (found,) = read_lists(crl_pem(GOOD), "crl.pem", KNOWN, NOW)
    assert found.issuer == issuer_id(ROOT.certificate)
    assert (found.issuer_name, found.source) == ("CN=Root", "crl.pem")
    assert (found.this_update, found.next_update) == (NOW - 3600, NOW + DAY)
    assert "serials" in repr(found)
    assert len(repr(found)) < 100


def test_an_expired_list_still_says_what_is_revoked() -> None:
    old = revocation_list(ROOT, [5], starts=NOW - 2 * DAY, ends=NOW - DAY)
    assert read(crl_pem(old)) == [{5}]


FAULTY = {
    "empty": (b"", "the file is empty"),
    "a certificate": (ROOT.pem, "no -----BEGIN X509 CRL-----, only: CERTIFICATE"),
    "junk": (b"junk", "not a certificate revocation list"),
    "truncated PEM": (crl_pem(GOOD)[:-30], "truncated"),
    "truncated DER": (GOOD.public_bytes(Encoding.DER)[:-3], "truncated or damaged"),
    "other issuer": (crl_pem(revocation_list(OTHER)), "'CN=Other', which is none of the known"),
    "other signer": (
        crl_pem(revocation_list(OTHER, name=ROOT.certificate.subject)),
        "the signature is not that of the known authority 'CN=Root'",
    ),
    "signed by a client": (
        crl_pem(revocation_list(Made(ROOT.certificate, client(ROOT).key))),
        "the signature is not",
    ),
    "not yet valid": (crl_pem(revocation_list(ROOT, starts=NOW + 1)), "not yet valid"),
    "may not sign lists": (crl_pem(revocation_list(NO_LISTS)), "cRLSign"),
    "delta": (
        crl_pem(revocation_list(ROOT, extensions=[(x509.DeltaCRLIndicator(3), True)])),
        "delta list",
    ),
    "indirect": (
        crl_pem(revocation_list(ROOT, extensions=[scope(indirect_crl=True)])),
        "indirect list",
    ),
    "users only": (
        crl_pem(revocation_list(ROOT, extensions=[scope(only_contains_user_certs=True)])),
        "covers a part",
    ),
    "authorities only": (
        crl_pem(revocation_list(ROOT, extensions=[scope(only_contains_ca_certs=True)])),
        "covers a part",
    ),
    "attribute certificates": (
        crl_pem(revocation_list(ROOT, extensions=[scope(only_contains_attribute_certs=True)])),
        "attribute certificates",
    ),
    "one distribution point": (
        crl_pem(revocation_list(ROOT, extensions=[scope()])),
        "one distribution point",
    ),
    "critical and unknown": (
        crl_pem(revocation_list(ROOT, extensions=[(x509.CRLNumber(1), True)])),
        "2.5.29.20 is critical",
    ),
    "the second of two": (
        crl_pem(GOOD) + crl_pem(revocation_list(OTHER)),
        "none of the known",
    ),
}


@pytest.mark.parametrize("kind", FAULTY)
def test_faults_name_the_file(kind: str) -> None:
    data, words = FAULTY[kind]
    with pytest.raises(CrlError, match=words) as caught:
        read(data)
    assert str(caught.value).startswith("crl.pem: ")


def without_next_update(crl: x509.CertificateRevocationList) -> bytes:
    """`crl` signed again without the field; the library makes no such list."""
    end = datetime.fromtimestamp(NOW + DAY, UTC)
    field = b"\x17\x0d" + end.strftime("%y%m%d%H%M%SZ").encode()
    return made.list_resigned(crl, ROOT, lambda tbs: tbs.replace(field, b""))


def test_a_list_without_an_end_is_refused() -> None:
    data = without_next_update(revocation_list(ROOT))
    with pytest.raises(CrlError, match="has no nextUpdate"):
        read(data)


def test_sha1_is_refused_unless_that_is_set() -> None:
    weak = made.list_resigned(
        revocation_list(RSA_ROOT, [9]), RSA_ROOT, made.weaker(SHA1_RSA), made.SHA1, SHA1_RSA
    )
    with pytest.raises(CrlError, match="too weak: signed with sha1WithRSA"):
        read(weak)
    assert read(weak, unsafe_sha1=True) == [{9}]
    forged = weak[:-1] + bytes([weak[-1] ^ 1])
    with pytest.raises(CrlError, match="the signature is not"):
        read(forged, unsafe_sha1=True)


def test_a_reissued_authority_of_the_same_name_and_key_signs_for_itself() -> None:
    again = authority("Root", key=ROOT.key)
    (found,) = read_lists(crl_pem(GOOD), "crl.pem", [OTHER.certificate, again.certificate], NOW)
    assert found.issuer == issuer_id(ROOT.certificate) == issuer_id(again.certificate)
    twin = authority("Root")
    (found,) = read_lists(crl_pem(GOOD), "crl.pem", [twin.certificate, ROOT.certificate], NOW)
    assert found.issuer == issuer_id(ROOT.certificate) != issuer_id(twin.certificate)


@given(st.integers(0, len(GOOD.public_bytes(Encoding.DER)) - 1), st.integers(1, 255))
def test_no_damage_goes_unnoticed(place: int, change: int) -> None:
    data = bytearray(GOOD.public_bytes(Encoding.DER))
    data[place] ^= change
    with pytest.raises(CrlError):
        read(bytes(data))
