"""What each change makes of a key's registered certificates: pure functions from record to record.

- At most two registrations are live at once: a new one, and the former one until a date.
- A registration ends by its date (`retired`, or a rotation), by revocation, or with the
  certificate itself. Only a revocation is final for that certificate.
- Ended registrations are kept for display until the next one is made; revoked ones until their
  certificate has expired, so that they cannot come back by mistake.
"""

from datetime import UTC, datetime

from msgspec.structs import replace

from guarita.keyring.changes import changed
from guarita.keyring.errors import NotFound, Refused, shown
from guarita.records import ApiKey, CertificatePin


def is_live(pin: CertificatePin, at: float) -> bool:
    """Whether the registration counts at `at` (Unix seconds) and its certificate has not ended."""
    return (
        pin.revoked_at is None
        and (pin.valid_until is None or at < pin.valid_until)
        and (not pin.not_after or at < pin.not_after)
    )


def registered(key: ApiKey, pin: CertificatePin, now: float, overlap_until: float | None) -> ApiKey:
    """`key` with `pin` registered; the former registration ends at `overlap_until`, or now (None).

    Registering a live one again only takes its end away. While two others are live, only
    `overlap_until` None, which ends both at once, is accepted.
    """
    for other in key.certificates:
        if other.sha256 == pin.sha256 and other.revoked_at is not None:
            raise Refused(
                f"certificate {pin.serial} was revoked for key {key.client_id} on "
                f"{_iso(other.revoked_at)}, which is final; register another one"
            )
    others = [other for other in key.certificates if other.sha256 != pin.sha256]
    live = [other for other in others if is_live(other, now)]
    if overlap_until is not None:
        _refuse_third(key, live)
    end = now if overlap_until is None else overlap_until
    former = [replace(one, valid_until=min(end, one.valid_until or end)) for one in live]
    revoked = [
        other for other in others if other.revoked_at is not None and not 0 < other.not_after <= now
    ]
    return changed(key, certificates=(pin, *former, *revoked))


def check_room(key: ApiKey, now: float) -> None:
    """Raises Refused where a new certificate could not be registered beside those of `key`."""
    _refuse_third(changed(key), [pin for pin in key.certificates if is_live(pin, now)])


def _refuse_third(key: ApiKey, live: list[CertificatePin]) -> None:
    if len(live) > 1:
        ends = [other.valid_until for other in live if other.valid_until is not None]
        until = f" until {_iso(min(ends))}" if ends else ""
        raise Refused(
            f"key {key.client_id} has two live certificates{until} "
            f"({', '.join(other.serial for other in live)}); wait until then, retire one, or "
            "register without an overlap, which ends both at once"
        )


def retired(key: ApiKey, named: str, now: float) -> ApiKey:
    """`key` with the registration named by its serial or SHA-256 ended; no error where it has."""
    pin = find(key, named)
    if not is_live(pin, now):
        return changed(key)
    return _with(key, pin, replace(pin, valid_until=now))


def revoked(key: ApiKey, named: str, reason: str, now: float) -> ApiKey:
    """`key` with the certificate named revoked for good; no error where it is."""
    pin = find(key, named)
    if pin.revoked_at is not None:
        return changed(key)
    return _with(key, pin, replace(pin, revoked_at=now, revoked_reason=reason))


def find(key: ApiKey, named: str) -> CertificatePin:
    """The registration with this serial or SHA-256, in any usual spelling.

    Raises:
        NotFound: there is none.
        Refused: two issuers gave the same serial, and both certificates are registered.
    """
    wanted = _plain(named)
    found = [pin for pin in key.certificates if wanted in (_plain(pin.serial), _plain(pin.sha256))]
    if not found:
        raise NotFound(f"key {key.client_id} has no certificate {shown(named)}")
    if len(found) > 1:
        raise Refused(
            f"key {key.client_id} has two certificates with the serial {found[0].serial}; name "
            f"one by its SHA-256: {' or '.join(pin.sha256 for pin in found)}"
        )
    return found[0]


def _with(key: ApiKey, before: CertificatePin, after: CertificatePin) -> ApiKey:
    return changed(
        key, certificates=tuple(after if pin is before else pin for pin in key.certificates)
    )


def _plain(text: str) -> str:
    return "".join(c for c in text.upper() if c.isalnum()).lstrip("0")


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
