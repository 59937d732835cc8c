"""docs/sandbox.md: the tour's commands run as a reader enters them and print what the page shows,
its tables are those of the code, its settings and events exist."""

import json
import re
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from guarita.profiles.minhakonta import TABLE
from guarita.sandbox.text import pix_keys
from guarita.sandbox.webhooks.event_types import EVENT_TYPES
from tests.cli.support import environment
from tests.docs.demo import Demo
from tests.docs.examples import ROOT, run, write_programs
from tests.docs.sandbox_tables import filled
from tests.docs.tour import DEADLINE_S, Terminal, same, steady, steps

PAGE = ROOT / "docs" / "sandbox.md"

needs_programs = pytest.mark.skipif(
    not all(map(shutil.which, ("curl", "openssl", "awk", "sh"))),
    reason="curl, openssl, awk or sh is not installed",
)


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    started = Demo(tmp_path, validation_ttl=3600)
    yield started
    started.end()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def terminal(demo: Demo, name: str) -> Terminal:
    own = environment(GUARITA_DATA=str(demo.data))
    return Terminal(demo.folder, name, own | {"PATH": f"{demo.folder}:{own['PATH']}"})


@pytest.mark.slow
@needs_programs
def test_the_tour(demo: Demo) -> None:
    port = str(free_port())
    merchant, listener = terminal(demo, "merchant"), terminal(demo, "listener")
    heard = 0
    try:
        for step in steps(PAGE, "The tour"):
            text = re.sub(r"\b9000\b", port, step.text)
            if step.mark == "terminal: demo":
                assert text == "make -s demo ARGS=--json > demo.json\n"  # the fixture's doing
            elif step.mark == "terminal: listener":
                listener.type(text)
                until_it_listens(listener)
            elif step.mark == "listener":
                lines = text.splitlines()
                printed = listener.until("(signature verified)", times=len(lines)).splitlines()
                for said, line in zip(sorted(printed), sorted(lines), strict=True):
                    heads = said.partition(" {")[0], line.partition(" {")[0]
                    assert heads[0] == heads[1]
                    assert "{" not in line or steady(said) == steady(line)
                heard += len(lines)
            else:
                printed_now = merchant.run(text)
                assert step.shown is None or same(step.shown.text, printed_now), printed_now
    finally:
        merchant.end()
        listener.end()
    assert heard > 8


CALL = """
import json
from bank_client import post

demo = json.load(open("demo.json"))
bank, other = demo["minhakonta"], demo["other_merchant"]
order = {"amount": 1250, "description": "Açaí", "pix_key": other["pix_key"]}
for _ in range(2):
    paid = post(bank["base_url"], "/pix/cash-out", order, key=bank["client_id"],
                secret=bank["client_secret"], once="order-1")
    print(paid["status"], paid["transaction_id"])
"""


@pytest.mark.slow
def test_the_client_of_the_page_pays_once(demo: Demo) -> None:
    write_programs(PAGE, demo.folder)
    (demo.folder / "call.py").write_text(CALL, "utf-8")
    done = run("call.py", demo.folder)
    assert done.returncode == 0, done.stderr
    first, again = done.stdout.splitlines()
    assert first.startswith("processing PIXOUT")
    assert again == first


def until_it_listens(listener: Terminal) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while "listening on" not in (errors := listener.errors.read_text("utf-8")):
        assert listener.process.poll() is None, errors
        assert time.monotonic() < deadline, errors
        listener.watch()


def test_the_tables_are_those_of_the_code() -> None:
    text = PAGE.read_text("utf-8")
    assert filled(text) == text, "run `python -m tests.docs.sandbox_tables`"


def test_the_forms_of_pix_keys() -> None:
    rows = re.findall(
        r"^\| `(\w+)` \| [^|]+ \| `([^`]+)` \| `([^`]+)` \|$", PAGE.read_text("utf-8"), re.MULTILINE
    )
    assert [key_type for key_type, _, _ in rows] == list(pix_keys.KEY_TYPES)
    for key_type, written, kept in rows:
        assert pix_keys.parse(written, key_type) == pix_keys.PixKey(key_type, kept)
        assert pix_keys.parse(written).value == kept


def test_every_operation_of_the_gate_has_its_row() -> None:
    text = PAGE.read_text("utf-8")
    assert len(TABLE.rows) == 19
    for row in TABLE.rows:
        path = re.sub(r":(\w+)", r"{\1}", row.pattern)
        assert f"| {row.method} | `{path}` | `{row.permission}` |" in text


def test_every_event_is_named() -> None:
    text = PAGE.read_text("utf-8")
    assert all(f"`{name}`" in text for name in EVENT_TYPES)


@pytest.mark.parametrize("shown", ['{"amount": 1}', "CLOSED"])
def test_another_output_is_noticed(shown: str) -> None:
    assert same(shown, f"{shown}\n")
    assert not same(shown, shown.replace("1", "2").replace("C", "c"))
    assert same(json.dumps({"a": "PIXIN20261122ulbv8ytz2s3fxyru"}), '{"a":"PIXIN…"}') is True
