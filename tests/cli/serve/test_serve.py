"""`guarita serve` as a process: start, reload, end."""

import http.client
import json
import socket
import ssl
import time
from pathlib import Path
from threading import Event, Thread

import pytest

from tests.certificates import self_signed
from tests.cli.serve.gateways import (
    DEADLINE_S,
    Files,
    Merchant,
    Upstream,
    accepts,
    free_port,
    get,
    refused,
    serving,
)

pytestmark = pytest.mark.slow

BALANCE = "/api/external/balance"
KEYS = "/api/external/pix/keys"
PAY = "/api/external/pix/cash-out"


def test_a_request_reaches_the_upstream_with_the_callers_identity(
    files: Files, merchant: Merchant, upstream: Upstream
) -> None:
    with serving(files.file) as gateway:
        assert gateway.ready["sites"] == [
            {
                "name": "pay",
                "profile": "minhakonta",
                "listen": [f"127.0.0.1:{gateway.port()}"],
                "tls": False,
                "upstream": upstream.url,
            }
        ]
        connection = gateway.connect()
        status, answer = get(connection, BALANCE, {})
        assert (status, answer["error"]["status"]) == (401, 401)
        forged = {"guarita-account": "acc_x", "Guarita_Account": "acc_y"}
        status, answer = get(connection, BALANCE, {**merchant.headers, **forged})
        assert status == 200
        headers = answer["headers"]
        assert headers["guarita-account"] == merchant.account
        assert headers["guarita-key"] == merchant.key
        assert "account:read" in headers["guarita-permissions"].split(",")
        assert not {"authorization", "guarita_account"} & headers.keys()
        assert merchant.secret not in json.dumps(answer)
        body = b'{"amount":1}'
        signed = merchant.signed(body, Idempotency_Key="k1")
        replays = []
        for _ in range(2):
            connection.request("POST", PAY, body, signed)
            response = connection.getresponse()
            response.read()
            replays.append((response.status, response.getheader("x-idempotent-replay")))
        assert replays == [(200, None), (200, "true")]
    assert [one[:2] for one in upstream.seen] == [("GET", BALANCE), ("POST", PAY)]
    assert not accepts(gateway.port())


def test_a_reload_changes_the_policy_of_a_connection_that_stays(
    files: Files, merchant: Merchant
) -> None:
    with serving(files.file) as gateway:
        connection = gateway.connect()
        assert get(connection, KEYS, merchant.headers)[0] == 200
        own = connection.sock
        gateway.reload(
            files.text(
                profile="mine",
                more="[profile.mine]\nlike = 'minhakonta'\nprefix = '/mine'\n"
                "[profile.mine.rate_limit]\nlimit = 3\n",
            )
        )
        paths = (BALANCE, "/mine/pix/keys", "/mine/pix/keys", "/mine/pix/keys")
        found = [get(connection, path, merchant.headers)[0] for path in paths]
        assert found == [404, 200, 200, 429]
        assert connection.sock is own, "the connection was dropped"
        assert get(gateway.connect(), "/mine/balance", merchant.headers)[0] == 200


def test_a_mistake_keeps_the_configuration_in_force(files: Files, merchant: Merchant) -> None:
    with serving(files.file) as gateway:
        connection = gateway.connect()
        gateway.hang_up("colour = 1\n" + files.text())
        gateway.wait_for("the former configuration stays in force")
        gateway.wait_for(f"{files.file}:1: unknown setting 'colour'")
        assert get(connection, BALANCE, merchant.headers)[0] == 200
        gateway.hang_up(
            files.text(listen='"127.0.0.1:0", "192.0.2.1:8443"', site="unsafe_plaintext = true")
        )
        gateway.wait_for("cannot listen on 192.0.2.1:8443: it is no address of this machine")
        gateway.hang_up(files.text(data='counters = "shared"'))
        gateway.wait_for("[data] counters cannot change while running: restart")
        gateway.hang_up(files.text().replace('"data"', '"other"'))
        gateway.wait_for("[data] folder cannot change while running: restart")
        assert get(connection, BALANCE, merchant.headers)[0] == 200
        gateway.reload(files.text())


def test_listeners_come_and_go(files: Files, merchant: Merchant, tmp_path: Path) -> None:
    path = tmp_path / "g.sock"
    both = f'"127.0.0.1:0", "unix:{path}"'
    with serving(files.file) as gateway:
        connection = gateway.connect()
        assert get(connection, BALANCE, merchant.headers)[0] == 200
        gateway.reload(files.text(listen=both, site="trusted_proxies = ['unix']"))
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(path))
            by_unix = http.client.HTTPConnection("pay.test")
            by_unix.sock = sock
            forwarded = {**merchant.headers, "X-Forwarded-For": "127.0.0.1"}
            assert get(by_unix, BALANCE, forwarded)[0] == 200
            assert path.stat().st_mode & 0o777 == 0o660
            gateway.reload(files.text(listen='"127.0.0.1:0"'))
            assert not path.exists()
            # What made its peer a trusted proxy is gone, and the connection with it.
            assert sock.recv(1) == b""
        assert get(connection, BALANCE, merchant.headers)[0] == 200
        assert accepts(gateway.port())


