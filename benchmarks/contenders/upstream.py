"""The bank behind the proxies: an nginx that answers a constant and counts what it saw, on the core
of the load generator.
"""

import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.contenders.filling import filled, nginx_user
from benchmarks.processes import held_port, program, started
from benchmarks.wire import ANSWER

TEMPLATE = Path(__file__).with_name("upstream.conf")


class Upstream:
    """A running upstream on loopback `port`."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._asked = 0

    def requests(self) -> int:
        """How many requests it has seen but for those of this method."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/count", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        self._asked += 1
        # "server accepts handled requests", and below it the three numbers.
        return int(lines[2].split()[2]) - self._asked


def missing() -> str | None:
    """Why there can be no upstream here, or None."""
    return None if program("nginx") else "nginx, which answers behind the proxies, is not installed"


@contextmanager
def upstream(folder: Path, core: int | None) -> Iterator[Upstream]:
    """Start it on `core`."""
    with held_port() as port:
        file = folder / "upstream.conf"
        words = {"folder": folder, "user": nginx_user(), "port": port, "answer": ANSWER.decode()}
        file.write_text(filled(TEMPLATE, words))
        path = program("nginx")
        assert path is not None
        command = [path, "-e", str(folder / "upstream.log"), "-p", str(folder), "-c", str(file)]
        with started(command, port, folder / "upstream.out", core):
            yield Upstream(port)
