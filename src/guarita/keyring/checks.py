"""Validation of every value an operator can give: returns the value as it is to be kept, or raises
`BadValue` saying what is wrong and what would be right."""

import math
import re
from collections.abc import Collection, Iterable
from difflib import get_close_matches
from typing import TypeVar

from guarita.addresses import BadEntry, parse_entry
from guarita.keyring.errors import BadValue, looks_secret, shown
from guarita.records import CertificateMode, CertificatePin

T = TypeVar("T")

SIGNATURE_FORMS = frozenset({"raw", "canonical"})

_PERMISSION = re.compile(r"[a-z][a-z0-9_]*:[a-z][a-z0-9_]*")
_PROFILE = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_LONGEST_TEXT = 200
_LONGEST_SUBJECT = 2_000
_YEAR_10000 = 253_402_300_800.0
_SERIAL = re.compile(r"-?(?:[0-9A-F]{2}){1,64}")
_SHA256 = re.compile(r"(?:[0-9A-F]{2}:){31}[0-9A-F]{2}")
_SPELLED = re.compile(r"[:\s]")


def text(value: object, what: str, *, may_be_empty: bool = False) -> str:
    """A line of text for people: a name, a label, the reason of a block."""
    if not isinstance(value, str):
        raise BadValue(f"{what} must be text, not {type(value).__name__}")
    if looks_secret(value):
        raise BadValue(
            f"{what} looks like it contains a client_secret or an API key, which is kept nowhere"
        )
    if not value.isprintable():
        raise BadValue(f"{what} must be one line of printable characters")
    if not value.strip() and not may_be_empty:
        raise BadValue(f"{what} must not be empty")
    if value != value.strip():
        raise BadValue(
            f"{what} begins or ends with blanks; write {shown(value.strip())}", value.strip()
        )
    if len(value) > _LONGEST_TEXT:
        raise BadValue(f"{what} has {len(value)} characters; at most {_LONGEST_TEXT} are kept")
    return value


def profile(value: object) -> str:
    """The name of a profile; whether it exists is known to whoever loads profiles."""
    if not isinstance(value, str) or not _PROFILE.fullmatch(value):
        raise BadValue(f"{shown(value)} is not a profile's name; one is 'minhakonta'", "minhakonta")
    return value


def permissions(names: Iterable[str], known: Collection[str] | None) -> frozenset[str]:
    """Permission names (seed L458-471), each in `known`; any "noun:verb" where `known` is None."""
    return frozenset([_permission(name, known) for name in several(names, "permissions")])


def _permission(name: object, known: Collection[str] | None) -> str:
    if isinstance(name, str) and (_PERMISSION.fullmatch(name) if known is None else name in known):
        return name
    if known is None:
        raise BadValue(f"{shown(name)} is not a permission's name; one is 'transfer:write'")
    near = get_close_matches(str(name).strip().lower(), sorted(known), n=1)
    if near:
        raise BadValue(f"there is no permission {shown(name)}; the nearest is {near[0]!r}", near[0])
    choice = f"there are {', '.join(sorted(known))}" if known else "there are none to choose from"
    raise BadValue(f"there is no permission {shown(name)}; {choice}")


def addresses(entries: Iterable[str], *, unsafe_any: bool = False) -> list[str]:
    """Allowlist entries in canonical form (seed L107-110)."""
    return [_address(entry, unsafe_any) for entry in several(entries, "allowlist entries")]


def _address(entry: object, unsafe_any: bool) -> str:
    if not isinstance(entry, str):
        raise BadValue(f"an allowlist entry must be text, not {type(entry).__name__}")
    try:
        return parse_entry(entry, unsafe_any=unsafe_any)
    except BadEntry as bad:
        raise BadValue(str(bad), bad.suggestion) from None


def several(values: Iterable[T], what: str) -> list[T]:
    """A list of values: a bare string would be taken apart into its characters."""
    if isinstance(values, str):
        raise BadValue(f"{what} must be a list of names, not one text; write [{shown(values)}]")
    return list(values)


