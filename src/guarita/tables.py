"""Draws the profiles: tables of layers, errors and more in the documentation, each between two
marks that name profile and table. `python -m guarita.tables --write|--check FILE...`.
"""

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from guarita.pipeline import Layer
from guarita.profile import Profile, Wording
from guarita.profiles.delfinance import PRODUCTION, UNSAFE_NO_CERTIFICATE_NO_ALLOWLIST
from guarita.profiles.minhakonta import MINHA_KONTA

BEGIN = "<!-- generated: {} -->"
END = "<!-- end of generated: {} -->"
_MARK = re.compile("<!-- (?:end of )?generated: (.*?) -->")


class Drawn(Struct, frozen=True):
    """A profile as it is drawn.

    Attributes:
        profile: whose reasons, wording and operations are listed.
        columns: the columns of the table of layers: a name, and the layers that get a "yes".
    """

    profile: Profile
    columns: Mapping[str, tuple[Layer, ...]]


DRAWN = {
    "minhakonta": Drawn(MINHA_KONTA, {one.name: one.layers for one in MINHA_KONTA.classes}),
    "delfinance": Drawn(  # one route class; what differs is the environment
        PRODUCTION,
        {
            "production": PRODUCTION.classes[0].layers,
            "homologation": UNSAFE_NO_CERTIFICATE_NO_ALLOWLIST.classes[0].layers,
        },
    ),
}


def layers_table(drawn: Drawn) -> str:
    """One row per layer in the order of the columns, and what the layer's docstring says of it."""
    every = [layer for layers in drawn.columns.values() for layer in layers]
    summaries: dict[str, str] = {}
    for layer in every:
        first = (type(layer).__doc__ or "").split("\n\n")[0]
        summaries.setdefault(layer.name, " ".join(first.split()))
    lines = [
        "| layer | " + " | ".join(drawn.columns) + " | what it does |",
        "|---|" + "---|" * len(drawn.columns) + "---|",
    ]
    for name, words in summaries.items():
        cells = [
            "yes" if any(layer.name == name for layer in layers) else "–"
            for layers in drawn.columns.values()
        ]
        lines.append(f"| `{name}` | " + " | ".join(cells) + f" | {words} |")
    return "\n".join(lines)


def classes_table(drawn: Drawn) -> str:
    """Which request falls into which route class, first match first."""
    lines = ["| request | route class |", "|---|---|"]
    for row in drawn.profile.selection:
        methods = ", ".join(sorted(row.methods)) if row.methods else "everything else"
        path = f" `{drawn.profile.prefix}{row.path}`" if row.path else ""
        lines.append(f"| {methods}{path} | {row.route_class} |")
    return "\n".join(lines)


def errors_table(drawn: Drawn) -> str:
    """One row per reason, in the order the layers look."""
    lines = ["| reason | status | body | headers |", "|---|---|---|---|"]
    for reason in drawn.profile.reasons():
        wording = drawn.profile.wording[reason]
        headers = ", ".join(f"`{name}: {value}`" for name, value in wording.headers.items())
        lines.append(f"| `{reason}` | {wording.status} | {_body(wording)} | {headers} |")
    return "\n".join(lines)


def permissions_table(drawn: Drawn) -> str:
    """The profile's operations and the permission each takes."""
    lines = ["| method | path | permission |", "|---|---|---|"]
    for row in drawn.profile.table.rows:
        path = f"{drawn.profile.prefix}{row.pattern}"
        lines.append(f"| {row.method} | `{path}` | `{row.permission}` |")
    return "\n".join(lines)


def _body(wording: Wording) -> str:
    text = json.dumps(wording.body, ensure_ascii=False, separators=(",", ":"))
    return f"`{text}`"


TABLES = {
    "route classes": classes_table,
    "layers": layers_table,
    "errors": errors_table,
    "permissions": permissions_table,
}


def draw(name: str) -> str:
    """The table a mark names, such as "delfinance layers". Raises ValueError for another name."""
    profile, _, table = name.partition(" ")
    if profile not in DRAWN or table not in TABLES:
        raise ValueError(
            f'there is no table "{name}": a mark names one of {", ".join(DRAWN)}, '
            f"then one of {', '.join(TABLES)}"
        )
    return TABLES[table](DRAWN[profile])


def names(text: str) -> list[str]:
    """The tables that have marks in `text`, in its order."""
    return list(dict.fromkeys(_MARK.findall(text)))


def filled(text: str) -> str:
    """`text` with everything between marks drawn anew. Raises ValueError where it has no marks,
    where those of a table do not stand once each and in order, and where one names no table.
    """
    found = names(text)
    if not found:
        raise ValueError(f"there are no marks such as {BEGIN.format('minhakonta layers')}")
    for name in found:
        begin, end = BEGIN.format(name), END.format(name)
        if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
            raise ValueError(f"the marks {begin} and {end} must each stand once, in this order")
        head, _, rest = text.partition(begin)
        between, _, tail = rest.partition(end)
        if _MARK.search(between):
            raise ValueError(f"there is another mark between {begin} and {end}")
        text = f"{head}{begin}\n{draw(name)}\n{end}{tail}"
    return text


def main(arguments: list[str]) -> int:
    """Write the tables into files, or check that they are there as generated. Exit status 0, 1
    (drift, or wrong marks), 2 (usage).
    """
    if len(arguments) < 2 or arguments[0] not in {"--write", "--check"}:
        print("usage: python -m guarita.tables --write|--check FILE...", file=sys.stderr)
        return 2
    status = 0
    for path in map(Path, arguments[1:]):
        before = path.read_text(encoding="utf-8")
        try:
            after = filled(before)
        except ValueError as error:
            print(f"{path}: {error}", file=sys.stderr)
            status = 1
            continue
        if arguments[0] == "--write":
            path.write_text(after, encoding="utf-8")
        elif before != after:
            print(
                f"{path}: generated tables differ from the profile; run `make docs`",
                file=sys.stderr,
            )
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
