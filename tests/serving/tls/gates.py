"""The Delfinance gate behind TLS as a deployment has it (keyring in SQLite, verification of chains,
a revocation list in a file, the decision log), and what a test does to it.

Its time moves only when a test moves it. Clients are in `calling`.
"""

import datetime as dt
import logging
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from typing import Any

import uvicorn
from cryptography.hazmat.primitives.serialization import Encoding

from guarita.data_folder import DataFolder
from guarita.decision_log import DecisionLog, Entry, find
from guarita.keyring.blocker import KeyBlocker
from guarita.keyring.verifier import Verifier
from guarita.pki.revocation import Revocations
from guarita.pki.verifier import CertificateVerifier
from guarita.pki.verify import ChainVerifier
from guarita.profile import Profile
from guarita.profiles.delfinance import PRODUCTION
from guarita.records import CertificatePin
from guarita.sandbox.resource import create_resource_app
from guarita.serving.asgi import Guarita
from guarita.serving.backend import Backend
from guarita.serving.crl import RevocationList
from guarita.serving.tls import client_certificate_context
from guarita.serving.tls_server import TLSServer
from guarita.serving.uvicorn_http import protocol_for
from guarita.stores.memory import MemoryStore
from tests.certificates import Certified, Issuer
from tests.serving.servers import DEADLINE_S, listener
from tests.serving.tls.support import Errors, World

OWNER = "127.0.0.1"
DAY_S = 86_400.0


class Clock:
    """Seconds that pass only when a test says so."""

    def __init__(self) -> None:
        self.at = float(int(time.time()))

    def __call__(self) -> float:
        return self.at


@dataclass(frozen=True)
class Key:
    """An API key; `headers` are those of a request that is right."""

    key_id: str
    api_key: str = field(repr=False)
    account: str

    @property
    def headers(self) -> tuple[str, str]:
        return f"x-delbank-api-key: {self.api_key}", f"x-delfinance-account-id: {self.account}"


@dataclass(frozen=True)
class Printed:
    """What openssl prints of a certificate."""

    serial: str
    sha256: str


def printed(certified: Certified) -> Printed:
    """Serial and fingerprint as the seed's line has them made (L68)."""
    words = ["openssl", "x509", "-noout", "-serial", "-fingerprint", "-sha256"]
    done = subprocess.run(words, input=certified.pem(), capture_output=True, check=True)
    found = re.fullmatch(r"serial=(\S+)\nsha256 Fingerprint=(\S+)\n", done.stdout.decode())
    assert found is not None, done.stdout
    return Printed(found[1], found[2])


def until(condition: Callable[[], bool]) -> None:
    """Return as soon as `condition` holds; fail where it does not come to hold."""
    pause, ends = Event(), time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < ends, "it did not come to be"
        pause.wait(0.005)


@dataclass
class Gate:
    """A running gate."""

    world: World
    folder: Path
    port: int
    clock: Clock
    data: DataFolder
    keys: Verifier
    revocations: Revocations
    chains: CertificateVerifier
    log: DecisionLog
    lists: "Lists"
    reached: list[dict[str, Any]]

    @property
    def keyring(self) -> Any:
        return self.data.keyring

    def key(
        self,
        *certificates: Certified,
        pins: tuple[CertificatePin, ...] = (),
        mode: str | None = None,
        allowed: tuple[str, ...] = (OWNER,),
    ) -> Key:
        """A new key, for which `certificates` and `pins` are registered, in force at once."""
        account = self.keyring.create_account("Loja").account_id
        issued = self.keyring.create_key(
            account, profile="delfinance", allowlist=allowed, certificate_mode=mode
        )
        key = Key(issued.key.client_id, issued.secret.reveal(), account)
        for pin in (*map(pin_of, certificates), *pins):
            self.keyring.register_certificate(key.key_id, pin, overlap_until=self.clock() + DAY_S)
        self.keys.refresh()
        return key

    def change(self, make: Callable[..., object], *arguments: Any, **named: Any) -> None:
        """A use case of the keyring, in force at once."""
        make(*arguments, **named)
        self.keys.refresh()

    def entry(self, ray: str) -> Entry:
        """What the decision log has of a request."""
        self.log.flush()
        (entry,) = find(self.log.path, ray)
        return entry

    def publish(self, *revoked: Certified, next_s: float = DAY_S) -> None:
        """Rewrite the file of revocation lists; back once the gate has taken it."""
        before = self.revocations.generation
        self.lists.write(revoked, self.clock(), next_s)
        until(lambda: self.revocations.generation != before)


