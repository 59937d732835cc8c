"""`guarita serve` in a process of its own, an upstream behind it, and whoever calls it."""

import hashlib
import hmac
import http.client
import json
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Condition, Event, Thread
from typing import Any

from tests.cli.support import PROGRAM, environment

DEADLINE_S = 30.0


def guarita(*words: str, config: Path) -> Any:
    """What a command prints with --json; it must succeed."""
    done = subprocess.run(
        [*PROGRAM, *words, "--config", str(config), "--json"],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


class Merchant:
    """An account with one key, made with the configuration's data folder."""

    def __init__(self, config: Path, profile: str, *options: str) -> None:
        guarita("migrate", config=config)
        self.account = guarita("account", "create", "Loja da Ana", config=config)["account_id"]
        words = ("key", "create", "--account", self.account, "--profile", profile)
        made = guarita(*words, "--allow-ip", "127.0.0.1", *options, config=config)
        self.key: str = made.get("client_id") or made["key_id"]
        self.secret: str = made.get("client_secret") or made["api_key"]

    @property
    def headers(self) -> dict[str, str]:
        """Credentials of a request without a body."""
        if self.secret.startswith("dk_"):
            return {"x-delbank-api-key": self.secret, "x-delfinance-account-id": self.account}
        return {"Authorization": f"ApiKey {self.key}:{self.secret}"}

    def signed(self, body: bytes, **more: str) -> dict[str, str]:
        """Those of a request with a body."""
        digest = hmac.new(self.secret.encode(), body, hashlib.sha512).hexdigest()
        own = {"hmac": digest, "Content-Type": "application/json"}
        return {**self.headers, **own, **{k.replace("_", "-"): v for k, v in more.items()}}


class Gateway:
    """A running `guarita serve --json`.

    Attributes:
        ready: the document it printed.
        log: what it has written to standard error so far.
    """

    def __init__(self, config: Path, **env: str) -> None:
        self.config = config
        self.process = subprocess.Popen(
            [*PROGRAM, "serve", "--config", str(config), "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(**env),
        )
        assert self.process.stdout is not None
        self.log = ""
        self._changed = Condition()
        self._connections: list[http.client.HTTPConnection] = []
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()
        line = self.process.stdout.readline()
        if not line:
            self._reader.join(DEADLINE_S)
            raise AssertionError(f"it did not start: {self.log}")
        self.ready: dict[str, Any] = json.loads(line)

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._changed:
                self.log += line
                self._changed.notify_all()

    def listens(self, site: int = 0) -> list[str]:
        found: list[str] = self.ready["sites"][site]["listen"]
        return found

    def port(self, site: int = 0) -> int:
        """The first TCP port of a site."""
        return int(self.listens(site)[0].rpartition(":")[2])

    def connect(self, site: int = 0) -> http.client.HTTPConnection:
        """A connection, closed when the gateway has ended."""
        made = http.client.HTTPConnection("127.0.0.1", self.port(site), timeout=DEADLINE_S)
        self._connections.append(made)
        return made

    def wait_for(self, text: str, times: int = 1) -> None:
        """Until `text` stands in the log so often."""
        with self._changed:
            seen = self._changed.wait_for(lambda: self.log.count(text) >= times, DEADLINE_S)
        assert seen, self.log

    def reload(self, text: str | None = None) -> None:
        """SIGHUP, after the file was given a new content; returns when that is in force."""
        said = "the configuration was read again"
        before = self.log.count(said)
        self.hang_up(text)
        self.wait_for(said, before + 1)

    def hang_up(self, text: str | None = None) -> None:
        if text is not None:
            self.config.write_text(text, "utf-8")
        self.process.send_signal(signal.SIGHUP)

    def stop(self) -> int:
        """SIGTERM; the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.ended()

    def ended(self) -> int:
        status = self.process.wait(DEADLINE_S)
        for connection in self._connections:
            connection.close()
        self._reader.join(DEADLINE_S)
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()
        return status


@contextmanager
def serving(config: Path, **env: str) -> Iterator[Gateway]:
    """A gateway that must end well."""
    gateway = Gateway(config, **env)
    try:
        yield gateway
    finally:
        with suppress(ProcessLookupError):
            status = gateway.stop()
    assert status == 0, gateway.log


class Upstream:
    """An upstream in this process that answers with what it got.

    Attributes:
        seen: every request: method, path, headers, body.
        hold: while cleared, answers wait.
        begun: set whenever a request has come.
    """

    def __init__(self) -> None:
        upstream = self
        self.seen: list[tuple[str, str, dict[str, str], bytes]] = []
        self.hold = Event()
        self.hold.set()
        self.begun = Event()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", "0")))
                headers = {name.lower(): value for name, value in self.headers.items()}
                upstream.seen.append((self.command, self.path, headers, body))
                upstream.begun.set()
                upstream.hold.wait(DEADLINE_S)
                answer = json.dumps({"headers": headers, "body": body.decode()}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                with suppress(OSError):
                    self.wfile.write(answer)

            do_GET = do_POST = do_DELETE = answer

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self.hold.set()
        self._server.shutdown()
        self._server.server_close()


class Files:
    """A configuration that a test changes."""

    def __init__(self, folder: Path, upstream: Upstream) -> None:
        self.file = folder / "guarita.toml"
        self.upstream = upstream
        self.write()

    def text(
        self,
        *,
        site: str = "",
        listen: str = '"127.0.0.1:0"',
        profile: str = "minhakonta",
        data: str = "",
        more: str = "",
    ) -> str:
        return (
            f'[data]\nfolder = "data"\n{data}\n[process]\ngrace_s = 20\n'
            f'[[site]]\nname = "pay"\nlisten = [{listen}]\nprofile = "{profile}"\n{site}\n'
            f'[site.upstream]\nurl = "{self.upstream.url}"\n{more}'
        )

    def write(self, **changes: str) -> Path:
        self.file.write_text(self.text(**changes), "utf-8")
        return self.file


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def accepts(port: int) -> bool:
    """Whether somebody listens there."""
    with socket.socket() as sock:
        sock.settimeout(DEADLINE_S)
        return sock.connect_ex(("127.0.0.1", port)) == 0


def get(
    connection: http.client.HTTPConnection, path: str, headers: dict[str, str]
) -> tuple[int, Any]:
    """Status and JSON body of a GET on a connection that is kept."""
    connection.request("GET", path, headers=headers)
    response = connection.getresponse()
    return response.status, json.loads(response.read())


def missing(*programs: str) -> str:
    """What of these is not installed, for the reason of a skip; "" where all is."""
    absent = [one for one in programs if shutil.which(one) is None]
    return f"{', '.join(absent)} is not installed" if absent else ""


def refused(config: Path) -> str:
    """The complaint of a `guarita serve` that must not start."""
    done = subprocess.run(
        [*PROGRAM, "serve", "--config", str(config)],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )
    assert (done.returncode, done.stdout) == (1, ""), done.stderr
    return done.stderr
