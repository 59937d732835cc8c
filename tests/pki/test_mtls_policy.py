"""What HAProxy and nginx do with client certificates, as data of their own tests. Each case is run;
where the verdict is another, or the case is not about chains and lists, the reason stands here.
"""

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from guarita.asks import CertificateFault as Fault
from guarita.asks import VerifyCertificate
from guarita.facts import PresentedCertificate
from guarita.pki.crl import CrlError
from guarita.pki.encodings import load_certificates
from guarita.pki.revocation import Revocations
from guarita.pki.verifier import CertificateVerifier
from guarita.pki.verify import ChainVerifier
from tests.pki.made import DAY, NOW, Made, authority, client, crl_pem, revocation_list
from tests.shared_vectors import shared


@cache
def cases() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        shared("mtls_policy", "cases.json").read_text(encoding="utf-8")
    )
    return found


# HAProxy: certificates and lists as they are

HAPROXY_FAULTS = {
    "hap-1": None,
    "hap-2": Fault.EXPIRED,
    "hap-3": Fault.REVOKED,
    "hap-5": None,
    "hap-6": Fault.REVOKED,
    "hap-7": None,
    "hap-8": Fault.UNKNOWN_ISSUER,
}
SIGNED_WITH_SHA1 = {"hap-1", "hap-2", "hap-3", "hap-8"}
"""Their list, crl-auth.pem, is signed with SHA-1. As a rule that is refused at the start, with the
file and the fault named, where HAProxy takes it; with the setting `unsafe_sha1` they run."""

NO_CERTIFICATE = {"hap-4"}
"""No certificate is sent: nothing to verify, the certificate layer refuses."""


def haproxy() -> dict[str, dict[str, Any]]:
    return {case["id"]: case for case in cases()["haproxy"]["cases"]}


def pem(name: str) -> bytes:
    text: str = cases()["haproxy"]["pem"][name]
    return text.encode()


def chains_of(case: dict[str, Any]) -> ChainVerifier:
    known = [each for name in case["ca"] for each in load_certificates(pem(name), name)]
    roots = [each for each in known if each.issuer == each.subject]
    return ChainVerifier(roots, [each for each in known if each not in roots])


def presented(name: str) -> tuple[bytes, ...]:
    """The first certificate: what stands behind it in client1.pem are strangers."""
    return (load_certificates(pem(name), name)[0].public_bytes(Encoding.DER),)


def haproxy_fault(case: dict[str, Any], folder: Path, *, unsafe_sha1: bool) -> Fault | None:
    file = folder / "crl.pem"
    file.write_bytes(pem(case["crl"][0]))
    chains = chains_of(case)
    revocations = Revocations(
        chains.authorities,
        files=[file],
        scope=case.get("crl_scope", "chain"),
        unsafe_sha1=unsafe_sha1,
        clock=lambda: NOW,
    )
    certificate = PresentedCertificate(presented(case["client"]), NOW)
    verifier = CertificateVerifier(chains, revocations)
    return verifier.answer(VerifyCertificate(certificate, NOW)).fault


def test_haproxy(tmp_path: Path) -> None:
    assert set(haproxy()) == set(HAPROXY_FAULTS) | NO_CERTIFICATE
    for name, fault in HAPROXY_FAULTS.items():
        case = haproxy()[name]
        weak = name in SIGNED_WITH_SHA1
        assert haproxy_fault(case, tmp_path, unsafe_sha1=weak) is fault, name
        assert (case["expected"] == "accept") is (fault is None), name
        if weak:
            with pytest.raises(CrlError, match=r"crl\.pem: too weak: signed with sha1WithRSA"):
                haproxy_fault(case, tmp_path, unsafe_sha1=False)
    assert [haproxy()[name]["client"] for name in NO_CERTIFICATE] == [None]


def test_haproxy_list_replaced_at_run_time(tmp_path: Path) -> None:
    """hap-5, 6 and 7 in order, on one connection."""
    file = tmp_path / "crl.pem"
    steps = [haproxy()[name] for name in ("hap-5", "hap-6", "hap-7")]
    file.write_bytes(pem(steps[0]["crl"][0]))
    chains = chains_of(steps[0])
    revocations = Revocations(chains.authorities, files=[file], scope="leaf", clock=lambda: NOW)
    verifier = CertificateVerifier(chains, revocations)
    ask = VerifyCertificate(PresentedCertificate(presented(steps[0]["client"]), NOW, "1"), NOW)
    for step in steps:
        file.write_bytes(pem(step["crl"][0]))
        revocations.refresh()
        accepted = verifier.answer(ask).fault is None
        assert accepted is (step["expected"] == "accept"), step["id"]
    assert verifier.verifications == 1


# nginx: scenarios in words; certificates made here

