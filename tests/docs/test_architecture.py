"""docs/architecture.md draws the map of modules: no import points downwards in it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.docs.examples import ROOT

PACKAGE = ROOT / "src" / "guarita"
ROW = re.compile(r"^\| (`[a-z_`/, ]+) \|", re.MULTILINE)


def rows(part: str = "The map") -> dict[str, int]:
    """Module or package directly below `guarita` (below `guarita.sandbox`, in its part of the page)
    → its row in the map, from the top."""
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    map_part = text.partition(f"## {part}\n")[2].partition("\n## ")[0]
    return {
        name.rstrip("/"): number
        for number, row in enumerate(ROW.findall(map_part))
        for name in re.findall(r"`([a-z_/]+)`", row)
    }


def imported(path: Path) -> Iterator[str]:
    """The parts of `guarita` that a file imports when it is imported, type checkers' imports left
    out."""
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("guarita."):
            yield str(node.module).split(".")[1]


def part_of(path: Path) -> str:
    """The module or package directly below `guarita` that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def test_the_map_names_every_part() -> None:
    parts = {part_of(path) for path in PACKAGE.rglob("*.py")} - {"__init__"}
    assert parts == rows().keys()


def test_imports_point_upwards() -> None:
    row = rows()
    downwards = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if part_of(path) != "__init__"
        for name in imported(path)
        if row[name] > row[part_of(path)]
    ]
    assert not downwards


def test_the_sandbox_imports_nothing_of_the_rest() -> None:
    imports = {name for path in (PACKAGE / "sandbox").rglob("*.py") for name in imported(path)}
    assert imports == {"sandbox"}


SANDBOX = PACKAGE / "sandbox"


def parts_imported(path: Path) -> Iterator[str]:
    """The parts of the sandbox that one of its files imports when it is imported."""
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.ImportFrom) and node.module == "guarita.sandbox":
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("guarita.sandbox"):
            yield str(node.module).split(".")[2]


def test_imports_of_the_sandbox_point_upwards() -> None:
    row = rows("The sandbox bank")
    found = {path: path.relative_to(SANDBOX).parts[0] for path in SANDBOX.rglob("*.py")}
    files = {path: part.removesuffix(".py") for path, part in found.items() if "__" not in part}
    assert set(files.values()) == row.keys()
    downwards = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path, part in files.items()
        for name in parts_imported(path)
        if row[name] > row[part]
    ]
    assert not downwards