def expiry(at: object, now: float) -> float | None:
    """When a key ends, in Unix seconds, later than `now`; None = never (seed L65)."""
    if at is None:
        return None
    if isinstance(at, bool) or not isinstance(at, int | float) or not math.isfinite(at):
        raise BadValue(f"expires_at must be a number of Unix seconds or None, not {shown(at)}")
    if at >= _YEAR_10000:
        raise BadValue(
            f"expires_at {at:g} lies beyond the year 9999; it is in seconds, not in milliseconds",
            f"{at / 1000:.0f}",
        )
    if at <= now:
        raise BadValue(
            f"expires_at {at:.0f} is in the past (it is {now:.0f} now); "
            "to end a key at once, deactivate or revoke it"
        )
    return float(at)


def overlap_end(at: object, now: float) -> float | None:
    """When a former certificate ends, in Unix seconds, later than `now`; None = at once."""
    if at is None:
        return None
    if isinstance(at, bool) or not isinstance(at, int | float) or not now < at < _YEAR_10000:
        raise BadValue(
            f"overlap_until must be a time in the future in Unix seconds (it is {now:.0f} now), "
            f"or None to end the former certificate at once, not {shown(at)}"
        )
    return float(at)


def certificate_mode(mode: object) -> CertificateMode:
    """What a key demands of a client certificate; "unsafe-off" is accepted for "unsafe_off"."""
    if isinstance(mode, str):
        try:
            return CertificateMode(mode.replace("-", "_"))
        except ValueError:
            pass
    modes = [str(one) for one in CertificateMode]
    near = get_close_matches(str(mode).strip().lower(), modes, n=1)
    raise BadValue(
        f"{shown(mode)} is no certificate mode; there are {', '.join(modes)}",
        near[0] if near else None,
    )


def pin(given: CertificatePin, now: float) -> CertificatePin:
    """A certificate to register, spelled as openssl prints it, that has not ended at `now`."""
    serial, sha256 = _SPELLED.sub("", given.serial).upper(), _SPELLED.sub("", given.sha256).upper()
    if not _SERIAL.fullmatch(given.serial):
        even = serial.zfill(len(serial) + len(serial) % 2)
        near = even if _SERIAL.fullmatch(even) else None
        raise BadValue(
            f"a certificate's serial is pairs of upper-case hexadecimal digits, as `openssl x509 "
            f"-serial` prints it, not {shown(given.serial)}",
            near,
        )
    if not _SHA256.fullmatch(given.sha256):
        near = ":".join(re.findall("..", sha256))
        raise BadValue(
            "a certificate's SHA-256 is 32 pairs of upper-case hexadecimal digits with colons, as "
            f"`openssl x509 -fingerprint -sha256` prints it, not {shown(given.sha256)}",
            near if _SHA256.fullmatch(near) else None,
        )
    if len(given.subject) > _LONGEST_SUBJECT:
        raise BadValue(f"a certificate's subject has at most {_LONGEST_SUBJECT} characters")
    if given.not_after and not now < given.not_after:
        raise BadValue(
            f"certificate {given.serial} has expired already (it ended at {given.not_after:.0f}, "
            f"it is {now:.0f} now)"
        )
    if given.not_after and given.not_before >= given.not_after:
        raise BadValue(f"certificate {given.serial} ends before it begins")
    if given.revoked_at is not None:
        raise BadValue(f"certificate {given.serial} is revoked")
    if given.valid_until is not None and not now < given.valid_until:
        raise BadValue(f"the registration of certificate {given.serial} would have ended already")
    return given


def overlap(seconds: object) -> int:
    """How long the former secret stays valid in a rotation: whole seconds, 0 = not at all."""
    if isinstance(seconds, bool) or not isinstance(seconds, int) or seconds < 0:
        raise BadValue(f"overlap_s must be a whole number of seconds from 0, not {shown(seconds)}")
    if seconds >= _YEAR_10000:
        raise BadValue(f"overlap_s {seconds} is longer than any key lives; a day is 86400")
    return seconds


def signature_forms(forms: Iterable[str] | None) -> frozenset[str] | None:
    """The signature forms a key is narrowed to; None = those of its profile."""
    if forms is None:
        return None
    chosen = frozenset(several(forms, "signature_forms"))
    if not chosen or not chosen <= SIGNATURE_FORMS:
        raise BadValue(
            "signature_forms must be 'raw', 'canonical' or both, or None (the profile's)"
        )
    return chosen
