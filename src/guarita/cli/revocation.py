"""`guarita certificate revoke | crl`: certificates that are no longer to be trusted."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from cyclopts.validators import Number

from guarita.cli import authority as authorities
from guarita.cli import files
from guarita.cli.authority import CRL_DAYS, refusals
from guarita.cli.output import OK, MisuseError, RefusedError, emit, fields, note
from guarita.cli.settings import current, nearest
from guarita.keyring.keyring import Keyring
from guarita.keyring.kinds import refuse_certificates
from guarita.records import KeyStatus

if TYPE_CHECKING:
    from guarita.pki.authority import Authority


def revoke(
    *, serial: str | None = None, key: str | None = None, reason: str = "unspecified"
) -> int:
    """Revoke certificates for good: in the keyring at once, and on the revocation list if this
    installation has issued them.

    Parameters
    ----------
    serial
        The certificate's serial, in any usual spelling. Without --key: wherever it is registered.
    key
        A key_id. Without --serial: everything registered or issued for it.
    reason
        unspecified, keyCompromise, superseded, affiliationChanged, cessationOfOperation or
        privilegeWithdrawn.
    """
    if serial is None and key is None:
        raise MisuseError("say which certificate: --serial, --key or both")
    settings = current()
    with settings.folder() as folder, refusals():
        from guarita.pki.encodings import parse_serial

        _check_reason(reason)
        wanted = None if serial is None else parse_serial(serial)
        if key is not None:
            refuse_certificates(folder.keyring.key(key).profile)
        authority = authorities.existing(folder.ca_path)
        found = _revoke_registered(folder.keyring, wanted, key, reason)
        issued = _revoke_issued(authority, wanted, key, reason)
        if not found and not issued:
            raise RefusedError(
                f"no certificate{f' {wanted}' if wanted else ''} is registered"
                f"{f' for {key}' if key else ''}, and none was issued here"
            )
        crl = authorities.publish(authority) if authority is not None and issued else None
    documents = [
        {"serial": one, "keys": found.get(one, []), "on_revocation_list": one in issued}
        for one in dict.fromkeys([*found, *issued])
    ]
    for one in found:
        if one not in issued:
            note(
                f"certificate {one} was not issued here: it is refused for the keys named, and only"
                " its own issuer can put it on a revocation list"
            )
    text = "\n\n".join(fields(list(document.items())) for document in documents)
    emit(settings.json, {"revoked": documents, "crl": crl and str(crl)}, text)
    return OK


def _check_reason(reason: str) -> None:
    from guarita.pki.signed_list import REASONS

    if reason not in REASONS:
        raise MisuseError(f"there is no reason {reason!r}{nearest(reason, list(REASONS))}")


def _revoke_registered(
    keyring: Keyring, serial: str | None, key: str | None, reason: str
) -> dict[str, list[str]]:
    """Serials found registered, with the key_ids they were registered for."""
    found: dict[str, list[str]] = {}
    for one in keyring.keys() if key is None else [keyring.key(key)]:
        for pin in one.certificates:
            if serial is None or pin.serial == serial:
                if one.status is not KeyStatus.REVOKED:  # such a key is never changed again
                    keyring.revoke_certificate(one.client_id, pin.sha256, reason)
                found.setdefault(pin.serial, []).append(one.client_id)
    return found


def _revoke_issued(
    authority: "Authority | None", serial: str | None, key: str | None, reason: str
) -> list[str]:
    """Serials this installation has issued, and has now revoked."""
    if authority is None:
        return []
    chosen = [
        record.serial
        for record in authority.issued()
        if record.kind == "client"
        and (serial is None or record.serial == serial)
        and (key is None or record.key_id == key)
    ]
    for one in chosen:
        authority.revoke(one, reason)
    return chosen


def crl(
    *,
    out: Path | None = None,
    der: bool = False,
    days: Annotated[int, Parameter(validator=Number(gte=1, lte=366))] = CRL_DAYS,
    force: bool = False,
) -> int:
    """Sign the revocation list anew. Run it regularly: a list past its date is not believed.

    The authority's folder gets it as crl.pem and crl.der; what serves there reads it by itself.

    Parameters
    ----------
    out
        A file to write it to as well.
    der
        Write FILE in DER instead of PEM.
    days
        How long the list is good for.
    force
        Overwrite FILE.
    """
    if der and out is None:
        raise MisuseError("--der needs --out FILE")
    settings = current()
    if out is not None:
        files.refuse_existing([out], force=force)
    with settings.folder() as folder, refusals():
        authority = authorities.existing(folder.ca_path)
        if authority is None:
            raise RefusedError(
                f"there is no authority in {folder.ca_path}; `guarita certificate issue` makes one"
            )
        published = authorities.publish(authority, days)
        if out is not None:
            source = published.with_suffix(".der") if der else published
            files.write(out, source.read_bytes(), force=force)
        revoked = sum(record.revoked_at is not None for record in authority.issued())
    document: dict[str, Any] = {
        "crl": str(published),
        "out": None if out is None else str(out),
        "days": days,
        "revoked": revoked,
    }
    emit(settings.json, document, fields(list(document.items())))
    return OK
