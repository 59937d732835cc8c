"""`guarita migrate`: the data folder's database brought up to date, without serving anything."""

from pathlib import Path

from guarita.cli.output import OK, emit
from guarita.cli.settings import DATABASE, current


def migrate() -> int:
    """Create the data folder if it is missing and apply the migrations its database lacks.

    Every other command does the same on opening the folder. Safe while servers run: of several
    processes that migrate at once, one does the work.
    """
    settings = current()
    database = settings.data / DATABASE
    before = _applied(database)
    with settings.folder(create=True):
        applied = [name for name in _applied(database) if name not in before]
    text = "\n".join(f"applied {name}" for name in applied) or "Nothing to do: up to date."
    emit(settings.json, {"data": str(settings.data.resolve()), "applied": applied}, text)
    return OK


def _applied(database: Path) -> list[str]:
    """Names of the migrations applied so far, in their order."""
    if not database.exists():
        return []
    from guarita.stores.sqlite.database import connect, outages

    conn = connect(database)
    try:
        with outages():
            if not conn.execute(
                "SELECT 1 FROM sqlite_schema WHERE name = 'schema_migration'"
            ).fetchone():
                return []
            rows = conn.execute("SELECT name FROM schema_migration ORDER BY version")
            return [name for (name,) in rows]
    finally:
        conn.close()
