"""`guarita demo` as a newcomer meets it: a process of its own, curl and openssl, another shell."""

import http.client
import json
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from guarita.cli.loopback import listen
from guarita.cli.output import RefusedError
from guarita.crypto import signature
from tests.cli.support import PROGRAM, environment

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not all(map(shutil.which, ("curl", "openssl", "awk", "sh"))),
        reason="curl, openssl, awk or sh is not installed",
    ),
]

BODY = '{"amount":3000,"description":"Pagamento","pix_key":"12345678901","pix_key_type":"cpf"}'
COMPLETE_EXAMPLE = """\
BODY='{"amount":3000,"description":"Pagamento","pix_key":"12345678901","pix_key_type":"cpf"}'
HMAC=$(echo -n "$BODY" | openssl dgst -sha512 -hmac "$CLIENT_SECRET" | awk '{print $2}')
curl -sS -i -X POST "$BASE_URL/api/external/pix/cash-out" \
  -H "Authorization: ApiKey $CLIENT_ID:$CLIENT_SECRET" \
  -H "Content-Type: application/json" \
  -H "hmac: $HMAC" \
  -H "Idempotency-Key: cashout-order-9876" \
  -d "${SENT:-$BODY}"
"""  # seed L153-161, host and credentials replaced


class Demo:
    """A running `guarita demo --json`."""

    def __init__(self, data: Path, *options: str) -> None:
        words = [
            *PROGRAM,
            "demo",
            "--port",
            "0",
            "--tls-port",
            "0",
            "--json",
            "--data",
            str(data),
            *options,
        ]
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment())
        assert self.process.stdout is not None
        self.line = self.process.stdout.readline()
        self.ready: dict[str, Any] = json.loads(self.line)
        self.bank: dict[str, str] = self.ready["minhakonta"]
        self.port = int(self.bank["base_url"].rpartition(":")[2])

    def stop(self) -> tuple[int, str]:
        """Exit status, and what was printed after the ready line."""
        self.process.send_signal(signal.SIGTERM)
        rest, _ = self.process.communicate(timeout=30)
        return self.process.returncode, rest

    def balance(self, host: str = "127.0.0.1", **headers: str) -> tuple[int, bytes]:
        """Status and body of GET /balance with the demo's credentials."""
        connection = http.client.HTTPConnection(host, self.port, timeout=10)
        try:
            credentials = f"ApiKey {self.bank['client_id']}:{self.bank['client_secret']}"
            headers["Authorization"] = credentials
            connection.request("GET", "/api/external/balance", headers=headers)
            response = connection.getresponse()
            assert response.getheader("Server") is None
            return response.status, response.read()
        finally:
            connection.close()

    def shell(self, script: str, **more: str) -> str:
        """What a POSIX shell prints that has the credentials in its variables."""
        names = {name.upper(): value for name, value in self.bank.items()}
        ran = subprocess.run(
            ["sh", "-c", script], env=environment(**names, **more), capture_output=True, timeout=60
        )
        assert ran.returncode == 0, ran.stderr.decode()
        return ran.stdout.decode()


def guarita(data: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """A command in another process, as another terminal would run it."""
    command = [*PROGRAM, *words, "--data", str(data)]
    return subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=60)


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


