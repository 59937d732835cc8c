"""nginx and HAProxy as the handshakes are compared with them: one worker, client certificate
demanded, no session resumed, a constant answer of their own; where they are installed.

Their CPU time is read from the system's clock of each process.
"""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.children import Void, cores
from benchmarks.wire import ANSWER

_DEADLINE_S = 10.0

_NGINX = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log error;
events {{ worker_connections 256; }}
http {{
    access_log off;
    server_tokens off;
    default_type application/json;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    keepalive_timeout 3600s;
    keepalive_requests 100000000;
    keepalive_time 1d;
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {folder}/server.pem;
        ssl_certificate_key {folder}/server.pem;
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_client_certificate {folder}/ca.pem;
        ssl_verify_client on;
        ssl_session_cache off;
        ssl_session_tickets off;
        {revocation}
        location / {{ return 200 '{answer}'; }}
    }}
}}
"""

_HAPROXY = """
global
    nbthread 1
    ssl-default-bind-options ssl-min-ver TLSv1.2 no-tls-tickets
    tune.ssl.cachesize 0
defaults
    mode http
    timeout client 3600s
    timeout http-keep-alive 3600s
frontend benchmark
    bind 127.0.0.1:{port} ssl crt {folder}/server.pem ca-file {folder}/ca.pem verify required \
{revocation}
    http-request return status 200 content-type application/json string '{answer}'
"""


@dataclass(frozen=True, slots=True)
class Peer:
    """A program to compare with, with or without the revocation list."""

    program: str
    revocation: bool = False

    def missing(self) -> str | None:
        """Why it cannot be measured here, or None."""
        if sys.platform != "linux":
            return "measured on Linux only"
        return None if self.path() else "not installed"

    def path(self) -> str | None:
        folders = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
        return shutil.which(self.program, path=folders)

    def version(self) -> str:
        """Such as "1.22.1"; "" where it does not say."""
        done = subprocess.run([self.path() or "", "-v"], capture_output=True, text=True, timeout=10)
        words = (done.stdout + done.stderr).replace("/", " ").split()
        return next((word.partition("-")[0] for word in words if word[:1].isdigit()), "")

    def command(self, folder: Path, port: int) -> list[str]:
        """Write its configuration for the material in `folder`; gives what starts it."""
        nginx = self.program == "nginx"
        crl = folder / "crl.pem"
        revocation = (f"ssl_crl {crl};" if nginx else f"crl-file {crl}") if self.revocation else ""
        text = (_NGINX if nginx else _HAPROXY).format(
            folder=folder, port=port, answer=ANSWER.decode(), revocation=revocation
        )
        file = folder / f"{self.program}-{port}.conf"
        file.write_text(text)
        path = self.path()
        assert path is not None
        if nginx:
            return [path, "-e", str(folder / "nginx.log"), "-p", str(folder), "-c", str(file)]
        return [path, "-db", "-f", str(file)]


class RunningPeer:
    """One that listens on `port`."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.port = port
        self._process = process

    def counters(self) -> dict[str, int]:
        """{"cpu_ns"}: of the process and those it started, user and system."""
        return {"cpu_ns": sum(_cpu_ns(pid) for pid in _family(self._process.pid))}


@contextmanager
def running(peer: Peer, folder: Path) -> Iterator[RunningPeer]:
    """Start `peer` on the servers' core; end it by its process id.

    Raises:
        Void: it does not come up.
    """
    with socket.socket() as holder:
        # Bound, not listening: nobody else is given the port, and the program can still take it.
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
        port: int = holder.getsockname()[1]
        with (folder / f"{peer.program}-{port}.log").open("w+b") as log:
            process = _on_servers_core(peer.command(folder, port), log.fileno())
            try:
                _until_listening(process, port, Path(log.name))
                yield RunningPeer(process, port)
            finally:
                process.terminate()
                try:
                    process.wait(_DEADLINE_S)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def _on_servers_core(command: list[str], log: int) -> subprocess.Popen[bytes]:
    core, _ = cores()
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
    until = time.perf_counter() + _DEADLINE_S
    while process.poll() is None and time.perf_counter() < until:
        with socket.socket() as attempt:
            if attempt.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise Void(f"{process.args!r} did not come up: {log.read_text(errors='replace')[:2000]}")


def _family(pid: int) -> list[int]:
    found = [pid]
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        found += [one for child in children.read_text().split() for one in _family(int(child))]
    return found


def _cpu_ns(pid: int) -> int:
    """The clock of another process (clock_getcpuclockid(3): its complement, shifted, and the kind
    "scheduler"): exact, where /proc/PID/stat counts hundredths of a second.
    """
    return time.clock_gettime_ns((~pid << 3) | 2)
