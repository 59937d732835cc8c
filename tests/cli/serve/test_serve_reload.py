"""What a reload of `guarita serve` may not change; an address that goes over to another site."""

import http.client
import json
import socket

import pytest

from tests.cli.serve.gateways import (
    DEADLINE_S,
    Files,
    Merchant,
    Upstream,
    free_port,
    get,
    serving,
)

pytestmark = pytest.mark.slow

BALANCE = "/api/external/balance"
MINE = "/mine/balance"


def test_what_takes_a_restart_is_named(files: Files, merchant: Merchant) -> None:
    """Each setting that changed, once, and no other."""
    own = files.text()
    loop = own.replace("grace_s = 20", 'grace_s = 20\nevent_loop = "asyncio"')
    log = "[decision_log]\nkeep_days = 3\nmax_rows = 5\n"
    changes = {
        own.replace('"data"', '"other"'): "[data] folder",
        files.text(data='counters = "shared"'): "[data] counters",
        files.text(data="unsafe_memory_reservations = true"): "[data] unsafe_memory_reservations",
        files.text(more=log): "[decision_log] keep_days and [decision_log] max_rows",
        files.text(more="[decision_log]\nenabled = false\n"): "[decision_log] enabled",
        loop: "[process] event_loop",
        loop.replace('"data"', '"other"\ncounters = "shared"'): (
            "[data] folder and [data] counters and [process] event_loop"
        ),
    }
    with serving(files.file) as gateway:
        for text, names in changes.items():
            gateway.hang_up(text)
            gateway.wait_for(
                "the former configuration stays in force:\n"
                f"{names} cannot change while running: restart\n"
            )
        gateway.reload(own.replace("grace_s = 20", "grace_s = 19"))
        assert get(gateway.connect(), BALANCE, merchant.headers)[0] == 200


def two_sites(files: Files, pay: list[int], mine: list[int]) -> str:
    """`pay` under /api/external and `mine` under /mine, each on these ports."""
    first, second = (", ".join(f'"127.0.0.1:{port}"' for port in one) for one in (pay, mine))
    site = files.text(listen=second, profile="mine").partition("[[site]]")[2]
    return (
        files.text(listen=first)
        + "[[site]]"
        + site.replace('"pay"', '"mine"')
        + "[profile.mine]\nlike = 'minhakonta'\nprefix = '/mine'\n"
    )


def test_an_address_goes_over_to_another_site(
    files: Files, merchant: Merchant, upstream: Upstream
) -> None:
    """What came in for the former site is not served under it any longer, nor under the other."""
    stays, moves, others = (free_port() for _ in range(3))
    files.file.write_text(two_sites(files, [stays, moves], [others]))
    with serving(files.file) as gateway:
        former, idle = (
            http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE_S)
            for port in (stays, moves)
        )
        for connection in (former, idle):
            assert get(connection, BALANCE, merchant.headers)[0] == 200
            assert get(connection, MINE, merchant.headers)[0] == 404
        own, count = former.sock, len(upstream.seen)
        upstream.hold.clear()
        upstream.begun.clear()
        fields = "".join(f"{name}: {value}\r\n" for name, value in merchant.headers.items())
        with socket.create_connection(("127.0.0.1", moves), DEADLINE_S) as busy:
            # The second waits behind the first.
            for path in (BALANCE, BALANCE):
                busy.sendall(f"GET {path} HTTP/1.1\r\nHost: pay.test\r\n{fields}\r\n".encode())
            assert upstream.begun.wait(DEADLINE_S)
            gateway.reload(two_sites(files, [stays], [others, moves]))
            assert idle.sock.recv(1) == b"", "an idle connection went over to another site"
            upstream.hold.set()
            with busy.makefile("rb") as answers:
                said = answers.read()
        assert said.count(b"HTTP/1.1 ") == said.count(b"HTTP/1.1 200 ") == 1
        assert b"connection: close" in said.partition(b"\r\n\r\n")[0].lower()
        assert json.loads(said.partition(b"\r\n\r\n")[2])["headers"]["guarita-key"] == merchant.key
        assert len(upstream.seen) == count + 1
        # New ones meet the policy of the site that has the address now.
        new = http.client.HTTPConnection("127.0.0.1", moves, timeout=DEADLINE_S)
        assert get(new, MINE, merchant.headers)[0] == 200
        assert get(new, BALANCE, merchant.headers)[0] == 404
        # Those of the addresses that stay keep theirs.
        assert get(former, BALANCE, merchant.headers)[0] == 200
        assert get(former, MINE, merchant.headers)[0] == 404
        assert former.sock is own, "the connection was dropped"
        for connection in (former, idle, new):
            connection.close()
