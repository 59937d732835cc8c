"""C2SP/x509-limbo: the cases of chains alone. Each is run; where the verdict is another than
upstream's, the reason stands here.
"""

import json
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from guarita.asks import VerifyCertificate
from guarita.facts import PresentedCertificate
from guarita.pki.encodings import CertificateFileError
from guarita.pki.revocation import Revocations
from guarita.pki.verifier import CertificateVerifier
from guarita.pki.verify import ChainVerifier
from tests.shared_vectors import shared

NO_IDENTIFIER = (
    "Key identifiers only help to find an issuer; which one it is, its signature says. `openssl "
    "x509 -req` without an extension file adds none."
)
AUTHORITY_AS_CLIENT = (
    "A certificate that issues others is no client's: the key that signs certificates has no "
    "business in a TLS client."
)
ACCEPTED = {
    "rfc5280::aki::leaf-missing-aki": NO_IDENTIFIER,
    "rfc5280::aki::intermediate-missing-aki": NO_IDENTIFIER,
    "rfc5280::ski::root-missing-ski": NO_IDENTIFIER,
    "rfc5280::ski::intermediate-missing-ski": NO_IDENTIFIER,
    "rfc5280::root-non-critical-basic-constraints": (
        "It binds as it is, critical or not; the mark is for software that does not know the "
        "extension. Many private roots lack it (those of the haproxy cases do)."
    ),
}
REFUSED = {
    "pathlen::validation-ignores-pathlen-in-leaf": AUTHORITY_AS_CLIENT,
    "rfc5280::ca-as-leaf": AUTHORITY_AS_CLIENT,
    "pathlen::self-issued-certs-pathlen": (
        "The library counts self-issued authorities into the path length, which RFC 5280 4.2.1.9 "
        "leaves out. Stricter, and such chains exist during a key roll-over only."
    ),
    "rfc5280::nc::permitted-dn-match": (
        "The library does not compare directory names; an authority critically constrained to "
        "some is refused altogether, as RFC 5280 4.2.1.10 wants it."
    ),
}


@cache
def cases() -> dict[str, dict[str, Any]]:
    text = shared("x509_limbo", "chain_only.json").read_text(encoding="utf-8")
    return {case["id"]: case for case in json.loads(text)["testcases"]}


def loaded(pem: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pem.encode())


def verdict(case: dict[str, Any], folder: Path) -> str:
    """SUCCESS or FAILURE. Leaves are servers' in most cases, so their purpose is not looked at
    there.
    """
    leaf = loaded(case["peer_certificate"])
    at = leaf.not_valid_before_utc.timestamp() + 1
    if case["validation_time"]:
        at = datetime.fromisoformat(case["validation_time"]).timestamp()
    chain = tuple(
        each.public_bytes(Encoding.DER)
        for each in (leaf, *map(loaded, case["untrusted_intermediates"]))
    )
    depth = case["max_chain_depth"]
    any_purpose = case["validation_kind"] == "SERVER"
    revocations = None
    try:
        chains = ChainVerifier(
            [loaded(root) for root in case["trusted_certs"]],
            max_depth=8 if depth is None else depth,
            unsafe_any_purpose=any_purpose,
        )
        if case["crls"]:
            files = []
            for number, crl in enumerate(case["crls"]):
                files.append(folder / f"{number}.pem")
                files[-1].write_text(crl)
            revocations = Revocations(chains.authorities, files=files, clock=lambda: at)
    except CertificateFileError:
        return "FAILURE"  # said at the start: a root or list that is not acceptable
    asked = VerifyCertificate(PresentedCertificate(chain, at), at)
    found = CertificateVerifier(chains, revocations).answer(asked)
    return "SUCCESS" if found.fault is None else "FAILURE"


def test_every_case(tmp_path: Path, subtests: pytest.Subtests) -> None:
    assert len(cases()) == 106
    for name, case in cases().items():
        with subtests.test(name):
            got = verdict(case, tmp_path)
            if name in ACCEPTED:
                assert (case["expected_result"], got) == ("FAILURE", "SUCCESS")
            elif name in REFUSED:
                assert (case["expected_result"], got) == ("SUCCESS", "FAILURE")
            else:
                assert got == case["expected_result"]


def test_every_deviation_is_of_a_case_there_is() -> None:
    assert set(ACCEPTED) | set(REFUSED) <= set(cases())
    assert not set(ACCEPTED) & set(REFUSED)


def reasons() -> Iterator[str]:
    yield from ACCEPTED.values()
    yield from REFUSED.values()


def test_every_deviation_has_a_reason() -> None:
    assert all(len(reason) > 60 for reason in reasons())
