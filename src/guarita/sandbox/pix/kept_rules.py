"""The rules a bank was last served with, kept in its file: commands that act on the file beside the
server go by the same fee and delays.

What belongs here: writing and reading them. What the rules are is in `rules`.
"""

import json
import sqlite3
from dataclasses import asdict, fields

from guarita.sandbox.pix.rules import Bucket, Rules


def keep(conn: sqlite3.Connection, rules: Rules) -> None:
    """Keep them in place of those kept before. `conn` must be inside a write transaction."""
    conn.execute(
        "INSERT INTO settings (name, value) VALUES ('rules', ?)"
        " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (json.dumps(asdict(rules)),),
    )


def kept(conn: sqlite3.Connection) -> Rules | None:
    """The rules kept, `None` if none are. What a later version added to them is left out.

    Raises `RuntimeError` for what cannot be rules.
    """
    row = conn.execute("SELECT value FROM settings WHERE name = 'rules'").fetchone()
    if row is None:
        return None
    try:
        given = dict(json.loads(row[0]))
        known = {each.name: given[each.name] for each in fields(Rules) if each.name in given}
        buckets = {name: Bucket(**each) for name, each in known.items() if isinstance(each, dict)}
        return Rules(**known | buckets)
    except (TypeError, ValueError) as error:
        raise RuntimeError(f"bank.db holds rules that cannot be used: {error}") from None
