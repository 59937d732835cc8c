"""The Delfinance gate behind an edge: keyring in SQLite, verification of chains, a revocation list
in a file, the decision log; and the callers of the edge.
"""

import base64
import http.client
import json
import ssl
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from guarita.data_folder import DataFolder
from guarita.decision_log import DecisionLog, Entry
from guarita.keyring.blocker import KeyBlocker
from guarita.keyring.verifier import Verifier
from guarita.pki.revocation import Revocations
from guarita.pki.verifier import CertificateVerifier
from guarita.pki.verify import ChainVerifier
from guarita.profiles.delfinance import PRODUCTION
from guarita.sandbox.resource import create_resource_app
from guarita.serving.asgi import Guarita
from guarita.serving.backend import Backend
from guarita.serving.certificates import CertificateHeader
from guarita.serving.edge import TrustedProxies
from guarita.serving.uvicorn_http import protocol_for
from guarita.stores.memory import MemoryStore
from tests.certificates import Certified
from tests.edges.client import Answer, ask, context, opened
from tests.edges.pki import Certificates
from tests.edges.running import Edge, edge, missing
from tests.serving.servers import uvicorn_thread
from tests.serving.tls.calling import Message
from tests.serving.tls.gates import DAY_S, Clock, Gate, Key, Lists, printed
from tests.serving.tls.support import World

EDGE = "127.0.0.1"
CALLER = "127.0.0.5"
STRANGER = "127.0.0.2"
HSTS = "max-age=31536000"

HEADERS = {
    "nginx": CertificateHeader("nginx-escaped-pem"),
    "haproxy": CertificateHeader("base64-der"),
    "envoy": CertificateHeader("xfcc"),
}
HAPROXY_WITH_TIME = CertificateHeader("base64-der", time_name="X-SSL-Client-At")


def written(form: str, certified: Certified) -> str:
    """The value an edge of this form would set for the certificate."""
    if form == "base64-der":
        return base64.b64encode(certified.der).decode()
    escaped = quote(certified.pem().decode(), safe="")
    return f'Cert="{escaped}"' if form == "xfcc" else escaped


@dataclass
class Behind:
    """A gate with its edge in front. `header` is the one it believes from the edge."""

    edge: Edge
    gate: Gate
    header: CertificateHeader
    _files: dict[int, Path] = field(default_factory=dict)

    def tls(self, client: Certified | None, version: ssl.TLSVersion) -> ssl.SSLContext:
        """Shows the certificate and its intermediates."""
        made = context(self.edge.certificates.server, version=version)
        if client is not None:
            files = self.gate.world.files(client)
            made.load_cert_chain(files.chain_file, files.key_file)
        return made

    def key(self, *certificates: Certified) -> Key:
        """A key of `CALLER` alone."""
        return self.gate.key(*certificates, allowed=(CALLER,))

    @contextmanager
    def connection(
        self,
        client: Certified | None,
        version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
        source: str = CALLER,
    ) -> Iterator["Connection"]:
        """A connection to the edge."""
        made = opened(self.edge.port, self.tls(client, version), source)
        try:
            yield Connection(made, self.gate)
        finally:
            made.close()

    def get(
        self,
        client: Certified | None,
        version: ssl.TLSVersion,
        headers: Sequence[tuple[str, str]],
        source: str = CALLER,
    ) -> "Reply":
        """One request on a connection of its own."""
        with self.connection(client, version, source) as made:
            return made.get(headers)

    def directly(self, source: str, headers: Sequence[tuple[str, str]]) -> "Reply":
        """One request past the edge, to the gate's own port."""
        made = opened(self.gate.port, None, source)
        try:
            return Connection(made, self.gate).get(headers)
        finally:
            made.close()


@dataclass
class Connection:
    """A connection that may be used more than once."""

    http: http.client.HTTPConnection
    gate: Gate

    def get(self, headers: Sequence[tuple[str, str]]) -> "Reply":
        return Reply(ask(self.http, headers=headers), self.gate)


