"""Header bytes no client library would send, through real servers: refused whole, never repaired.

`base64` without `-w0` breaks the seed's example (seed L47) into lines: that bare LF must be a 400.
"""

import base64
import json
from collections.abc import Iterator

import pytest

from tests.serving.by_hand import Call, Stage, answers, scope_of
from tests.serving.client import Raw, Reply, raw_request
from tests.serving.servers import SERVERS, uvicorn_thread
from tests.serving.worlds import BALANCE, PAY, PAYMENT, World
from tests.shared_vectors import shared

MISSING = "Missing API key credentials. Use Authorization: ApiKey <client_id>:<client_secret>"
INVALID = "Invalid API key credentials"


class Guarded:
    """A server whose application counts who gets to it."""

    def __init__(self, world: World, port: int, reached: list[str]) -> None:
        self.world = world
        self.port = port
        self.reached = reached

    def send(self, *headers: tuple[bytes, bytes], method: str = "GET", body: bytes = b"") -> Reply:
        with Raw(self.port) as raw:
            raw.send(
                raw_request(
                    method, PAY if body else BALANCE, [*headers, (b"Connection", b"close")], body
                )
            )
            return raw.reply()


@pytest.fixture(scope="module", params=[*SERVERS, "uvicorn-h11"])
def guarded(request: pytest.FixtureRequest) -> Iterator[Guarded]:
    world, reached = World(), list[str]()

    async def app(scope, receive, send):  # type: ignore[no-untyped-def]
        if scope["type"] == "lifespan":
            raise RuntimeError("no lifespan here")
        reached.append(scope["method"])
        await answers()(scope, receive, send)

    if request.param == "uvicorn-h11":
        with uvicorn_thread(world.gate(app), http="h11") as port:
            yield Guarded(world, port, reached)
    else:
        with SERVERS[request.param](world.gate(app)) as port:
            yield Guarded(world, port, reached)


@pytest.fixture(autouse=True)
def nobody_yet(request: pytest.FixtureRequest) -> None:
    if "guarded" in request.fixturenames:
        request.getfixturevalue("guarded").reached.clear()


def broken_base64(world: World) -> bytes:
    """What `echo -n id:secret | base64` prints: lines of 76 characters."""
    credentials = world.credentials
    lines = base64.encodebytes(f"{credentials.client_id}:{credentials.secret}".encode())
    return b"Basic " + lines.rstrip(b"\n")


def test_the_well_formed_request_is_admitted(guarded: Guarded) -> None:
    basic = guarded.world.credentials.basic().encode()
    assert guarded.send((b"Authorization", basic)).status == 200
    assert guarded.reached == ["GET"]


def test_a_bare_lf_inside_authorization_is_400(guarded: Guarded) -> None:
    broken = broken_base64(guarded.world)
    assert b"\n" in broken
    assert guarded.send((b"Authorization", broken)).status == 400
    assert guarded.reached == []


@pytest.mark.parametrize("control", [b"\n", b"\r", b"\0", b"\n ", b"\r\n ", b"\r\n\t"])
def test_a_control_character_never_lets_anyone_in(guarded: Guarded, control: bytes) -> None:
    value = guarded.world.credentials.authorization().encode()
    reply = guarded.send((b"Authorization", value[:30] + control + value[30:]))
    assert reply.status in (400, 401)
    assert guarded.reached == []


@pytest.mark.parametrize("pair", ["same", "second is wrong", "first is wrong"])
def test_a_doubled_authorization_is_none(guarded: Guarded, pair: str) -> None:
    good, wrong = guarded.world.credentials.authorization().encode(), b"ApiKey cli_a:sk_b"
    values = {
        "same": (good, good),
        "second is wrong": (good, wrong),
        "first is wrong": (wrong, good),
    }
    first, second = values[pair]
    reply = guarded.send((b"Authorization", first), (b"authorization", second))
    assert (reply.status, json.loads(reply.body)["error"]["message"]) == (401, MISSING)
    assert guarded.reached == []


@pytest.mark.parametrize(
    ("name", "status"), [(b"hmac", 401), (b"Content-Type", 415), (b"Idempotency-Key", 400)]
)
def test_doubled_headers_of_a_payment(guarded: Guarded, name: bytes, status: int) -> None:
    headers = [(n.encode(), v.encode()) for n, v in guarded.world.credentials.headers(PAYMENT, "k")]
    doubled = [(sent, value) for sent, value in headers if sent == name.lower()]
    assert guarded.send(*headers, *doubled, method="POST", body=PAYMENT).status == status
    assert guarded.reached == []


def test_a_doubled_length_never_lets_anyone_in(guarded: Guarded) -> None:
    headers = [(n.encode(), v.encode()) for n, v in guarded.world.credentials.headers(PAYMENT)]
    reply = guarded.send(*headers, (b"Content-Length", b"5"), method="POST", body=PAYMENT)
    assert reply.status == 400
    assert guarded.reached == []


async def test_the_shared_file_of_basic_headers() -> None:
    cases = json.loads(shared("basic_auth_header", "cases.json").read_bytes())
    assert len(cases) >= 42
    wrong = []
    for case in cases:
        told = await through_the_gate(case["authorization"])
        if told != (INVALID if case["valid"] else MISSING):
            wrong.append((case["id"], case["authorization"], told))
    assert wrong == []


async def through_the_gate(authorization: str | None) -> str:
    world, never = World(), Stage()
    headers = [] if authorization is None else [("authorization", authorization)]
    reply = await Call(world.gate(never), scope_of("GET", BALANCE, headers), b"").answer()
    assert (reply.status, never.calls) == (401, 0)
    message: str = json.loads(reply.body)["error"]["message"]
    return message


@pytest.mark.parametrize("control", ["\n", "\r", "\0", "\r\n "])
async def test_a_server_that_lets_control_characters_through(control: str) -> None:
    world, never = World(), Stage()
    value = world.credentials.authorization()
    for headers in (
        [("authorization", value[:30] + control + value[30:])],
        [("authorization", value), ("x-other", "a" + control)],
        [("authorization", value), ("x-other" + control, "a")],
        [("authorization", value + control)],
    ):
        reply = await Call(world.gate(never), scope_of("GET", BALANCE, headers), b"").answer()
        assert reply.status == 400
        assert (
            reply.body
            == b'{"error":{"status":400,"message":"A header contains a control character"}}'
        )
    assert never.calls == 0
