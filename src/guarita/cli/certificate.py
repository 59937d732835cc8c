"""`guarita certificate …`: client certificates of API keys, and the authority that issues them."""

import secrets
import time
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from cyclopts.validators import Number

from guarita.cli import authority as authorities
from guarita.cli import certificate_text, files, key_text, revocation
from guarita.cli.authority import refusals
from guarita.cli.output import OK, MisuseError, emit, fields, iso, note, table
from guarita.cli.settings import current
from guarita.keyring.kinds import refuse_certificates
from guarita.keyring.pins import check_room
from guarita.records import ApiKey, CertificatePin

app = App(name="certificate", help="Issue, register, revoke and list client certificates.")
app.command(revocation.revoke)
app.command(revocation.crl)

CERTIFICATE, PRIVATE_KEY, PKCS12 = "client.crt", "client.key", "certificate.p12"
"""File names, as in the seed's examples."""

Days = Annotated[int, Parameter(validator=Number(gte=1, lte=36_500))]
Overlap = Annotated[
    int,
    Parameter(
        validator=Number(gte=0),
        help="Seconds that the certificate registered before stays valid; 0 ends it at once.",
    ),
]


@app.command
def issue(
    *,
    key: str,
    out: Path,
    csr: Path | None = None,
    days: Days = 365,
    name: str | None = None,
    overlap: Overlap = 86_400,
    force: bool = False,
) -> int:
    """Issue a client certificate and register it for a key.

    Writes client.crt, client.key and certificate.p12 (the same two, with a password that is shown
    this once). The authority is made in the data folder when it is first needed.

    Parameters
    ----------
    key
        The key_id it is for.
    out
        Folder for the files; they can be read by their owner only.
    csr
        A certificate request (PEM or DER) with the key to certify; then only client.crt is
        written.
    days
        How long the certificate is valid.
    name
        Its common name; default: the key_id.
    force
        Overwrite files that are there.
    """
    settings = current()
    names = [CERTIFICATE] if csr else [CERTIFICATE, PRIVATE_KEY, PKCS12]
    paths = [out / name for name in names]
    files.refuse_existing(paths, force=force)
    request = None if csr is None else files.read(csr)
    with settings.folder() as folder, refusals():
        found = folder.keyring.key(key)
        refuse_certificates(found.profile)
        if overlap:
            check_room(found, time.time())
        files.make_folder(out)
        issued = authorities.existing_or_new(folder.ca_path).issue_client(
            name or key,
            days=days,
            csr=request,
            account=found.account.account_id,
            key_id=key,
        )
        contents, password = [issued.pem()], None
        if request is None:
            password = secrets.token_hex(16)
            contents += [issued.private_key_pem(), issued.pkcs12(password.encode())]
        for path, content in zip(paths, contents, strict=True):
            files.write(path, content, force=force)
        pin = authorities.pin_of(issued.certificate)
        try:
            folder.keyring.register_certificate(key, pin, overlap_until=_until(overlap))
        except Exception:
            note(
                f"certificate {pin.serial} is written, but could not be registered for {key}: "
                f"guarita certificate register --key {key} {paths[0]}"
            )
            raise
    _show_issued(pin, paths, password)
    return OK


def _show_issued(pin: CertificatePin, paths: list[Path], password: str | None) -> None:
    """The one place that prints the password of a PKCS#12 file."""
    certificate, private_key, pkcs12 = (*map(str, paths), None, None)[:3]
    document = {
        "certificate": certificate,
        "private_key": private_key,
        "pkcs12": pkcs12,
        "pkcs12_password": password,
        "serial": pin.serial,
        "sha256": pin.sha256,
        "subject": pin.subject,
        "not_after": iso(pin.not_after),
    }
    text = fields([(name, value) for name, value in document.items() if value is not None])
    if password:
        text += "\n\nKeep the password now: it is not stored and will not be shown again."
    emit(current().json, document, text)


@app.command
def register(
    file: Path | None = None,
    /,
    *,
    key: str,
    serial: str | None = None,
    sha256: str | None = None,
    password_env: str | None = None,
    overlap: Overlap = 86_400,
) -> int:
    """Register a certificate that somebody else has issued, from its file or by its two numbers.

    Parameters
    ----------
    file
        PEM, DER, PKCS#7 or PKCS#12; issuers that come with it are passed over.
    key
        The key_id it is for.
    serial
        Instead of a file: the serial, in any usual spelling; needs --sha256.
    sha256
        Instead of a file: the SHA-256 fingerprint, in any usual spelling; needs --serial.
    password_env
        Name of the environment variable that holds the password of a PKCS#12 file.
    """
    with current().folder() as folder, refusals():
        if file is None:
            if serial is None or sha256 is None:
                raise MisuseError("give a FILE, or both --serial and --sha256")
            pin = _spelled(serial, sha256)
        elif serial is not None or sha256 is not None:
            raise MisuseError("give either a FILE, or --serial and --sha256")
        else:
            password = authorities.password_from(password_env)
            content = files.read(file)
            pin = authorities.pin_of(authorities.client_certificate(content, str(file), password))
        changed = folder.keyring.register_certificate(key, pin, overlap_until=_until(overlap))
    return _show(changed)


def _spelled(serial: str, sha256: str) -> CertificatePin:
    from guarita.pki.encodings import parse_serial, parse_sha256

    return CertificatePin(parse_serial(serial), parse_sha256(sha256))


@app.command
def retire(serial: str, /, *, key: str) -> int:
    """End a registration now. The certificate stays valid, and can be registered again.

    Parameters
    ----------
    serial
        The certificate's serial or SHA-256 fingerprint.
    key
        The key_id it is registered for.
    """
    with current().folder() as folder:
        changed = folder.keyring.retire_certificate(key, serial)
    if key_text.lacks_certificate(changed):
        note(f"{key} has no live certificate now: every request is refused")
    return _show(changed)


@app.command(name="list")
def list_(*, key: str | None = None) -> int:
    """List registered certificates, with days to expiry and warnings at 30, 7 and 1 days.

    Parameters
    ----------
    key
        Only those of this key_id.
    """
    settings, now = current(), time.time()
    with settings.folder() as folder:
        keys = folder.keyring.keys() if key is None else [folder.keyring.key(key)]
    if key is not None:
        refuse_certificates(keys[0].profile)
    pins = [(one, pin) for one in keys for pin in one.certificates]
    documents = [
        {"key_id": one.client_id, "account_id": one.account.account_id}
        | certificate_text.document(pin, now)
        for one, pin in pins
    ]
    columns = ("key_id", "serial", "state", "not_after", "days_to_expiry", "warning", "subject")
    rows = [[document[column] for column in columns] for document in documents]
    emit(settings.json, documents, table(columns, rows, "No certificate is registered."))
    return OK


def _until(overlap: int) -> float | None:
    return time.time() + overlap if overlap else None


def _show(key: ApiKey) -> int:
    emit(current().json, key_text.document(key), key_text.text(key))
    return OK
