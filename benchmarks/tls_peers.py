"""nginx and HAProxy as the handshakes are compared with them: one worker, client certificate
demanded, no session resumed, a constant answer of their own; where they are installed.

Their CPU time is read from the system's clock of each process.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import processes
from benchmarks.children import cores
from benchmarks.wire import ANSWER

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
        return processes.program(self.program)

    def version(self) -> str:
        """Such as "1.22.1"; "" where it does not say."""
        return processes.version(self.program)

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

    def __init__(self, pid: int, port: int) -> None:
        self.port = port
        self._pid = pid

    def counters(self) -> dict[str, int]:
        """{"cpu_ns"}: of the process and those it started, user and system."""
        return {"cpu_ns": processes.cpu_ns(self._pid)}


@contextmanager
def running(peer: Peer, folder: Path) -> Iterator[RunningPeer]:
    """Start `peer` on the servers' core; end it by its process id.

    Raises:
        Void: it does not come up.
    """
    server_core, _ = cores()
    with processes.held_port() as port:
        log = folder / f"{peer.program}-{port}.log"
        with processes.started(peer.command(folder, port), port, log, server_core) as process:
            yield RunningPeer(process.pid, port)
