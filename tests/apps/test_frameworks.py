"""Starlette, FastAPI and Django behind the gate, on uvicorn and on hypercorn: one contract for all
six.
"""

import hashlib
import http.client
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from typing import Any

import pytest

from guarita.stores.reservations import State
from tests.apps import django_app, fastapi_app, starlette_app
from tests.apps.bench import LARGE, WAIT_S, Bench
from tests.serving.client import Client, Raw, Reply, raw_request
from tests.serving.servers import SERVERS
from tests.serving.worlds import BALANCE, PAY, PREFIX, World

pytestmark = pytest.mark.slow

FRAMEWORKS: dict[str, Callable[[Bench], Any]] = {
    "starlette": starlette_app.make,
    "fastapi": fastapi_app.make,
    "django": django_app.make,
}
ODD_JSON = '{"z": 1.50, "a":"ção \\u0041", "amount": 3050 }'.encode()


class Served(Client):
    """A client of the framework under test, which also looks at every reply's Ray ID."""

    def __init__(self, port: int, world: World, bench: Bench, framework: str) -> None:
        super().__init__(port, world.credentials)
        self.world = world
        self.bench = bench
        self.framework = framework

    def send(self, *args: Any, **kwargs: Any) -> Reply:
        reply = super().send(*args, **kwargs)
        assert len(reply.one("ray-id")) == 28
        return reply

    def states_of(self, key: str) -> list[State]:
        rows = self.world.store.reservations()
        return [row.state for row in rows if row.scope.key == key.encode()]


@pytest.fixture(scope="module", params=list(SERVERS))
def server(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module", params=list(FRAMEWORKS))
def running(request: pytest.FixtureRequest, server: str) -> Iterator[Served]:
    world, bench = World(), Bench()
    app = world.gate(FRAMEWORKS[request.param](bench))
    with SERVERS[server](app) as port:
        served = Served(port, world, bench, request.param)
        served.get(BALANCE)
        has_lifespan = request.param != "django"
        assert bench.counted["startup"] == has_lifespan
        yield served
    assert bench.counted["shutdown"] == has_lifespan, "the lifespan's end did not reach it"


@pytest.fixture
def served(running: Served) -> Served:
    running.bench.reset()
    return running


def test_the_body_arrives_as_sent_and_the_identity_is_known(served: Served) -> None:
    reply = served.post(PAY, ODD_JSON)
    assert reply.status == 200
    seen = json.loads(reply.body)
    assert seen["given_sha256"] == hashlib.sha256(ODD_JSON).hexdigest()
    assert seen["content_type"] == "application/json"
    assert (seen["account"], seen["client_id"], seen["may_pay"], seen["ray"]) == (
        served.credentials.account,
        served.credentials.client_id,
        True,
        reply.one("ray-id"),
    )
    assert reply.one("x-ratelimit-remaining").isdigit()


def test_a_body_of_nearly_a_mebibyte_arrives(served: Served) -> None:
    body = b'{"padding":"%s"}' % (b"x" * 1_000_000)
    seen = json.loads(served.post(PAY, body).body)
    assert (seen["given_length"], seen["given_sha256"]) == (
        len(body),
        hashlib.sha256(body).hexdigest(),
    )


def test_a_chunked_body_arrives_whole(served: Served) -> None:
    parts = [ODD_JSON[:3], ODD_JSON[3:20], ODD_JSON[20:]]
    reply = served.send("POST", PAY, served.credentials.headers(ODD_JSON), iter(parts))
    assert json.loads(reply.body)["given_sha256"] == hashlib.sha256(ODD_JSON).hexdigest()


def test_get_reaches_the_application(served: Served) -> None:
    reply = served.get(BALANCE)
    assert json.loads(reply.body) == {
        "account_id": served.credentials.account,
        "greeting": "from startup",
    }
    assert reply.all("x-ratelimit-remaining") == []


def test_a_response_streams(served: Served) -> None:
    with closing(served.connect()) as connection:
        headers = dict(served.credentials.headers())
        connection.request("GET", PREFIX + "/transactions", headers=headers)
        response = connection.getresponse()
        assert response.read(5) == b"first"
        assert served.bench.entered.wait(WAIT_S)
        assert not served.bench.let_go.is_set()  # the application has not made the rest yet
        served.bench.let_go.set()
        assert response.read() == b"last"
        assert len(response.headers.get_all("ray-id", [])) == 1


def test_a_large_response_is_whole(served: Served) -> None:
    reply = served.get(PREFIX + "/statement")
    assert reply.body == b"x" * LARGE


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("GET", PREFIX + "/nowhere", 404, []),
        ("GET", "/", 404, []),
        ("GET", BALANCE + "/", 404, []),
        ("DELETE", BALANCE, 405, ["GET"]),
        ("HEAD", BALANCE, 405, ["GET"]),
        ("OPTIONS", PAY, 405, ["POST"]),
    ],
)
def test_the_gate_refuses_unknown_routes_and_methods(
    served: Served, method: str, path: str, status: int, allow: list[str]
) -> None:
    reply = served.send(method, path, served.credentials.headers())
    assert (reply.status, reply.all("allow")) == (status, allow)
    kind = {404: "not_found", 405: "method_not_allowed"}[status]
    if method != "HEAD":
        assert list(json.loads(reply.body)["errors"]) == [kind]


def test_key_case_is_converted_both_ways(served: Served) -> None:
    camel: list[tuple[str, str]] = [("x-key-case", "camelCase")]
    reply = served.get(PREFIX + "/pix/keys?pixKey=a%26b&keyType=cpf", more=camel)
    assert json.loads(reply.body) == {"pixKey": "a&b", "keyType": "cpf"}
    reply = served.post(PAY, b'{"pixKey":"1"}', more=camel)
    seen = json.loads(reply.body)
    assert seen["givenSha256"] == hashlib.sha256(b'{"pix_key":"1"}').hexdigest()
    assert seen["givenLength"] == 15
    assert int(reply.one("content-length")) == len(reply.body)


