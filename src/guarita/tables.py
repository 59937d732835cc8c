"""Draws a profile: the README's tables of layers and of errors. `python -m guarita.tables
--write|--check FILE`.
"""

import json
import sys
from pathlib import Path

from guarita.profile import Profile, Wording
from guarita.profiles.minhakonta import MINHA_KONTA

BEGIN = "<!-- generated: {} -->"
END = "<!-- end of generated: {} -->"


def layers_table(profile: Profile) -> str:
    """One row per layer in order of its first class, one column per route class: "yes" where the
    class has the layer.
    """
    order: list[str] = []
    summaries: dict[str, str] = {}
    for route_class in profile.classes:
        for layer in route_class.layers:
            if layer.name not in summaries:
                order.append(layer.name)
                summaries[layer.name] = (
                    (type(layer).__doc__ or "").split("\n\n")[0].replace("\n", " ")
                )
    lines = [
        "| layer | " + " | ".join(one.name for one in profile.classes) + " | what it does |",
        "|---|" + "---|" * len(profile.classes) + "---|",
    ]
    for name in order:
        cells = [
            "yes" if any(layer.name == name for layer in one.layers) else "–"
            for one in profile.classes
        ]
        words = " ".join(summaries[name].split())
        lines.append(f"| `{name}` | " + " | ".join(cells) + f" | {words} |")
    return "\n".join(lines)


def classes_table(profile: Profile) -> str:
    """Which request falls into which route class, first match first."""
    lines = ["| request | route class |", "|---|---|"]
    for row in profile.selection:
        methods = ", ".join(sorted(row.methods)) if row.methods else "everything else"
        path = f" `{profile.prefix}{row.path}`" if row.path else ""
        lines.append(f"| {methods}{path} | {row.route_class} |")
    return "\n".join(lines)


def errors_table(profile: Profile) -> str:
    """One row per reason, in the order the layers look."""
    lines = ["| reason | status | body | headers |", "|---|---|---|---|"]
    for reason in profile.reasons():
        wording = profile.wording[reason]
        headers = ", ".join(f"`{name}: {value}`" for name, value in wording.headers.items())
        lines.append(f"| `{reason}` | {wording.status} | {_body(wording)} | {headers} |")
    return "\n".join(lines)


def permissions_table(profile: Profile) -> str:
    """The profile's operations and the permission each takes."""
    lines = ["| method | path | permission |", "|---|---|---|"]
    for row in profile.table.rows:
        lines.append(f"| {row.method} | `{profile.prefix}{row.pattern}` | `{row.permission}` |")
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


def filled(text: str, profile: Profile) -> str:
    """`text` with every generated part replaced. Raises ValueError where a part's marks are
    missing.
    """
    for name, draw in TABLES.items():
        begin, end = BEGIN.format(name), END.format(name)
        if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
            raise ValueError(f"the marks {begin} and {end} must each stand once, in this order")
        head, _, rest = text.partition(begin)
        _, _, tail = rest.partition(end)
        text = f"{head}{begin}\n{draw(profile)}\n{end}{tail}"
    return text


def main(arguments: list[str]) -> int:
    """Write the tables into a file, or check that they are there as generated. Exit status 0, 1
    (drift), 2 (usage).
    """
    if len(arguments) != 2 or arguments[0] not in {"--write", "--check"}:
        print("usage: python -m guarita.tables --write|--check FILE", file=sys.stderr)
        return 2
    path = Path(arguments[1])
    before = path.read_text(encoding="utf-8")
    after = filled(before, MINHA_KONTA)
    if arguments[0] == "--write":
        path.write_text(after, encoding="utf-8")
    elif before != after:
        print(f"{path}: generated tables differ from the profile; run `make docs`", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
