"""Running the command line: in this process, or as a process of its own."""

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[2]
PROGRAM = (sys.executable, "-m", "guarita.cli")


@dataclass(frozen=True)
class Result:
    """What a command printed, and its exit status."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, which must be exactly one JSON document on one line."""
        assert self.out.count("\n") == 1, self.out
        return json.loads(self.out)


def environment(**more: str) -> dict[str, str]:
    """Environment variables for a process of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GUARITA_")}
    return kept | {"PYTHONPATH": str(REPOSITORY / "src"), "COLUMNS": "100"} | more
