"""A demo for the tests of what the documentation shows of it, and a shell as its reader has one."""

import json
import shlex
import subprocess
from pathlib import Path
from typing import Any

from tests.cli.support import PROGRAM, environment
from tests.docs.examples import ROOT


class Demo:
    """`guarita demo --json` with its line in `folder/demo.json`, until `end`."""

    def __init__(self, folder: Path, validation_ttl: int) -> None:
        words = [*PROGRAM, "demo", "--json", "--port", "0", "--tls-port", "0"]
        self.folder = folder
        self.data = folder / "data"
        self.process = subprocess.Popen(
            [*words, "--data", str(self.data), "--validation-ttl", str(validation_ttl)],
            stdout=subprocess.PIPE,
            text=True,
            env=environment(),
        )
        assert self.process.stdout is not None
        self.line = self.process.stdout.readline()
        self.ready: dict[str, Any] = json.loads(self.line)
        (folder / "demo.json").write_text(self.line, "utf-8")
        program = folder / "guarita"
        program.write_text(f'#!/bin/sh\nexec {shlex.join(PROGRAM)} "$@"\n', "utf-8")
        program.chmod(0o700)
        (folder / "python").symlink_to(PROGRAM[0])
        (folder / "examples").symlink_to(ROOT / "examples")

    def shell(self, script: str) -> "subprocess.CompletedProcess[str]":
        """Run a POSIX shell script in the demo's folder, with `guarita` and `python` at hand."""
        own = environment(GUARITA_DATA=str(self.data))
        own["PATH"] = f"{self.folder}:{own['PATH']}"
        return subprocess.run(
            ["sh", "-c", script],
            cwd=self.folder,
            env=own,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def end(self) -> None:
        self.process.terminate()
        self.process.communicate(timeout=30)
