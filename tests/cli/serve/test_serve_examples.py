"""examples/gateway: each configuration in front of each upstream, called by curl and httpx."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.certificates import self_signed
from tests.cli.serve.gateways import (
    DEADLINE_S,
    Merchant,
    accepts,
    free_port,
    guarita,
    missing,
    serving,
)
from tests.cli.support import PROGRAM, REPOSITORY, environment

pytestmark = pytest.mark.slow

EXAMPLES = REPOSITORY / "examples" / "gateway"

UPSTREAMS = {
    "python": ("python3", "upstream.py"),
    "node": ("node", "upstream.mjs"),
    "go": ("go", "upstream.go"),
    "php": ("php", "upstream.php"),
}
"""Language → its program, and the file of the example."""


def command(language: str, port: int, built: Path) -> list[str]:
    """How an upstream is started."""
    program, name = UPSTREAMS[language]
    file = str(EXAMPLES / name)
    if language == "go":
        binary = built / "upstream"
        if not binary.exists():
            words = ["go", "build", "-o", str(binary), file]
            done = subprocess.run(words, capture_output=True, text=True, timeout=240)
            assert done.returncode == 0, done.stderr
        return [str(binary)]
    if language == "php":
        return ["php", "-S", f"127.0.0.1:{port}", file]
    return [sys.executable if language == "python" else program, file]


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("go")


@contextmanager
def upstream(language: str, built: Path, prefix: str) -> Iterator[int]:
    """A running upstream; gives its port."""
    port = free_port()
    process = subprocess.Popen(
        command(language, port, built),
        env={**os.environ, "PORT": str(port), "PREFIX": prefix},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while not accepts(port):
            try:
                raise AssertionError(f"the upstream ended with {process.wait(0.05)}")
            except subprocess.TimeoutExpired:
                continue
        yield port
    finally:
        process.terminate()
        process.wait(DEADLINE_S)


@pytest.fixture(params=list(UPSTREAMS))
def language(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    absent = missing(UPSTREAMS[name][0])
    if absent:
        pytest.skip(absent)
    return name


def configured(folder: Path, name: str, port: int) -> Path:
    """An example with this test's ports."""
    text = (EXAMPLES / name).read_text("utf-8")
    for former, own in (("127.0.0.1:8080", "127.0.0.1:0"), ("127.0.0.1:8443", "127.0.0.1:0")):
        text = text.replace(former, own)
    file = folder / name
    file.write_text(text.replace("127.0.0.1:9000", f"127.0.0.1:{port}"), "utf-8")
    return file


def test_minhakonta(tmp_path: Path, language: str, built: Path) -> None:
    with upstream(language, built, "Guarita-") as port:
        config = configured(tmp_path, "minhakonta.toml", port)
        merchant = Merchant(config, "minhakonta", "--all-permissions")
        with serving(config) as gateway, httpx.Client(trust_env=False) as client:
            base = f"http://127.0.0.1:{gateway.port()}/api/external"
            # Forged identity, in both spellings, in front of languages that read them as one.
            forged = {"Guarita-Account": "acc_x", "Guarita_Account": "acc_y"}
            got = client.get(base + "/balance?a=1", headers={**merchant.headers, **forged})
            assert got.status_code == 200, got.text
            seen = got.json()
            assert (seen["account"], seen["key"]) == (merchant.account, merchant.key)
            assert "account:read" in seen["permissions"].split(",")
            assert (seen["address"], seen["ray"]) == ("127.0.0.1", got.headers["ray-id"])
            assert (seen["authorization"], seen["subject"]) == (None, None)
            assert seen["path"] == "/api/external/balance"
            assert client.get(base + "/balance", headers=forged).status_code == 401
            body = '{"value":"10.00","note":"olá"}'.encode()
            signed = merchant.signed(body, Idempotency_Key="k-1")
            first = client.post(base + "/pix/cash-out", content=body, headers=signed)
            assert (first.status_code, first.json()["body"]) == (201, body.decode())
            again = client.post(base + "/pix/cash-out", content=body, headers=signed)
            assert (again.status_code, again.content) == (201, first.content)
            assert again.headers["x-idempotent-replay"] == "true"
            wrong = {**signed, "hmac": "0" * 128, "Idempotency-Key": "k-2"}
            refused = client.post(base + "/pix/cash-out", content=body, headers=wrong)
            assert refused.json() == {"worked": False, "detail": "Invalid HMAC signature"}


