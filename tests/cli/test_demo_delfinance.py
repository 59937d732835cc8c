"""The Delfinance side of `guarita demo`, in a process of its own: the seed's curl lines with host,
credentials, --cacert and the account header filled in, and what it takes to provoke each error.
"""

import json
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from tests.certificates import Files, self_signed
from tests.cli.support import PROGRAM, environment
from tests.serving.tls.calling import (
    ACCOUNT,
    BLOCKED,
    CERTIFICATE,
    EXPIRED,
    NO_KEY,
    PIN,
    UNKNOWN,
    Answer,
    Kept,
    Message,
    kept,
    read_answers,
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not all(map(shutil.which, ("curl", "openssl", "sh"))),
        reason="curl, openssl or sh is not installed",
    ),
]

# Seed L28, L54, L56.
WITHOUT = 'curl https://api.delfinance.com.br/v1/resource -H "x-delbank-api-key: YOUR_API_KEY"'
PEM = (
    "curl https://api.delfinance.com.br/v1/resource --cert client.crt --key client.key "
    '-H "x-delbank-api-key: YOUR_API_KEY"'
)
P12 = (
    "curl https://api.delfinance.com.br/v1/resource --cert-type P12 --cert "
    'certificate.p12:password -H "x-delbank-api-key: YOUR_API_KEY"'
)
DEADLINE_S = 30.0
PINNED = {"message": PIN.text}


class Demo:
    """A running `guarita demo --json`."""

    def __init__(self, data: Path, *options: str) -> None:
        words = [*PROGRAM, "demo", "--port", "0", "--tls-port", "0", "--json", *options]
        self.process = subprocess.Popen(
            [*words, "--data", str(data)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
        )
        assert self.process.stdout is not None
        self.data = data
        self.line = self.process.stdout.readline()
        self.ready: dict[str, Any] = json.loads(self.line)
        self.tls: dict[str, str] = self.ready["delfinance"]
        self.port = int(self.tls["base_url"].rpartition(":")[2])
        self.headers = (
            f"x-delbank-api-key: {self.tls['api_key']}",
            f"x-delfinance-account-id: {self.tls['account_id']}",
        )

    def stop(self) -> str:
        """SIGTERM; what it wrote to standard error. It must end well and print nothing more."""
        self.process.send_signal(signal.SIGTERM)
        out, complaints = self.process.communicate(timeout=DEADLINE_S)
        assert (self.process.returncode, out) == (0, "")
        return complaints

    def pasted(self, line: str, more: str = "", **changes: str) -> Answer:
        """What a shell prints of a line of the seed, filled in, with `more` options at its end."""
        tls = {**self.tls, **changes}
        filled = (
            line.replace("https://api.delfinance.com.br", tls["base_url"])
            .replace("YOUR_API_KEY", tls["api_key"])
            .replace("client.crt", tls["certificate"])
            .replace("client.key", tls["private_key"])
            .replace("certificate.p12:password", f"{tls['pkcs12']}:{tls['pkcs12_password']}")
        )
        script = f"{filled} --cacert {tls['ca']} {more} -sS -i --noproxy '*'"
        done = subprocess.run(["sh", "-c", script], capture_output=True, timeout=DEADLINE_S)
        assert (done.returncode, done.stderr) == (0, b"")
        (answer,) = read_answers(done.stdout)
        return answer

    @property
    def account(self) -> str:
        """The option that names the account."""
        return f'-H "x-delfinance-account-id: {self.tls["account_id"]}"'

    def guarita(self, *words: str) -> str:
        """Standard output of a command in another process."""
        command = [*PROGRAM, *words, "--data", str(self.data)]
        done = subprocess.run(
            command, env=environment(), capture_output=True, text=True, timeout=DEADLINE_S
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def connected(self) -> Any:
        """A connection that is kept, with the demo's certificate."""
        certificate = Path(self.tls["certificate"])
        files = Files(certificate, certificate, Path(self.tls["private_key"]))
        return kept(self.port, Path(self.tls["ca"]), files)


def admitted(answer: Answer, demo: Demo) -> Any:
    answer.check()
    assert answer.status == 200, answer
    identity = answer.json["identity"]
    assert identity["account"] == demo.tls["account_id"]
    assert identity["address"] == "127.0.0.1"
    return identity


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Demo]]:
    demos: list[Demo] = []

    def start(*options: str) -> Demo:
        demos.append(Demo(tmp_path / "data", *options))
        return demos[-1]

    yield start
    for demo in demos:
        if demo.process.poll() is None:
            demo.process.kill()
        demo.process.communicate()


def until_refused(connection: Kept, headers: tuple[str, ...], wanted: Message) -> Answer:
    """Requests on one connection until one is not admitted: that must be `wanted`."""
    ends = time.monotonic() + DEADLINE_S
    while (answer := connection.get(headers)).status == 200:
        assert time.monotonic() < ends
    answer.is_(wanted)
    return answer