def answer(printed: str) -> tuple[int, dict[str, str], str]:
    """Status, headers (lower-case names) and body of what `curl -i` printed."""
    head, _, body = printed.replace("\r\n", "\n").partition("\n\n")
    status, *lines = head.split("\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    return int(status.split()[1]), headers, body


def test_the_complete_example_of_the_seed(start: Callable[..., Demo], tmp_path: Path) -> None:
    demo = start()
    status, headers, body = answer(demo.shell(COMPLETE_EXAMPLE))
    assert status == 200, body
    assert json.loads(body)["worked"] is True
    assert headers["idempotency-key"] == "cashout-order-9876"
    assert "x-idempotent-replay" not in headers

    replay_status, replay_headers, replay_body = answer(demo.shell(COMPLETE_EXAMPLE))
    assert (replay_status, replay_body) == (200, body)
    assert replay_headers["x-idempotent-replay"] == "true"

    changed = answer(demo.shell(COMPLETE_EXAMPLE, SENT=BODY.replace("3000", "3001")))
    assert changed[0] == 401
    assert changed[2] == '{"worked":false,"detail":"Invalid HMAC signature"}'

    explained = guarita(tmp_path / "data", "explain", changed[1]["ray-id"], "--json")
    assert explained.returncode == 0, explained.stderr
    assert json.loads(explained.stdout)["reason"] == "signature.mismatch"
    in_words = guarita(tmp_path / "data", "explain", changed[1]["ray-id"]).stdout
    assert "refused by signature (signature.mismatch)" in in_words
    assert demo.bank["client_secret"] not in explained.stdout + in_words


def test_a_revoked_key_is_refused_within_a_second(
    start: Callable[..., Demo], tmp_path: Path
) -> None:
    demo = start()
    assert demo.balance()[0] == 200
    revoked = guarita(tmp_path / "data", "key", "revoke", demo.bank["client_id"])
    at = time.monotonic()
    assert revoked.returncode == 0, revoked.stderr
    while (last := demo.balance())[0] == 200 and time.monotonic() < at + 10:
        pass
    took = time.monotonic() - at
    assert last == (401, b'{"error":{"status":401,"message":"API key is inactive"}}')
    assert took < 1


def test_ready_line_and_end(start: Callable[..., Demo], tmp_path: Path) -> None:
    demo = start("--admin-port", "0", "--validation-ttl", "60")
    assert demo.line.endswith("}\n")
    assert set(demo.bank) == {"base_url", "account_id", "client_id", "client_secret"}
    assert demo.bank["base_url"] == f"http://127.0.0.1:{demo.port}"
    others = {name: part for name, part in demo.ready.items() if name != "minhakonta"}
    data = str((tmp_path / "data").resolve())
    delfinance = others.pop("delfinance")
    other = others.pop("other_merchant")
    assert set(other) == {"account_id", "client_id", "client_secret", "pix_key"}
    assert other["account_id"] != demo.bank["account_id"]
    assert others == {"portal": None, "admin": None, "data": data}
    assert set(delfinance) == {
        *("base_url", "account_id", "api_key", "certificate", "private_key"),
        *("pkcs12", "pkcs12_password", "ca"),
    }
    assert delfinance["base_url"].startswith("https://127.0.0.1:")
    assert all(Path(delfinance[name]).is_file() for name in ("certificate", "private_key", "ca"))
    assert demo.balance()[0] == 200
    assert demo.stop() == (0, "")


def test_each_merchant_has_its_own_money(start: Callable[..., Demo]) -> None:
    demo = start()
    other = demo.ready["other_merchant"]
    paid = guarita(Path(demo.ready["data"]), "sandbox", "pay", other["pix_key"], "--amount", "10")
    assert paid.returncode == 0, paid.stderr
    assert json.loads(demo.balance()[1])["balance"] == 500_000_000
    demo.bank = other
    assert json.loads(demo.balance()[1])["balance"] == 500_000_000 + 1000 - 350


def test_the_description_alone_is_beside_the_gate(start: Callable[..., Demo]) -> None:
    demo = start()
    answers = {}
    for method, path in (
        ("GET", "/openapi.json"),
        ("POST", "/openapi.json"),
        ("HEAD", "/openapi.json"),
        ("GET", "/openapi.json/"),
        ("GET", "/api/external/openapi.json"),
        ("GET", "/api/external/pix/keys"),
    ):
        connection = http.client.HTTPConnection("127.0.0.1", demo.port, timeout=10)
        connection.request(method, path)
        response = connection.getresponse()
        answers[method, path] = response.status
        body = response.read()
        connection.close()
        if response.status == 200:
            cash_out = json.loads(body)["paths"]["/pix/cash-out"]["post"]
            assert cash_out["security"]
            assert cash_out["responses"].keys() >= {"401", "403", "409", "415", "429"}
    assert answers.pop(("GET", "/openapi.json")) == 200
    assert set(answers.values()) <= {401, 404, 405, 415}, answers


def test_ipv6_is_served_where_there_is_any(start: Callable[..., Demo]) -> None:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("this machine has no ::1")
    assert start().balance("::1")[0] == 200


def test_a_callers_forwarded_address_is_not_believed(start: Callable[..., Demo]) -> None:
    demo = start()
    assert demo.balance(**{"X-Forwarded-For": "203.0.113.9"})[0] == 200
    data = Path(demo.ready["data"])
    changed = guarita(data, "key", "disallow-ip", demo.bank["client_id"], "127.0.0.1", "::1")
    assert changed.returncode == 0, changed.stderr
    changed = guarita(data, "key", "allow-ip", demo.bank["client_id"], "203.0.113.9")
    assert changed.returncode == 0, changed.stderr
    until = time.monotonic() + 1
    while demo.balance()[0] == 200 and time.monotonic() < until:
        pass
    assert demo.balance(**{"X-Forwarded-For": "203.0.113.9"})[0] == 403


def test_a_port_taken_on_one_address_only_is_refused() -> None:
    first, *more = listen(0)
    try:
        if not more:
            pytest.skip("this machine has no ::1")
        first.close()
        with pytest.raises(RefusedError, match=r"\[::1\]:[0-9]+ is taken"):
            listen(more[0].getsockname()[1])
    finally:
        for sock in (first, *more):
            sock.close()


def test_requests_in_flight_are_finished(start: Callable[..., Demo]) -> None:
    demo = start()
    body = BODY.encode()
    head = (
        "POST /api/external/pix/cash-out HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Authorization: ApiKey {demo.bank['client_id']}:{demo.bank['client_secret']}\r\n"
        "Content-Type: application/json\r\n"
        f"hmac: {signature(demo.bank['client_secret'].encode(), body)}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", demo.port), timeout=30) as connection:
        connection.sendall(head.encode() + body[:-1])
        assert demo.balance()[0] == 200  # by now the server has read the head as well
        demo.process.send_signal(signal.SIGTERM)
        while _accepts(demo.port):
            pass
        connection.sendall(body[-1:])
        response = b"".join(iter(lambda: connection.recv(65536), b""))
    assert response.startswith(b"HTTP/1.1 200 ")
    assert b'"worked":true' in response
    assert demo.process.wait(timeout=30) == 0


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return False
    return True


