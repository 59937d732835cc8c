"""Draws the tables of docs/sandbox.md from the bank's own definitions, each between two marks as in
the pages of `guarita.tables`. `python -m tests.docs.sandbox_tables` writes them into the page.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any

from guarita.sandbox.api.bodies import Body, Member
from guarita.sandbox.api.composites import Items, Record
from guarita.sandbox.api.endpoints import ENDPOINTS
from guarita.sandbox.api.events import schema
from guarita.sandbox.api.fields import Field, Named, Positive, Text
from guarita.sandbox.pix import scenarios
from guarita.sandbox.pix.reasons import RETURN_REASONS
from guarita.sandbox.webhooks.event_types import EVENT_TYPES
from guarita.tables import BEGIN, END, names
from tests.docs.examples import ROOT

PAGE = ROOT / "docs" / "sandbox.md"
_SHOWN = 90
_IN_EVERY_EVENT = ("event_type", "status", "account_id", "entity_id")


def endpoints() -> str:
    """One row per operation."""
    lines = ["| method | path | permission | | refused with |", "|---|---|---|---|---|"]
    for one in ENDPOINTS:
        refusals = [
            f"{status} `{text}`" for status, texts in one.refusals.items() for text in texts
        ]
        lines.append(
            f"| {one.method} | `{one.path}` | `{one.permission}` | {one.summary} |"
            f" {', '.join(refusals) or '–'} |"
        )
    return "\n".join(lines)


def members() -> str:
    """One row per member of a body and per parameter of a query."""
    lines = ["| where | member | required | kind | |", "|---|---|---|---|---|"]
    for where, member in _members():
        required = "yes" if member.required else "no"
        text = member.text
        if member.default is not None:
            text += f" Default: `{json.dumps(member.default, ensure_ascii=False)}`."
        if member.aliases:
            text += f" Also: {', '.join(f'`{alias}`' for alias in member.aliases)}."
        row = (where, f"`{member.name}`", required, _kind(member.field), text)
        lines.append("| " + " | ".join(row) + " |")
    return "\n".join(lines)


def _members() -> Iterator[tuple[str, Member]]:
    for one in ENDPOINTS:
        bodies: list[tuple[str, Any]] = [("", one.query or one.body)]
        if one.body is not None and not isinstance(one.body, Body):
            bodies = [(" (key)", one.body.usual), (" (QR code)", one.body.special)]
        for note, body in bodies:
            for member in body.members if body is not None else ():
                yield f"{one.method} `{one.path}`{note}", member


def _kind(field: Field) -> str:
    """What a field takes, in words."""
    if isinstance(field, Positive):
        return f"integer, 1 to {field.maximum}"
    if isinstance(field, Text):
        said = ["string"]
        if field.maximum is not None:
            said.append(f"{_range(field.minimum, field.maximum)} characters")
        elif field.minimum:
            said.append("not empty")
        if field.pattern is not None:
            said.append(field.pattern.wording.removeprefix("must ").replace("be ", "", 1))
        return ", ".join(said)
    if isinstance(field, Named):
        return "names of the table of events"
    if isinstance(field, Record):
        return "objects of " + ", ".join(f"`{name}`" for name in field.members)
    if isinstance(field, Items):
        return f"array, {_range(field.minimum, field.maximum)}: {_kind(field.item)}"
    found = field.schema()
    if "enum" in found:
        return ", ".join(f"`{value}`" for value in found["enum"])
    return str(found.get("format") or found.get("type", "string"))


def _range(minimum: int, maximum: int) -> str:
    return f"{minimum} to {maximum}" if minimum else f"at most {maximum}"


def examples() -> str:
    """For each operation a request's body, where it has one, and its answers. A transaction or
    charge is written out once.
    """
    parts = []
    shown: list[dict[str, Any]] = []
    for one in ENDPOINTS:
        lines = [f"{one.method} `{one.path}`", "", "```text"]
        if one.body is not None:
            bodies = (
                [one.body] if isinstance(one.body, Body) else [one.body.usual, one.body.special]
            )
            lines += [f"→ {_compact(body.example)}" for body in bodies]
        lines += [
            f"{answer.status} {_compact(_abridged(each, shown))}"
            for answer in one.answers
            for each in (answer.example, *answer.others)
        ]
        parts.append("\n".join([*lines, "```"]))
    return "\n\n".join(parts)


def _abridged(value: Any, shown: list[dict[str, Any]]) -> Any:
    """`value` with what an object has in common with one that was `shown` left out."""
    if isinstance(value, list):
        return [_abridged(each, shown) for each in value]
    if not isinstance(value, dict) or "id" not in value or "type" not in value:
        if isinstance(value, dict):
            return {name: _abridged(each, shown) for name, each in value.items()}
        return value
    for each in shown:
        if each.items() <= value.items():
            more = {name: part for name, part in value.items() if name not in each}
            return {"id": value["id"], "…": "as above"} | more
    shown.append(value)
    return value


def _compact(value: Any) -> str:
    return json.dumps(_short(value), ensure_ascii=False, separators=(",", ":"))


def _short(value: Any) -> Any:
    """`value` with long texts cut."""
    if isinstance(value, str) and len(value) > _SHOWN:
        return value[:_SHOWN] + "…"
    if isinstance(value, list):
        return [_short(each) for each in value]
    if hasattr(value, "items"):
        return {name: _short(each) for name, each in value.items()}
    return value


def events() -> str:
    """One row per webhook event."""
    lines = ["| event | `status` | money settled | | members |", "|---|---|---|---|---|"]
    settled = {True: "yes", False: "no", None: "–"}
    for one in EVENT_TYPES.values():
        statuses = ", ".join(f"`{status}`" for status in one.statuses)
        remark = one.remark if one.sent else f"{one.remark}; never sent yet"
        members = [f"`{name}`" for name in schema(one)["properties"] if name not in _IN_EVERY_EVENT]
        row = (f"`{one.name}`", statuses, settled[one.settled], remark, ", ".join(members) or "–")
        lines.append("| " + " | ".join(row) + " |")
    return "\n".join(lines)


def return_reasons() -> str:
    """One row per code of money given back."""
    lines = ["| code | meaning |", "|---|---|"]
    rows = (f"| `{code}` | {meaning} |" for code, meaning in RETURN_REASONS.items())
    return "\n".join([*lines, *rows])


TABLES: dict[str, Callable[[], str]] = {
    "sandbox endpoints": endpoints,
    "sandbox members": members,
    "sandbox examples": examples,
    "sandbox scenarios": scenarios.markdown,
    "sandbox events": events,
    "sandbox return reasons": return_reasons,
}


def filled(text: str) -> str:
    """`text` with everything between marks drawn anew. Every table must have its marks, once."""
    assert sorted(names(text)) == sorted(TABLES)
    for name, draw in TABLES.items():
        begin, end = BEGIN.format(name), END.format(name)
        assert text.count(begin) == text.count(end) == 1, name
        head, _, rest = text.partition(begin)
        text = f"{head}{begin}\n{draw()}\n{end}{rest.partition(end)[2]}"
    return text


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text("utf-8")), "utf-8")
