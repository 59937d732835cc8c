"""The examples of README.md and docs/*.md: found by their fences, run as a reader would run them.

A ```python block is one program. Those of one page share a folder and run in the order of the page,
so a later one may import an earlier one; `<!-- example: NAME.py -->` before the fence gives the
name under which it is saved.
"""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))

_BLOCK = re.compile(
    r"(?:^<!-- example: (?P<name>\S+) -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language ("" for none), the name it was given, its text."""

    language: str
    name: str | None
    text: str


def blocks(page: Path, language: str) -> list[Block]:
    """The fenced blocks of one language, in the order of the page."""
    return [
        Block(found["language"], found["name"], found["text"])
        for found in _BLOCK.finditer(page.read_text("utf-8"))
        if found["language"] == language
    ]


def write_programs(page: Path, folder: Path) -> list[str]:
    """Save the page's programs into `folder`; returns their names in order."""
    names = []
    for number, block in enumerate(blocks(page, "python"), start=1):
        name = block.name or f"example_{number}.py"
        (folder / name).write_text(block.text, "utf-8")
        names.append(name)
    return names


def run(name: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a program of `folder` in it, warnings being errors; never raises on its exit status."""
    environ = {key: value for key, value in os.environ.items() if not key.startswith("GUARITA_")}
    environ["PYTHONPATH"] = os.pathsep.join([str(ROOT / "src"), str(folder)])
    return subprocess.run(
        [sys.executable, "-W", "error", "-X", "utf8", name],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
