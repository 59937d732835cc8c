"""docs/delfinance.md and examples/: each of the seven errors comes from the command that the page
gives, the embedding program serves, and the client that meets `Validation expired` goes on."""

import re
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from guarita.cli.demo_delfinance import SERVER_NAMES
from guarita.data_folder import DataFolder
from guarita.pki.authority import Authority
from guarita.profiles import delfinance
from tests.cli.support import environment
from tests.docs.demo import Demo
from tests.docs.examples import ROOT, blocks, run, write_programs

PAGE = ROOT / "docs" / "delfinance.md"
SCRIPT = ROOT / "examples" / "validation_expired.py"
DEADLINE_S = 10.0
SEVEN = [
    delfinance.MISSING_KEY,
    delfinance.BLOCKED,
    delfinance.CERTIFICATE,
    delfinance.PIN,
    delfinance.ADDRESS,
    delfinance.ACCOUNT,
    delfinance.EXPIRED,
]

pytestmark = pytest.mark.slow
needs_programs = pytest.mark.skipif(
    not all(map(shutil.which, ("curl", "openssl", "awk", "sh"))),
    reason="curl, openssl, awk or sh is not installed",
)


class Row(NamedTuple):
    """One row of the page's table of errors."""

    number: str
    status: int
    message: str
    command: str
    reason: str
    says: str
    back: str


def rows() -> list[Row]:
    table = PAGE.read_text("utf-8").partition("| | status, message |")[2].partition("\n\n")[0]
    found = []
    for line in table.splitlines()[2:]:
        number, answer, *cells = [cell.strip() for cell in line.strip("|").split("|")]
        status, _, message = answer.partition(" ")
        found.append(Row(number, int(status), *(cell.strip("`") for cell in (message, *cells))))
    return found


def setup() -> str:
    """The page's variables and functions, without the line that adds .venv to PATH."""
    block = next(block.text for block in blocks(PAGE, "sh") if "call()" in block.text)
    first, _, rest = block.partition("\n")
    assert first.startswith("PATH=")
    definitions, _, last = rest.strip().rpartition("\n")
    assert last == "good"
    return definitions


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    started = Demo(tmp_path, validation_ttl=1)
    yield started
    started.end()


def test_the_table_has_the_seven_errors_of_the_profile() -> None:
    worded = [(one.status, one.body["message"]) for one in SEVEN]
    assert [(row.status, row.message) for row in rows()] == worded
    assert [row.number for row in rows()] == list("1234567")


@needs_programs
def test_each_error_comes_from_its_command(demo: Demo) -> None:
    assert shown(demo, "good").startswith("HTTP/1.1 200 ")
    for row in rows():
        *changes, last = row.command.split("; sleep 1; ")
        for change in changes:
            assert demo.shell(f"{setup()}\n{change}").returncode == 0, row.command
        deadline = time.monotonic() + DEADLINE_S
        printed = shown(demo, last)
        while changes and "HTTP/1.1 200 " in printed and time.monotonic() < deadline:
            printed = shown(demo, last)  # a change is in force within a second
        assert str(row.status) in printed
        assert f'{{"message":"{row.message}"}}' in printed
        ray = re.search(r"ray-id: (\w+)", printed, re.IGNORECASE)
        assert ray is not None
        explained = explanation(demo, ray[1])
        assert f"({row.reason}), answered {row.status}" in explained
        assert row.says in explained
        if row.back:
            assert demo.shell(f"{setup()}\n{row.back}").returncode == 0
        deadline = time.monotonic() + DEADLINE_S
        while "HTTP/1.1 200 " not in shown(demo, "good"):
            assert time.monotonic() < deadline, f"{row.back} does not undo {row.command}"


def shown(demo: Demo, command: str) -> str:
    done = demo.shell(f"{setup()}\n{command}")
    assert done.returncode == 0, done.stderr
    return done.stdout


def explanation(demo: Demo, ray: str) -> str:
    """What `guarita explain` prints; the decision log is written a moment after the answer."""
    deadline = time.monotonic() + DEADLINE_S
    while (done := demo.shell(f"guarita explain {ray}")).returncode != 0:
        assert time.monotonic() < deadline, done.stderr
    return done.stdout