def test_the_lines_of_the_seed(start: Callable[..., Demo]) -> None:
    demo = start()
    certificate = Path(demo.tls["certificate"]).read_bytes()
    words = ["openssl", "x509", "-noout", "-fingerprint", "-sha256"]  # seed L68
    done = subprocess.run(words, input=certificate, capture_output=True, check=True)
    sha256 = done.stdout.decode().strip().partition("=")[2]
    for line in (PEM, P12):
        identity = admitted(demo.pasted(line, demo.account), demo)
        assert identity["certificate"]["sha256"] == sha256
        demo.pasted(line).is_(ACCOUNT)
    demo.pasted(WITHOUT, demo.account).is_(CERTIFICATE)
    demo.pasted(PEM.partition(" -H")[0], demo.account).is_(NO_KEY)
    refused = demo.pasted(PEM, demo.account, api_key="dk_" + "0" * 64)
    refused.is_(UNKNOWN)
    explained = json.loads(demo.guarita("explain", refused.ray, "--json"))
    assert explained["reason"] == "api_key_header.unknown"
    said = demo.stop()
    secrets = (demo.tls["api_key"], demo.tls["pkcs12_password"], "PRIVATE KEY")
    assert not [one for one in secrets if one in said]


def test_other_certificates_and_a_block(start: Callable[..., Demo], tmp_path: Path) -> None:
    demo = start()
    own = self_signed("own").write(tmp_path)
    files = {"certificate": str(own.certificate_file), "private_key": str(own.key_file)}
    demo.pasted(PEM, demo.account, **files).is_(CERTIFICATE)
    key_id = admitted(demo.pasted(PEM, demo.account), demo)["key"]
    other = json.loads(
        demo.guarita(
            *("key", "create", "--account", demo.tls["account_id"], "--json"),
            *("--profile", "delfinance", "--allow-ip", "127.0.0.1"),
        )
    )
    out = str(tmp_path / "other")
    words = ("certificate", "issue", "--key", other["key_id"], "--out", out, "--json")
    issued = json.loads(demo.guarita(*words))
    files = {name: issued[name] for name in ("certificate", "private_key")}
    demo.pasted(PEM, demo.account, **files).is_(PIN)
    with demo.connected() as connection:
        admitted(connection.get(demo.headers), demo)
        demo.guarita("key", "block", key_id, "--reason", "policy")
        until_refused(connection, demo.headers, BLOCKED)


def test_a_revocation_is_seen_by_a_kept_connection(start: Callable[..., Demo]) -> None:
    demo = start()
    with demo.connected() as connection:
        identity = admitted(connection.get(demo.headers), demo)
        serial = identity["certificate"]["serial"]
        demo.guarita("certificate", "revoke", "--serial", serial, "--reason", "keyCompromise")
        # The registration ends too, and that is known up to a second earlier: few enough attempts
        # in it that the address is not locked out.
        pause, ends = Event(), time.monotonic() + DEADLINE_S
        while (refused := connection.get(demo.headers)).status == 200 or refused.json == PINNED:
            assert time.monotonic() < ends
            pause.wait(0.25)
        refused.is_(CERTIFICATE)
    done = subprocess.run(
        ["sh", "-c", f"curl -sS --noproxy '*' --cacert {demo.tls['ca']} "
         f"{demo.tls['base_url']}/crl.der | openssl crl -inform DER -noout -text"],
        capture_output=True, check=True, timeout=DEADLINE_S,
    )  # fmt: skip
    assert f"Serial Number: {serial}" in done.stdout.decode()


def test_validation_expired_is_reachable(start: Callable[..., Demo]) -> None:
    demo = start("--validation-ttl", "1")
    with demo.connected() as connection:
        admitted(connection.get(demo.headers), demo)
        until_refused(connection, demo.headers, EXPIRED)
        assert connection.ended()
    with demo.connected() as connection:
        admitted(connection.get(demo.headers), demo)
        demo.stop()
        assert connection.ended()


def test_a_new_start_ends_the_former_key(start: Callable[..., Demo]) -> None:
    first = start()
    former = dict(first.tls)
    first.stop()
    second = start()
    admitted(second.pasted(PEM, second.account), second)
    second.pasted(PEM, second.account, api_key=former["api_key"]).is_(UNKNOWN)


def test_the_printed_commands_work_when_pasted(tmp_path: Path) -> None:
    words = [*PROGRAM, "demo", "--port", "0", "--tls-port", "0", "--data", str(tmp_path / "a b")]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment()) as process:
        try:
            assert process.stdout is not None
            lines, script = iter(process.stdout.readline, ""), ""
            for line in lines:
                if script or line.startswith("# Delfinance"):
                    script += line
                if script.count("x-delfinance-account-id") == 3:
                    break
            pasted = subprocess.run(
                ["sh"], input=script, env=environment(), capture_output=True, text=True, timeout=60
            )
        finally:
            process.terminate()
    assert (pasted.returncode, pasted.stderr) == (0, "")
    statuses = re.findall(r"^HTTP/1.1 ([0-9]+)", pasted.stdout, re.MULTILINE)
    assert statuses == ["200", "200", "403"]
    assert f'{{"message":"{CERTIFICATE.text}"}}' in pasted.stdout
