"""Child processes that speak one JSON document a line: how the benchmarks start, ask and end
servers and the load generator.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
_GRACE_S = 10


class Void(Exception):
    """The run measured something else than it should have: a wrong answer, a child that ended.
    There is no result.
    """


class Child:
    """`python -m MODULE` with `options` as its argument. It ends when its standard input does."""

    def __init__(self, module: str, options: dict[str, Any]) -> None:
        self._module = module
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, json.dumps(options)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # Ctrl-C is this process's to handle: it ends its children.
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def hear(self) -> dict[str, Any]:
        """The next document. Raises `Void` where it reports an error, or the child has ended."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise Void(f"{self._module} ended unexpectedly")
        document: dict[str, Any] = json.loads(line)
        if "error" in document:
            raise Void(document["error"])
        return document

    def ask(self, **question: Any) -> dict[str, Any]:
        """Say `question`, hear the answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(question).encode() + b"\n")
        self._process.stdin.flush()
        return self.hear()

    def __enter__(self) -> "Child":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.close()
            process.wait(_GRACE_S)
        except (OSError, subprocess.TimeoutExpired):
            process.kill()
            process.wait()
        finally:
            process.stdout.close()


def cores() -> tuple[int | None, int | None]:
    """One core for the servers and another for the load; None where processes cannot be bound or
    there is only one.
    """
    if not hasattr(os, "sched_getaffinity"):
        return None, None
    usable = sorted(os.sched_getaffinity(0))
    return (usable[0], usable[-1]) if len(usable) > 1 else (None, None)


def bind(core: int | None) -> None:
    """Keep this process on `core`."""
    if core is not None:
        os.sched_setaffinity(0, {core})


@contextmanager
def servers_and_load(options: Sequence[dict[str, Any]]) -> Iterator[tuple[list[Child], Child]]:
    """A server for each of `options` (see `benchmarks.server`), ready, all on one core; and the
    load generator on another.
    """
    server_core, load_core = cores()
    with ExitStack() as stack:
        load = stack.enter_context(Child("benchmarks.load", {"core": load_core}))
        servers = [
            stack.enter_context(Child("benchmarks.server", {**option, "core": server_core}))
            for option in options
        ]
        yield servers, load
