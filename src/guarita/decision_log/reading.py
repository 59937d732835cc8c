"""Finds entries in a decision log, whether or not a server is writing it. Read-only."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from msgspec import Struct

from guarita.decision_log.entry import LONGEST_RAY, Entry, Outcome, decode_entry
from guarita.decision_log.file import open_to_read


class Loss(Struct, frozen=True):
    """Decisions that were never written: how many `entries`, of requests that arrived from `since`
    to `until` (Unix s).
    """

    since: float
    until: float
    entries: int


def find(path: Path, ray: str) -> list[Entry]:
    """The decisions on the requests that carried this Ray ID, oldest first; a trusted proxy may
    repeat one.

    A decision is here within a second of being made. Raises `LogUnavailable` where there is no log.
    """
    with closing(open_to_read(path)) as db:
        rows = db.execute(
            "SELECT entry FROM decisions WHERE ray = ? ORDER BY at", [ray[:LONGEST_RAY]]
        )
        return [decode_entry(row[0]) for row in rows]


def recent(
    path: Path, *, decision: Outcome | None = None, client_id: str | None = None, limit: int = 50
) -> list[Entry]:
    """The newest decisions, newest first; of one kind, or of one key (a wrong secret presented for
    it included).

    Raises `LogUnavailable` where there is no log.
    """
    found: list[Entry] = []
    with closing(open_to_read(path)) as db:
        rows: Iterator[tuple[bytes]] = db.execute("SELECT entry FROM decisions ORDER BY at DESC")
        for row in rows:
            if len(found) >= limit:
                break
            entry = decode_entry(row[0])
            if decision is not None and entry.decision != decision:
                continue
            if client_id is not None and not _concerns(entry, client_id):
                continue
            found.append(entry)
    return found


def lost(path: Path) -> list[Loss]:
    """The times in which decisions were not written because the disk was away, oldest first.

    Raises `LogUnavailable` where there is no log.
    """
    with closing(open_to_read(path)) as db:
        rows = db.execute("SELECT since, until, entries FROM losses ORDER BY since")
        return [Loss(*row) for row in rows]


def _concerns(entry: Entry, client_id: str) -> bool:
    if entry.client_id is not None:
        return entry.client_id == client_id
    seen = dict(entry.saw).get("api_key")
    return isinstance(seen, list) and client_id in seen
