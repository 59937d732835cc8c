"""Programs of others as the benchmarks start, watch and end them: on a given core, by process id;
CPU time, memory and open descriptors of a process and those it started (Linux).
"""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.children import Void

DEADLINE_S = 15.0


def program(name: str) -> str | None:
    """The path of a program that may stand where only the administrator looks; None: missing."""
    folders = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    return shutil.which(name, path=folders)


def version(name: str) -> str:
    """Such as "1.22.1"; "" where it is missing or does not say."""
    path = program(name)
    if path is None:
        return ""
    done = subprocess.run([path, "-v"], capture_output=True, text=True, timeout=10)
    words = (done.stdout + done.stderr).replace("/", " ").split()
    return next((word.partition("-")[0] for word in words if word[:1].isdigit()), "")


@contextmanager
def held_port() -> Iterator[int]:
    """A loopback port: bound, not listening, so nobody else is given it, and a program that sets
    SO_REUSEADDR can still take it.
    """
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
        port: int = holder.getsockname()[1]
        yield port


@contextmanager
def started(
    command: Sequence[str], port: int, log: Path, core: int | None
) -> Iterator[subprocess.Popen[bytes]]:
    """A program that listens on the loopback `port`, kept on `core`; what it says goes to `log`.

    Raises:
        Void: it does not come up.
    """
    with log.open("w+b") as output:
        process = _on_core(command, output.fileno(), core)
        try:
            _until_listening(process, port, log)
            yield process
        finally:
            end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """Ask it to end; after a while, end it."""
    process.terminate()
    try:
        process.wait(DEADLINE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _on_core(command: Sequence[str], log: int, core: int | None) -> subprocess.Popen[bytes]:
    usable = os.sched_getaffinity(0)
    if core is not None:
        os.sched_setaffinity(0, {core})  # what is started inherits it, and its workers from it
    try:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    finally:
        os.sched_setaffinity(0, usable)


def _until_listening(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    until = time.perf_counter() + DEADLINE_S
    while process.poll() is None and time.perf_counter() < until:
        with socket.socket() as attempt:
            if attempt.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise Void(f"{process.args!r} did not come up: {log.read_text(errors='replace')[:2000]}")


# --- what a program uses --------------------------------------------------------------------------


def family(pid: int) -> list[int]:
    """The process and all that it, and they, have started."""
    found = [pid]
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        found += [one for child in children.read_text().split() for one in family(int(child))]
    return found


def cpu_ns(pid: int) -> int:
    """CPU time of the family so far, user and system, in nanoseconds."""
    return sum(_clock_ns(one) for one in family(pid))


def _clock_ns(pid: int) -> int:
    """The clock of another process (clock_getcpuclockid(3): its complement, shifted, and the kind
    "scheduler"): exact, where /proc/PID/stat counts hundredths of a second.
    """
    return time.clock_gettime_ns((~pid << 3) | 2)


def memory(pid: int) -> int:
    """Bytes of memory the family takes: its proportional share of pages that several processes
    have (PSS).
    """
    total = 0
    for one in family(pid):
        for line in Path(f"/proc/{one}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1]) * 1024
    return total


def descriptors(pid: int) -> int:
    """How many descriptors the family has open."""
    return sum(len(os.listdir(f"/proc/{one}/fd")) for one in family(pid))