def test_a_taken_port_changes_nothing(start: Callable[..., Demo], tmp_path: Path) -> None:
    demo = start()
    second = guarita(tmp_path / "data", "demo", "--port", str(demo.port), "--json")
    assert (second.returncode, second.stdout) == (1, "")
    assert f"127.0.0.1:{demo.port} is taken" in second.stderr
    assert demo.balance()[0] == 200


def test_a_second_demo_in_the_folder_changes_nothing(
    start: Callable[..., Demo], tmp_path: Path
) -> None:
    demo = start()
    second = guarita(tmp_path / "data", "demo", "--port", "0", "--tls-port", "0", "--json")
    assert (second.returncode, second.stdout) == (1, "")
    assert f"serves from the data folder {tmp_path / 'data'}" in second.stderr
    assert "--data DIR" in second.stderr
    keys = json.loads(guarita(tmp_path / "data", "key", "list", "--json").stdout)
    assert {key["status"] for key in keys} == {"active"}
    assert demo.balance()[0] == 200


def test_loopback_webhooks_are_warned_of_once(tmp_path: Path) -> None:
    words = [*PROGRAM, "demo", "--port", "0", "--tls-port", "0", "--json"]
    with subprocess.Popen(
        [*words, "--data", str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    ) as process:
        assert process.stdout is not None
        ready = process.stdout.readline()
        process.terminate()
        _, errors = process.communicate(timeout=30)
    assert ready.startswith("{")
    (line,) = [line for line in errors.splitlines() if "loopback addresses" in line]
    assert "the demo listens on loopback alone" in line


def test_a_new_start_revokes_the_former_credentials(
    start: Callable[..., Demo], tmp_path: Path
) -> None:
    first = start()
    own = guarita(
        tmp_path / "data",
        *("key", "create", "--account", first.bank["account_id"]),
        *("--profile", "minhakonta", "--label", "my own", "--json"),
    )
    assert first.stop()[0] == 0
    second = start()
    assert second.bank["account_id"] == first.bank["account_id"]
    listed = json.loads(guarita(tmp_path / "data", "key", "list", "--json").stdout)
    states = {key.get("client_id") or key["key_id"]: key["status"] for key in listed}
    single = [state for name, state in states.items() if name.startswith("key_")]
    assert sorted(single) == ["active", "revoked"]
    assert {name: state for name, state in states.items() if name.startswith("cli_")} == {
        first.bank["client_id"]: "revoked",
        json.loads(own.stdout)["client_id"]: "active",
        second.bank["client_id"]: "active",
        first.ready["other_merchant"]["client_id"]: "revoked",
        second.ready["other_merchant"]["client_id"]: "active",
    }
    assert second.ready["other_merchant"]["pix_key"] == first.ready["other_merchant"]["pix_key"]


def test_the_printed_commands_work_when_pasted(tmp_path: Path) -> None:
    words = [
        *PROGRAM,
        "demo",
        "--port",
        "0",
        "--tls-port",
        "0",
        "--data",
        str(tmp_path / "data dir"),
    ]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment()) as process:
        try:
            assert process.stdout is not None
            lines = iter(process.stdout.readline, "")
            text = "".join(_until(lines, re.compile(r"key revoke \"")))
            script = text[text.index("# Credentials") :]
            pasted = subprocess.run(
                ["sh"], input=script, env=environment(), capture_output=True, text=True, timeout=60
            )
        finally:
            process.terminate()
    assert pasted.returncode == 0, pasted.stderr
    statuses = re.findall(r"^HTTP/1.1 ([0-9]+)", pasted.stdout + pasted.stderr, re.MULTILINE)
    assert statuses == ["200", "200", "200", "401"]
    assert pasted.stdout.count("x-idempotent-replay: true") == 1
    assert "refused by signature" in pasted.stdout
    assert re.search(r"^amount +R\$ 45,90$", pasted.stdout, re.MULTILINE)
    assert re.search(r"^books +right$", pasted.stdout, re.MULTILINE)
    assert re.search(r"^status +revoked$", pasted.stdout, re.MULTILINE)
    assert process.returncode == 0


def _until(lines: Iterator[str], last: "re.Pattern[str]") -> Iterator[str]:
    for line in lines:
        yield line
        if last.search(line):
            return