def test_a_post_executes_once_and_is_replayed(served: Served) -> None:
    first = served.post(PAY, ODD_JSON, key="once")
    second = served.post(PAY, ODD_JSON, key="once")
    assert served.bench.counted["paid"] == 1
    assert (first.status, first.body) == (second.status, second.body)
    assert first.all("x-idempotent-replay") == []
    assert second.one("x-idempotent-replay") == "true"
    assert [first.one("idempotency-key"), second.one("idempotency-key")] == ["once", "once"]
    assert first.one("ray-id") != second.one("ray-id")
    assert second.one("content-type") == first.one("content-type")


def test_an_error_answer_releases(served: Served) -> None:
    first = served.post(PAY, b'{"refuse":true}', key="refused")
    assert (first.status, served.states_of("refused")) == (422, [])
    assert served.post(PAY, b'{"refuse":true}', key="refused").status == 422
    assert served.bench.counted["paid"] == 2


def test_an_exception_is_a_500_and_releases(served: Served) -> None:
    first = served.post(PAY, b'{"break":true}', key="broken")
    assert (first.status, served.states_of("broken")) == (500, [])
    assert b"secret detail" not in first.body
    assert served.post(PAY, ODD_JSON, key="broken").status == 200
    assert served.get(PREFIX + "/med").status == 500


def test_a_request_waits_for_its_twin(served: Served) -> None:
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(served.post, PAY, b'{"hold":true}', key="twins")
        assert served.bench.entered.wait(WAIT_S)
        second = pool.submit(served.post, PAY, b'{"hold":true}', key="twins")
        while served.world.asked_kinds().count("Reserve") < 2:
            pass
        served.bench.let_go.set()
        replies = [first.result(WAIT_S), second.result(WAIT_S)]
    assert {reply.status for reply in replies} == {200}
    assert replies[0].body == replies[1].body
    assert served.bench.counted["paid"] == 1


def test_concurrent_requests_keep_apart(served: Served) -> None:
    bodies = [b'{"number":%d}' % number for number in range(24)]
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda body: served.post(PAY, body), bodies))
    for body, reply in zip(bodies, replies, strict=True):
        seen = json.loads(reply.body)
        assert seen["given_sha256"] == hashlib.sha256(body).hexdigest()
        assert seen["ray"] == reply.one("ray-id")
    assert len({reply.one("ray-id") for reply in replies}) == len(bodies)


def test_a_client_that_hangs_up_changes_nothing(served: Served) -> None:
    """DESIGN section 3: the application runs on, and its answer is recorded."""
    body = b'{"hold":true}'
    headers = [(n.encode(), v.encode()) for n, v in served.credentials.headers(body, "gone")]
    with Raw(served.port) as raw:
        raw.send(raw_request("POST", PAY, headers, body))
        assert served.bench.entered.wait(WAIT_S)
    served.get(BALANCE)  # whatever the server makes of the hang-up, it has had its turn
    served.bench.let_go.set()
    retry = served.post(PAY, body, key="gone")
    assert (retry.status, retry.all("x-idempotent-replay")) == (200, ["true"])
    assert served.bench.counted["paid"] == 1


def test_a_refused_body_is_never_read_as_a_request(served: Served, server: str) -> None:
    """uvicorn reads on to the next request; hypercorn gives the connection up."""
    unsigned = [("content-type", "application/json")]
    smuggled = b"GET /api/external/balance HTTP/1.1\r\nHost: a\r\n\r\n" * 100
    with closing(served.connect()) as connection:
        assert served.send("POST", PAY, unsigned, smuggled, over=connection).status == 401
        if server == "uvicorn":
            assert served.post(PAY, ODD_JSON, over=connection).status == 200
            return
        with suppress(ConnectionError, http.client.HTTPException):
            second = Client.send(served, "GET", BALANCE, [], over=connection)
            assert second.status in (400, 401)


def test_expect_100_continue(served: Served) -> None:
    headers = [(n.encode(), v.encode()) for n, v in served.credentials.headers(ODD_JSON)]
    expecting = [*headers, (b"expect", b"100-continue"), (b"content-length", b"%d" % len(ODD_JSON))]
    with Raw(served.port) as raw:
        raw.send(raw_request("POST", PAY, expecting))
        assert raw.head()[0] == 100
        raw.send(ODD_JSON)
        reply = raw.reply()
    assert json.loads(reply.body)["given_sha256"] == hashlib.sha256(ODD_JSON).hexdigest()


def test_who_is_refused_is_never_asked_for_a_body(served: Served, server: str) -> None:
    headers = [(b"content-type", b"application/json"), (b"expect", b"100-continue")]
    with Raw(served.port) as raw:
        raw.send(raw_request("POST", PAY, [*headers, (b"content-length", b"500000")]))
        statuses = [raw.head()[0]]
        if statuses == [100]:
            statuses.append(raw.reply().status)
    # hypercorn says 100 by itself, before it asks the application anything
    assert statuses == ([100, 401] if server == "hypercorn" else [401])


def test_background_tasks_run_after_the_answer(served: Served) -> None:
    if served.framework == "django":
        return  # has none
    reply = served.post(PREFIX + "/webhooks", b'{"url":"https://example.com"}', key="hook")
    assert reply.status == 200
    assert served.states_of("hook") == [State.STORED]
    assert served.bench.counted["background"] == 0
    served.bench.let_go.set()
    assert served.bench.in_background.wait(WAIT_S)
