"""Times as the bank writes them: ISO 8601 UTC to the second for callers, milliseconds for its own
deadlines.
"""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def iso(at: datetime) -> str:
    """An aware time as `2026-05-01T12:00:30Z` (fact sheet §2)."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def milliseconds(at: datetime) -> int:
    """An aware time as milliseconds since 1970, begun ones not counted: so it never tells a later
    second, or day, than `iso` does.
    """
    return (at - _EPOCH) // _MILLISECOND


def from_milliseconds(value: int) -> datetime:
    """The aware time in UTC, to the millisecond."""
    return _EPOCH + value * _MILLISECOND