def pin_of(certified: Certified, **changes: Any) -> CertificatePin:
    """A registration made of what openssl prints."""
    seen = printed(certified)
    return CertificatePin(**{"serial": seen.serial, "sha256": seen.sha256, **changes})


class Lists:
    """The file with the lists of the root and the intermediate, and the root's alone in DER."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world = world
        self.pem, self.der = folder / "crl.pem", folder / "crl.der"
        self._number = 0

    def write(self, revoked: tuple[Certified, ...], at: float, next_s: float) -> None:
        """Everything `revoked`, each in its issuer's list."""
        self._number += 1
        made = [
            issuer.crl(
                [
                    one.certificate.serial_number
                    for one in revoked
                    if one.certificate.issuer == issuer.certificate.subject
                ],
                this_update=dt.datetime.fromtimestamp(at, dt.UTC),
                next_update=dt.datetime.fromtimestamp(at + next_s, dt.UTC),
                number=self._number,
            )
            for issuer in (self.world.root, self.world.intermediate)
        ]
        replace(self.pem, b"".join(crl.public_bytes(Encoding.PEM) for crl in made))
        replace(self.der, made[0].public_bytes(Encoding.DER))

    def write_by(self, stranger: Issuer, at: float) -> None:
        """An empty list that somebody else has signed."""
        crl = stranger.crl(this_update=dt.datetime.fromtimestamp(at, dt.UTC), number=999)
        replace(self.pem, crl.public_bytes(Encoding.PEM))


def replace(file: Path, data: bytes) -> None:
    """Write a file whole or not at all, as operators should."""
    draft = file.with_suffix(".draft")
    draft.write_bytes(data)
    os.replace(draft, file)


@contextmanager
def gate(
    world: World,
    folder: Path,
    profile: Profile = PRODUCTION,
    *,
    revoked: tuple[Certified, ...] = (),
    next_s: float = DAY_S,
    **settings: Any,
) -> Iterator[Gate]:
    """The gate in a thread, under uvloop, on 127.0.0.1; `settings` are of `Revocations`. What is
    logged as an error fails the test."""
    clock, lists = Clock(), Lists(world, folder)
    lists.write(revoked, clock(), next_s)
    reached: list[dict[str, Any]] = []
    upstream = create_resource_app()

    async def application(scope: Any, receive: Any, send: Any) -> None:
        reached.append(scope)
        await upstream(scope, receive, send)

    with ExitStack() as stack:
        data = stack.enter_context(DataFolder(folder / "data", clock=clock))
        keys = Verifier(data.repository, data.pepper, clock)
        authorities = [world.root.certificate, world.intermediate.certificate]
        revocations = Revocations(
            authorities, files=[lists.pem], poll_s=0.01, clock=clock, **settings
        )
        revocations.watch()
        stack.callback(revocations.close)
        # Intermediates come from the clients; the list of one is believed because it is known.
        chains = CertificateVerifier(ChainVerifier(authorities[:1]), revocations)
        store = MemoryStore()
        blocker = KeyBlocker(data.repository, keys.refresh)
        backend = Backend(keys, store, store, blocker=blocker, certificates=chains)
        log = DecisionLog(data.decisions_path)
        stack.callback(log.close)
        middleware = Guarita(application, profile, backend, decision_log=log, clock=clock)
        port = stack.enter_context(
            _running(world, RevocationList(middleware, folder), profile, log, clock)
        )
        yield Gate(world, folder, port, clock, data, keys, revocations, chains, log, lists, reached)


@contextmanager
def _running(
    world: World, app: Any, profile: Profile, log: DecisionLog, clock: Clock
) -> Iterator[int]:
    context = client_certificate_context(
        world.server.chain_file, world.server.key_file, clock=clock
    )
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http=protocol_for(profile, log),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=5,
    )
    server, errors = TLSServer(config, context), Errors()
    loggers = [logging.getLogger(name) for name in ("asyncio", "uvicorn.error", "guarita")]
    for logger in loggers:
        logger.addHandler(errors)
    try:
        with listener() as listening:
            thread = Thread(target=server.run, args=([listening],), daemon=True)
            thread.start()
            try:
                yield listening.getsockname()[1]
            finally:
                server.should_exit = True
                thread.join(DEADLINE_S)
                assert not thread.is_alive(), "the server did not end"
    finally:
        for logger in loggers:
            logger.removeHandler(errors)
    assert errors.found == []