@pytest.mark.parametrize("source", ["demo.json", "-"])
def test_validation_expired_is_met_and_survived(demo: Demo, source: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", str(SCRIPT), source],
        cwd=demo.folder,
        input=demo.line if source == "-" else None,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    first, expired, closing, again = done.stdout.splitlines()
    assert first.endswith(" 200")
    assert expired.endswith(' 401 {"message":"Validation expired"}')
    assert "Connection: close" in closing
    assert again == "new connection:  200"


def test_the_example_says_what_is_wrong(tmp_path: Path) -> None:
    demo = Demo(tmp_path, validation_ttl=3600)
    words = [sys.executable, str(SCRIPT), "demo.json", "--at-most", "0.1"]
    try:
        done = subprocess.run(
            words, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
        )
    finally:
        demo.end()
    assert done.returncode == 1
    assert "--validation-ttl" in done.stderr
    done = subprocess.run(
        words, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("no answer from https://127.0.0.1:")


class Embedded(NamedTuple):
    """A folder as the page's embedding programs expect it, and the credentials of its one key."""

    folder: Path
    headers: dict[str, str]
    serial: str


@pytest.fixture
def embedded(tmp_path: Path) -> Embedded:
    with DataFolder(tmp_path / "guarita-data") as folder:
        account = folder.keyring.create_account("Loja da Ana")
        issued = folder.keyring.create_key(
            account.account_id, profile="delfinance", allowlist=["127.0.0.1"]
        )
    words = [sys.executable, "-m", "guarita.cli", "certificate", "issue", "--out", "ana"]
    subprocess.run(
        [*words, "--key", issued.key.client_id],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        check=True,
        timeout=60,
    )
    authority = Authority.open(tmp_path / "guarita-data" / "ca")
    server = authority.issue_server(list(SERVER_NAMES), days=1)
    (tmp_path / "server.crt").write_bytes(server.pem())
    (tmp_path / "server.key").write_bytes(server.private_key_pem())
    write_programs(PAGE, tmp_path)
    headers = {
        "x-delbank-api-key": issued.secret.reveal(),
        "x-delfinance-account-id": account.account_id,
    }
    client = next(one for one in authority.issued() if one.kind == "client")
    return Embedded(tmp_path, headers, client.serial)


def until_it_listens(process: "subprocess.Popen[bytes]", port: int) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
            return
        except ConnectionRefusedError:
            assert process.poll() is None, "serve.py has ended"
            assert time.monotonic() < deadline


@pytest.mark.parametrize("name", ["app.py", "edge.py"])
def test_the_embedding_programs_run(embedded: Embedded, name: str) -> None:
    done = run(name, embedded.folder)
    assert done.returncode == 0, done.stderr


def test_the_embedding_program_serves(embedded: Embedded) -> None:
    serve = embedded.folder / "serve.py"
    text = serve.read_text("utf-8")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert text.count("port=8443") == 1
    serve.write_text(text.replace("port=8443", f"port={port}"), "utf-8")
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "serve.py"], cwd=embedded.folder, env=environment()
    )
    ca = embedded.folder / "guarita-data" / "ca" / "ca.pem"
    context = ssl.create_default_context(cafile=str(ca))
    context.check_hostname = False  # the certificate is for localhost, the address list for IPv4
    plain = ssl.create_default_context(cafile=str(ca))
    plain.check_hostname = False
    context.load_cert_chain(embedded.folder / "ana/client.crt", embedded.folder / "ana/client.key")
    url = f"https://127.0.0.1:{port}"
    try:
        until_it_listens(process, port)
        admitted = httpx.get(
            f"{url}/v1/resource", headers=embedded.headers, verify=context, timeout=10
        )
        refused = httpx.get(
            f"{url}/v1/resource", headers=embedded.headers, verify=plain, timeout=10
        )
        listed = httpx.get(f"{url}/crl.pem", verify=plain, timeout=10)
    finally:
        process.terminate()
        process.wait(timeout=30)
    account = embedded.headers["x-delfinance-account-id"]
    assert admitted.status_code == 200
    assert admitted.json() == {"account": account, "serial": embedded.serial}
    assert admitted.headers["strict-transport-security"]
    assert (refused.status_code, refused.json()) == (403, delfinance.CERTIFICATE.body)
    assert "BEGIN X509 CRL" in listed.text
