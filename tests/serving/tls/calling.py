"""Independent clients that call a gate over TLS: curl, and openssl s_client with a connection that
is kept open; and what their answers must look like."""

import io
import json
import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Timer
from typing import Any

from tests.certificates import Files

TIMEOUT_S = 15
RESOURCE = "/v1/resource"


@dataclass(frozen=True)
class Message:
    """One of the seven documented answers, or one of ours: status and literal text."""

    status: int
    text: str


# Literals: seed L20, L32, L45, L60, L78, L87, L96; statuses: fact sheet, table 3.2.
NO_KEY = Message(401, "Missing required header: x-delbank-api-key")
BLOCKED = Message(403, "API key is blocked")
CERTIFICATE = Message(403, "Valid client certificate required (mTLS)")
PIN = Message(403, "Client certificate does not match allowed certificate (mTLS STRICT)")
ADDRESS = Message(403, "IP not allowed for this API key")
ACCOUNT = Message(403, "Invalid or inexistent account_id.")
EXPIRED = Message(401, "Validation expired")
UNKNOWN = Message(401, "Invalid API key")  # DESIGN section 3, "states without a literal"


@dataclass(frozen=True)
class Answer:
    """One response; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def ray(self) -> str:
        return self.headers["ray-id"]

    @property
    def json(self) -> Any:
        assert self.headers["content-type"] == "application/json"
        return json.loads(self.body)

    def check(self) -> None:
        """What holds for every answer over TLS."""
        assert re.fullmatch(r"max-age=[1-9][0-9]*", self.headers["strict-transport-security"])
        assert self.ray

    def is_(self, message: Message) -> None:
        """It is this refusal: the literal as the only member, the status."""
        self.check()
        assert (self.status, self.json) == (message.status, {"message": message.text})
        wants_close = message is EXPIRED
        assert (self.headers.get("connection") == "close") is wants_close

    def admitted(self, key: Any) -> Any:
        """It comes from the application; gives the identity that the gate passed on."""
        self.check()
        assert self.status == 200, self
        identity = self.json["identity"]
        assert (identity["key"], identity["account"]) == (key.key_id, key.account)
        assert identity["ray"] == self.ray
        return identity


def read_answer(stream: Any) -> Answer:
    """The next response of a stream of bytes."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        line = stream.readline()
        assert line, f"the connection ended after {head!r}"
        head += line
    status, *lines = head.decode("latin-1").split("\r\n")[:-2]
    pairs = [line.partition(": ")[::2] for line in lines]
    headers = {name.lower(): value for name, value in pairs}
    assert len(headers) == len(pairs), "a header came twice"
    body = stream.read(int(headers["content-length"]))
    return Answer(int(status.split()[1]), headers, body)


def curl(port: int, ca: Path, *options: str, path: str = RESOURCE) -> list[Answer]:
    """What curl got, which must not have failed; a range in `path` makes several requests."""
    with subprocess.Popen(
        [
            *("curl", "--silent", "--show-error", "--include", "--http1.1", "--noproxy", "*"),
            *("--max-time", "10", "--cacert", str(ca), *options),
            f"https://127.0.0.1:{port}{path}",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        out, complaint = process.communicate(timeout=TIMEOUT_S)
    assert (process.returncode, complaint) == (0, b"")
    return read_answers(out)


def read_answers(data: bytes) -> list[Answer]:
    """All responses that `curl --include` has printed."""
    stream, answers = io.BytesIO(data), list[Answer]()
    while stream.tell() < len(data):
        answers.append(read_answer(stream))
    return answers


def cert_options(files: Files) -> tuple[str, ...]:
    """curl's options for a certificate with its chain."""
    return "--cert", str(files.chain_file), "--key", str(files.key_file)


def header_options(headers: Sequence[str]) -> tuple[str, ...]:
    return tuple(word for header in headers for word in ("-H", header))


class Kept:
    """An `openssl s_client` whose connection stays open between requests."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process

    def get(self, headers: Sequence[str], path: str = RESOURCE) -> Answer:
        lines = [f"GET {path} HTTP/1.1", "Host: localhost", *headers, "", ""]
        assert self._process.stdin is not None
        self._process.stdin.write("\r\n".join(lines).encode())
        self._process.stdin.flush()
        return read_answer(self._process.stdout)

    def ended(self) -> bool:
        """Waits for the end of the connection; whether it ended without another byte, and in
        order."""
        assert self._process.stdout is not None
        return self._process.stdout.read() == b"" and self._process.wait(TIMEOUT_S) == 0


@contextmanager
def kept(port: int, ca: Path, files: Files | None, version: str = "1.3") -> Iterator[Kept]:
    """A connection by openssl s_client."""
    shown: tuple[str, ...] = ()
    if files is not None:
        shown = ("-cert", str(files.certificate_file), "-key", str(files.key_file))
        shown += ("-cert_chain", str(files.chain_file))
    with subprocess.Popen(
        [
            *("openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-quiet"),
            *("-CAfile", str(ca), "-verify_return_error", f"-tls{version.replace('.', '_')}"),
            *shown,
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        # A server that never answers must fail the test, not hang it.
        watch = Timer(TIMEOUT_S, process.kill)
        watch.start()
        try:
            yield Kept(process)
        finally:
            watch.cancel()
            watch.join()
            process.kill()
