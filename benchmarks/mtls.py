"""What client certificates cost: CPU per full handshake beside nginx and HAProxy, CPU per
keep-alive request over TLS beside plain HTTP, and chain verifications per request.

The servers take turns, round by round, in one run; ratios and differences are taken within a turn,
so that drift of the machine's speed cancels out.
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.children import Child, Void, cores
from benchmarks.mtls_cases import CASES, TLS_1_3, VERSIONS, Case, Measured
from benchmarks.mtls_tables import tables
from benchmarks.report import Table
from benchmarks.tls_peers import RunningPeer, running
from benchmarks.tls_world import OTHER, STRANGER, make_material, request

CONNECTIONS = 16
"""Kept open in the keep-alive rounds."""

_SETTLE_S = 0.01
_REQUIRED = "Valid client certificate required"
_PIN = "does not match allowed certificate"


class _Ours:
    """A `benchmarks.tls_server` that is starting or running."""

    def __init__(self, child: Child) -> None:
        self._child = child
        self.port = 0

    def wait(self) -> None:
        self.port = self._child.hear()["port"]

    def counters(self) -> dict[str, int]:
        return self._child.ask()


_Servers = dict[Case, _Ours | RunningPeer]


def run(quick: bool) -> list[Table]:
    """Raises `Void` where any answer was wrong."""
    cycles, connections, requests = (3, 32, 300) if quick else (8, 80, 1000)
    measured = {case: Measured() for case in CASES}
    with _servers_and_load() as (servers, load):
        for case, server in servers.items():
            _probe(case, server, load)
        for cycle in range(cycles + 1):
            for case, server in servers.items():
                cost = _requests(case, server, load, requests, measured[case])
                if cycle:  # the first is for warming up
                    measured[case].requests.append(cost)
            for version in VERSIONS:
                for case, server in servers.items():
                    if not case.handshakes:
                        continue
                    cost = _handshakes(case, server, load, connections, measured[case], version)
                    if cycle:
                        measured[case].connections[version].append(cost)
            if not cycle:
                for one in measured.values():
                    one.forget_counts()
    return tables(measured, cycles, connections, requests, CONNECTIONS)


@contextmanager
def _servers_and_load() -> Iterator[tuple[_Servers, Child]]:
    """Every server that can run here, ready, all on one core; and the client on another."""
    server_core, load_core = cores()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="guarita-bench-")))
        make_material(folder)
        place = {"folder": str(folder)}
        sent = {
            name: request(folder, behind_edge=name == "edge").decode()
            for name in ("direct", "edge")
        }
        options = {**place, "core": load_core, "requests": sent}
        load = stack.enter_context(Child("benchmarks.tls_load", options))
        servers: _Servers = {}
        for case in CASES:
            if case.peer is None:
                child = Child(
                    "benchmarks.tls_server", {**place, "core": server_core, **case.options}
                )
                servers[case] = _Ours(stack.enter_context(child))
            elif case.peer.missing() is None:
                servers[case] = stack.enter_context(running(case.peer, folder))
        for server in servers.values():
            if isinstance(server, _Ours):
                server.wait()
        yield servers, load


def _probe(case: Case, server: _Ours | RunningPeer, load: Child) -> None:
    """A client without a certificate, with one that is not registered, and with a stranger's one
    must not get the answer: raises `Void` where it does.
    """

    def said(certificate: str | None) -> str:
        version = TLS_1_3 if case.tls else None
        answer: str = load.ask(
            do="probe", port=server.port, version=version, certificate=certificate
        )["said"]
        return answer

    expected: list[tuple[str | None, str]] = []
    if case.gate and case.source == "tls":
        expected = [(None, _REQUIRED), (STRANGER, _REQUIRED), (OTHER, _PIN)]
    elif case.gate and case.source == "edge":
        expected = [(None, _REQUIRED)]
    elif case.handshakes:
        expected = [(None, ""), (STRANGER, "")]
    for certificate, message in expected:
        answer = said(certificate)
        if " 200 " in answer[:20] or message not in answer:
            raise Void(f"{case.title}: {certificate or 'no certificate'} was answered {answer!r}")


def _requests(
    case: Case, server: _Ours | RunningPeer, load: Child, count: int, measured: Measured
) -> float:
    """CPU microseconds per request on connections that stay open."""
    before = server.counters()
    load.ask(
        do="request",
        port=server.port,
        version=TLS_1_3 if case.tls else None,
        count=count,
        guarded=case.gate,
        connections=CONNECTIONS,
        name="edge" if case.source == "edge" else "direct",
    )
    return _cost(case, server, before, "request", count, measured)


def _handshakes(
    case: Case,
    server: _Ours | RunningPeer,
    load: Child,
    count: int,
    measured: Measured,
    version: str,
) -> float:
    """CPU microseconds per connection with a full handshake and one request."""
    before = server.counters()
    load.ask(do="connect", port=server.port, version=version, count=count, guarded=case.gate)
    time.sleep(_SETTLE_S)  # until the last connection is taken down
    return _cost(case, server, before, "connect", count, measured)


def _cost(
    case: Case,
    server: _Ours | RunningPeer,
    before: dict[str, int],
    what: str,
    count: int,
    measured: Measured,
) -> float:
    after = server.counters()
    spent = {name: value - before[name] for name, value in after.items()}
    if spent.get("calls", count) != count:
        raise Void(f"{case.title}: {count} requests, {spent['calls']} executions")
    if case.gate:
        measured.count(what, count, spent["verifications"])
        if case.forgetful and what == "connect" and spent["verifications"] != count:
            raise Void(f"{case.title}: {spent['verifications']} verifications, not {count}")
    return spent["cpu_ns"] / count / 1000
