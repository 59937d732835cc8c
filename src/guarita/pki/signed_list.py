"""The revocation list an authority signs and publishes (RFC 5280 section 5)."""

import os
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from guarita.pki.certificates import authority_identifier
from guarita.pki.key_files import AuthorityError, SigningKey, write_new
from guarita.pki.register import IssuedRecord

REASONS = {
    "unspecified": x509.ReasonFlags.unspecified,
    "keyCompromise": x509.ReasonFlags.key_compromise,
    "cACompromise": x509.ReasonFlags.ca_compromise,
    "affiliationChanged": x509.ReasonFlags.affiliation_changed,
    "superseded": x509.ReasonFlags.superseded,
    "cessationOfOperation": x509.ReasonFlags.cessation_of_operation,
    "privilegeWithdrawn": x509.ReasonFlags.privilege_withdrawn,
}
"""Why a certificate is revoked, in the words of RFC 5280 5.3.1; revocation here is final, so the
hold and its end are left out."""

_KEPT_LISTED_S = 7 * 86_400.0  # past its end a certificate is refused as expired


def check_reason(reason: str) -> None:
    """Raises AuthorityError: `reason` is none of `REASONS`."""
    if reason not in REASONS:
        raise AuthorityError(f"a certificate is revoked for one of: {', '.join(REASONS)}")


def signed_list(
    issuer: x509.Certificate,
    key: SigningKey,
    number: int,
    records: Iterable[IssuedRecord],
    at: int,
    next_update_s: int,
) -> x509.CertificateRevocationList:
    """A list of `records`, good from the Unix time `at` for `next_update_s` seconds. One stays on
    it until a week after the certificate's end.
    """
    start = datetime.fromtimestamp(at, UTC)
    builder = x509.CertificateRevocationListBuilder(
        issuer_name=issuer.subject,
        last_update=start,
        next_update=start + timedelta(seconds=next_update_s),
        # All at once: adding them one by one copies the list each time.
        revoked_certificates=[
            _entry(record) for record in records if record.not_after + _KEPT_LISTED_S > at
        ],
    )
    builder = builder.add_extension(x509.CRLNumber(number), critical=False)
    builder = builder.add_extension(authority_identifier(issuer), critical=False)
    return builder.sign(key, hashes.SHA256())


def publish(crl: x509.CertificateRevocationList, folder: Path) -> Path:
    """Writes crl.der and crl.pem into `folder`, each whole or not at all. Returns the path of
    crl.pem.
    """
    for name, encoding in (("crl.der", Encoding.DER), ("crl.pem", Encoding.PEM)):
        draft = folder / f".{name}-{secrets.token_hex(8)}"
        try:
            write_new(draft, crl.public_bytes(encoding), mode=0o644)
            os.replace(draft, folder / name)
        finally:
            draft.unlink(missing_ok=True)
    return folder / "crl.pem"


def _entry(record: IssuedRecord) -> x509.RevokedCertificate:
    entry = (
        x509.RevokedCertificateBuilder()
        .serial_number(int(record.serial, 16))
        .revocation_date(datetime.fromtimestamp(int(record.revoked_at or 0), UTC))
    )
    if record.revoked_reason != "unspecified":  # RFC 5280 5.3.1: absent rather than this
        reason = x509.CRLReason(REASONS[record.revoked_reason])
        entry = entry.add_extension(reason, critical=False)
    return entry.build()
