"""`guarita explain`: one decision of the gate in words, from the decision log."""

import time
from pathlib import Path

import msgspec

from guarita.cli.output import OK, RefusedError, emit
from guarita.cli.settings import DECISIONS, current
from guarita.decision_log import Entry, find
from guarita.decision_log import explain as in_words

WITHIN_S = 1.5
"""How long to wait for a decision that has just been made: servers write the log in batches, at
least once a second."""
_EVERY_S = 0.1


def explain(ray_id: str, /) -> int:
    """Say what was decided on a request, which layer decided it, what it saw, and what to do.

    Callers only ever get the terse message of the API; this is for whoever runs the gate. Secrets
    are never in the log.

    Parameters
    ----------
    ray_id
        The value of the response's Ray-ID header.
    """
    settings = current()
    entries = _find(settings.data / DECISIONS, ray_id)
    if not entries:
        raise RefusedError(
            f"there is no decision with the Ray-ID {ray_id!r} in {settings.data};"
            " it may have been made with another data folder, or be too old"
        )
    *earlier, last = map(in_words, entries)  # a trusted proxy may repeat a Ray-ID
    document = msgspec.to_builtins(last) | {"earlier": msgspec.to_builtins(earlier)}
    text = "\n".join(one.text() for one in (*earlier, last)).rstrip("\n")
    emit(settings.json, document, text)
    return OK


def _find(path: Path, ray_id: str) -> list[Entry]:
    deadline = time.monotonic() + WITHIN_S
    while not (entries := find(path, ray_id)) and time.monotonic() < deadline:
        time.sleep(_EVERY_S)
    return entries
