"""How a registered client certificate is shown, as JSON and as text, and when it is warned of."""

from typing import Any

from guarita.cli.output import iso
from guarita.keyring.pins import is_live
from guarita.records import CertificatePin

DAY_S = 86_400
WARN_DAYS = (1, 7, 30)
"""Days to expiry at which a warning begins, the most urgent first."""


def document(pin: CertificatePin, now: float) -> dict[str, Any]:
    """A certificate as JSON members; times are ISO 8601 in UTC."""
    return {
        "serial": pin.serial,
        "sha256": pin.sha256,
        "subject": pin.subject,
        "state": state(pin, now),
        "not_before": iso(pin.not_before or None),
        "not_after": iso(pin.not_after or None),
        "days_to_expiry": days_left(pin, now),
        "warning": warning(pin, now),
        "valid_until": iso(pin.valid_until),
        "revoked_at": iso(pin.revoked_at),
        "revoked_reason": pin.revoked_reason,
    }


def state(pin: CertificatePin, now: float) -> str:
    """One word: what the registration is worth at `now`."""
    if pin.revoked_at is not None:
        return "revoked"
    if pin.not_after and now >= pin.not_after:
        return "expired"
    if not is_live(pin, now):
        return "ended"
    return "not_yet_valid" if now < pin.not_before else "live"


def days_left(pin: CertificatePin, now: float) -> int | None:
    """Whole days until the certificate expires, negative afterwards; None where it is unknown."""
    return int((pin.not_after - now) // DAY_S) if pin.not_after else None


def warning(pin: CertificatePin, now: float) -> str | None:
    """What is to be said about a live certificate that expires soon."""
    if not pin.not_after or state(pin, now) not in ("live", "not_yet_valid"):
        return None
    return next(
        (
            f"expires in less than {'a day' if days == 1 else f'{days} days'}"
            for days in WARN_DAYS
            if pin.not_after - now < days * DAY_S
        ),
        None,
    )


def line(pin: CertificatePin, now: float) -> str:
    """A certificate in one line for a person."""
    days = days_left(pin, now)
    parts = [pin.serial, state(pin, now)]
    if pin.revoked_at is not None:
        parts.append(f"since {iso(pin.revoked_at)} ({pin.revoked_reason or 'no reason given'})")
    elif pin.valid_until is not None:
        parts.append(f"registered until {iso(pin.valid_until)}")
    if days is not None:
        parts.append(f"expires {iso(pin.not_after)} ({days} days)")
    if said := warning(pin, now):
        parts.append(said.upper())
    return ", ".join([*parts, pin.subject]) if pin.subject else ", ".join(parts)