ELSEWHERE = {
    "ngx-01": "no TLS: there is no certificate",
    "ngx-02": "none sent: the certificate layer refuses; the handshake is never ended over it",
    "ngx-03": "none sent, and optional: the key's certificate mode",
    "ngx-05": "not looked at: the key's certificate mode",
    "ngx-06": "not looked at: the key's certificate mode",
    "ngx-10": "the list of authorities in the handshake: the listener's",
    "ngx-11": "the list of authorities in the handshake: the listener's",
    "ngx-12": "SNI and Host differ: one listener has one policy here",
    "ngx-15": "the list of authorities in the handshake: the listener's",
    "ngx-28": "OCSP comes later; its place is taken in test_verifier.py",
    "ngx-29": "OCSP comes later; its place is taken in test_verifier.py",
}
AUTHORITY_AS_CLIENT = {"ngx-16", "ngx-18", "ngx-19", "ngx-20", "ngx-21", "ngx-23"}
"""The root or the intermediate presents itself. nginx accepts that; here a certificate that issues
others is no client's."""

ROOT = authority("root")
INT = authority("int", ROOT)
END = client(INT, "end")
CA2, CA3 = authority("2"), authority("3")
TWO, THREE, ONE = client(CA2), client(CA3), client(authority("1"))
EMPTY, REVOKES_INT = revocation_list(ROOT), revocation_list(ROOT, [INT.serial])
INT_EMPTY = revocation_list(INT)

Lists = Sequence[x509.CertificateRevocationList]
SCENARIOS: dict[str, tuple[Sequence[Made], int, Made, Lists, Fault | None]] = {
    # id: trusted, depth, client, lists, fault
    "ngx-04": ([CA2, CA3], 1, ONE, [], Fault.UNKNOWN_ISSUER),
    "ngx-07": ([CA2], 1, TWO, [], None),
    "ngx-08": ([CA2], 1, TWO, [], None),
    "ngx-09": ([CA2, CA3], 1, THREE, [], None),
    "ngx-13": ([CA2], 1, TWO, [], None),
    "ngx-14": ([CA2], 1, THREE, [], Fault.UNKNOWN_ISSUER),
    "ngx-16": ([ROOT, INT], 0, ROOT, [], Fault.WRONG_PURPOSE),
    "ngx-17": ([ROOT, INT], 0, END, [], Fault.CONSTRAINT),
    "ngx-18": ([ROOT, INT], 1, ROOT, [], Fault.WRONG_PURPOSE),
    "ngx-19": ([ROOT, INT], 1, INT, [], Fault.WRONG_PURPOSE),
    "ngx-20": ([ROOT, INT], 2, ROOT, [], Fault.WRONG_PURPOSE),
    "ngx-21": ([ROOT, INT], 2, INT, [], Fault.WRONG_PURPOSE),
    "ngx-22": ([ROOT, INT], 2, END, [], None),
    "ngx-23": ([ROOT], 1, INT, [EMPTY], Fault.WRONG_PURPOSE),
    "ngx-24": ([ROOT], 1, INT, [REVOKES_INT], Fault.WRONG_PURPOSE),
    "ngx-25": ([ROOT, INT], 2, END, [REVOKES_INT], Fault.REVOKED),
    "ngx-26": ([ROOT, INT], 2, END, [EMPTY], Fault.REVOCATION_UNKNOWN),
    "ngx-27": ([ROOT, INT], 2, END, [EMPTY, INT_EMPTY], None),
}


def nginx() -> dict[str, dict[str, Any]]:
    return {case["id"]: case for case in cases()["nginx"]}


def test_nginx(tmp_path: Path) -> None:
    assert set(nginx()) == set(SCENARIOS) | set(ELSEWHERE)
    for name, (trusted, depth, who, lists, fault) in SCENARIOS.items():
        roots = [each.certificate for each in trusted if each is not INT]
        known = [each.certificate for each in trusted if each is INT]
        chains = ChainVerifier(roots, known, max_depth=depth)
        revocations = None
        if lists:
            file = tmp_path / f"{name}.pem"
            file.write_bytes(b"".join(map(crl_pem, lists)))
            revocations = Revocations(chains.authorities, files=[file], clock=lambda: NOW)
        ask = VerifyCertificate(PresentedCertificate((who.der,), NOW), NOW)
        assert CertificateVerifier(chains, revocations).answer(ask).fault is fault, name
        accepted = nginx()[name]["expected"].startswith("accept")
        assert accepted is (fault is None or name in AUTHORITY_AS_CLIENT), name


def test_nginx_end_of_a_list(tmp_path: Path) -> None:
    """ngx-27 a day later: a list has an end here."""
    file = tmp_path / "crl.pem"
    file.write_bytes(crl_pem(EMPTY) + crl_pem(INT_EMPTY))
    chains = ChainVerifier([ROOT.certificate], [INT.certificate])
    revocations = Revocations(chains.authorities, files=[file], clock=lambda: NOW)
    at = NOW + 2 * DAY
    ask = VerifyCertificate(PresentedCertificate((END.der,), at), at)
    found = CertificateVerifier(chains, revocations).answer(ask)
    assert found.fault is Fault.REVOCATION_UNKNOWN
