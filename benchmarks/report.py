"""Tables and the machine they were made on: what is printed, and what `--write` writes."""

import os
import platform
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from textwrap import fill

from benchmarks.aims import AIMS
from benchmarks.children import ROOT, cores
from guarita import __version__

_PACKAGES = ("msgspec", "uvicorn", "httptools", "uvloop")


@dataclass(frozen=True, slots=True)
class Table:
    """A title, what the reader has to know, a header row and rows of texts; the first column is the
    row's name.
    """

    title: str
    about: str
    header: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list)

    def markdown(self, level: int = 3) -> str:
        """As Markdown, columns aligned so that it reads well in a terminal too."""
        lines = [list(self.header), *[list(row) for row in self.rows]]
        widths = [max(len(line[column]) for line in lines) for column in range(len(self.header))]
        rule = ["-" * widths[0], *["-" * (width - 1) + ":" for width in widths[1:]]]
        drawn = [_line(line, widths) for line in [lines[0], rule, *lines[1:]]]
        return "\n\n".join([f"{'#' * level} {self.title}", fill(self.about, 100), "\n".join(drawn)])


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = [
        cell.ljust(width) if column == 0 else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return "| " + " | ".join([first, *others]) + " |"


def machine() -> str:
    """Processor, system, versions, and whether server and load had a core each."""
    server_core, _ = cores()
    apart = "a core each" if server_core is not None else "not kept apart"
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    release = platform.release().partition("-")[0]
    optimized = "--enable-optimizations" in (sysconfig.get_config_var("CONFIG_ARGS") or "")
    build = "" if optimized else " (built without profile-guided optimization, so slower than most)"
    python = f"{platform.python_implementation()} {platform.python_version()}{build}"
    lines = [
        f"- processor: {_processor()}, {os.cpu_count()} cores; servers and load generator: {apart}",
        f"- system: {platform.system()} {release} {platform.machine()}",
        f"- versions: {python}, guarita {__version__}, {packages}",
        f"- measured {datetime.now(UTC):%Y-%m-%d}, load average before the run {_load_average()}",
    ]
    return "\n".join(lines)


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or "unknown"


def _load_average() -> str:
    return f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"


_PAGE = """# What the gate costs

This page is the output of `make bench`, which takes half an hour. Ratios carry over to
other machines better than absolute figures do; run it on yours, while nothing else runs there.
{note}
{machine}

{aims}
{tables}
"""


def page(tables: Sequence[Table], machine_text: str, command: str | None) -> str:
    """The whole page. `command`: the options, where it is not the complete run."""
    note = f"\n**Not a complete run:** `python -m benchmarks {command}`.\n" if command else ""
    drawn = "\n\n".join(table.markdown(2) for table in tables)
    return _PAGE.format(note=note, machine=machine_text, aims=AIMS, tables=drawn)


def write(path: Path, text: str) -> None:
    """Write `text` to `path`, which is relative to the repository unless absolute."""
    target = ROOT / path
    target.parent.mkdir(exist_ok=True)
    target.write_text(text)
    print(f"written: {path}", file=sys.stderr)
