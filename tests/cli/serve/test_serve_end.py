"""How `guarita serve` ends: nothing in flight is lost."""

import http.client
import json
import signal
import socket
from pathlib import Path

import pytest

from tests.certificates import self_signed
from tests.cli.serve.gateways import (
    DEADLINE_S,
    Files,
    Gateway,
    Merchant,
    Upstream,
    accepts,
    free_port,
    get,
    serving,
)
from tests.serving.gateway.listeners.support import hello

pytestmark = pytest.mark.slow

BALANCE = "/api/external/balance"
PAY = "/api/external/pix/cash-out"


def test_sigterm_lets_responses_in_flight_finish(
    files: Files, merchant: Merchant, upstream: Upstream
) -> None:
    gateway = Gateway(files.file)
    idle, busy = gateway.connect(), gateway.connect()
    assert get(idle, BALANCE, merchant.headers)[0] == 200
    upstream.hold.clear()
    upstream.begun.clear()
    busy.request("GET", BALANCE, headers=merchant.headers)
    assert upstream.begun.wait(DEADLINE_S)
    gateway.process.send_signal(signal.SIGTERM)
    assert idle.sock.recv(1) == b"", "idle connections are closed at once"
    assert not accepts(gateway.port())
    assert gateway.process.poll() is None
    upstream.hold.set()
    response = busy.getresponse()
    assert (response.status, response.getheader("connection")) == (200, "close")
    assert json.loads(response.read())["headers"]["guarita-account"] == merchant.account
    assert gateway.ended() == 0, gateway.log


def test_nothing_is_listened_on_again_while_ending(
    files: Files, merchant: Merchant, upstream: Upstream
) -> None:
    gateway = Gateway(files.file)
    upstream.hold.clear()
    busy = gateway.connect()
    busy.request("GET", BALANCE, headers=merchant.headers)
    assert upstream.begun.wait(DEADLINE_S)
    gateway.process.send_signal(signal.SIGTERM)
    while accepts(gateway.port()):
        pass
    port = free_port()
    gateway.hang_up(files.text(listen=f'"127.0.0.1:{port}"'))
    gateway.wait_for("SIGHUP is ignored: the process is ending")
    assert not accepts(port)
    upstream.hold.set()
    assert busy.getresponse().status == 200
    assert gateway.ended() == 0, gateway.log


def test_sigterm_waits_no_longer_than_the_grace(
    files: Files, merchant: Merchant, upstream: Upstream
) -> None:
    files.file.write_text(files.text().replace("grace_s = 20", "grace_s = 0.2"))
    gateway = Gateway(files.file)
    upstream.hold.clear()
    busy = gateway.connect()
    busy.request("GET", BALANCE, headers=merchant.headers)
    assert upstream.begun.wait(DEADLINE_S)
    gateway.process.send_signal(signal.SIGTERM)
    with pytest.raises((http.client.HTTPException, ConnectionError)):
        busy.getresponse()
    assert gateway.ended() == 0, gateway.log


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_sigterm_does_not_wait_for_handshakes(
    files: Files, merchant: Merchant, tmp_path: Path, loop: str
) -> None:
    """Neither for the grace nor for the time that a handshake may take."""
    own = self_signed("gateway", eku=False).write(tmp_path / "tls")
    text = files.text(
        more=f'[site.tls]\ncertificate = "{own.certificate_file}"\nkey = "{own.key_file}"\n'
        "handshake_s = 3600\n"
    )
    files.file.write_text(text.replace("grace_s = 20", f'grace_s = 3600\nevent_loop = "{loop}"'))
    gateway = Gateway(files.file)
    with socket.create_connection(("127.0.0.1", gateway.port()), timeout=DEADLINE_S) as sock:
        sock.sendall(hello())
        assert sock.recv(65_536)  # the handshake is in its middle
        gateway.process.send_signal(signal.SIGTERM)
        while sock.recv(65_536):
            pass
        assert gateway.ended() == 0, gateway.log


def test_a_payment_whose_client_has_gone_is_recorded_before_the_end(
    files: Files, merchant: Merchant, upstream: Upstream
) -> None:
    body = b'{"amount":1}'
    signed = merchant.signed(body, Idempotency_Key="k1")
    gateway = Gateway(files.file)
    upstream.hold.clear()
    client = gateway.connect()
    client.request("POST", PAY, body, signed)
    assert upstream.begun.wait(DEADLINE_S)
    client.close()
    gateway.process.send_signal(signal.SIGTERM)
    while accepts(gateway.port()):
        pass
    upstream.hold.set()
    assert gateway.ended() == 0, gateway.log
    with serving(files.file) as again:
        client = again.connect()
        client.request("POST", PAY, body, signed)
        response = client.getresponse()
        response.read()
        assert (response.status, response.getheader("x-idempotent-replay")) == (200, "true")
    assert len(upstream.seen) == 1


def test_a_payment_that_is_cut_off_is_unknown(
    files: Files, merchant: Merchant, upstream: Upstream
) -> None:
    """The grace is over and the upstream has not answered: a retry executes nothing."""
    files.file.write_text(files.text().replace("grace_s = 20", "grace_s = 0.2"))
    body = b'{"amount":1}'
    signed = merchant.signed(body, Idempotency_Key="k1")
    gateway = Gateway(files.file)
    upstream.hold.clear()
    client = gateway.connect()
    client.request("POST", PAY, body, signed)
    assert upstream.begun.wait(DEADLINE_S)
    gateway.process.send_signal(signal.SIGTERM)
    with pytest.raises((http.client.HTTPException, ConnectionError)):
        client.getresponse()
    assert gateway.ended() == 0, gateway.log
    upstream.hold.set()
    with serving(files.file) as again:
        client = again.connect()
        client.request("POST", PAY, body, signed)
        response = client.getresponse()
        assert (response.status, b"is unknown" in response.read()) == (409, True)
    assert len(upstream.seen) == 1
