"""`guarita sandbox listen` and `serve` as processes of their own, over HTTP."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from guarita.sandbox.webhooks import signing
from tests.cli.conftest import Runner
from tests.cli.support import PROGRAM, environment

pytestmark = pytest.mark.slow

SECRET = "a-secret-of-the-tests"
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts `guarita sandbox …` on a free port, with the webhook secret in WEBHOOK_SECRET."""
    processes: list[subprocess.Popen[str]] = []

    def start(*words: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [*PROGRAM, "sandbox", *words, "--port", "0", "--data", str(tmp_path / "data")],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(WEBHOOK_SECRET=SECRET),
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def listening(process: "subprocess.Popen[str]") -> str:
    """The address a listener notes on standard error."""
    assert process.stderr is not None
    line = process.stderr.readline()
    assert line.startswith("guarita: listening on http://127.0.0.1:"), line
    return line.split()[-1]


def deliver(url: str, event_id: str = "evt_1", **changed: Any) -> int:
    body = b'{"event_type":"pix.charge.paid","status":"paid","amount":459000}'
    headers = signing.headers(
        signing.HeaderNames(changed.get("prefix", signing.DEFAULT_PREFIX)),
        changed.get("secret", SECRET),
        event_id=event_id,
        event_type="pix.charge.paid",
        body=body,
        at_s=changed.get("at_s", int(time.time())),
    )
    return httpx.post(url, content=changed.get("body", body), headers=headers).status_code


def test_genuine_deliveries_are_printed_once(start: Start) -> None:
    process = start("listen", "--secret-env", "WEBHOOK_SECRET")
    url = listening(process)
    assert deliver(f"{url}any/path") == 204
    assert deliver(f"{url}any/path") == 204
    process.terminate()
    out, err = process.communicate(timeout=30)
    assert out == (
        'pix.charge.paid paid (signature verified) {"event_type":"pix.charge.paid","status":"paid",'
        '"amount":459000}\n'
    )
    assert (process.returncode, err) == (0, "")


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"secret": "another secret"}, "signature does not match"),
        ({"body": b"{}"}, "signature does not match"),
        ({"at_s": 1_760_000_000}, "away from this machine's time"),
        ({"prefix": "X-Other-"}, "X-MinhaKonta-Signature is missing"),
    ],
    ids=["secret", "body", "time", "prefix"],
)
def test_other_deliveries_are_refused(start: Start, changed: dict[str, Any], says: str) -> None:
    process = start("listen", "--secret-env", "WEBHOOK_SECRET", "--json")
    url = listening(process)
    assert deliver(url, **changed) == 400
    process.terminate()
    out, err = process.communicate(timeout=30)
    assert json.loads(out) == {"url": url, "events": []}
    assert says in err
    assert SECRET not in out + err


def test_one_document_after_so_many_events(start: Start) -> None:
    process = start(
        *("listen", "--secret-env", "WEBHOOK_SECRET", "--count", "2", "--json"),
        *("--header-prefix", "X-Other-"),
    )
    url = listening(process)
    for event_id in ("evt_1", "evt_2"):
        at_s = int(time.time()) - int(event_id == "evt_1")
        assert deliver(url, event_id, prefix="X-Other-", at_s=at_s) == 204
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert out.count("\n") == 1
    document = json.loads(out)
    assert [one["event_id"] for one in document["events"]] == ["evt_1", "evt_2"]
    assert document["events"][0]["body"]["amount"] == 459_000


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "secret-env"),
        (["--secret-env", "NO_SUCH_VARIABLE"], "NO_SUCH_VARIABLE is not set"),
        (["--secret-env", "HOME", "--header-prefix", "not a name"], "--header-prefix"),
        (["--secret-env", "HOME", "--count", "0"], "--count"),
    ],
    ids=["no secret", "unset", "prefix", "count"],
)
def test_listen_used_wrongly(run: Runner, words: list[str], says: str) -> None:
    result = run("sandbox", "listen", *words)
    assert (result.status, result.out) == (2, "")
    assert says in result.err


def test_the_bank_without_a_gate(start: Start, tmp_path: Path) -> None:
    process = start("serve", "--account", "loja", "--json", "--fee", "0", "--opening-balance", "7")
    assert process.stdout is not None
    ready = json.loads(process.stdout.readline())
    assert ready == {
        "base_url": ready["base_url"],
        "account_id": "loja",
        "data": str(tmp_path / "data"),
    }
    api = f"{ready['base_url']}/api/external"
    assert httpx.get(f"{api}/balance").json()["balance"] == 7
    assert httpx.get(f"{ready['base_url']}/openapi.json").json()["openapi"].startswith("3.1")
    dropped = {"Sandbox-Scenario": "drop-before"}
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.get(f"{api}/balance", headers=dropped)
    process.terminate()
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (0, "", "")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "--account ID"),
        (["--account", "a", "--trust-identity-headers"], "--account ID"),
        (["--account", "a b"], "account"),
        (["--account", "a", "--webhook-header-prefix", "not a name"], "prefix"),
        (["--account", "a", "--fee", "-1"], "--fee"),
    ],
    ids=["nobody's", "two", "account", "prefix", "fee"],
)
def test_serve_used_wrongly(run: Runner, words: list[str], says: str) -> None:
    result = run("sandbox", "serve", "--port", "0", *words)
    assert (result.status, result.out) == (2, "")
    assert says in result.err
