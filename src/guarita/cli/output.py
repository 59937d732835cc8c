"""What the command line prints, and which exit status an error means.

Results go to standard output, as one JSON document or as text for a person; everything else goes to
standard error. Text that came from outside is made harmless for a terminal first.
"""

import json
import os
import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from io import TextIOWrapper
from typing import Any

OK, REFUSED, MISUSED, INTERRUPTED = 0, 1, 2, 130
"""Exit statuses. 130 is the shell's own for SIGINT."""

_SECRET = re.compile(r"(sk_|(?<![0-9A-Za-z])dk_)[0-9A-Za-z_-]{4,}")


class RefusedError(Exception):
    """A rule forbids what was asked for: exit status 1. The message says why."""


class MisuseError(Exception):
    """The command line is wrong: exit status 2. The message says what would be right."""


def status_of(error: Exception) -> int | None:
    """The exit status of an error a user can do something about; None for a bug."""
    if isinstance(error, RefusedError):
        return REFUSED
    if isinstance(error, MisuseError):
        return MISUSED
    # Imported only now: most commands end without an error, and not all of them touch a store.
    from guarita.addresses import BadEntry
    from guarita.asks import Outage
    from guarita.data_folder import DataFolderError
    from guarita.decision_log import LogUnavailable
    from guarita.keyring.errors import KeyringError
    from guarita.stores.sqlite.database import SchemaTooNew

    refusals = (
        KeyringError,
        DataFolderError,
        LogUnavailable,
        BadEntry,
        Outage,
        SchemaTooNew,
        OSError,
    )
    if isinstance(error, refusals):
        return REFUSED
    return None


def emit(as_json: bool, document: Any, text: str) -> None:
    """Print a result: `document` as JSON, or `text`."""
    if as_json:
        say(json.dumps(document, separators=(",", ":")))
    else:
        say(text)


def say(text: str) -> None:
    """Print to standard output, at once: a program may be waiting for the line."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal that is not UTF-8
    print(text, flush=True)


def note(message: str) -> None:
    """Print a message to standard error. What looks like a client secret or an API key is left
    out."""
    lines = _SECRET.sub(r"\1…", message).split("\n")
    print("guarita:", "\n".join(map(harmless, lines)), file=sys.stderr, flush=True)


def leave_stdout() -> None:
    """After a broken pipe: keep the interpreter's own flush at exit from failing as well."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):  # standard output is no file (a test's buffer)
        return


def iso(at: float | None) -> str | None:
    """Unix seconds as ISO 8601 in UTC, "2026-01-31T12:00:00Z"; fractions where there are any."""
    if at is None:
        return None
    moment = datetime.fromtimestamp(at, UTC)
    precision = "milliseconds" if moment.microsecond >= 1000 else "seconds"
    return moment.isoformat(timespec=precision).replace("+00:00", "Z")


def unix(text: str) -> float:
    """An ISO 8601 time as Unix seconds; UTC unless the text says otherwise.

    Raises:
        MisuseError: not a time.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise MisuseError(
            f"{text!r} is not an ISO 8601 time; write it as 2027-01-31T12:00:00Z"
        ) from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def harmless(text: object) -> str:
    """`text` without what would steer a terminal or hide characters: those are shown as escapes."""
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode()
        for c in str(text)
    )


def table(columns: Sequence[str], rows: Sequence[Sequence[object]], empty: str) -> str:
    """Aligned columns under their headings; `empty` where there is no row."""
    if not rows:
        return empty
    cells = [[_cell(value) for value in row] for row in rows]
    lines = [[column.upper() for column in columns], *cells]
    widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def fields(pairs: Sequence[tuple[str, object]]) -> str:
    """One aligned "name  value" line each; a list takes one line per item."""
    width = max(len(name) for name, _ in pairs)
    lines = []
    for name, value in pairs:
        items = list(value) if isinstance(value, list | tuple) else [value]
        for number, item in enumerate(items or [None]):
            lines.append(f"{name if number == 0 else '':{width}}  {_cell(item)}".rstrip())
    return "\n".join(lines)


def _cell(value: object) -> str:
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return harmless(value)
