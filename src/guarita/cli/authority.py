"""The certificate authority of a data folder, for the commands that need one, and what
`guarita.pki` says made into refusals of this program."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from guarita.cli.output import MisuseError, RefusedError, note
from guarita.records import CertificatePin

if TYPE_CHECKING:
    from cryptography import x509

    from guarita.pki.authority import Authority

AUTHORITY_DAYS = 3650
CRL_DAYS = 7
DAY_S = 86_400


@contextmanager
def refusals() -> Iterator[None]:
    """Errors of `guarita.pki` as RefusedError; its absence as well."""
    try:
        from guarita.pki.encodings import BadSpelling, CertificateFileError
        from guarita.pki.key_files import AuthorityError
    except ModuleNotFoundError as error:
        raise RefusedError(
            f"certificates need {error.name}: pip install 'guarita[certificates]'"
        ) from None
    try:
        yield
    except (AuthorityError, BadSpelling, CertificateFileError) as error:
        raise RefusedError(str(error)) from None


def existing(folder: Path) -> "Authority | None":
    """The authority in `folder`, if there is one."""
    from guarita.pki.authority import Authority

    return Authority.open(folder) if folder.exists() else None


def existing_or_new(folder: Path) -> "Authority":
    """The authority in `folder`; it is made where there is none."""
    from guarita.pki.authority import Authority
    from guarita.pki.key_files import PASSPHRASE_VARIABLE, AuthorityError

    if folder.exists():
        return Authority.open(folder)
    given = os.environ.get(PASSPHRASE_VARIABLE)
    name = f"Guarita CA {secrets.token_hex(4)}"
    passphrase = None if given is None else given.encode()
    try:
        authority = Authority.create(folder, name, days=AUTHORITY_DAYS, passphrase=passphrase)
    except AuthorityError:
        if not (folder / "ca.pem").exists():
            raise
        return Authority.open(folder)  # another process has just made it
    publish(authority)
    kept = f"the variable {PASSPHRASE_VARIABLE}" if given else f"{folder / 'passphrase'}"
    note(f"made a certificate authority in {folder}; its passphrase is in {kept}")
    return authority


def publish(authority: "Authority", days: int = CRL_DAYS) -> Path:
    """Writes the revocation list into the authority's folder."""
    return authority.publish_crl(next_update_s=days * DAY_S)


def pin_of(certificate: "x509.Certificate") -> CertificatePin:
    """A certificate as it is registered for a key."""
    from cryptography.hazmat.primitives.serialization import Encoding

    from guarita.pki.encodings import serial_text, sha256_of

    return CertificatePin(
        serial=serial_text(certificate.serial_number),
        sha256=sha256_of(certificate.public_bytes(Encoding.DER)),
        subject=certificate.subject.rfc4514_string(),
        not_before=certificate.not_valid_before_utc.timestamp(),
        not_after=certificate.not_valid_after_utc.timestamp(),
    )


def client_certificate(data: bytes, name: str, password: bytes | None) -> "x509.Certificate":
    """The one certificate in a file that is nobody's issuer: chains may come with it.

    Raises:
        CertificateFileError: none can be read. RefusedError: there are several.
    """
    from guarita.pki.encodings import load_certificates

    found = load_certificates(data, name, password)
    issuers = {one.issuer for one in found if one.issuer != one.subject}
    leaves = [one for one in found if one.subject not in issuers]
    if len(found) == 1:
        return found[0]
    if len(leaves) != 1:
        raise RefusedError(f"{name} holds {len(found)} certificates; which one is the client's?")
    return leaves[0]


def password_from(variable: str | None) -> bytes | None:
    """The value of an environment variable. The name is not repeated: it may be the password."""
    if variable is None:
        return None
    password = os.environ.get(variable)
    if not password:
        state = "is not set" if password is None else "is empty"
        raise MisuseError(
            f"the environment variable that --password-env names {state}; is it exported?"
        )
    return password.encode()
