"""Running a page as its reader does: terminals that stay open, and output compared with what the
page shows, but for what differs from run to run.

In a page, `<!-- NAME -->` before a fence says what the block is: `terminal: demo` and `terminal:
listener` are commands for terminals of their own, `listener` is what the latter prints by then. A
`json` or `text` block that follows a shell block is what that prints.
"""

import json
import os
import re
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DEADLINE_S = 60.0

_BLOCK = re.compile(
    r"(?:^<!-- (?P<mark>[a-z: ]+) -->\n)?^```(?P<language>\w+)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_VARYING = (
    (re.compile(r"PIX(IN|OUT|REF|RET)[0-9]{8}[a-z0-9]{16}"), r"PIX\1…"),
    (re.compile(r"\b[ED][0-9]{20}[A-Za-z0-9]{11}\b"), "end-to-end id"),
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"), "uuid"),
    (re.compile(r"\b[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z"), "time"),
    (re.compile(r"\b(wh|evt)_[0-9a-f]{32}\b"), r"\1_…"),
    (re.compile(r"[a-z0-9]{32}"), "32 letters or digits"),
    (re.compile(r"6304[0-9A-F]{4}$", re.MULTILINE), "crc"),
    (re.compile(r"\b[0-9]{14}\b"), "cnpj"),
    (re.compile(r"http://127\.0\.0\.1:[0-9]+"), "http://127.0.0.1"),
)


@dataclass(frozen=True, slots=True)
class Step:
    """A shell block of a page; `shown` is the block of output after it, if any."""

    text: str
    mark: str | None
    shown: "Step | None" = None


def steps(page: Path, part: str) -> list[Step]:
    """The blocks of a part of the page (from the heading `part` to the next of its level)."""
    text = page.read_text("utf-8").partition(f"\n## {part}\n")[2].partition("\n## ")[0]
    assert text, f"{page.name} has no part {part!r}"
    found: list[Step] = []
    for block in _BLOCK.finditer(text):
        step = Step(block["text"], block["mark"])
        if block["language"] == "sh" or block["mark"]:
            found.append(step)
        else:
            assert found[-1].shown is None
            found[-1] = Step(found[-1].text, found[-1].mark, step)
    return found


def steady(text: str) -> str:
    """`text` without what differs from run to run."""
    for pattern, instead in _VARYING:
        text = pattern.sub(instead, text)
    return text.strip()


def same(shown: str, printed: str) -> bool:
    """Whether the page shows what was printed; JSON may be laid out in another way."""
    return bool(_value(steady(shown)) == _value(steady(printed)))


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


class Terminal:
    """A POSIX shell that stays open, in `folder`. What its programs write to standard error is
    kept apart, in a file of the folder."""

    def __init__(self, folder: Path, name: str, environ: dict[str, str]) -> None:
        self.errors = folder / f"{name}.err"
        self.printed = folder / f"{name}.out"
        self._shown = 0
        with self.errors.open("wb") as errors, self.printed.open("wb") as printed:
            self.process = subprocess.Popen(
                ["sh"],
                cwd=folder,
                env=environ,
                stdin=subprocess.PIPE,
                stdout=printed,
                stderr=errors,
                start_new_session=True,
            )

    def type(self, text: str) -> None:
        """Enter commands; does not wait for them."""
        assert self.process.stdin is not None
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def run(self, text: str) -> str:
        """Enter commands and wait for their end; returns what they printed."""
        self.type(f"{text}\nprintf '\\036%s\\n' $?\n")
        printed, _, status = self.until("\x1e").partition("\x1e")
        assert status.strip() == "0", f"{text}\n{printed}\n{self.errors.read_text('utf-8')}"
        return printed

    def until(self, text: str, *, times: int = 1) -> str:
        """What was printed since the last call, once `text` is in it so often, up to a line's
        end."""
        deadline = time.monotonic() + DEADLINE_S
        while True:
            printed = self.printed.read_text("utf-8")[self._shown :]
            if printed.count(text) >= times and printed.endswith("\n"):
                self._shown += len(printed)
                return printed
            errors = self.errors.read_text("utf-8")
            assert time.monotonic() < deadline, f"no {text!r} in:\n{printed}\n{errors}"
            self.watch()

    def watch(self) -> None:
        """Let the shell go on for a moment, or end."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=0.02)

    def end(self) -> None:
        """Close the shell with what still runs in it."""
        os.killpg(self.process.pid, 15)
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(timeout=30)