class Reply:
    """An answer, which must be JSON with one Ray ID, and what the decision log has of it."""

    def __init__(self, answer: Answer, gate: Gate) -> None:
        self.answer = answer
        assert answer.headers.get_all("Content-Type") == ["application/json"], answer
        self.json: Any = json.loads(answer.body)
        (self.ray,) = answer.headers.get_all("Ray-ID") or []
        self.entry: Entry = gate.entry(self.ray)
        self.saw: dict[str, Any] = dict(self.entry.saw)

    def over_tls(self) -> None:
        assert self.answer.headers.get_all("Strict-Transport-Security") == [HSTS]

    def refused(self, message: Message, reason: str) -> None:
        """It is this literal as the only member, and the decision log tells this reason."""
        assert (self.answer.status, self.json) == (message.status, {"message": message.text})
        assert (self.entry.decision, self.entry.reason) == ("refuse", reason)
        assert self.entry.status == message.status

    def admitted(self, key: Key, client: Certified, address: str = CALLER) -> None:
        """It is the application's, and that knows the caller as openssl prints its certificate."""
        assert self.answer.status == 200, self.answer
        seen = printed(client)
        assert self.json["identity"] == {
            "account": key.account,
            "key": key.key_id,
            "address": address,
            "ray": self.ray,
            "certificate": {
                "subject": client.certificate.subject.rfc4514_string(),
                "serial": seen.serial,
                "sha256": seen.sha256,
            },
        }
        assert (self.entry.decision, self.entry.peer, self.entry.client) == (
            "admit",
            EDGE,
            address,
        )


def headers_of(key: Key) -> list[tuple[str, str]]:
    """The headers of a request that is right."""
    return [("x-delbank-api-key", key.api_key), ("x-delfinance-account-id", key.account)]


@contextmanager
def behind(name: str, folder: Path, header: CertificateHeader | None = None) -> Iterator[Behind]:
    """The gate in a thread, the edge `name` in front of it. The gate knows the intermediate
    authority only where the edge does not pass it on.
    """
    reason = missing(name)
    if reason is not None:
        pytest.skip(reason)
    header = header or HEADERS[name]
    (folder / "edge").mkdir()
    world, certificates = World(folder), Certificates(folder / "edge")
    certificates.authority.write_bytes(world.root.pem())
    clock, lists = Clock(), Lists(world, folder)
    lists.write((), clock(), DAY_S)
    reached: list[dict[str, Any]] = []
    upstream = create_resource_app()

    async def application(scope: Any, receive: Any, send: Any) -> None:
        reached.append(scope)
        await upstream(scope, receive, send)

    with ExitStack() as stack:
        data = stack.enter_context(DataFolder(folder / "data", clock=clock))
        keys = Verifier(data.repository, data.pepper, clock)
        root, intermediate = world.root.certificate, world.intermediate.certificate
        revocations = Revocations([root, intermediate], files=[lists.pem], poll_s=0.01, clock=clock)
        revocations.watch()
        stack.callback(revocations.close)
        known = [intermediate] if name == "nginx" else []
        chains = CertificateVerifier(ChainVerifier([root], known), revocations)
        store = MemoryStore()
        blocker = KeyBlocker(data.repository, keys.refresh)
        log = DecisionLog(data.decisions_path)
        stack.callback(log.close)
        gate = Guarita(
            application,
            PRODUCTION,
            Backend(keys, store, store, blocker=blocker, certificates=chains),
            trusted_proxies=TrustedProxies([EDGE]),
            certificate_header=header,
            decision_log=log,
            clock=clock,
        )
        protocol = protocol_for(PRODUCTION, log)
        port = stack.enter_context(uvicorn_thread(gate, lifespan="off", ws="none", http=protocol))
        running = stack.enter_context(edge(name, certificates, upstream=port))
        made = Gate(
            world, folder, port, clock, data, keys, revocations, chains, log, lists, reached
        )
        yield Behind(running, made, header)
