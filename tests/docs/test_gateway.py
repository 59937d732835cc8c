"""docs/gateway.md: "From zero" runs as a reader pastes it, but for the installation; its commands
exist. The other upstreams run in tests/cli/serve/test_serve_examples.py.
"""

import re
import shlex
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.serve.gateways import accepts, free_port
from tests.cli.support import PROGRAM, environment
from tests.docs.examples import ROOT
from tests.docs.tour import Step, Terminal, steps

EXAMPLES = ROOT / "examples" / "gateway"
PAGE = ROOT / "docs" / "gateway.md"
PART = "From zero to a protected upstream"

SHOWN = {
    "/balance": ("HTTP/1.1 200 OK", '"key": "cli_'),
    "/pix/cash-out": ("HTTP/1.1 201 Created", '"key": "cli_', "cashout-order-9876"),
    "/v1/orders/7": ("HTTP/1.1 200 OK", '"permissions": "orders:read,orders:write"'),
    "/v1/resource": ("HTTP/1.1 200 OK", '"subject": "CN=key_'),
}
"""Path of a block's call → what it must print."""


class Ports:
    """Free ports in the place of those that the page and its examples name."""

    def __init__(self) -> None:
        self.own = {former: free_port() for former in (8080, 8443, 9000)}

    def into(self, text: str) -> str:
        return re.sub(r"\b(8080|8443|9000)\b", lambda found: str(self.own[int(found[0])]), text)

    def wait(self, terminal: Terminal, true: Callable[[int], bool], *named: int) -> None:
        for former in named:
            while not true(self.own[former]):
                terminal.watch()


@pytest.fixture
def ports() -> Ports:
    return Ports()


@pytest.fixture
def terminal(tmp_path: Path, ports: Ports) -> Iterator[Terminal]:
    """A shell in a folder with the examples, and `guarita` and `python` at hand."""
    for file in EXAMPLES.iterdir():
        if file.suffix in (".toml", ".py"):
            text = ports.into(file.read_text("utf-8"))
            (tmp_path / file.name).write_text(text, "utf-8")
    program = tmp_path / "guarita"
    program.write_text(f'#!/bin/sh\nexec {shlex.join(PROGRAM)} "$@"\n', "utf-8")
    program.chmod(0o700)
    (tmp_path / "python").symlink_to(PROGRAM[0])
    own = environment(PORT=str(ports.own[9000]), no_proxy="127.0.0.1")
    made = Terminal(tmp_path, "reader", own | {"PATH": f"{tmp_path}:{own['PATH']}"})
    yield made
    made.end()


def pasted() -> list[Step]:
    return [step for step in steps(PAGE, PART) if "pip install" not in step.text]


@pytest.mark.slow
@pytest.mark.skipif(
    not all(map(shutil.which, ("curl", "openssl", "awk", "sh"))),
    reason="curl, openssl, awk or sh is not installed",
)
def test_from_zero(terminal: Terminal, ports: Ports) -> None:
    called = []
    for step in pasted():
        printed = terminal.run(ports.into(step.text))
        if "guarita serve" in step.text:
            front = 8443 if "delfinance" in step.text else 8080
            ports.wait(terminal, accepts, front, 9000)
        for path in [path for path in SHOWN if f"{path} " in step.text or f"{path}\n" in step.text]:
            called.append(path)
            for text in SHOWN[path]:
                assert text in printed, printed
            if "Idempotency-Key" in step.text:
                again = terminal.run(ports.into(step.text))
                assert "x-idempotent-replay: true" in again
                assert again.endswith(printed.splitlines()[-1] + "\n")
    assert called == list(SHOWN)
    assert not any(accepts(port) for port in ports.own.values())


def test_it_is_installed_from_the_checkout() -> None:
    first = steps(PAGE, PART)[0].text
    assert first.startswith("cd examples/gateway\n")
    named = re.findall(r"pip install '(.*)\[cli,server,tls\]'", first)
    assert [(EXAMPLES / one).resolve() for one in named] == [ROOT.resolve()]
