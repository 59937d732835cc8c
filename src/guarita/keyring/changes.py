"""What each change makes of a key's record: pure functions from record to record.

The state rules in one place:
- active ⇄ inactive (`deactivate`, `activate`); active → blocked → active (`block`, `unblock`).
- Any state → revoked, which is final: a revoked key is never changed again.
- An inactive key is not blocked, so that `unblock` cannot switch on what somebody had switched off.
- Asking for the state a key already has changes nothing and is no error, except `unblock`: lifting
  a block that does not exist is a mistake somebody should see.
"""

from datetime import UTC, datetime
from typing import Any

from msgspec.structs import replace

from guarita.keyring.errors import Refused
from guarita.records import ApiKey, KeyStatus, SecretHash


def changed(key: ApiKey, **fields: Any) -> ApiKey:
    """`key` with other `fields`. Raises Refused where it is revoked."""
    if key.status is KeyStatus.REVOKED:
        raise Refused(f"key {key.client_id} is revoked, which is final; create a new key")
    return replace(key, **fields)


def activated(key: ApiKey) -> ApiKey:
    if key.status is KeyStatus.BLOCKED:
        raise Refused(f"key {key.client_id} is blocked ({key.blocked_reason}); unblock it instead")
    return changed(key, status=KeyStatus.ACTIVE)


def deactivated(key: ApiKey) -> ApiKey:
    if key.status is KeyStatus.BLOCKED:
        raise Refused(
            f"key {key.client_id} is blocked ({key.blocked_reason}) and admits nobody already; "
            "unblock it first, or revoke it"
        )
    return changed(key, status=KeyStatus.INACTIVE)


def revoked(key: ApiKey) -> ApiKey:
    return replace(key, status=KeyStatus.REVOKED, blocked_reason=None)


def blocked(key: ApiKey, reason: str) -> ApiKey:
    """Blocking a blocked key replaces the reason."""
    if key.status is KeyStatus.INACTIVE:
        raise Refused(
            f"key {key.client_id} is inactive and admits nobody already; "
            "activate it first, or revoke it"
        )
    return changed(key, status=KeyStatus.BLOCKED, blocked_reason=reason)


def unblocked(key: ApiKey) -> ApiKey:
    if key.status in (KeyStatus.ACTIVE, KeyStatus.INACTIVE):
        raise Refused(f"key {key.client_id} is {key.status}, not blocked")
    return changed(key, status=KeyStatus.ACTIVE, blocked_reason=None)


def rotated(key: ApiKey, digest: bytes, now: float, overlap_s: int) -> ApiKey:
    """`key` with the secret that hashes to `digest`; the former one ends `overlap_s` after `now`.

    Never more than two secrets are valid: while a former one still is, only `overlap_s` 0, which
    ends all former ones at once, is accepted.
    """
    new = SecretHash(digest)
    if overlap_s == 0:
        return changed(key, secrets=(new,))
    live = [s for s in key.secrets if s.valid_until is None or s.valid_until > now]
    if len(live) > 1:
        ends = min(s.valid_until for s in live if s.valid_until is not None)
        raise Refused(
            f"key {key.client_id} has two valid secrets until {_iso(ends)}; "
            "wait until then, or rotate with overlap 0, which ends both at once"
        )
    former = tuple(replace(s, valid_until=now + overlap_s) for s in live)
    return changed(key, secrets=(new, *former))


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
