"""A process of its own for tests: opens a SqliteStore, prints "ready", and answers one line of
standard input with one line.

    reserve NAME TOKEN      reserved | stored | in_flight | outcome_unknown
    record NAME TOKEN       done
    race COUNT              reserves r0 … r(COUNT-1), one after the other: the numbers it won
    hits COUNT              counts COUNT hits: the answers
    fork NAME TOKEN         reserves and forks: what the parent got, what the child finds, what the
                            child gets for "child", whether it has a connection of its own, and
                            what the parent finds for "child" once the child has ended
    leave_child NAME TOKEN  reserves and forks: the pid of a child that lives as long as its input,
                            once the child runs
    limit, unlimit          done; in between no file may grow, as on a full disk
    outage NAME TOKEN       outage | what reserve prints
"""

import os
import resource
import sys

from guarita.asks import Busy, Outage, Stored
from guarita.stores.sqlite.store import SqliteStore
from tests.stores.harness import hit, record, reserve


def told(answer: object) -> str:
    if isinstance(answer, Busy):
        return answer.value
    return "stored" if isinstance(answer, Stored) else "reserved"


def fork(store: SqliteStore, name: str, token: str) -> str:
    mine = told(store.answer(reserve(name, token)))
    reader, writer = os.pipe()
    inherited = store._conn
    child = os.fork()
    if child == 0:
        found = told(store.answer(reserve(name, token + "-child")))
        own = told(store.answer(reserve("child", token + "-child")))
        os.write(writer, f"{found} {own} {store._conn is not inherited}".encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        return f"{mine} {pipe.read()} {told(store.answer(reserve('child', token)))}"


def leave_child(store: SqliteStore, name: str, token: str) -> str:
    told(store.answer(reserve(name, token)))
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, b"forked")
        os.close(1)
        while os.read(0, 4096):
            pass
        os._exit(0)
    # Until the child runs it holds all its parent held, the lock included: whoever kills the
    # parent before that finds the reservation still in flight.
    os.read(reader, 6)
    os.close(reader)
    os.close(writer)
    return str(child)


def limit_files(store: SqliteStore, size: int) -> str:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    return "done"


def run(store: SqliteStore, command: str, *words: str) -> str:
    match command:
        case "reserve":
            return told(store.answer(reserve(words[0], words[1])))
        case "record":
            return str(store.answer(record(words[0], words[1])) or "done")
        case "race":
            token = f"process-{os.getpid()}"
            asked = [(n, store.answer(reserve(f"r{n}", token))) for n in range(int(words[0]))]
            return " ".join(str(number) for number, answer in asked if told(answer) == "reserved")
        case "hits":
            return " ".join(str(store.answer(hit())) for _ in range(int(words[0])))
        case "fork":
            return fork(store, *words)
        case "leave_child":
            return leave_child(store, *words)
        case "limit":
            return limit_files(store, 0)
        case "unlimit":
            return limit_files(store, resource.RLIM_INFINITY)
        case "outage":
            try:
                return told(store.answer(reserve(words[0], words[1])))
            except Outage:
                return "outage"
    raise ValueError(f"unknown command {command!r}")


def main(path: str) -> None:
    store = SqliteStore(path)
    print("ready", flush=True)
    for line in sys.stdin:
        print(run(store, *line.split()), flush=True)
    store.close()


if __name__ == "__main__":
    main(sys.argv[1])