def test_own_api(tmp_path: Path, language: str, built: Path) -> None:
    with upstream(language, built, "Shop-") as port:
        config = configured(tmp_path, "own-api.toml", port)
        merchant = Merchant(config, "orders", "--permission", "orders:write")
        reader = Merchant(config, "orders", "--permission", "orders:read")
        with serving(config) as gateway, httpx.Client(trust_env=False) as client:
            base = f"http://127.0.0.1:{gateway.port()}"
            body = b'{"item":1}'
            posted = client.post(base + "/v1/orders", content=body, headers=merchant.signed(body))
            assert posted.status_code == 201, posted.text
            assert posted.json()["account"] == merchant.account
            assert posted.json()["permissions"] == "orders:write"
            refused = client.get(base + "/v1/orders/7", headers=merchant.headers)
            assert (refused.status_code, refused.json()) == (
                403,
                {"code": "forbidden", "detail": "This key may not: orders:read"},
            )
            assert client.get(base + "/v1/else", headers=merchant.headers).status_code == 404
            got = client.get(base + "/v1/orders/7", headers=reader.headers)
            assert (got.status_code, got.json()["account"]) == (200, reader.account)
            health = client.get(base + "/health", headers={"Shop-Account": "acc_x"})
            assert (health.status_code, health.json()["account"]) == (200, None)


@pytest.mark.skipif(bool(missing("curl")), reason=missing("curl") or "-")
def test_delfinance(tmp_path: Path, language: str, built: Path) -> None:
    with upstream(language, built, "Guarita-") as port:
        config = configured(tmp_path, "delfinance.toml", port)
        certificate = self_signed("gateway", eku=False).write(tmp_path / "made")
        shutil.copy(certificate.certificate_file, tmp_path / "server.crt")
        shutil.copy(certificate.key_file, tmp_path / "server.key")
        assert "no authority" in complaint(config)
        merchant = Merchant(config, "delfinance")
        out = tmp_path / "certificate"
        issue = ("certificate", "issue", "--key", merchant.key, "--out", str(out))
        issued = guarita(*issue, config=config)
        with serving(config) as gateway:
            url = f"https://127.0.0.1:{gateway.port()}"
            own = ("--cert", issued["certificate"], "--key", issued["private_key"])
            status, seen = curl(url + "/v1/resource", merchant.headers, *own)
            assert (status, seen["account"]) == (200, merchant.account), seen
            assert seen["subject"]
            gateway.reload()  # the authorities are read again
            assert curl(url + "/v1/resource", merchant.headers, *own)[0] == 200
            status, seen = curl(url + "/v1/resource", merchant.headers)
            assert (status, seen) == (
                403,
                {"message": "Valid client certificate required (mTLS)"},
            )
            status, seen = curl(url + "/v1/resource", {})
            assert (status, seen) == (
                401,
                {"message": "Missing required header: x-delbank-api-key"},
            )
            listed = subprocess.run(
                ["curl", "-sS", "-k", "--noproxy", "*", "-i", url + "/crl.pem"],
                capture_output=True,
                timeout=DEADLINE_S,
            ).stdout
            head, _, body = listed.partition(b"\r\n\r\n")
            assert body == (tmp_path / "guarita-data" / "ca" / "crl.pem").read_bytes()
            assert b"strict-transport-security" in head
            assert b"ray-id" in head


def complaint(config: Path) -> str:
    done = subprocess.run(
        [*PROGRAM, "check-config", "--config", str(config)],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )
    assert done.returncode == 1
    return done.stderr


def curl(url: str, headers: dict[str, str], *options: str) -> tuple[int, Any]:
    """Status and JSON body."""
    words = [f"{name}: {value}" for name, value in headers.items()]
    sent = [part for word in words for part in ("-H", word)]
    done = subprocess.run(
        ["curl", "-sS", "-k", "--noproxy", "*", "-w", "\n%{http_code}", *sent, *options, url],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )
    assert done.returncode == 0, done.stderr
    body, _, status = done.stdout.rpartition("\n")
    return int(status), json.loads(body)