def test_a_site_that_goes_lets_its_requests_finish(
    files: Files, merchant: Merchant, upstream: Upstream
) -> None:
    _, header, site = files.text().partition("[[site]]")
    files.file.write_text(files.text() + header + site.replace('"pay"', '"other"'))
    with serving(files.file) as gateway:
        idle = gateway.connect(1)
        assert get(idle, BALANCE, merchant.headers)[0] == 200
        upstream.hold.clear()
        upstream.begun.clear()
        busy = gateway.connect(1)
        busy.request("GET", BALANCE, headers=merchant.headers)
        assert upstream.begun.wait(DEADLINE_S)
        port = gateway.port(1)
        gateway.reload(files.text())
        assert not accepts(port)
        assert idle.sock.recv(1) == b"", "an idle connection of a site that is gone is closed"
        upstream.hold.set()
        response = busy.getresponse()
        assert (response.status, response.getheader("connection")) == (200, "close")
        assert get(gateway.connect(), BALANCE, merchant.headers)[0] == 200


def test_a_connection_ends_with_the_listener_it_came_in_by(
    files: Files, merchant: Merchant, upstream: Upstream, tmp_path: Path
) -> None:
    """Its site goes on elsewhere; and plaintext ends where TLS begins."""
    first, second = (f"127.0.0.1:{free_port()}" for _ in range(2))
    files.write(listen=f'"{first}", "{second}"')
    tls = '[site.tls]\ncertificate = "{}"\nkey = "{}"\n'.format(*server_files(tmp_path / "a"))
    with serving(files.file) as gateway:
        gone, kept = (
            http.client.HTTPConnection(one, timeout=DEADLINE_S) for one in (first, second)
        )
        for connection in (gone, kept):
            assert get(connection, BALANCE, merchant.headers)[0] == 200
        gateway.reload(files.text(listen=f'"{second}"'))
        assert gone.sock.recv(1) == b""
        own = kept.sock
        assert get(kept, BALANCE, merchant.headers)[0] == 200
        assert kept.sock is own, "the connection was dropped"
        upstream.hold.clear()
        upstream.begun.clear()
        kept.request("GET", BALANCE, headers=merchant.headers)
        assert upstream.begun.wait(DEADLINE_S)
        gateway.reload(files.text(listen=f'"{second}"', more=tls))
        upstream.hold.set()
        response = kept.getresponse()
        response.read()
        assert (response.status, response.getheader("connection")) == (200, "close")
        for connection in (gone, kept):
            connection.close()


def test_no_connection_is_refused_while_reloading(
    files: Files, merchant: Merchant, tmp_path: Path
) -> None:
    """New connections over TLS, one after the other, while certificate and policy change."""
    certificates = [server_files(tmp_path / name) for name in ("one", "two")]
    tls = '[site.tls]\ncertificate = "{}"\nkey = "{}"\n'
    texts = [files.text(more=tls.format(*pair)) for pair in certificates]
    files.file.write_text(texts[0])
    faults: list[str] = []
    serials: set[str] = set()
    count = 0
    stop = Event()
    with serving(files.file) as gateway:

        def hammer() -> None:
            nonlocal count
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            while not stop.is_set():
                try:
                    connection = http.client.HTTPSConnection(
                        "127.0.0.1", gateway.port(), context=context, timeout=DEADLINE_S
                    )
                    connection.connect()
                    serials.add(str(connection.sock.getpeercert(binary_form=True)))
                    status, _ = get(connection, BALANCE, merchant.headers)
                    connection.close()
                except (OSError, http.client.HTTPException) as error:
                    faults.append(repr(error))
                else:
                    if status != 200:
                        faults.append(str(status))
                    count += 1

        thread = Thread(target=hammer)
        thread.start()
        reloads, until = 0, time.monotonic() + DEADLINE_S
        while reloads < 10 or count < 5 or len(serials) < 2:
            reloads += 1
            gateway.reload(texts[reloads % 2])
            assert time.monotonic() < until, (count, serials, faults)
        stop.set()
        thread.join(DEADLINE_S)
    assert not faults


def server_files(folder: Path) -> tuple[Path, Path]:
    """A server's certificate and its key."""
    written = self_signed("gateway", eku=False).write(folder)
    return written.certificate_file, written.key_file


def test_an_address_that_is_taken(files: Files, merchant: Merchant, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        files.write(listen=f'"127.0.0.1:{port}"')
        assert f"cannot listen on 127.0.0.1:{port}: it is taken" in refused(files.file)
    path = tmp_path / "file"
    path.write_text("kept")
    files.write(listen=f'"unix:{path}"', site="trusted_proxies = ['unix']")
    assert "there is a file that is no socket" in refused(files.file)
    assert path.read_text() == "kept"
    left = tmp_path / "left.sock"
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(left))  # closing it leaves the file
    files.write(listen=f'"unix:{left}"', site="trusted_proxies = ['unix']")
    with serving(files.file) as gateway:
        assert gateway.listens() == [f"unix:{left}"]
    assert not left.exists()


def test_dangerous_settings_are_logged_with_their_line(files: Files, merchant: Merchant) -> None:
    files.write(
        site="unsafe_unguarded_paths = ['/health']", data="unsafe_memory_reservations = true"
    )
    with serving(files.file) as gateway:
        assert get(gateway.connect(), "/health", {})[0] == 200
        assert f"{files.file}:3: idempotency records are lost" in gateway.log
        assert f"{files.file}:10: /health reaches the upstream unchecked" in gateway.log
        assert gateway.log.count("/health") == 1, "each is told once"


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_both_event_loops(files: Files, merchant: Merchant, loop: str) -> None:
    text = files.text().replace("grace_s = 20", f'grace_s = 20\nevent_loop = "{loop}"')
    files.file.write_text(text)
    with serving(files.file) as gateway:
        connection = gateway.connect()
        assert get(connection, BALANCE, merchant.headers)[0] == 200
        gateway.reload()
        assert get(connection, BALANCE, merchant.headers)[0] == 200
