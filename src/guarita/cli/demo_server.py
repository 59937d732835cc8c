"""The demo's servers: each profile's gate with its upstream on uvicorn, until the last response."""

import asyncio
import gc
import logging
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import uvicorn
import uvloop
from msgspec import Struct

from guarita.cli.authority import DAY_S, publish
from guarita.cli.demo_delfinance import Material
from guarita.cli.demo_description import DescriptionBesideGate
from guarita.cli.sandbox_serving import log_no_drops
from guarita.data_folder import DataFolder
from guarita.decision_log import DecisionLog
from guarita.layers.certificate import ClientCertificate
from guarita.outage import REFUSE
from guarita.pki.authority import Authority
from guarita.pki.revocation import Revocations
from guarita.pki.verifier import CertificateVerifier
from guarita.pki.verify import ChainVerifier
from guarita.profile import Profile
from guarita.profiles.delfinance import PRODUCTION
from guarita.profiles.minhakonta import MINHA_KONTA
from guarita.sandbox import create_app
from guarita.sandbox.resource import create_resource_app
from guarita.serving.asgi import ASGIApp, Guarita
from guarita.serving.backend import Backend
from guarita.serving.crl import RevocationList
from guarita.serving.tls import ClientCertificateContext, client_certificate_context
from guarita.serving.tls_server import TLSServer
from guarita.serving.uvicorn_http import protocol_for

log = logging.getLogger("guarita.demo")

GRACE_S = 30
"""How long requests in flight may take to finish once the demo is told to stop, in seconds."""

_WHY_LOOPBACK = "the demo listens on loopback alone, and its merchants receive there"


class Site(Struct, frozen=True):
    """One listener: its application (gate and all), profile, sockets, and TLS context if any."""

    app: ASGIApp
    profile: Profile
    sockets: list[socket.socket]
    context: ClientCertificateContext | None = None


class _Server(TLSServer):
    """Leaves signals to the demo, which has several servers to stop."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def serve(
    folder: DataFolder,
    sockets: list[socket.socket],
    tls_sockets: list[socket.socket],
    material: Material,
    *,
    validation_ttl: int,
    on_ready: Callable[[], None],
) -> None:
    """Serve the bank and the resource of `folder` behind their gates, on sockets that listen
    already, until SIGTERM or SIGINT.

    `validation_ttl`: how long a client certificate's verification counts, in seconds. `on_ready` is
    called once, when requests are answered.
    """
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    with ExitStack() as stack:
        decision_log = DecisionLog(folder.decisions_path)
        stack.callback(decision_log.close)
        authority = Authority.open(folder.ca_path)
        revocations = Revocations(authority.chain, files=[folder.ca_path / "crl.pem"])
        revocations.watch()
        stack.callback(revocations.close)
        verifier = CertificateVerifier(ChainVerifier(authority.chain[-1:]), revocations)
        backend = Backend.embedded(folder, certificates=verifier)
        stack.callback(backend.close)
        log_no_drops()
        bank = create_app(folder.path, unsafe_loopback_webhooks=_WHY_LOOPBACK)
        gate = Guarita(bank, MINHA_KONTA, backend, decision_log=decision_log)
        described = DescriptionBesideGate(gate)
        delfinance = PRODUCTION.with_layers(ClientCertificate(validation_ttl, on_outage=REFUSE))
        resource = Guarita(create_resource_app(), delfinance, backend, decision_log=decision_log)
        context = client_certificate_context(material.server_certificate, material.server_key)
        sites = [
            Site(RevocationList(described, folder.ca_path), MINHA_KONTA, sockets),
            Site(RevocationList(resource, folder.ca_path), delfinance, tls_sockets, context),
        ]
        servers = [_Server(_config(site, decision_log), site.context) for site in sites]
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_run(servers, sites, authority, on_ready))


async def _run(
    servers: list[_Server],
    sites: list[Site],
    authority: Authority,
    on_ready: Callable[[], None],
) -> None:
    def stop() -> None:
        for server in servers:
            server.should_exit = True

    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop)
    running = [
        asyncio.ensure_future(server.serve(site.sockets))
        for server, site in zip(servers, sites, strict=True)
    ]
    while not all(server.started for server in servers):
        if any(server.should_exit for server in servers) or any(one.done() for one in running):
            stop()
            break
        await asyncio.sleep(0.01)
    else:
        # What lives now lives on: without it, each full collection would walk through all of it.
        gc.collect()
        gc.freeze()
        on_ready()
    renewing = asyncio.ensure_future(_renew(authority))
    await asyncio.gather(*running)
    renewing.cancel()


async def _renew(authority: Authority) -> None:
    """Publish the revocation list again every day, long before it ends."""
    while True:
        await asyncio.sleep(DAY_S)
        try:
            await asyncio.to_thread(publish, authority)
        except Exception:
            log.exception("the revocation list could not be renewed; trying again tomorrow")


def _config(site: Site, decision_log: DecisionLog) -> uvicorn.Config:
    return uvicorn.Config(
        site.app,
        http=protocol_for(site.profile, decision_log),
        ws="none",
        lifespan="on" if site.context is None else "auto",
        log_config=None,
        access_log=False,
        server_header=False,
        # Whose X-Forwarded-For is believed is the gate's decision alone.
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE_S,
    )
