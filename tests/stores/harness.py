"""What the store tests share: asks made from short names, the three ways to a store, and processes
that hold reservations.
"""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from threading import Thread
from typing import Any, Literal

from guarita.asks import (
    Ask,
    CountFault,
    CountHit,
    Faults,
    FaultsOf,
    LoseOutcome,
    Record,
    Release,
    Reserve,
    Scope,
)
from guarita.decision import Response
from guarita.stores.group_commit import GroupCommit
from guarita.stores.memory import MemoryStore
from guarita.stores.reservations import ReservationRow, ReservationStore
from guarita.stores.sqlite.store import SqliteStore

NOW = 1_750_000_000.0
DAY = 86_400
REPOSITORY = Path(__file__).parents[2]

CREATED = Response(
    201,
    ((b"content-type", b"application/json"), (b"location", b"/transfers/\xe9")),
    b'{"id":1}',
)


def scope(name: str, account: str = "acc_1") -> Scope:
    """The scope of idempotency key `name`."""
    key = name.encode()
    return Scope(sha256(account.encode() + key).digest(), account, "POST", "/pix/cash-out", key)


def reserve(name: str, token: str, at: float = NOW, keep_s: int = DAY) -> Reserve:
    return Reserve(scope(name), token, sha256(token.encode()).digest(), at, keep_s)


def record(name: str, token: str, response: Response = CREATED) -> Record:
    return Record(scope(name), token, response)


def release(name: str, token: str) -> Release:
    return Release(scope(name), token)


def lose(name: str, token: str) -> LoseOutcome:
    return LoseOutcome(scope(name), token)


def hit(key: str = "203.0.113.7", at: float = NOW, window_s: int = 60) -> CountHit:
    return CountHit(key, at, window_s)


def fault(
    address: str = "203.0.113.7", key: str = "key_1", at: float = NOW, window_s: int = 60
) -> CountFault:
    return CountFault(key, address, at, window_s)


def faults_of(
    address: str = "203.0.113.7", key: str = "key_1", at: float = NOW, window_s: int = 60
) -> FaultsOf:
    return FaultsOf(key, address, at, window_s)


def counted(store: ReservationStore, ask: CountFault | FaultsOf) -> tuple[int, int, int]:
    """Of the address, of the key, and of how many addresses."""
    answer = store.answer(ask)
    assert isinstance(answer, Faults)
    return answer.of_address, answer.of_key, answer.addresses


class BehindLoop:
    """A `SqliteStore` behind `GroupCommit`, asked from ordinary threads: what `ReservationStore`
    promises, kept by an event loop.
    """

    def __init__(self, path: Path) -> None:
        self._store = SqliteStore(path)
        self._group = GroupCommit(self._store)
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever)
        self._thread.start()

    def answer(self, ask: Ask) -> Any:
        if self._loop.is_closed():
            return asyncio.run(self._group.answer(ask))
        return asyncio.run_coroutine_threadsafe(self._group.answer(ask), self._loop).result(30)

    def reservations(
        self, *, state: str | None = None, account: str | None = None, at: float | None = None
    ) -> list[ReservationRow]:
        return self._store.reservations(state=state, account=account, at=at)

    def resolve(self, digest: bytes, resolution: Literal["release"] | Response) -> bool:
        return self._store.resolve(digest, resolution)

    def close(self) -> None:
        self._group.close()
        self._store.close()
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()


STORES: dict[str, Callable[[Path], ReservationStore]] = {
    "memory": lambda path: MemoryStore(),
    "sqlite": SqliteStore,
    "sqlite_group_commit": BehindLoop,
}
"""Every store there is, by name: how to open one on an empty folder's file."""


def together(count: int, work: Callable[[int], Any]) -> list[Any]:
    """Run `work(0)` … `work(count - 1)` at once, each in a thread of its own; their results, in
    order.
    """
    results: list[Any] = [None] * count

    def run(number: int) -> None:
        try:
            results[number] = work(number)
        except BaseException as error:
            results[number] = error

    threads = [Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results


class Asker:
    """Another process with a `SqliteStore` of its own; see `asker.py` for the commands it takes."""

    def __init__(self, path: Path, *command: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.stores.asker", str(path), *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=REPOSITORY,
            env={**os.environ, "PYTHONPATH": f"{REPOSITORY / 'src'}{os.pathsep}{REPOSITORY}"},
        )

    def line(self) -> str:
        """The next line it prints; empty when it has ended."""
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def go(self, text: str = "") -> None:
        """Send it a line."""
        assert self._process.stdin is not None
        self._process.stdin.write(text + "\n")
        self._process.stdin.flush()

    def ask(self, text: str) -> str:
        """Send a line, and read the answering line."""
        self.go(text)
        return self.line()

    def kill(self) -> None:
        """kill -9, and wait for its end."""
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def end(self) -> None:
        if self._process.poll() is None:
            self.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()


@contextmanager
def askers(path: Path, count: int = 1) -> Iterator[list[Asker]]:
    """`count` processes, ready."""
    started = [Asker(path) for _ in range(count)]
    try:
        for asker in started:
            assert asker.line() == "ready"
        yield started
    finally:
        for asker in started:
            asker.end()
