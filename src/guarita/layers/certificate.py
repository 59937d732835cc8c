"""The client certificate: presented, valid, not revoked, and the one registered for the key
(Delfinance seed: "mTLS validation flow", errors 3, 4 and 7; DESIGN section 3, rows on
certificates).
"""

from math import isfinite
from typing import Any, ClassVar

from msgspec import Struct

from guarita.asks import CertificateFault, CertificateVerdict, Flow, Outage, VerifyCertificate
from guarita.decision import Known, Pass, Reason, Refuse, Verdict
from guarita.facts import Facts
from guarita.layers.api_key import Credential
from guarita.outage import OnOutage
from guarita.records import ApiKey, CertificateMode, CertificatePin

LAPSED = Reason("certificate", "lapsed")
NOT_PRESENTED = Reason("certificate", "not_presented")
SERIAL = Reason("certificate", "other_serial")
FINGERPRINT = Reason("certificate", "other_fingerprint")
OUTAGE = Reason("certificate", "outage")
FAULTS = {fault: Reason("certificate", fault.value) for fault in CertificateFault}


class VerifiedCertificate(Struct, frozen=True):
    """The certificate a request was admitted with. Formats: as `CertificateVerdict`."""

    subject: str
    serial: str
    sha256: str


class ClientCertificate(Struct, frozen=True):
    """Refuses, in this order: a verification that has lapsed (its time to live or a revocation list
    it rested on is over), no certificate, one that is not valid, and (mode "strict") one that is
    not registered for the key.

    Attributes:
        ttl_s: how long a verification counts, in seconds.
        on_outage: what to do when certificates cannot be verified; only `REFUSE` is accepted.
    """

    ttl_s: float
    on_outage: OnOutage

    name: ClassVar[str] = "certificate"
    reasons: ClassVar[tuple[Reason, ...]] = (
        LAPSED,
        NOT_PRESENTED,
        OUTAGE,
        *FAULTS.values(),
        SERIAL,
        FINGERPRINT,
    )
    needs: ClassVar[tuple[type[Any], ...]] = (Credential,)
    gives: ClassVar[type[Any] | None] = VerifiedCertificate

    def __post_init__(self) -> None:
        if self.on_outage is not OnOutage.REFUSE:
            raise ValueError("certificate cannot admit unverified: set on_outage=REFUSE")
        if not (isfinite(self.ttl_s) and self.ttl_s > 0):
            raise ValueError(f"ttl_s must be a positive number, not {self.ttl_s}")

    def check(self, facts: Facts, known: Known) -> Flow[Verdict]:
        key = known[Credential].key
        if key.certificate_mode is CertificateMode.UNSAFE_OFF:
            return Pass(saw="the key demands no certificate (unsafe_off)")
        presented = facts.certificate
        if presented is None:
            return Refuse(NOT_PRESENTED)
        try:
            found: CertificateVerdict = yield VerifyCertificate(presented, facts.at)
        except Outage:
            return Refuse(OUTAGE, saw="certificates cannot be verified")
        age = facts.at - found.verified_at
        # An edge's clock may be ahead, but a time that is none, or far ahead, never lapses.
        if found.lapsed or not -self.ttl_s < age < self.ttl_s:
            seconds = round(age) if isfinite(age) else "unknown"
            over = "its revocation list" if found.lapsed else "its time to live"
            return Refuse(LAPSED, saw=[found.sha256, seconds, over])
        if found.fault is not None:
            return Refuse(FAULTS[found.fault], saw=[found.sha256, found.serial, found.subject])
        if key.certificate_mode is CertificateMode.STRICT:
            other = _mismatch(key, found, facts.at)
            if other is not None:
                return Refuse(other, saw=[found.sha256, found.serial, found.subject])
        elif _is_revoked_here(key, found):
            revoked = FAULTS[CertificateFault.REVOKED]
            return Refuse(revoked, saw=[found.sha256, found.serial, found.subject])
        verified = VerifiedCertificate(found.subject, found.serial, found.sha256)
        return Pass(verified, saw=[found.sha256, found.serial, found.subject])


def _is_revoked_here(key: ApiKey, found: CertificateVerdict) -> bool:
    """Whether an operator has revoked the registration of this very certificate, whatever its
    authority's list says.
    """
    return any(
        pin.revoked_at is not None and pin.sha256 == found.sha256 for pin in key.certificates
    )


def _mismatch(key: ApiKey, found: CertificateVerdict, at: float) -> Reason | None:
    """Why the certificate is none of those registered for the key, or None."""
    pins = [pin for pin in key.certificates if _is_live(pin, at)]
    same_serial = [pin for pin in pins if pin.serial == found.serial]
    if not same_serial:
        return SERIAL
    if not any(pin.sha256 == found.sha256 for pin in same_serial):
        return FINGERPRINT
    return None


def _is_live(pin: CertificatePin, at: float) -> bool:
    return pin.revoked_at is None and (pin.valid_until is None or at < pin.valid_until)
