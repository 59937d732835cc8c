"""Sends the vectors to a contender as it will be timed; says which of its checks are missing."""

import socket
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.children import Void
from benchmarks.contenders.lineup import Running
from benchmarks.contenders.material import address_of
from benchmarks.contenders.vectors import VECTORS, Vector

_TIMEOUT_S = 10.0
_REPLAY = b"\r\nx-idempotent-replay: true\r\n"


@dataclass(frozen=True, slots=True)
class Checked:
    """What became of one vector."""

    vector: Vector
    problem: str | None

    @property
    def passed(self) -> bool:
        return self.problem is None


def check(running: Running, limited: Running) -> list[Checked]:
    """Every vector, in order; `limited` is the same contender with the small limit.

    Raises:
        Void: the complete example is not admitted: then nothing can be measured either.
    """
    results = [Checked(one, _problem(one, limited if one.limited else running)) for one in VECTORS]
    if not results[0].passed:
        raise Void(f"{results[0].vector.name}: {results[0].problem}")
    return results


def _problem(vector: Vector, running: Running) -> str | None:
    """What is wrong with the contender's answer to `vector`, or None."""
    before = running.executed()
    answers = send(
        running.port, vector.request, vector.sends, vector.source_address or address_of(0)
    )
    executed = running.executed() - before
    status = int(answers[-1].split(b" ", 2)[1])
    if status != vector.expected:
        return f"status {status}"
    if executed != vector.executed:
        return f"executed {executed} times"
    if vector.replayed:
        if _REPLAY not in answers[-1].lower():
            return "answered again, but not as a replay"
        if _body(answers[-1]) != _body(answers[0]):
            return "replayed another body"
    return None


def send(port: int, request: bytes, times: int, source: str) -> list[bytes]:
    """The answers to `request`, each over a connection of its own."""
    answers = []
    for _ in range(times):
        with socket.create_connection(
            ("127.0.0.1", port), timeout=_TIMEOUT_S, source_address=(source, 0)
        ) as connection:
            connection.sendall(request)
            answers.append(_answer(connection))
    return answers


def _answer(connection: socket.socket) -> bytes:
    """One response with a Content-Length."""
    data = b""
    while True:
        head, found, body = data.partition(b"\r\n\r\n")
        if found:
            length = next(
                int(line.partition(b":")[2])
                for line in head.lower().split(b"\r\n")
                if line.startswith(b"content-length:")
            )
            if len(body) >= length:
                return data
        more = connection.recv(65_536)
        if not more:
            raise Void(f"a connection ended within an answer: {data[:200]!r}")
        data += more


def _body(answer: bytes) -> bytes:
    return answer.partition(b"\r\n\r\n")[2]


def missing(results: Sequence[Checked]) -> list[str]:
    """The names of the checks that failed."""
    return [one.vector.name for one in results if not one.passed]
